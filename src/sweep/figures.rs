//! A sweep as pictures: one of each measure, as curves over one thing that was varied, or as a map of
//! two.

use finwait_model::time::Span;
use finwait_sim::units;
use finwait_viz::figure::Look;
use finwait_viz::grid::{Cell, Grid};
use finwait_viz::map::{Choice, map};
use finwait_viz::svg::Fonts;

use super::plan::Plan;
use super::table::Table;

/// The pictures, each with the name of its file.
pub(crate) fn draw(table: &Table<'_>) -> Vec<(String, String)> {
    let plan = table.plan;
    let axes: Vec<Axis> = (0..plan.keys.len()).map(|n| Axis::new(plan, n, table)).collect();
    if axes.is_empty() {
        return Vec::new();
    }
    let grid = grid(table, &axes);
    let law = axes.len() > 1 && axes[0].unit == Some(Unit::Rate) && axes[1].is_limit();
    let law_turned = axes.len() > 1 && axes[1].unit == Some(Unit::Rate) && axes[0].is_limit();
    let (x, y) = if law_turned { (1, Some(0)) } else { (0, (axes.len() > 1).then_some(1)) };
    let mut drawn = Vec::new();
    for (n, measure) in plan.measures.iter().enumerate() {
        let column = axes.len() + n;
        if !grid.rows.iter().any(|row| row[column].number().is_some()) {
            continue;
        }
        let choice = Choice {
            x,
            y,
            curves: false,
            measures: vec![column],
            // Nobody knows here how long FINs take; on a fast network they take nearly nothing.
            law: (law || law_turned).then_some(Span::ZERO),
        };
        let seeds = match plan.spec.seeds {
            // It may be what is varied.
            1 if plan.keys.iter().any(|key| key == "seed") => String::new(),
            1 => format!(" · seed {}", plan.scenario.seed),
            n => format!(" · {n} seeds from {}", plan.scenario.seed),
        };
        let print = format!("{}{seeds} · finwait {}", plan.scenario.name, plan.spec.finwait);
        let figure = map(&grid, &choice, &print, Look { width: 1100, height: 720, dark: false });
        let name = format!("{}.svg", file_name(&measure.to_string()));
        drawn.push((name, figure.to_svg(Fonts::Embedded)));
    }
    drawn
}

/// A name for a file: letters, digits and points as they are.
fn file_name(measure: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { ' ' };
    let text: String = measure.chars().map(kept).collect();
    text.split_whitespace().collect::<Vec<_>>().join("-")
}

fn grid(table: &Table<'_>, axes: &[Axis]) -> Grid {
    let plan = table.plan;
    let names = axes.iter().map(|axis| axis.name.clone());
    let columns = names.chain(plan.measures.iter().map(|measure| measure.column())).collect();
    let rows = table.rows.values().map(|row| {
        let values = plan.values(row.run);
        let settings = axes.iter().zip(values).map(|(axis, value)| axis.cell(value));
        let measured = (0..plan.measures.len()).map(|n| match &row.result {
            Ok(done) => number(&done.values[n].plain()),
            Err(_) => Cell::Nothing,
        });
        settings.chain(measured).collect()
    });
    Grid { columns, rows: rows.collect() }
}

fn number(text: &str) -> Cell {
    text.parse().map_or(Cell::Nothing, Cell::Number)
}

/// Something that was varied, as it stands along a picture's edge.
struct Axis {
    key: String,
    name: String,
    /// What its values are measured in, if all of them are numbers with a unit.
    unit: Option<Unit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Seconds,
    Rate,
}

impl Axis {
    fn new(plan: &Plan, n: usize, table: &Table<'_>) -> Self {
        let values: Vec<&str> = table.rows.values().map(|row| plan.values(row.run)[n]).collect();
        let all = |is: &dyn Fn(&str) -> bool| !values.is_empty() && values.iter().all(|v| is(v));
        let long = |text: &&str| units::span(text).is_ok_and(|span| span >= Span::secs(1));
        let unit = if all(&|text| text.parse::<f64>().is_ok()) {
            None
        } else if all(&|text| units::span(text).is_ok()) {
            Some(if values.iter().any(long) { Unit::Seconds } else { Unit::Milliseconds })
        } else if all(&|text| units::rate(text).is_ok()) {
            Some(Unit::Rate)
        } else {
            None
        };
        let key = plan.keys[n].clone();
        let name = match unit {
            Some(Unit::Milliseconds) => format!("{key} (ms)"),
            Some(Unit::Seconds) => format!("{key} (s)"),
            Some(Unit::Rate) => format!("{key} (1/s)"),
            None => key.clone(),
        };
        Self { key, name, unit }
    }
    fn is_limit(&self) -> bool {
        self.key.ends_with(".tcp_max_tw_buckets")
    }
    fn cell(&self, value: &str) -> Cell {
        let span = |per_ns: f64| units::span(value).map(|span| span.ns as f64 / per_ns);
        let number = match self.unit {
            Some(Unit::Milliseconds) => span(1e6).ok(),
            Some(Unit::Seconds) => span(1e9).ok(),
            Some(Unit::Rate) => {
                units::rate(value).ok().map(|rate| rate.count as f64 / (rate.per.ns as f64 / 1e9))
            }
            None => value.parse().ok(),
        };
        number.map_or_else(|| Cell::Text(value.to_owned()), Cell::Number)
    }
}
