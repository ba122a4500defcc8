//! What a figure is drawn on: a list of shapes, which becomes an SVG or a PNG.
//!
//! Places are whole pixels from the upper left corner, so that both come out the same on every
//! machine. A PNG has two dots for each pixel.

use crate::color::Color;
use crate::lettering::Lettering;
use crate::theme::Theme;

/// A place: pixels from the left, pixels from the top.
pub type Place = (i32, i32);

/// An upright rectangle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// Its left edge.
    pub x: i32,
    /// Its upper edge.
    pub y: i32,
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
}

impl Area {
    /// The rectangle between two corners, in whichever order.
    pub fn between(a: Place, b: Place) -> Self {
        let (x, y) = (a.0.min(b.0), a.1.min(b.1));
        Self { x, y, width: a.0.max(b.0) - x, height: a.1.max(b.1) - y }
    }
    /// The column right of it.
    pub const fn right(&self) -> i32 {
        self.x + self.width
    }
    /// The row below it.
    pub const fn bottom(&self) -> i32 {
        self.y + self.height
    }
    /// Its middle.
    pub const fn centre(&self) -> Place {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
    /// The rectangle that is left within it: so much less on the left, top, right and bottom.
    #[must_use]
    pub fn inset(&self, left: i32, top: i32, right: i32, bottom: i32) -> Self {
        Self {
            x: self.x + left,
            y: self.y + top,
            width: (self.width - left - right).max(0),
            height: (self.height - top - bottom).max(0),
        }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stroke {
    /// Its colour.
    pub color: Color,
    /// How thick it is, tenths of a pixel.
    pub tenths: u32,
    /// Pixels drawn and pixels left out, if it is dashed.
    pub dash: Option<(u32, u32)>,
}

impl Stroke {
    /// A line of so many pixels.
    pub const fn new(color: Color, pixels: u32) -> Self {
        Self { color, tenths: pixels * 10, dash: None }
    }
    /// A line of so many tenths of a pixel.
    pub const fn tenths(color: Color, tenths: u32) -> Self {
        Self { color, tenths, dash: None }
    }
    /// The same, dashed.
    #[must_use]
    pub const fn dashed(self, drawn: u32, left_out: u32) -> Self {
        Self { dash: Some((drawn, left_out)), ..self }
    }
}

/// How the inside and the edge of a shape are drawn.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Style {
    /// The inside.
    pub fill: Option<Color>,
    /// The edge.
    pub stroke: Option<Stroke>,
}

impl From<Color> for Style {
    fn from(fill: Color) -> Self {
        Self { fill: Some(fill), stroke: None }
    }
}

impl From<Stroke> for Style {
    fn from(stroke: Stroke) -> Self {
        Self { fill: None, stroke: Some(stroke) }
    }
}

impl From<(Color, Stroke)> for Style {
    fn from((fill, stroke): (Color, Stroke)) -> Self {
        Self { fill: Some(fill), stroke: Some(stroke) }
    }
}

/// One thing that is drawn.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Shape {
    /// Places in tenths of a pixel: the points of arrows lie between pixels.
    Path {
        tenths: Vec<Place>,
        closed: bool,
        style: Style,
    },
    Rect {
        area: Area,
        radius: i32,
        style: Style,
    },
    Circle {
        centre: Place,
        radius: i32,
        style: Style,
    },
    Text {
        at: Place,
        text: String,
        lettering: Lettering,
    },
    /// A group begins; a pointer that rests on it is told `title`.
    Open {
        title: String,
        data: Vec<(&'static str, String)>,
    },
    Close,
}

/// A sheet of paper of a fixed size.
#[derive(Clone, Debug)]
pub struct Canvas {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) theme: Theme,
    pub(crate) shapes: Vec<Shape>,
    open: usize,
}

impl Canvas {
    /// The largest width and height, pixels.
    pub const MOST: i32 = 16_384;

    /// Empty paper; sizes beyond [`Canvas::MOST`] are cut to it.
    pub fn new(width: i32, height: i32, theme: Theme) -> Self {
        let (width, height) = (width.clamp(1, Self::MOST), height.clamp(1, Self::MOST));
        Self { width, height, theme, shapes: Vec::new(), open: 0 }
    }
    /// All of it.
    pub const fn area(&self) -> Area {
        Area { x: 0, y: 0, width: self.width, height: self.height }
    }
    /// Its colours.
    pub const fn theme(&self) -> &Theme {
        &self.theme
    }
    /// A line.
    pub fn line(&mut self, from: Place, to: Place, stroke: Stroke) {
        self.path(&[from, to], stroke);
    }
    /// A line through several places.
    pub fn path(&mut self, places: &[Place], stroke: Stroke) {
        self.push_path(places, false, stroke.into());
    }
    /// A line through places between pixels, to a tenth.
    pub fn curve(&mut self, places: &[(f64, f64)], stroke: Stroke) {
        let tenth = |value: f64| (value * 10.0).round() as i32;
        let tenths: Vec<Place> = places.iter().map(|&(x, y)| (tenth(x), tenth(y))).collect();
        if tenths.len() >= 2 {
            self.shapes.push(Shape::Path { tenths, closed: false, style: stroke.into() });
        }
    }
    /// A closed shape.
    pub fn polygon(&mut self, places: &[Place], style: impl Into<Style>) {
        self.push_path(places, true, style.into());
    }
    fn push_path(&mut self, places: &[Place], closed: bool, style: Style) {
        // plotters draws with no colour what is not to be seen.
        let clear = style.fill.is_none_or(|fill| fill.a == 0)
            && style.stroke.is_none_or(|stroke| stroke.color.a == 0 || stroke.tenths == 0);
        if places.len() >= 2 && !clear {
            let tenths = places.iter().map(|&(x, y)| (x * 10, y * 10)).collect();
            self.shapes.push(Shape::Path { tenths, closed, style });
        }
    }
    /// An upright rectangle.
    pub fn rect(&mut self, area: Area, style: impl Into<Style>) {
        self.rounded(area, 0, style);
    }
    /// An upright rectangle with round corners.
    pub fn rounded(&mut self, area: Area, radius: i32, style: impl Into<Style>) {
        if area.width > 0 && area.height > 0 {
            self.shapes.push(Shape::Rect { area, radius, style: style.into() });
        }
    }
    /// A circle.
    pub fn circle(&mut self, centre: Place, radius: i32, style: impl Into<Style>) {
        self.shapes.push(Shape::Circle { centre, radius, style: style.into() });
    }
    /// A text on one line.
    pub fn text(&mut self, at: Place, text: impl Into<String>, lettering: Lettering) {
        let text = text.into();
        if !text.is_empty() {
            self.shapes.push(Shape::Text { at, text, lettering });
        }
    }
    /// A line with a filled head at its end, and only the head if both places are the same.
    pub fn arrow(&mut self, from: Place, to: Place, stroke: Stroke) {
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = (dx * dx + dy * dy).sqrt();
        let (ux, uy) = if length > 0.0 { (dx / length, dy / length) } else { (1.0, 0.0) };
        let long = 70.0 + f64::from(stroke.tenths) * 1.5;
        let wide = 26.0 + f64::from(stroke.tenths) * 0.7;
        let tip = (to.0 * 10, to.1 * 10);
        let back = |along: f64, across: f64| {
            let x = f64::from(tip.0) - ux * along - uy * across;
            let y = f64::from(tip.1) - uy * along + ux * across;
            (x.round() as i32, y.round() as i32)
        };
        if length * 10.0 > long {
            // The line ends within the head, so that its end does not show beside the tip.
            let tenths = vec![(from.0 * 10, from.1 * 10), back(long * 0.8, 0.0)];
            self.shapes.push(Shape::Path { tenths, closed: false, style: stroke.into() });
        }
        let tenths = vec![tip, back(long, wide), back(long * 0.8, 0.0), back(long, -wide)];
        let style = stroke.color.into();
        self.shapes.push(Shape::Path { tenths, closed: true, style });
    }
    /// What `draw` draws belongs together: an SVG shows `title` where a pointer rests on it, and
    /// carries `data` in attributes `data-…` for a script. A PNG shows only what is drawn.
    pub fn group(
        &mut self,
        title: impl Into<String>,
        data: Vec<(&'static str, String)>,
        draw: impl FnOnce(&mut Self),
    ) {
        self.open += 1;
        self.shapes.push(Shape::Open { title: title.into(), data });
        draw(self);
        self.shapes.push(Shape::Close);
        self.open -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_ends_where_it_should() {
        let mut canvas = Canvas::new(100, 100, Theme::LIGHT);
        canvas.arrow((10, 10), (60, 10), Stroke::new(Color::hex(0), 1));
        let [Shape::Path { tenths: line, .. }, Shape::Path { tenths: head, closed: true, .. }] =
            canvas.shapes.as_slice()
        else {
            panic!("a line and a head: {:?}", canvas.shapes)
        };
        assert_eq!((line[0], head[0]), ((100, 100), (600, 100)));
        assert!(line[1].0 < 600 && head[1].1 - 100 == 100 - head[3].1);
    }

    #[test]
    fn an_area_is_what_lies_between_two_corners() {
        let area = Area::between((30, 5), (10, 25));
        assert_eq!(area, Area { x: 10, y: 5, width: 20, height: 20 });
        assert_eq!(area.inset(1, 2, 3, 4), Area { x: 11, y: 7, width: 16, height: 14 });
        assert_eq!(area.inset(15, 0, 15, 0).width, 0);
    }
}
