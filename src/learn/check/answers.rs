//! An answer in TOML: values by name, and a table `[set]` of settings.

use std::collections::BTreeMap;
use std::ops::Range;

use finwait_sim::scenario::{Error, nearest};
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{Answer, Checked};

/// Values with their places.
pub(super) type Values = BTreeMap<String, Spanned<Value>>;

#[derive(Deserialize)]
struct OnlySet {
    #[serde(default)]
    set: BTreeMap<Spanned<String>, Spanned<Value>>,
}

/// A setting: its key, its value, and where that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) span: Range<usize>,
}

/// Everything outside `[set]`.
pub(super) fn values(answer: &Answer<'_>, keys: &[&str]) -> Result<Values, Checked> {
    let all: Values = toml::from_str(answer.text).map_err(|e| answer.unreadable(&e.into()))?;
    for (key, value) in &all {
        if key != "set" && !keys.contains(&key.as_str()) {
            return Err(answer.unreadable(&unknown(key, value.span(), keys)));
        }
    }
    for key in keys {
        if !all.contains_key(*key) {
            let end = answer.text.len();
            let error =
                wrong(end..end, format!("there is no `{key}`"), format!("expected {key} = …"));
            return Err(answer.unreadable(&error));
        }
    }
    Ok(all)
}

/// The settings in `[set]`, which may only be those.
pub(super) fn settings(answer: &Answer<'_>, may: &[String]) -> Result<Vec<Setting>, Checked> {
    let read: Result<OnlySet, _> = toml::from_str(answer.text);
    let only = read.map_err(|e| answer.unreadable(&e.into()))?;
    let may: Vec<&str> = may.iter().map(String::as_str).collect();
    let mut settings = Vec::new();
    for (key, value) in only.set {
        if !may.contains(&key.get_ref().as_str()) {
            return Err(answer.unreadable(&unknown(key.get_ref(), key.span(), &may)));
        }
        let span = value.span();
        let Some(text) = told(value.get_ref()) else {
            let error =
                wrong(span, "this is no setting".into(), "expected a number or a text".into());
            return Err(answer.unreadable(&error));
        };
        settings.push(Setting { key: key.into_inner(), value: text, span });
    }
    Ok(settings)
}

/// A value as it would be typed.
pub(super) fn told(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

pub(super) fn wrong(span: Range<usize>, message: String, expected: String) -> Error {
    Error { span: Some(span), message, expected, help: None }
}

fn unknown(key: &str, span: Range<usize>, known: &[&str]) -> Error {
    let help = nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("nobody asks for `{key}` here");
    let expected = if known.is_empty() {
        "expected nothing".to_owned()
    } else {
        format!("expected {}", known.join(", "))
    };
    Error { help, ..wrong(span, message, expected) }
}
