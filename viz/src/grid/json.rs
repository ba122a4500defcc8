//! NDJSON: an object on each line, with the same names.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use finwait_sim::scenario::Error;

use super::{Cell, Grid};

pub(super) fn parse(text: &str) -> Result<Grid, Error> {
    let mut grid = Grid { columns: Vec::new(), rows: Vec::new() };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        let span = start..start + line.trim_end().len();
        start += line.len();
        if words.is_empty() {
            continue;
        }
        let object: Object = serde_json::from_str(words).map_err(|error| {
            wrong(span.clone(), format!("no JSON object: {error}"), "expected one on each line")
        })?;
        add(&mut grid, object).map_err(|message| {
            let expected = "expected the same names on each line, with numbers, text or null";
            wrong(span, message, expected)
        })?;
    }
    if grid.columns.is_empty() {
        let message = "objects without a name".to_owned();
        return Err(wrong(0..text.len(), message, "expected what was varied, and what came of it"));
    }
    Ok(grid)
}

fn wrong(span: Range<usize>, message: String, expected: &str) -> Error {
    Error { span: Some(span), message, expected: expected.to_owned(), help: None }
}

/// The first object gives the columns their names and their order.
fn add(grid: &mut Grid, object: Object) -> Result<(), String> {
    let names = || object.0.iter().map(|(name, _)| name);
    if grid.rows.is_empty() {
        grid.columns = names().cloned().collect();
    }
    for (place, name) in names().enumerate() {
        if names().take(place).any(|other| other == name) {
            return Err(format!("{name:?} stands there twice"));
        }
        if !grid.columns.contains(name) {
            return Err(format!("{name:?} is new"));
        }
    }
    let row = grid.columns.iter().map(|column| {
        let found = object.0.iter().find(|(name, _)| name == column).map(|(_, value)| value);
        match found {
            Some(Value::Number(number)) => Ok(Cell::read(&number.to_string())),
            Some(Value::String(text)) => Ok(Cell::read(text)),
            Some(Value::Bool(yes)) => Ok(Cell::Number(if *yes { 1.0 } else { 0.0 })),
            Some(Value::Null) => Ok(Cell::Nothing),
            Some(_) => Err(format!("{column:?} is neither a number nor text")),
            None => Err(format!("{column:?} is missing")),
        }
    });
    let row = row.collect::<Result<_, _>>()?;
    grid.rows.push(row);
    Ok(())
}

/// An object whose names stay in their order.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Object;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Object(pairs))
    }
}
