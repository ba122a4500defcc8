//! The vendored fonts: DejaVu, cut down to Latin-1, Greek, arrows, mathematics and box drawing.
//!
//! A picture never looks for a font on the machine, so it is the same everywhere.

mod subset;

use std::borrow::Cow;
use std::sync::OnceLock;

use ab_glyph::{Font as _, FontRef, ScaleFont as _};
use plotters::style::{FontStyle, register_font};

/// One of the vendored fonts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Face {
    /// For nearly everything.
    Sans,
    /// For titles.
    Bold,
    /// For addresses, flags and sequence numbers.
    Mono,
}

const SANS: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSans-Bold-subset.ttf");
const MONO: &[u8] = include_bytes!("../fonts/DejaVuSansMono-subset.ttf");

/// Which must stand beside the fonts wherever they go.
pub const LICENSE: &str = include_str!("../fonts/LICENSE-DejaVu.txt");

impl Face {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sans, Self::Bold, Self::Mono];
    /// The font as a TrueType file.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Sans => SANS,
            Self::Bold => BOLD,
            Self::Mono => MONO,
        }
    }
    /// The `font-family` in CSS, with what a browser takes if it may not load the font.
    pub const fn css_family(self) -> &'static str {
        match self {
            Self::Sans | Self::Bold => "DejaVu Sans,Verdana,sans-serif",
            Self::Mono => "DejaVu Sans Mono,Menlo,Consolas,monospace",
        }
    }
    /// The font as a TrueType file with what those letters need, and nothing else.
    pub fn subset(self, letters: &str) -> Cow<'static, [u8]> {
        let font = self.font();
        let glyphs = letters.chars().map(|letter| font.glyph_id(letter).0);
        subset::subset(self.bytes(), glyphs).map_or_else(|| Cow::Borrowed(self.bytes()), Cow::Owned)
    }
    /// The font, ready to be measured and drawn.
    pub fn font(self) -> &'static FontRef<'static> {
        static FONTS: OnceLock<[FontRef<'static>; 3]> = OnceLock::new();
        let fonts = FONTS.get_or_init(|| {
            Self::ALL.map(|face| match FontRef::try_from_slice(face.bytes()) {
                Ok(font) => font,
                Err(_) => unreachable!("invariant: the vendored fonts are TrueType"),
            })
        });
        &fonts[self as usize]
    }
    /// How wide a text comes out, pixels; `size` is the em, as in CSS.
    pub fn width(self, text: &str, size: u32) -> f32 {
        let font = self.font();
        let scaled = font.as_scaled(self.scale(size));
        let mut last = None;
        let mut width = 0.0;
        for c in text.chars() {
            let glyph = scaled.glyph_id(c);
            if let Some(last) = last.replace(glyph) {
                width += scaled.kern(last, glyph);
            }
            width += scaled.h_advance(glyph);
        }
        width
    }
    /// ab_glyph scales by the height of a line, CSS by the em.
    pub(crate) fn scale(self, size: u32) -> f32 {
        let font = self.font();
        let em = font.units_per_em().unwrap_or(2048.0);
        size as f32 * font.height_unscaled() / em
    }
    /// The text, cut at its end with an ellipsis if it would be wider than that.
    pub fn fit(self, text: &str, size: u32, width: i32) -> String {
        let room = width as f32;
        if self.width(text, size) <= room {
            return text.to_owned();
        }
        let mut short: String = text.to_owned();
        while short.pop().is_some() {
            let cut = format!("{}…", short.trim_end());
            if self.width(&cut, size) <= room {
                return cut;
            }
        }
        String::new()
    }
}

/// Gives the fonts to plotters, which measures labels with them.
pub(crate) fn register() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        for (family, face) in [("sans-serif", Face::Sans), ("monospace", Face::Mono)] {
            for style in [FontStyle::Normal, FontStyle::Bold] {
                let bold = matches!(style, FontStyle::Bold) && face == Face::Sans;
                let face = if bold { Face::Bold } else { face };
                // plotters says no only to what is no font.
                let _ = register_font(family, style, face.bytes());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_what_figures_write() {
        for face in Face::ALL {
            for c in "AZaz09 ,.:;-–—…·×÷±≤≥≠≈→←↑↓µαβΔäöüß─│┬▲▼●○".chars()
            {
                assert_ne!(face.font().glyph_id(c).0, 0, "{face:?} lacks {c:?}");
            }
        }
    }

    #[test]
    fn a_fixed_width_font_has_one() {
        let width = |text| Face::Mono.width(text, 12);
        assert!((width("iiii") - width("MMMM")).abs() < 0.01);
        // 1,233 of 2,048 units.
        assert!((width("0") - 12.0 * 1233.0 / 2048.0).abs() < 0.01, "{}", width("0"));
    }

    #[test]
    fn a_text_that_is_too_wide_is_cut() {
        let cut = Face::Sans.fit("net.ipv4.tcp_max_tw_buckets", 12, 100);
        assert!(cut.starts_with("net.ipv4") && cut.ends_with('…'), "{cut}");
        assert!(Face::Sans.width(&cut, 12) <= 100.0);
        assert_eq!(Face::Sans.fit("short", 12, 100), "short");
        assert_eq!(Face::Sans.fit("short", 12, 1), "");
    }

    #[test]
    fn the_licence_is_there() {
        assert!(LICENSE.contains("Bitstream"));
    }
}
