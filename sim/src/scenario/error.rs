//! What is wrong with a scenario, where, and what was expected instead.

use core::fmt;
use core::ops::Range;

/// An error in a scenario file or in a `--set`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// Where in the text, in bytes; `None` if it is about no place in particular.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: String,
    /// What might help.
    pub help: Option<String>,
}

impl Error {
    pub(crate) fn new(span: Range<usize>, message: String, expected: String) -> Self {
        Self { span: Some(span), message, expected, help: None }
    }
    pub(crate) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
    /// Line and column of the error in that text, counted from 1.
    pub fn position(&self, text: &str) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start.min(text.len());
        let before = text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.expected.is_empty() {
            write!(f, ": {}", self.expected)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// TOML's own errors say "unknown field `x`, expected one of …": the part behind the comma is what
/// was expected, and the nearest of the names is worth proposing.
impl From<toml::de::Error> for Error {
    fn from(error: toml::de::Error) -> Self {
        let text = error.message().to_owned();
        let (message, expected) = match text.split_once(", expected ") {
            Some((message, expected)) => (message.to_owned(), format!("expected {expected}")),
            None => (text, String::new()),
        };
        // Rust's names for numbers mean nothing to who writes TOML.
        let expected = match expected.as_str() {
            "expected u16" | "expected u32" | "expected u64" => {
                "expected a whole number".to_owned()
            }
            _ => expected,
        };
        let quoted = |text: &str| -> Vec<String> {
            text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let unknown = message.starts_with("unknown ");
        let names = quoted(&expected);
        let help = quoted(&message)
            .first()
            .filter(|_| unknown)
            .and_then(|wrong| nearest(wrong, names.iter().map(String::as_str)))
            .map(|name| format!("did you mean `{name}`?"));
        Self { span: error.span(), message, expected, help }
    }
}

/// The candidate that is closest to what was typed, if any is close.
pub fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    closest(typed, candidates).into_iter().next()
}

/// The candidates that are close to what was typed, nearest first.
pub fn closest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut close: Vec<(usize, &str)> = candidates
        .map(|c| (distance(typed, c), c))
        .filter(|(d, c)| *d <= 1 + c.len() / 4)
        .collect();
    close.sort_unstable();
    close.into_iter().map(|(_, c)| c).collect()
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_proposed_and_nonsense_is_not() {
        let names = ["tcp_fin_timeout", "tcp_tw_reuse", "tcp_max_tw_buckets"];
        assert_eq!(nearest("tcp_fin_timeuot", names.into_iter()), Some("tcp_fin_timeout"));
        assert_eq!(nearest("vm.swappiness", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn positions_count_from_one_in_characters() {
        let error = Error::new(8..9, String::new(), String::new());
        assert_eq!(error.position("abc\nµef\n"), Some((2, 4)));
        assert_eq!(Error::new(0..1, String::new(), String::new()).position("x"), Some((1, 1)));
    }
}
