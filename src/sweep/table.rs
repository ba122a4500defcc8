//! What a sweep came to, as a table: for a terminal, as CSV, NDJSON and JSON.

use std::collections::BTreeMap;

use anstyle::Style;
use serde_json::{Value as Json, json};

use finwait_sim::measure::Value;

use super::plan::Plan;
use super::row::{Measured, Row};
use crate::ink;

/// A sweep with everything that came of it.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) plan: &'a Plan,
    /// By the number of the run.
    pub(crate) rows: &'a BTreeMap<usize, Row>,
}

/// What stands in the columns beside settings and measures.
const SEED: &str = "seed";
const DIGEST: &str = "digest";
const ERROR: &str = "error";

impl Table<'_> {
    /// How many runs failed.
    pub(crate) fn failed(&self) -> usize {
        self.rows.values().filter(|row| row.result.is_err()).count()
    }
    /// The names of the columns: settings, then what the run was, then the measures.
    fn columns(&self) -> Vec<String> {
        let keys = self.plan.keys.iter().filter(|key| *key != SEED).cloned();
        let fixed = [SEED, DIGEST, ERROR].map(str::to_owned);
        let measures = self.plan.measures.iter().map(|measure| measure.column());
        keys.chain(fixed).chain(measures).collect()
    }
    /// The cells of a row: settings as they were typed, numbers without units.
    fn cells(&self, row: &Row) -> Vec<Cell> {
        let settings = self.plan.keys.iter().zip(self.plan.values(row.run));
        let settings =
            settings.filter(|(key, _)| *key != SEED).map(|(_, value)| Cell::typed(value));
        let mut cells: Vec<Cell> = settings.collect();
        match &row.result {
            Ok(Measured { seed, digest, values }) => {
                cells.extend([
                    Cell::Number(seed.to_string()),
                    Cell::Text(digest.clone()),
                    Cell::None,
                ]);
                cells.extend(values.iter().map(|value| match value.plain() {
                    none if none.is_empty() => Cell::None,
                    number => Cell::Number(number),
                }));
            }
            Err(error) => {
                cells.extend([Cell::None, Cell::None, Cell::Text(error.clone())]);
                cells.extend(self.plan.measures.iter().map(|_| Cell::None));
            }
        }
        cells
    }
    /// As RFC 4180 has it, with a line of names.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: Vec<String>| {
            text += &cells.join(",");
            text.push('\n');
        };
        line(self.columns().iter().map(|name| quoted(name)).collect());
        for row in self.rows.values() {
            line(self.cells(row).iter().map(Cell::csv).collect());
        }
        text
    }
    /// An object on each line.
    pub(crate) fn ndjson(&self) -> String {
        self.rows.values().map(|row| self.object(row) + "\n").collect()
    }
    /// A row as an object, its keys in the order of the columns.
    fn object(&self, row: &Row) -> String {
        let pairs = self.columns().into_iter().zip(self.cells(row));
        let pairs = pairs.map(|(name, cell)| format!("{}:{}", Json::from(name), cell.json()));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
    /// Everything as one object.
    pub(crate) fn json(&self) -> String {
        let Self { plan, rows } = self;
        let measures = plan
            .measures
            .iter()
            .map(|measure| json!({ "measure": measure.to_string(), "column": measure.column() }));
        let head = [
            ("scenario", json!(plan.scenario.name)),
            ("vary", json!(plan.spec.vary)),
            ("seeds", json!(plan.spec.seeds)),
            ("latin", json!(plan.spec.latin)),
            ("measures", measures.collect()),
            ("runs", json!(plan.runs())),
            ("failed", json!(self.failed())),
        ];
        let mut text = "{\n".to_owned();
        for (key, value) in head {
            text += &format!("  \"{key}\": {value},\n");
        }
        let lines = rows.values().map(|row| format!("    {}", self.object(row)));
        text + &format!("  \"rows\": [\n{}\n  ]\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
    }
    /// For people: a line for each point, over all its seeds.
    pub(crate) fn text(&self, colours: bool) -> String {
        let bad = ink::if_wanted(colours, ink::BAD);
        let plan = self.plan;
        let mut points: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
        for row in self.rows.values() {
            points.entry(plan.point_of(row.run)).or_default().push(row);
        }
        let names = plan.keys.iter().cloned();
        let head = names.chain(plan.measures.iter().map(|measure| measure.to_string()));
        let mut lines = vec![Line { cells: head.collect(), remark: None }];
        for rows in points.values() {
            let settings = plan.values(rows[0].run).into_iter().map(str::to_owned);
            let done: Vec<&Measured> =
                rows.iter().filter_map(|row| row.result.as_ref().ok()).collect();
            let failed = rows.iter().filter_map(|row| row.result.as_ref().err()).next();
            let mut cells: Vec<String> = settings.collect();
            if !done.is_empty() {
                let place = |n: usize| done.iter().map(|run| run.values[n]).collect();
                cells.extend((0..plan.measures.len()).map(|n| over_seeds(place(n))));
            }
            let remark = failed.map(|why| match rows.len() {
                1 => why.clone(),
                all => format!("{} of {all} runs failed: {why}", all - done.len()),
            });
            lines.push(Line { cells, remark });
        }
        aligned(&lines, plan.keys.len(), bad) + &self.last_line()
    }
    fn last_line(&self) -> String {
        let seeds = match self.plan.spec.seeds {
            1 => String::new(),
            n => format!(", {n} seeds each: the median, and from the least to the most"),
        };
        let points = self.rows.keys().map(|run| self.plan.point_of(*run));
        let points = points.collect::<std::collections::BTreeSet<_>>().len();
        let plural = if points == 1 { "" } else { "s" };
        let failed = match self.failed() {
            0 => String::new(),
            n => format!("; {n} of {} runs failed", self.rows.len()),
        };
        format!("{points} point{plural} of {}{seeds}{failed}\n", self.plan.scenario.name)
    }
}

/// A cell of a table for machines.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cell {
    Number(String),
    Text(String),
    None,
}

impl Cell {
    /// What was typed for a setting: a number if it is a whole one.
    fn typed(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(number) => Self::Number(number.to_string()),
            Err(_) => Self::Text(text.to_owned()),
        }
    }
    fn csv(&self) -> String {
        match self {
            Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::None => String::new(),
        }
    }
    fn json(&self) -> String {
        match self {
            Self::Number(text) => text.clone(),
            Self::Text(text) => Json::from(text.as_str()).to_string(),
            Self::None => "null".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.starts_with([' ', '#']) || text.ends_with(' ')
    {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

/// One value, or the median of several and how far they lie apart.
fn over_seeds(mut values: Vec<Value>) -> String {
    let all = values.len();
    values.retain(|value| !value.is_none());
    // What has no value is not counted among those that have one.
    values.sort_by(|a, b| a.compare(*b).unwrap_or(std::cmp::Ordering::Equal));
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        return "none".to_owned();
    };
    let median = values[(values.len() - 1) / 2];
    let some =
        if values.len() < all { format!(", {} none", all - values.len()) } else { String::new() };
    if least == most && some.is_empty() {
        return median.to_string();
    }
    format!("{median} ({least}–{most}{some})")
}

/// A line of the table, and what is said instead of, or behind, its cells.
struct Line {
    cells: Vec<String>,
    remark: Option<String>,
}

/// Columns below one another: everything to the right but the settings in front.
fn aligned(lines: &[Line], settings: usize, bad: Style) -> String {
    let columns = lines.iter().map(|line| line.cells.len()).max().unwrap_or(0);
    let width = |n: usize| {
        let cells = lines.iter().filter_map(|line| line.cells.get(n));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (n, (cell, width)) in line.cells.iter().zip(&widths).enumerate() {
            if n > 0 {
                row += "  ";
            }
            row +=
                &if n < settings { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
        }
        text += row.trim_end();
        if let Some(remark) = &line.remark {
            text += &format!("  {bad}{remark}{bad:#}");
        }
        text.push('\n');
    }
    text
}
