//! What the colours of a panel mean, in a column beside it, with a number for each.

use crate::canvas::{Area, Canvas, Stroke};
use crate::color::Color;
use crate::lettering::Lettering;

/// How something looks in a panel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Mark {
    /// An area of that colour.
    Area(Color),
    /// A line.
    Line(Stroke),
}

/// One line of a legend.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) number: String,
}

/// A column of them.
const ROW: i32 = 18;

/// Draws as many entries as there is room for, and says how many there are besides.
pub(crate) fn draw(canvas: &mut Canvas, area: Area, heading: &str, entries: &[Entry]) {
    let theme = *canvas.theme();
    let faint = Lettering::new(10).color(theme.faint);
    canvas.text((area.right(), area.y), heading, faint.ending().middle());
    let room = ((area.height - ROW / 2) / ROW).max(1) as usize;
    let shown = if entries.len() > room { room - 1 } else { entries.len() };
    for (n, entry) in entries[..shown].iter().enumerate() {
        let y = area.y + ROW * (n as i32 + 1);
        match entry.mark {
            Mark::Area(color) => {
                canvas.rounded(Area { x: area.x, y: y - 6, width: 16, height: 12 }, 2, color);
            }
            Mark::Line(stroke) => canvas.line((area.x, y), (area.x + 16, y), stroke),
        }
        let number = Lettering::new(12).ending().middle();
        canvas.text((area.right(), y), entry.number.as_str(), number);
        let name = Lettering::new(12).middle();
        let left = area.width - 24 - number.width(&entry.number) - 8;
        canvas.text((area.x + 24, y), name.fit(&entry.name, left), name);
    }
    if shown < entries.len() {
        let y = area.y + ROW * (shown as i32 + 1);
        let more = format!("and {} more", entries.len() - shown);
        canvas.text((area.x + 24, y), more, faint.middle());
    }
}
