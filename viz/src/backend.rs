//! A canvas as something that plotters draws on.

use std::convert::Infallible;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontFamily, FontStyle, FontTransform,
    text_anchor::{HPos, VPos},
};

use crate::canvas::{Area, Canvas, Stroke, Style};
use crate::color::Color;
use crate::font::{self, Face};
use crate::lettering::{Anchor, Height, Lettering, Turn};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

fn color(color: BackendColor) -> Color {
    let (r, g, b) = color.rgb;
    Color { r, g, b, a: (color.alpha * 255.0).round() as u8 }
}

fn stroke<S: BackendStyle>(style: &S) -> Stroke {
    Stroke::new(color(style.color()), style.stroke_width())
}

fn filled<S: BackendStyle>(style: &S, fill: bool) -> Style {
    if fill { color(style.color()).into() } else { stroke(style).into() }
}

/// Draws with `(&mut canvas).into_drawing_area()`.
impl DrawingBackend for &mut Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }
    fn ensure_prepared(&mut self) -> Drawn {
        font::register();
        Ok(())
    }
    fn present(&mut self) -> Drawn {
        Ok(())
    }
    fn draw_pixel(&mut self, (x, y): BackendCoord, dot: BackendColor) -> Drawn {
        self.rect(Area { x, y, width: 1, height: 1 }, color(dot));
        Ok(())
    }
    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.line(from, to, stroke(style));
        Ok(())
    }
    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.rect(Area::between(upper_left, bottom_right), filled(style, fill));
        Ok(())
    }
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.path(&path.into_iter().collect::<Vec<_>>(), stroke(style));
        Ok(())
    }
    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.circle(center, radius as i32, filled(style, fill));
        Ok(())
    }
    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        self.polygon(&vert.into_iter().collect::<Vec<_>>(), color(style.color()));
        Ok(())
    }
    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        place: BackendCoord,
    ) -> Drawn {
        let lettering = lettering(style);
        self.text(place, text, lettering);
        Ok(())
    }
    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let lettering = lettering(style);
        Ok((lettering.width(text) as u32, lettering.size))
    }
}

fn lettering<T: BackendTextStyle>(style: &T) -> Lettering {
    let bold = matches!(style.style(), FontStyle::Bold);
    let anchor = style.anchor();
    Lettering {
        // The sizes of plotters are em sizes that it draws by the height of a line.
        size: style.size().round() as u32,
        face: match style.family() {
            FontFamily::Monospace => Face::Mono,
            _ if bold => Face::Bold,
            _ => Face::Sans,
        },
        anchor: match anchor.h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        },
        height: match anchor.v_pos {
            VPos::Top => Height::Top,
            VPos::Center => Height::Middle,
            VPos::Bottom => Height::Base,
        },
        turn: match style.transform() {
            FontTransform::Rotate90 => Turn::Down,
            FontTransform::Rotate270 => Turn::Up,
            FontTransform::None | FontTransform::Rotate180 => Turn::Level,
        },
        color: Some(color(style.color())),
        halo: false,
    }
}
