//! A canvas as PNG: tiny-skia fills and strokes, and letters are filled as outlines.

use ab_glyph::{Font as _, OutlineCurve, ScaleFont as _};
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, StrokeDash, Transform,
};

use crate::canvas::{Area, Canvas, Place, Shape, Stroke, Style};
use crate::color::Color;
use crate::lettering::{Anchor, Lettering, Turn};
use crate::theme::Theme;

/// Beyond so many dots a picture has one for each pixel instead of four.
const MANY: i64 = 120_000_000;

impl Canvas {
    /// The picture as a PNG file, two dots wide and high for each pixel.
    pub fn to_png(&self) -> Vec<u8> {
        let dots = i64::from(self.width) * i64::from(self.height) * 4;
        let density = if dots > MANY { 1 } else { 2 };
        let pixmap = self.paint(density);
        let Ok(png) = pixmap.encode_png() else {
            unreachable!("invariant: a picture in memory can be encoded")
        };
        png
    }
    fn paint(&self, density: u32) -> Pixmap {
        let (width, height) = (self.width as u32 * density, self.height as u32 * density);
        let Some(mut pixmap) = Pixmap::new(width, height) else {
            unreachable!("invariant: a canvas is neither empty nor larger than Canvas::MOST")
        };
        pixmap.fill(skia(self.theme.paper));
        let scale = density as f32;
        let mut brush = Brush { pixmap, base: Transform::from_scale(scale, scale) };
        for shape in &self.shapes {
            brush.shape(shape, &self.theme);
        }
        brush.pixmap
    }
}

struct Brush {
    pixmap: Pixmap,
    base: Transform,
}

impl Brush {
    fn shape(&mut self, shape: &Shape, theme: &Theme) {
        match shape {
            Shape::Path { tenths, closed, style } => {
                let mut path = PathBuilder::new();
                for (n, (x, y)) in tenths.iter().enumerate() {
                    let (x, y) = (*x as f32 / 10.0, *y as f32 / 10.0);
                    if n == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
                }
                if *closed {
                    path.close();
                }
                self.draw(path.finish(), style, self.base);
            }
            Shape::Rect { area, radius, style } => {
                self.draw(rectangle(*area, *radius), style, self.base);
            }
            Shape::Circle { centre: (x, y), radius, style } => {
                let path = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32);
                self.draw(path, style, self.base);
            }
            Shape::Text { at, text, lettering } => self.text(*at, text, lettering, theme),
            Shape::Open { .. } | Shape::Close => {}
        }
    }
    /// Nothing is drawn of a path that has no extent.
    fn draw(&mut self, path: Option<Path>, style: &Style, transform: Transform) {
        let Some(path) = path else { return };
        if let Some(fill) = style.fill {
            self.pixmap.fill_path(&path, &paint(fill), FillRule::Winding, transform, None);
        }
        if let Some(Stroke { color, tenths, dash }) = style.stroke {
            let dash = dash.and_then(|(drawn, left_out)| {
                StrokeDash::new(vec![drawn as f32, left_out as f32], 0.0)
            });
            let stroke = tiny_skia::Stroke {
                width: tenths as f32 / 10.0,
                line_join: LineJoin::Round,
                line_cap: LineCap::Butt,
                dash,
                ..Default::default()
            };
            self.pixmap.stroke_path(&path, &paint(color), &stroke, transform, None);
        }
    }
    fn text(&mut self, (x, y): Place, text: &str, lettering: &Lettering, theme: &Theme) {
        let width = lettering.face.width(text, lettering.size);
        let shift = match lettering.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let angle = match lettering.turn {
            Turn::Level => 0.0,
            Turn::Up => -90.0,
            Turn::Down => 90.0,
        };
        let transform = self
            .base
            .pre_translate(x as f32, y as f32)
            .pre_rotate(angle)
            .pre_translate(shift, lettering.drop() as f32);
        let Some(path) = letters(text, lettering) else { return };
        if lettering.halo {
            let around =
                tiny_skia::Stroke { width: 4.0, line_join: LineJoin::Round, ..Default::default() };
            self.pixmap.stroke_path(&path, &paint(theme.paper), &around, transform, None);
        }
        let color = lettering.color.unwrap_or(theme.ink);
        self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, transform, None);
    }
}

/// The outlines of a text that begins at zero and stands on the line through zero.
fn letters(text: &str, lettering: &Lettering) -> Option<Path> {
    let font = lettering.face.font();
    let scale = lettering.face.scale(lettering.size);
    let scaled = font.as_scaled(scale);
    let per_unit = scale / font.height_unscaled();
    let mut path = PathBuilder::new();
    let mut pen = 0.0;
    let mut last = None;
    for c in text.chars() {
        let glyph = scaled.glyph_id(c);
        if let Some(last) = last.replace(glyph) {
            pen += scaled.kern(last, glyph);
        }
        if let Some(outline) = font.outline(glyph) {
            let place = |p: ab_glyph::Point| (pen + p.x * per_unit, -p.y * per_unit);
            contours(&mut path, &outline.curves, place);
        }
        pen += scaled.h_advance(glyph);
    }
    path.finish()
}

/// Curves follow each other without saying where a contour begins: where one does not go on from
/// the end of the one before.
fn contours(
    path: &mut PathBuilder,
    curves: &[OutlineCurve],
    place: impl Fn(ab_glyph::Point) -> (f32, f32),
) {
    let mut end = None;
    for curve in curves {
        let from = match curve {
            OutlineCurve::Line(a, _) | OutlineCurve::Quad(a, ..) | OutlineCurve::Cubic(a, ..) => *a,
        };
        if end != Some(from) {
            if end.is_some() {
                path.close();
            }
            let (x, y) = place(from);
            path.move_to(x, y);
        }
        let to = match curve {
            OutlineCurve::Line(_, b) => {
                let (x, y) = place(*b);
                path.line_to(x, y);
                b
            }
            OutlineCurve::Quad(_, c, b) => {
                let ((cx, cy), (x, y)) = (place(*c), place(*b));
                path.quad_to(cx, cy, x, y);
                b
            }
            OutlineCurve::Cubic(_, c, d, b) => {
                let ((cx, cy), (dx, dy), (x, y)) = (place(*c), place(*d), place(*b));
                path.cubic_to(cx, cy, dx, dy, x, y);
                b
            }
        };
        end = Some(*to);
    }
    if end.is_some() {
        path.close();
    }
}

fn rectangle(area: Area, radius: i32) -> Option<Path> {
    let Area { x, y, width, height } = area;
    let rect = Rect::from_xywh(x as f32, y as f32, width as f32, height as f32)?;
    let r = (radius.min(width / 2).min(height / 2)) as f32;
    if r <= 0.0 {
        return Some(PathBuilder::from_rect(rect));
    }
    let (left, top, right, bottom) = (rect.left(), rect.top(), rect.right(), rect.bottom());
    // How far a cubic's handles reach for a quarter of a circle.
    let k = r * (1.0 - 0.552_284_8);
    let mut path = PathBuilder::new();
    path.move_to(left + r, top);
    path.line_to(right - r, top);
    path.cubic_to(right - k, top, right, top + k, right, top + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(left + r, bottom);
    path.cubic_to(left + k, bottom, left, bottom - k, left, bottom - r);
    path.line_to(left, top + r);
    path.cubic_to(left, top + k, left + k, top, left + r, top);
    path.close();
    path.finish()
}

fn skia(color: Color) -> tiny_skia::Color {
    tiny_skia::Color::from_rgba8(color.r, color.g, color.b, color.a)
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(skia(color));
    paint.anti_alias = true;
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(pixmap: &Pixmap, x: u32, y: u32) -> (u8, u8, u8) {
        let dot = pixmap.pixel(x, y).expect("it lies within").demultiply();
        (dot.red(), dot.green(), dot.blue())
    }

    #[test]
    fn shapes_are_where_they_should_be() {
        let mut canvas = Canvas::new(40, 20, Theme::LIGHT);
        let (red, blue) = (Color::hex(0xff0000), Color::hex(0x0000ff));
        canvas.rect(Area { x: 0, y: 0, width: 10, height: 10 }, red);
        canvas.line((20, 5), (40, 5), Stroke::new(blue, 2));
        let pixmap = canvas.paint(2);
        assert_eq!((pixmap.width(), pixmap.height()), (80, 40));
        assert_eq!(dot(&pixmap, 19, 19), (255, 0, 0));
        assert_eq!(dot(&pixmap, 21, 21), (255, 255, 255));
        assert_eq!(dot(&pixmap, 50, 10), (0, 0, 255));
    }

    #[test]
    fn letters_are_filled_and_counters_are_not() {
        let mut canvas = Canvas::new(100, 100, Theme::LIGHT);
        canvas.text((50, 50), "O", Lettering::new(100).centred().middle());
        let pixmap = canvas.paint(1);
        assert_eq!(dot(&pixmap, 50, 50), (255, 255, 255), "within the O");
        // The stroke of an O of this size is 8 pixels left of its edge at 16.
        let ink = (0..40).filter(|&x| dot(&pixmap, x, 50) == (0x1f, 0x23, 0x28)).count();
        assert!((6..14).contains(&ink), "{ink}");
        // As far from the top as from the bottom, within a pixel.
        let rows: Vec<u32> = (0..100).filter(|&y| dot(&pixmap, 50, y).0 < 128).collect();
        let (top, bottom) = (rows[0], rows[rows.len() - 1]);
        assert!(top.abs_diff(99 - bottom) <= 2, "{top} {bottom}");
    }

    #[test]
    fn turned_text_runs_upwards() {
        let mut canvas = Canvas::new(40, 100, Theme::LIGHT);
        canvas.text((20, 90), "IIIIIIII", Lettering::new(20).turned(Turn::Up));
        let pixmap = canvas.paint(1);
        let dark = |y| (0..40).any(|x| dot(&pixmap, x, y).0 < 128);
        assert!((40..90).any(dark) && !(92..100).any(dark));
    }
}
