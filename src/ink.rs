//! Colours of what is printed. Nothing is told by them alone.

use std::ffi::OsString;
use std::io;

use annotate_snippets::Renderer;
use anstyle::{AnsiColor, Style};
use clap::{ColorChoice, ValueEnum as _};

/// What went wrong, a RST.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();

/// What `--color` asks for, found before everything is parsed: complaints about the other arguments
/// have colours, too.
pub(crate) fn asked(args: impl IntoIterator<Item = OsString>) -> ColorChoice {
    let args: Vec<String> =
        args.into_iter().filter_map(|a| a.into_string().ok()).take_while(|a| a != "--").collect();
    let told = |(n, arg): (usize, &String)| match arg.strip_prefix("--color")? {
        "" => args.get(n + 1).cloned(),
        value => value.strip_prefix('=').map(str::to_owned),
    };
    let choice = args.iter().enumerate().rev().find_map(told);
    choice.and_then(|c| ColorChoice::from_str(&c, false).ok()).unwrap_or(ColorChoice::Auto)
}

/// Puts it in force, for the whole process.
pub(crate) fn choose(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    if choice != ColorChoice::Auto {
        ratatui::crossterm::style::force_color_output(choice == ColorChoice::Always);
    }
}

/// Does stdout take colours?
pub(crate) fn stdout() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Does stderr?
pub(crate) fn stderr() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// The style if there are colours, or none.
pub(crate) fn if_wanted(wanted: bool, style: Style) -> Style {
    if wanted { style } else { Style::new() }
}

/// Shows the place of a mistake in what a person wrote.
pub(crate) fn renderer() -> Renderer {
    if stderr() { Renderer::styled() } else { Renderer::plain() }
}

/// A complaint of one line, `error: …`, with its first word as the others have it.
pub(crate) fn complaint(text: &str) -> String {
    match text.strip_prefix("error:") {
        Some(rest) if stderr() => format!("{BAD}error{BAD:#}:{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(args: &[&str]) -> ColorChoice {
        asked(args.iter().map(OsString::from))
    }

    #[test]
    fn the_last_one_counts() {
        assert_eq!(asked_by(&["run"]), ColorChoice::Auto);
        assert_eq!(asked_by(&["run", "--color", "never"]), ColorChoice::Never);
        assert_eq!(asked_by(&["--color=always", "run"]), ColorChoice::Always);
        assert_eq!(asked_by(&["--color=always", "run", "--color=never"]), ColorChoice::Never);
        assert_eq!(asked_by(&["--", "--color=always"]), ColorChoice::Auto);
        assert_eq!(asked_by(&["--color"]), ColorChoice::Auto);
        assert_eq!(asked_by(&["--color=blue"]), ColorChoice::Auto);
    }
}
