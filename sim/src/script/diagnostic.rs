//! What is wrong with a script, where, and what would be right.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::ast::Pos;

/// Which kind of wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is not the language.
    Syntax,
    /// It is the language, but a part of it that finwait does not have.
    Unsupported,
    /// It is larger than what is read.
    Limit,
}

/// Why a script cannot be read or played.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptError {
    /// Which kind.
    pub kind: Kind,
    /// Where.
    pub pos: Pos,
    /// What is wrong, in one line.
    pub message: String,
    /// What was expected there; stands at the caret. May be empty.
    pub expected: String,
    /// A way out, if one is known.
    pub help: Option<String>,
}

impl ScriptError {
    /// Not the language.
    pub fn syntax(pos: Pos, message: impl Into<String>, expected: impl Into<String>) -> Self {
        let (message, expected) = (message.into(), expected.into());
        Self { kind: Kind::Syntax, pos, message, expected, help: None }
    }
    /// A part of the language that finwait does not have.
    pub fn unsupported(pos: Pos, what: impl fmt::Display) -> Self {
        let message = format!("{what} is not supported");
        let expected = String::new();
        Self { kind: Kind::Unsupported, pos, message, expected, help: None }
    }
    /// Too large.
    pub fn limit(pos: Pos, message: impl Into<String>) -> Self {
        let (message, expected) = (message.into(), String::new());
        Self { kind: Kind::Limit, pos, message, expected, help: None }
    }
    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// The same with "did you mean", if one of `known` is close to `word`.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match closest(word, known) {
            Some(best) => self.help(format!("did you mean `{best}`?")),
            None => self,
        }
    }

    /// The error with the line of `source` that it is about, as rustc would show it.
    pub fn render(&self, file: &str, source: &str) -> String {
        self.render_by(&Renderer::plain(), file, source)
    }
    /// The same by a renderer that may have colours.
    pub fn render_by(&self, renderer: &Renderer, file: &str, source: &str) -> String {
        let (first, slice) = lines_around(source, self.pos);
        let from = (self.pos.start as usize).saturating_sub(first.1).min(slice.len());
        let to = (self.pos.end as usize).saturating_sub(first.1).clamp(from, slice.len());
        let (from, to) = on_boundaries(slice, from, to);
        let mut annotation = AnnotationKind::Primary.span(from..to);
        if !self.expected.is_empty() {
            annotation = annotation.label(self.expected.as_str());
        }
        let snippet = Snippet::source(slice).line_start(first.0).path(file).annotation(annotation);
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let mut text = renderer.render(&[group]).to_string();
        text.push('\n');
        text
    }
}

/// `line:column: what; expected …`, for where no source is at hand.
impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pos, self.message)?;
        if !self.expected.is_empty() {
            write!(f, ": {}", self.expected)?;
        }
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScriptError {}

/// The lines that hold `pos`: number and offset of the first, and their text. A script of one line
/// of megabytes must not be printed, so a long line is cut.
fn lines_around(source: &str, pos: Pos) -> ((usize, usize), &str) {
    const LONGEST: usize = 1000;
    let (start, end) = on_boundaries(source, pos.start as usize, pos.end as usize);
    let mut first = source[..start].rfind('\n').map_or(0, |i| i + 1);
    let mut last = source[end..].find('\n').map_or(source.len(), |i| end + i);
    if start - first > LONGEST {
        first = start - LONGEST;
    }
    if last - start > LONGEST {
        last = start + LONGEST;
    }
    while !source.is_char_boundary(first) {
        first += 1;
    }
    while !source.is_char_boundary(last) {
        last -= 1;
    }
    ((pos.line.max(1) as usize, first), &source[first..last.max(first)])
}

fn on_boundaries(text: &str, start: usize, end: usize) -> (usize, usize) {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

/// The known word that is fewest edits away, if it is close enough to be meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let allowed = 1 + word.chars().count() / 4;
    known
        .into_iter()
        .map(|k| (edits(word, k), k))
        .filter(|&(n, _)| n <= allowed)
        .min_by_key(|&(n, _)| n)
        .map(|(_, k)| k)
}

/// How many insertions, deletions and replacements lead from one word to the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(closest("wscal", ["mss", "wscale", "nop"]), Some("wscale"));
        assert_eq!(closest("bnd", ["bind", "send"]), Some("bind"));
        assert_eq!(closest("xyzzy", ["bind", "send"]), None);
    }
}
