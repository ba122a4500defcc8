//! Test tables as aligned text: a header line names the columns, each further line is a case.
//!
//! A cell reaches from its header's first character to the next header's; the last one takes the
//! rest of the line, and may tell releases apart: `3.10: ack  6.18: nothing`. Lines that begin
//! with `#` are comments. Used by the unit tests of the judges and by the integration tests.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::release::Release;

/// One case.
pub(crate) struct Row<'a> {
    header: &'a [(usize, &'a str)],
    line: &'a str,
}

impl<'a> Row<'a> {
    /// The cell in that column.
    pub(crate) fn get(&self, column: &str) -> &'a str {
        let at = self.header.iter().position(|&(_, name)| name == column);
        let at = at.unwrap_or_else(|| panic!("no column {column} in {:?}", self.header));
        let begin = self.header[at].0.min(self.line.len());
        let end = self.header.get(at + 1).map_or(self.line.len(), |h| h.0).min(self.line.len());
        let torn = begin > 0 && begin < self.line.len() && !self.line[..begin].ends_with(' ');
        assert!(!torn, "column {column} is not aligned: {}", self.line);
        self.line[begin..end].trim()
    }
    /// The cell as a number; `-` is none.
    pub(crate) fn number(&self, column: &str) -> Option<i64> {
        match self.get(column) {
            "-" => None,
            cell => Some(cell.parse().unwrap_or_else(|_| panic!("{column} of: {}", self.line))),
        }
    }
    /// The last cell, as far as that release is concerned.
    pub(crate) fn expected(&self, release: Release) -> &'a str {
        let last = self.get(self.header[self.header.len() - 1].1);
        let Some((_, mine)) = last.split_once(&format!("{release}: ")) else { return last };
        Release::ALL
            .iter()
            .filter_map(|r| mine.find(&format!("{r}: ")))
            .min()
            .map_or(mine, |next| &mine[..next])
            .trim()
    }
}

/// Runs `judge` over every row, for every release, and panics with all rows that differ.
pub(crate) fn check(table: &str, judge: impl Fn(Release, &Row<'_>) -> String) {
    let mut lines = table.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with('#'));
    let head = lines.next().expect("a header line");
    let mut header = Vec::new();
    for name in head.split_whitespace() {
        header.push((name.as_ptr() as usize - head.as_ptr() as usize, name));
    }
    let (mut cases, mut wrong) = (0, String::new());
    for line in lines {
        let row = Row { header: &header, line };
        for release in Release::ALL {
            cases += 1;
            let (want, got) = (row.expected(release), judge(release, &row));
            if got != want {
                wrong += &format!("{release}: {}\n      got: {got}\n", line.trim());
            }
        }
    }
    assert!(cases > 0, "a table has cases");
    assert!(wrong.is_empty(), "\n{head}\n{wrong}");
}

/// Flags as packetdrill writes them.
pub(crate) fn flags(text: &str) -> crate::segment::Flags {
    use crate::segment::Flags;
    let mut all = Flags::NONE;
    for letter in text.chars() {
        all |= match letter {
            'S' => Flags::SYN,
            'F' => Flags::FIN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            '.' => Flags::ACK,
            '-' => Flags::NONE,
            other => panic!("no flag {other}"),
        };
    }
    all
}
