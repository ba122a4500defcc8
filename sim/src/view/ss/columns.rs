//! The columns of `ss`: every column is as wide as its widest cell, headline included, which is
//! what `ss` prints when its output is not a terminal.

use core::fmt::Write as _;

/// Which side of a column the text stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Align {
    Left,
    Right,
}

/// A column: its headline, the gap before it, and the side its text stands on.
#[derive(Clone, Copy, Debug)]
struct Column {
    head: &'static str,
    gap: &'static str,
    align: Align,
}

/// The columns of a socket. Address and port are two columns, so that the colons stand in line.
const COLUMNS: [Column; 9] = [
    Column { head: "Netid", gap: "", align: Align::Left },
    Column { head: "State", gap: " ", align: Align::Left },
    Column { head: "Recv-Q", gap: " ", align: Align::Left },
    Column { head: "Send-Q", gap: " ", align: Align::Left },
    Column { head: "Local Address:", gap: " ", align: Align::Right },
    Column { head: "Port", gap: "", align: Align::Left },
    Column { head: "Peer Address:", gap: " ", align: Align::Right },
    Column { head: "Port", gap: "", align: Align::Left },
    Column { head: "Process", gap: "", align: Align::Left },
];

/// A line's cells, in the order of [`COLUMNS`].
pub(super) type Cells = [String; COLUMNS.len()];

/// Lines with a common width of each column.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Which columns are shown.
    pub(super) netid: bool,
    pub(super) state: bool,
    /// The headline.
    pub(super) header: bool,
    pub(super) lines: Vec<Cells>,
}

impl Table {
    /// The text. Every line is filled up with blanks to the full width.
    pub(super) fn render(&self) -> String {
        let shown: Vec<usize> = (0..COLUMNS.len())
            .filter(|i| match i {
                0 => self.netid,
                1 => self.state,
                _ => true,
            })
            .collect();
        let heads = COLUMNS.map(|c| c.head.to_owned());
        let lines: Vec<&Cells> =
            self.header.then_some(&heads).into_iter().chain(&self.lines).collect();
        let width = |i: usize| {
            // A field is measured when the next one begins: the very last is never measured.
            let measured =
                lines.len() - usize::from(i == COLUMNS.len() - 1 && !self.lines.is_empty());
            lines[..measured].iter().map(|cells| cells[i].len()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        let mut out = String::new();
        for cells in lines {
            for (place, &i) in shown.iter().enumerate() {
                let gap = if place > 0 { COLUMNS[i].gap } else { "" };
                let (cell, width) = (&cells[i], widths[i]);
                // Writing into a string cannot fail.
                let _ = match COLUMNS[i].align {
                    Align::Left => write!(out, "{gap}{cell:<width$}"),
                    Align::Right => write!(out, "{gap}{cell:>width$}"),
                };
            }
            out.push('\n');
        }
        out
    }
}
