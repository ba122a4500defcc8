//! CSV (RFC 4180), with a line of names first; lines that begin with `#` are remarks.

use std::ops::Range;

use finwait_sim::scenario::Error;

use super::{Cell, Grid};

/// A field of a line, and where it stands.
struct Field {
    text: String,
    span: Range<usize>,
}

pub(super) fn parse(text: &str) -> Result<Grid, Error> {
    let mut lines = Lines { text, at: 0 };
    let Some(names) = lines.next_line()? else {
        return Err(wrong(0..0, "the file is empty", "expected a line of names"));
    };
    let mut columns: Vec<String> = Vec::new();
    for name in names {
        let text = name.text.trim().to_owned();
        if text.is_empty() {
            return Err(wrong(name.span, "a column without a name", "expected one"));
        }
        if columns.contains(&text) {
            let message = format!("a second column {text:?}");
            return Err(wrong(name.span, &message, "expected different names"));
        }
        columns.push(text);
    }
    let mut rows = Vec::new();
    while let Some(fields) = lines.next_line()? {
        if fields.len() != columns.len() {
            let span = fields[0].span.start..fields[fields.len() - 1].span.end;
            let plural = if fields.len() == 1 { "" } else { "s" };
            let message = format!("the row has {} cell{plural}", fields.len());
            let expected = format!("expected {}, as many as there are names", columns.len());
            return Err(wrong(span, &message, &expected));
        }
        rows.push(fields.iter().map(|field| Cell::read(&field.text)).collect());
    }
    Ok(Grid { columns, rows })
}

fn wrong(span: Range<usize>, message: &str, expected: &str) -> Error {
    Error {
        span: Some(span),
        message: message.to_owned(),
        expected: expected.to_owned(),
        help: None,
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl Lines<'_> {
    /// The fields of the next line that has some; at least one.
    fn next_line(&mut self) -> Result<Option<Vec<Field>>, Error> {
        loop {
            let rest = &self.text[self.at..];
            let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
            if rest.is_empty() {
                return Ok(None);
            }
            let line = rest[..end].trim();
            if !line.is_empty() && !line.starts_with('#') {
                return self.fields().map(Some);
            }
            self.at += end;
        }
    }
    fn fields(&mut self) -> Result<Vec<Field>, Error> {
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            match self.text.as_bytes().get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'\r') if self.text.as_bytes().get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    return Ok(fields);
                }
                Some(_) => {
                    self.at += 1;
                    return Ok(fields);
                }
                None => return Ok(fields),
            }
        }
    }
    /// A field, up to the comma or the line's end behind it.
    fn field(&mut self) -> Result<Field, Error> {
        let start = self.at;
        if !self.text[start..].starts_with('"') {
            let rest = &self.text[start..];
            let length = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
            self.at += length;
            return Ok(Field { text: rest[..length].to_owned(), span: start..self.at });
        }
        let mut text = String::new();
        self.at += 1;
        loop {
            let Some(length) = self.text[self.at..].find('"') else {
                return Err(wrong(start..start + 1, "a quote without an end", "expected a second"));
            };
            text.push_str(&self.text[self.at..self.at + length]);
            self.at += length + 1;
            if !self.text[self.at..].starts_with('"') {
                break;
            }
            text.push('"');
            self.at += 1;
        }
        match self.text[self.at..].chars().next() {
            None | Some(',' | '\n' | '\r') => Ok(Field { text, span: start..self.at }),
            Some(other) => {
                let span = self.at..self.at + other.len_utf8();
                Err(wrong(span, "something behind a closing quote", "expected a comma"))
            }
        }
    }
}
