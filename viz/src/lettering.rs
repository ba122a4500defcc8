//! How a text is set: size, face, where it stands, which way it runs.

use crate::color::Color;
use crate::font::Face;

/// Which part of the text lies at its place, from left to right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// Which height of the text lies at its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Height {
    /// The top of the capitals.
    Top,
    /// The middle of the capitals.
    Middle,
    /// The line that letters stand on.
    Base,
}

/// Which way it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// From left to right.
    Level,
    /// Upwards, as on a vertical axis.
    Up,
    /// Downwards.
    Down,
}

/// How a text is set. Made with [`Lettering::new`] and changed with its methods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lettering {
    /// The em, pixels.
    pub size: u32,
    /// Which font.
    pub face: Face,
    /// What lies at its place, from left to right.
    pub anchor: Anchor,
    /// What lies at its place, from top to bottom.
    pub height: Height,
    /// Which way it runs.
    pub turn: Turn,
    /// Its colour; without one, the theme's ink.
    pub color: Option<Color>,
    /// Is paper left free around it, so that lines below do not cross it?
    pub halo: bool,
}

impl Lettering {
    /// Begins at its place and stands on it, in ink.
    pub const fn new(size: u32) -> Self {
        Self {
            size,
            face: Face::Sans,
            anchor: Anchor::Start,
            height: Height::Base,
            turn: Turn::Level,
            color: None,
            halo: false,
        }
    }
    /// In bold.
    #[must_use]
    pub const fn bold(self) -> Self {
        Self { face: Face::Bold, ..self }
    }
    /// In letters of one width.
    #[must_use]
    pub const fn mono(self) -> Self {
        Self { face: Face::Mono, ..self }
    }
    /// Centred at its place.
    #[must_use]
    pub const fn centred(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }
    /// Ends at its place.
    #[must_use]
    pub const fn ending(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }
    /// Hangs below its place.
    #[must_use]
    pub const fn below(self) -> Self {
        Self { height: Height::Top, ..self }
    }
    /// Its place is at half its height.
    #[must_use]
    pub const fn middle(self) -> Self {
        Self { height: Height::Middle, ..self }
    }
    /// Runs that way.
    #[must_use]
    pub const fn turned(self, turn: Turn) -> Self {
        Self { turn, ..self }
    }
    /// In that colour.
    #[must_use]
    pub const fn color(self, color: Color) -> Self {
        Self { color: Some(color), ..self }
    }
    /// With paper around it.
    #[must_use]
    pub const fn halo(self) -> Self {
        Self { halo: true, ..self }
    }
    /// How wide it comes out, pixels.
    pub fn width(&self, text: &str) -> i32 {
        self.face.width(text, self.size).ceil() as i32
    }
    /// The text, cut with an ellipsis if it would be wider than that.
    pub fn fit(&self, text: &str, width: i32) -> String {
        self.face.fit(text, self.size, width)
    }
    /// How far below its place the line lies that its letters stand on. Capitals are 0.729 em high.
    pub(crate) const fn drop(&self) -> i32 {
        let capitals = self.size as i32 * 729;
        match self.height {
            Height::Top => (capitals + 500) / 1000,
            Height::Middle => (capitals + 1000) / 2000,
            Height::Base => 0,
        }
    }
}
