//! A canvas as SVG. Texts stay texts: they can be searched, copied and read out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::base64;
use crate::canvas::{Area, Canvas, Place, Shape, Stroke, Style};
use crate::font::Face;
use crate::lettering::{Anchor, Lettering, Turn};
use crate::theme::Theme;

/// Does an SVG carry its fonts?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fonts {
    /// Yes: it looks the same everywhere.
    Embedded,
    /// No: the page around it has them, see [`font_css`], or a substitute will do.
    Outside,
}

/// The fonts as a style sheet, for a page that shows several figures.
pub fn font_css(faces: &[Face]) -> String {
    let mut css = String::new();
    for face in faces {
        write_face(&mut css, *face, face.bytes());
    }
    css
}

fn write_face(css: &mut String, face: Face, font: &[u8]) {
    let weight = if face == Face::Bold { "bold" } else { "normal" };
    let family = face.css_family().split(',').next().unwrap_or_default();
    css.push_str("@font-face{font-family:\"");
    css.push_str(family);
    let _ = write!(css, "\";font-weight:{weight};src:url(data:font/ttf;base64,");
    base64::encode(css, font);
    css.push_str(")}\n");
}

impl Canvas {
    /// The picture as an SVG document; `label` is what it is called where it cannot be seen.
    pub fn to_svg(&self, label: &str, fonts: Fonts) -> String {
        let mut out = String::new();
        let (w, h) = (self.width, self.height);
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"{}\" xml:space=\"preserve\">",
            Escaped(label),
            Face::Sans.css_family(),
        );
        if fonts == Fonts::Embedded {
            let _ = writeln!(out, "<style>{}</style>", self.font_css());
        }
        let paper = self.theme.paper;
        let _ = writeln!(out, "<rect width=\"{w}\" height=\"{h}\" fill=\"{paper}\"/>");
        for shape in &self.shapes {
            write_shape(&mut out, shape, &self.theme);
        }
        out.push_str("</svg>\n");
        out
    }
    /// The fonts that its texts are set in, each with the letters that are used.
    fn font_css(&self) -> String {
        let mut css = String::new();
        for face in Face::ALL {
            let texts = self.shapes.iter().filter_map(|shape| match shape {
                Shape::Text { text, lettering, .. } if lettering.face == face => {
                    Some(text.as_str())
                }
                _ => None,
            });
            let letters: BTreeSet<char> = texts.flat_map(str::chars).collect();
            if !letters.is_empty() {
                let letters: String = letters.into_iter().collect();
                write_face(&mut css, face, &face.subset(&letters));
            }
        }
        css
    }
}

fn write_shape(out: &mut String, shape: &Shape, theme: &Theme) {
    let written = match shape {
        Shape::Path { tenths, closed, style } => write_path(out, tenths, *closed, style),
        Shape::Rect { area: Area { x, y, width, height }, radius, style } => {
            let _ = write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
            if *radius > 0 {
                let _ = write!(out, " rx=\"{radius}\"");
            }
            writeln!(out, "{}/>", Attributes(style))
        }
        Shape::Circle { centre: (x, y), radius, style } => {
            writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{}/>", Attributes(style))
        }
        Shape::Text { at, text, lettering } => write_text(out, *at, text, lettering, theme),
        Shape::Open { title, data } => {
            out.push_str("<g");
            for (name, value) in data {
                let _ = write!(out, " data-{name}=\"{}\"", Escaped(value));
            }
            writeln!(out, "><title>{}</title>", Escaped(title))
        }
        Shape::Close => writeln!(out, "</g>"),
    };
    // A string takes whatever is written to it.
    let _ = written;
}

/// The first place, then how far it is from each to the next: most are near each other, and their
/// distances short to write.
fn write_path(out: &mut String, tenths: &[Place], closed: bool, style: &Style) -> std::fmt::Result {
    let mut last = (0, 0);
    for (n, &(x, y)) in tenths.iter().enumerate() {
        match n {
            0 => write!(out, "<path d=\"M{},{}l", Tenths(x), Tenths(y))?,
            _ => {
                let gap = if n == 1 { "" } else { " " };
                write!(out, "{gap}{},{}", Tenths(x - last.0), Tenths(y - last.1))?;
            }
        }
        last = (x, y);
    }
    let end = if closed { "z" } else { "" };
    writeln!(out, "{end}\"{}/>", Attributes(style))
}

fn write_text(
    out: &mut String,
    (x, y): Place,
    text: &str,
    lettering: &Lettering,
    theme: &Theme,
) -> std::fmt::Result {
    let drop = lettering.drop();
    match lettering.turn {
        Turn::Level => write!(out, "<text x=\"{x}\" y=\"{}\"", y + drop)?,
        Turn::Up => write!(out, "<text y=\"{drop}\" transform=\"translate({x} {y}) rotate(-90)\"")?,
        Turn::Down => {
            write!(out, "<text y=\"{drop}\" transform=\"translate({x} {y}) rotate(90)\"")?
        }
    }
    write!(out, " font-size=\"{}\"", lettering.size)?;
    match lettering.face {
        Face::Sans => {}
        Face::Bold => write!(out, " font-weight=\"bold\"")?,
        Face::Mono => write!(out, " font-family=\"{}\"", Face::Mono.css_family())?,
    }
    match lettering.anchor {
        Anchor::Start => {}
        Anchor::Middle => write!(out, " text-anchor=\"middle\"")?,
        Anchor::End => write!(out, " text-anchor=\"end\"")?,
    }
    let color = lettering.color.unwrap_or(theme.ink);
    write!(out, " fill=\"{color}\"")?;
    if lettering.halo {
        let paper = theme.paper;
        write!(out, " stroke=\"{paper}\" stroke-width=\"4\" stroke-linejoin=\"round\"")?;
        write!(out, " paint-order=\"stroke\"")?;
    }
    writeln!(out, ">{}</text>", Escaped(text))
}

/// `fill`, `stroke` and what belongs to them.
struct Attributes<'a>(&'a Style);

impl std::fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.fill {
            None => write!(f, " fill=\"none\"")?,
            Some(fill) => {
                write!(f, " fill=\"{fill}\"")?;
                if fill.a < 255 {
                    write!(f, " fill-opacity=\"{}\"", Share(fill.a))?;
                }
            }
        }
        Edge(self.0.stroke.as_ref()).fmt(f)
    }
}

struct Edge<'a>(Option<&'a Stroke>);

impl std::fmt::Display for Edge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Stroke { color, tenths, dash }) = self.0 else { return Ok(()) };
        write!(f, " stroke=\"{color}\"")?;
        if color.a < 255 {
            write!(f, " stroke-opacity=\"{}\"", Share(color.a))?;
        }
        if *tenths != 10 {
            write!(f, " stroke-width=\"{}\"", Tenths(*tenths as i32))?;
        }
        if let Some((drawn, left_out)) = dash {
            write!(f, " stroke-dasharray=\"{drawn} {left_out}\"")?;
        }
        write!(f, " stroke-linejoin=\"round\"")
    }
}

/// Tenths as a decimal, without a decimal that is zero.
struct Tenths(i32);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, tenths) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        match tenths % 10 {
            0 => write!(f, "{sign}{}", tenths / 10),
            rest => write!(f, "{sign}{}.{rest}", tenths / 10),
        }
    }
}

/// 255 as 1, with two decimals below it.
struct Share(u8);

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hundredths = (u32::from(self.0) * 100 + 127) / 255;
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// A text as XML may hold it: what is markup is escaped, and what XML forbids left out.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\n' | '\t' => f.write_char(c)?,
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::Color;

    #[test]
    fn each_shape_is_one_line() {
        let mut canvas = Canvas::new(90, 40, Theme::LIGHT);
        let red = Color::hex(0xff0000);
        canvas.line((1, 2), (3, 4), Stroke::tenths(red, 15).dashed(4, 2));
        canvas.rounded(Area { x: 1, y: 2, width: 3, height: 4 }, 2, red.alpha(128));
        canvas.polygon(&[(0, 0), (5, 0), (0, 5)], (red, Stroke::new(red, 1)));
        canvas.group("<RST> & \"why\"\u{7}", vec![("rst", "1".to_owned())], |canvas| {
            canvas.text((5, 9), "seq 1", Lettering::new(10).mono().ending().middle());
        });
        let svg = canvas.to_svg("a <b>", Fonts::Outside);
        let lines: Vec<&str> = svg.lines().collect();
        assert_eq!(
            lines[0],
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90\" height=\"40\" viewBox=\"0 0 90 40\" role=\"img\" aria-label=\"a &lt;b&gt;\" font-family=\"DejaVu Sans,Verdana,sans-serif\" xml:space=\"preserve\">"
        );
        assert_eq!(lines[1], "<rect width=\"90\" height=\"40\" fill=\"#ffffff\"/>");
        assert_eq!(
            lines[2],
            "<path d=\"M1,2l2,2\" fill=\"none\" stroke=\"#ff0000\" stroke-width=\"1.5\" stroke-dasharray=\"4 2\" stroke-linejoin=\"round\"/>"
        );
        assert_eq!(
            lines[3],
            "<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" rx=\"2\" fill=\"#ff0000\" fill-opacity=\"0.50\"/>"
        );
        assert_eq!(
            lines[4],
            "<path d=\"M0,0l5,0 -5,5z\" fill=\"#ff0000\" stroke=\"#ff0000\" stroke-linejoin=\"round\"/>"
        );
        assert_eq!(lines[5], "<g data-rst=\"1\"><title>&lt;RST&gt; &amp; &quot;why&quot;</title>");
        assert_eq!(
            lines[6],
            "<text x=\"5\" y=\"13\" font-size=\"10\" font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" text-anchor=\"end\" fill=\"#1f2328\">seq 1</text>"
        );
        assert_eq!(&lines[7..], ["</g>", "</svg>"]);
    }

    #[test]
    fn only_the_fonts_that_are_used_are_embedded() {
        let mut canvas = Canvas::new(90, 40, Theme::LIGHT);
        canvas.text((0, 9), "seq 1", Lettering::new(10).mono());
        let svg = canvas.to_svg("", Fonts::Embedded);
        assert_eq!(svg.matches("@font-face").count(), 1);
        assert!(svg.contains("font-family:\"DejaVu Sans Mono\";font-weight:normal;src:url(data:"));
        assert_eq!(Tenths(-15).to_string(), "-1.5");
    }
}
