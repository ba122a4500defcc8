//! A sweep as a picture: one varied parameter as curves, two as a heat map.

mod curves;
mod heat;
mod scale;

use finwait_model::time::Span;

use crate::figure::{Figure, Look};
use crate::grid::Grid;
use crate::sheet::spaced;

/// What of a sweep is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The column that goes from left to right.
    pub x: usize,
    /// The column that goes from below upwards, if two parameters were varied.
    pub y: Option<usize>,
    /// Draw curves over `x`, one for each value of `y`, and no heat map.
    pub curves: bool,
    /// What came of it: one column for a heat map, one or several for curves.
    pub measures: Vec<usize>,
    /// Draw the line of as many buckets as it takes: the rate at `x`, times 60 s and this.
    pub law: Option<Span>,
}

impl Choice {
    /// The first column against the last; with three columns or more, the second goes upwards,
    /// unless it is one of those that `finwait sweep` puts behind what was varied.
    pub fn of(grid: &Grid) -> Self {
        let last = grid.columns.len().saturating_sub(1);
        let varied = |name: &String| !["seed", "digest", "error"].contains(&name.as_str());
        let y = (last >= 2 && grid.columns.get(1).is_some_and(varied)).then_some(1);
        Self { x: 0, y, curves: false, measures: vec![last], law: None }
    }
}

/// Draws a sweep; `print` is the small print.
pub fn map(grid: &Grid, choice: &Choice, print: &str, look: Look) -> Figure {
    let name = |column: usize| grid.columns[column].as_str();
    let measures: Vec<&str> = choice.measures.iter().map(|&column| name(column)).collect();
    let mut title = format!("{} over {}", measures.join(", "), name(choice.x));
    if let Some(y) = choice.y {
        title.push_str(&format!(" and {}", name(y)));
    }
    let print = format!("{print} · {}", points(grid, choice));
    let mut figure = Figure::of_runs(look, &title, &subtitle(choice), &[print]);
    match choice.y {
        Some(y) if !choice.curves => heat::draw(&mut figure, grid, choice, y),
        _ => curves::draw(&mut figure, grid, choice),
    }
    figure
}

fn subtitle(choice: &Choice) -> String {
    choice.law.map_or_else(String::new, |delay| format!("line: {}", law_words(delay)))
}

fn law_words(delay: Span) -> String {
    format!("buckets = rate × (60 s + {})", spaced(delay))
}

/// How many points there are, and how many rows went into each.
fn points(grid: &Grid, choice: &Choice) -> String {
    let rows = grid.rows.len();
    let mut different = Vec::new();
    for row in &grid.rows {
        let point = (&row[choice.x], choice.y.map(|y| &row[y]));
        if !different.contains(&point) {
            different.push(point);
        }
    }
    match different.len() {
        1 if rows == 1 => "1 run".to_owned(),
        count if count == rows => format!("{rows} runs, one for each point"),
        count => {
            let plural = if count == 1 { "" } else { "s" };
            format!("{rows} runs at {count} point{plural}; means, and from the least to the most")
        }
    }
}
