//! A view again and again, as `watch -d` would show it.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use finwait_model::time::{Instant, Span};
use finwait_sim::scenario::Error;
use finwait_sim::units;
use finwait_sim::view::HostView;

use super::{Open, seconds};
use crate::failure::Failure;

/// From when on, how often, and how fast.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Watch {
    /// Show it again and again, as `watch -d` would, up to --at.
    #[arg(long)]
    pub(crate) watch: bool,
    /// From when on [default: from the beginning].
    #[arg(long, value_name = "TIME", requires = "watch")]
    from: Option<String>,
    /// How much of the run lies between two looks.
    #[arg(long, value_name = "TIME", requires = "watch", default_value = "2s")]
    every: String,
    /// How many times faster than real time, on a terminal.
    #[arg(long, value_name = "N", requires = "watch", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    speed: u32,
}

/// Begins a screen anew.
const CLEAR: &str = "\x1b[H\x1b[2J";

impl Watch {
    /// Shows frame after frame. On a terminal each takes the place of the one before, after as
    /// much time as has passed in the run, and what has changed is reversed; elsewhere they come
    /// one after the other.
    pub(crate) fn run(
        &self,
        mut open: Open,
        command: &str,
        mut frame: impl FnMut(&[HostView]) -> String,
        titled: bool,
    ) -> Result<(), Failure> {
        let from = match &self.from {
            Some(text) => open.source.instant("--from", text)?,
            None => Instant::ZERO,
        };
        let every = self.every()?;
        let screen = titled && io::stdout().is_terminal();
        let mut out = io::stdout().lock();
        let (mut at, mut before): (_, Option<String>) = (from, None);
        loop {
            let views = open.source.views(&open.hosts, at)?;
            let mut text = frame(&views);
            if titled {
                let every = seconds(Instant { ns: every.ns });
                text = format!("Every {every}s: {command}        t = {} s\n\n{text}", seconds(at));
            }
            let shown = match &before {
                _ if !screen => format!("{text}{}", if titled { "\n" } else { "" }),
                None => format!("{CLEAR}{text}"),
                Some(before) => format!("{CLEAR}{}", reversed_where_new(before, &text)),
            };
            out.write_all(shown.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
            let next = at + every;
            if next > open.at {
                return Ok(());
            }
            if screen {
                std::thread::sleep(Duration::from_nanos(every.ns / u64::from(self.speed)));
            }
            (at, before) = (next, Some(text));
        }
    }
    fn every(&self) -> Result<Span, Failure> {
        let wrong = |expected: String| {
            let message = format!("{:?} is no time between two looks", self.every);
            let span = Some(0..self.every.len());
            let error = Error { span, message, expected, help: None };
            Failure::in_text("--every", &self.every, &error)
        };
        match units::span(&self.every) {
            Ok(Span::ZERO) => Err(wrong("expected more than zero".to_owned())),
            Ok(span) => Ok(span),
            Err(expected) => Err(wrong(expected)),
        }
    }
}

/// The text with every character in reverse video that was another one at its place before.
fn reversed_where_new(before: &str, text: &str) -> String {
    let mut out = String::new();
    let mut old = before.lines();
    for line in text.lines() {
        let mut was = old.next().unwrap_or_default().chars();
        let mut reversed = false;
        for c in line.chars() {
            let new = was.next().unwrap_or(' ') != c;
            if new != reversed {
                out += if new { "\x1b[7m" } else { "\x1b[27m" };
                reversed = new;
            }
            out.push(c);
        }
        if reversed {
            out += "\x1b[27m";
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::reversed_where_new;

    #[test]
    fn what_is_new_is_reversed() {
        let out = reversed_where_new("tw 17\nsame\n", "tw 18\nsame\nmore\n");
        assert_eq!(out, "tw 1\x1b[7m8\x1b[27m\nsame\n\x1b[7mmore\x1b[27m\n");
    }
}
