//! Changes to a scenario from outside, `KEY=VALUE`: they are written into the text of its file, and
//! the usual parser reads what comes of it. So whatever can stand in a file can be set, and what is
//! wrong with it is told in the same words.

mod path;

use core::ops::Range;

use toml_edit::{Decor, Document, DocumentMut, Item, TableLike, Value};

use super::Scenario;
use super::error::Error;
use path::{Path, Step, follow, resolve};

/// The text of a scenario with changes in it.
#[derive(Clone, Debug)]
pub struct Draft {
    document: DocumentMut,
    name: String,
    edits: Vec<Edit>,
}

/// One change.
#[derive(Clone, Debug)]
struct Edit {
    path: Path,
    /// Where its value stands in what was typed.
    value: Range<usize>,
    /// How long it is.
    length: usize,
}

/// Why what has come of the changes is no scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Which change is to blame, counted from 0; `None` if there was none.
    pub change: Option<usize>,
    /// What is wrong, with its place in that change, or else in the text.
    pub error: Error,
}

/// Takes a key out of the file, so that its default holds.
const DEFAULT: &str = "default";

impl Draft {
    /// A scenario's text without changes; `name` is what it is called if it does not say.
    pub fn new(text: &str, name: &str) -> Result<Self, Error> {
        let document = text.parse::<DocumentMut>().map_err(|error| {
            // The parser of scenarios says the same in its own words.
            Scenario::parse(text, name).err().unwrap_or_else(|| Error {
                span: error.span(),
                message: error.message().to_owned(),
                expected: String::new(),
                help: None,
            })
        })?;
        Ok(Self { document, name: name.to_owned(), edits: Vec::new() })
    }
    /// Changes something: `KEY=VALUE`. Spans of errors count within `text`.
    pub fn set(&mut self, text: &str) -> Result<(), Error> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Error::new(
                0..text.len(),
                "a setting without a value".to_owned(),
                "expected KEY=VALUE, such as web.net.ipv4.tcp_fin_timeout=30 or links.delay=1ms"
                    .to_owned(),
            ));
        };
        let at = key.len() + 1;
        let path = resolve(key.trim_end(), self.document.as_item())?;
        let trimmed = value.trim();
        let start = at + (value.len() - value.trim_start().len());
        let edit = Edit { path, value: start..start + trimmed.len(), length: text.len() };
        self.edits.push(edit.clone());
        if trimmed == DEFAULT {
            return self.take_out(&edit);
        }
        let mut values = meant(trimmed).into_iter();
        let first = values.next().unwrap_or_else(|| Value::from(trimmed));
        self.put(&edit, first.clone())?;
        // `slow=0` is a number to TOML and a time to the scenario.
        for other in values {
            if !self.complains_about_value() {
                break;
            }
            self.put(&edit, other)?;
        }
        if self.complains_about_value() {
            self.put(&edit, first)?;
        }
        Ok(())
    }
    /// How many changes were made so far.
    pub const fn changes(&self) -> usize {
        self.edits.len()
    }
    /// What the file says for a key, as it would be typed; `None` if it does not say anything. Spans of
    /// errors count within `key`.
    pub fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let path = resolve(key.trim(), self.document.as_item())?;
        let value = follow(self.document.as_item(), &path.steps).and_then(Item::as_value);
        Ok(value.map(|value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.clone().decorated("", "").to_string(),
        }))
    }
    /// What has come of it.
    pub fn scenario(&self) -> Result<Scenario, Refusal> {
        let text = self.text();
        Scenario::parse(&text, &self.name).map_err(|error| self.blame(&text, error))
    }
    /// Its text; comments stay.
    pub fn text(&self) -> String {
        self.document.to_string()
    }
    /// Does the parser find fault with the value of the last change?
    fn complains_about_value(&self) -> bool {
        let last = self.edits.len() - 1;
        self.scenario().is_err_and(|refusal| {
            refusal.change == Some(last)
                && refusal.error.span.as_ref() == Some(&self.edits[last].value)
        })
    }
    /// Finds the change that an error is about.
    fn blame(&self, text: &str, error: Error) -> Refusal {
        let Some(newest) = self.edits.len().checked_sub(1) else {
            return Refusal { change: None, error };
        };
        let written = Document::parse(text).ok();
        let place = |edit: &Edit| {
            let span = error.span.as_ref()?;
            let document = written.as_ref()?.as_item();
            let (Step::Key(key), above) = edit.path.steps.split_last()? else { return None };
            let table = follow(document, above)?;
            let (key, item) = table.as_table_like()?.get_key_value(key)?;
            let within = |outer: Option<Range<usize>>| {
                outer.is_some_and(|outer| outer.start <= span.start && span.end <= outer.end)
            };
            if within(item.span()) {
                Some(edit.value.clone())
            } else if within(key.span()) {
                Some(edit.path.last.clone())
            } else {
                None
            }
        };
        let found = (0..=newest).rev().find_map(|n| Some((n, place(&self.edits[n])?)));
        let (change, span) = found.unwrap_or((newest, 0..self.edits[newest].length));
        Refusal { change: Some(change), error: Error { span: Some(span), ..error } }
    }
    fn take_out(&mut self, edit: &Edit) -> Result<(), Error> {
        let (table, key) = self.table(edit)?;
        if table.remove(key).is_some() {
            return Ok(());
        }
        // It was not there; but could it have been? A list of lists fits nowhere, so that the parser
        // complains about the value where it knows the key; of a sysctl it wants a number first.
        let nonsense = Value::Array([toml_edit::Array::new()].into_iter().collect());
        for probe in [nonsense, Value::from(0)] {
            self.put(edit, probe)?;
            let refusal = self.scenario().err();
            let (table, key) = self.table(edit)?;
            table.remove(key);
            if let Some(Refusal { error, .. }) = refusal
                && error.span.as_ref() == Some(&edit.path.last)
            {
                return Err(error);
            }
        }
        Ok(())
    }
    fn put(&mut self, edit: &Edit, mut value: Value) -> Result<(), Error> {
        let (table, key) = self.table(edit)?;
        // A remark behind the old value stays there.
        let old = table.get(key).and_then(Item::as_value).map(|old| old.decor().clone());
        *value.decor_mut() = old.unwrap_or_else(|| Decor::new(" ", ""));
        table.insert(key, Item::Value(value));
        Ok(())
    }
    /// The table that a change is made in, and the key there; tables on the way to it are made.
    fn table<'a>(&'a mut self, edit: &'a Edit) -> Result<(&'a mut dyn TableLike, &'a str), Error> {
        let Path { steps, last } = &edit.path;
        let Some((Step::Key(key), above)) = steps.split_last() else {
            unreachable!("invariant: the last step of a path is a key")
        };
        let wrong = |message: &str, expected: &str| {
            Error::new(0..last.end, message.to_owned(), expected.to_owned())
        };
        let mut item = self.document.as_item_mut();
        for step in above {
            item = match step {
                Step::Key(step) => {
                    let Some(table) = item.as_table_like_mut() else {
                        let message = format!("{step:?} is looked for in what is no table");
                        return Err(wrong(&message, "expected a key of the file"));
                    };
                    table.entry(step).or_insert_with(toml_edit::table)
                }
                Step::Entry(n) => item.get_mut(*n).ok_or_else(|| {
                    wrong(&format!("there is no number {}", n + 1), "expected one that is there")
                })?,
            };
        }
        match item.as_table_like_mut() {
            Some(table) => Ok((table, key)),
            None => Err(wrong("the key leads into what is no table", "expected a key of the file")),
        }
    }
}

/// The values that may be meant, the likeliest first.
fn meant(text: &str) -> Vec<Value> {
    let as_text = || Value::from(text);
    if let Ok(number) = text.parse::<i64>() {
        return vec![Value::from(number), as_text()];
    }
    match text {
        "true" | "false" => vec![Value::from(text == "true"), as_text()],
        // Lists and quoted text are written as in the file.
        _ if text.starts_with(['[', '"', '\'', '{']) => {
            text.parse::<Value>().into_iter().chain([as_text()]).collect()
        }
        _ => vec![as_text()],
    }
}
