//! A colour as SVG and PNG both have it.

use std::fmt;

/// Red, green, blue and how opaque.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Color {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
    /// 255 hides what lies below.
    pub a: u8,
}

impl Color {
    /// An opaque colour, written as in CSS: `Color::hex(0x0072b2)`.
    pub const fn hex(rgb: u32) -> Self {
        Self { r: (rgb >> 16) as u8, g: (rgb >> 8) as u8, b: rgb as u8, a: 255 }
    }
    /// The same, this opaque.
    #[must_use]
    pub const fn alpha(self, a: u8) -> Self {
        Self { a, ..self }
    }
    /// The opaque colour between this and another; `share` of 255 is all the other's.
    #[must_use]
    pub const fn mix(self, other: Self, share: u8) -> Self {
        const fn between(a: u8, b: u8, share: u8) -> u8 {
            let (a, b, share) = (a as u32, b as u32, share as u32);
            ((a * (255 - share) + b * share + 127) / 255) as u8
        }
        Self {
            r: between(self.r, other.r, share),
            g: between(self.g, other.g, share),
            b: between(self.b, other.b, share),
            a: 255,
        }
    }
    /// How bright it looks, 0 to 255 (ITU-R BT.601).
    pub const fn luma(self) -> u8 {
        ((self.r as u32 * 299 + self.g as u32 * 587 + self.b as u32 * 114) / 1000) as u8
    }
    /// Black or white, whichever can be read on this.
    #[must_use]
    pub const fn ink(self) -> Self {
        if self.luma() > 140 { Self::hex(0x111111) } else { Self::hex(0xffffff) }
    }
}

/// As CSS writes it, without how opaque it is.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.r, self.g, self.b)
    }
}

#[cfg(test)]
mod tests {
    use super::Color;

    #[test]
    fn text_is_legible_on_it() {
        assert_eq!(Color::hex(0xffff00).ink().to_string(), "#111111");
        assert_eq!(Color::hex(0x332288).ink().to_string(), "#ffffff");
    }

    #[test]
    fn a_mix_lies_between() {
        let (black, white) = (Color::hex(0), Color::hex(0xffffff));
        assert_eq!(black.mix(white, 0), black);
        assert_eq!(black.mix(white, 255), white);
        assert_eq!(black.mix(white, 128).to_string(), "#808080");
    }
}
