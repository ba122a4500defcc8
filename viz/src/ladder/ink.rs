//! Colours of a printed ladder. Nothing is told by them alone: a RST has its own stroke and its name.

use anstyle::{AnsiColor, Style};

/// What is printed in which style; by default nothing is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ink {
    /// A RST, its reason, and why it was inevitable.
    pub reset: Style,
    /// Time in which nothing happens.
    pub quiet: Style,
}

impl Ink {
    /// For a terminal.
    pub const COLOURED: Self =
        Self { reset: AnsiColor::Red.on_default().bold(), quiet: Style::new().dimmed() };

    /// The text in that style, its last blanks without; no escape if the style is none.
    pub(super) fn on(style: Style, text: &str) -> String {
        let (inked, blanks) = text.split_at(text.trim_end().len());
        format!("{style}{inked}{style:#}{blanks}")
    }
}
