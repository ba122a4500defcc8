//! What the colours of a panel mean, in a column beside it, with a number for each.

use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::color::Color;
use crate::lettering::Lettering;

/// How something looks in a panel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Mark {
    /// An area of that colour.
    Area(Color),
    /// A line.
    Line(Stroke),
    /// A line with points of a shape of their own.
    Points(Stroke, usize),
    /// It is not there.
    Nothing,
}

/// One line of a legend.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) number: String,
}

/// How far apart the lines are where there is room, and where there is not.
const ROWS: (i32, i32) = (18, 13);

/// Draws as many entries as there is room for, and says how many there are besides.
pub(crate) fn draw(canvas: &mut Canvas, area: Area, heading: &str, entries: &[Entry]) {
    let faint = Lettering::new(10).color(canvas.theme().faint);
    canvas.text((area.right(), area.y + 4), heading, faint.ending().middle());
    let count = entries.len() as i32;
    let headed = if heading.is_empty() { 0 } else { 1 };
    let row = ((area.height - 8) / (count + headed - 1).max(1)).clamp(ROWS.1, ROWS.0);
    let first = if heading.is_empty() { 6 } else { row + 4 };
    let room = ((area.height - first) / row + 1).max(1) as usize;
    let shown = if entries.len() > room { room - 1 } else { entries.len() };
    for (n, entry) in entries[..shown].iter().enumerate() {
        draw_entry(canvas, Area { y: area.y + first + row * n as i32, height: row, ..area }, entry);
    }
    if shown < entries.len() {
        let y = area.y + first + row * shown as i32;
        let more = format!("and {} more", entries.len() - shown);
        canvas.text((area.x + 24, y), more, faint.middle());
    }
}

/// One line, whose middle is at the top of that area.
fn draw_entry(canvas: &mut Canvas, area: Area, entry: &Entry) {
    let y = area.y;
    let text = Lettering::new(if area.height < 16 { 11 } else { 12 }).middle();
    let thick = area.height * 2 / 3;
    match entry.mark {
        Mark::Area(color) => {
            let mark = Area { x: area.x, y: y - thick / 2, width: 16, height: thick };
            canvas.rounded(mark, 2, color);
        }
        Mark::Line(stroke) => canvas.line((area.x, y), (area.x + 16, y), stroke),
        Mark::Points(stroke, shape) => {
            canvas.line((area.x, y), (area.x + 16, y), stroke);
            point(canvas, (area.x + 8, y), shape, stroke.color);
        }
        Mark::Nothing => {}
    }
    canvas.text((area.right(), y), entry.number.as_str(), text.ending());
    let left = area.width - 24 - text.width(&entry.number) - 8;
    canvas.text((area.x + 24, y), text.fit(&entry.name, left), text);
}

/// A point of one of a few shapes, so that curves can be told apart without their colours.
pub(crate) fn point(canvas: &mut Canvas, (x, y): Place, shape: usize, color: Color) {
    match shape % 4 {
        0 => canvas.circle((x, y), 4, color),
        1 => canvas.rect(Area { x: x - 4, y: y - 4, width: 8, height: 8 }, color),
        2 => canvas.polygon(&[(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)], color),
        _ => canvas.polygon(&[(x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)], color),
    }
}
