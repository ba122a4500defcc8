//! `finwait plot TABLE map`: a sweep as a heat map or as curves.

use std::fs;

use finwait_model::time::Span;
use finwait_sim::scenario::{Error, nearest};
use finwait_sim::units;
use finwait_viz::grid::Grid;
use finwait_viz::map::{Choice, map};

use super::{Format, Made, Session};
use crate::failure::Failure;

/// What of a sweep is drawn.
#[derive(Clone, Default, Debug, clap::Args)]
#[command(next_help_heading = "Map")]
pub(crate) struct Columns {
    /// The column of the table that goes from left to right [default: its first].
    #[arg(long, value_name = "COLUMN")]
    x: Option<String>,
    /// The column that goes upwards [default: the second, if --x and --measure leave one].
    #[arg(long, value_name = "COLUMN")]
    y: Option<String>,
    /// What came of it: one column, or several with --curves [default: the last].
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    measure: Vec<String>,
    /// Draw curves over --x, one for each value of --y or for each --measure, and no heat map.
    #[arg(long)]
    curves: bool,
    /// Only rows that have that value in a column.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    only: Vec<String>,
    /// Draw buckets = rate × (60 s + DELAY) over it, where --x is a rate per second.
    #[arg(long, value_name = "DELAY")]
    law: Option<String>,
}

/// Reads the table and draws it.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let path = session.args.run.display().to_string();
    let text = fs::read_to_string(&session.args.run).map_err(|error| unreadable(&path, &error))?;
    let grid = Grid::parse(&text).map_err(|error| Failure::in_text(&path, &text, &error))?;
    let grid = only(grid, &session.args.map.only)?;
    let choice = chosen(&session.args.map, &grid)?;
    let name = session.args.run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let print = format!("{name} · finwait {}", env!("CARGO_PKG_VERSION"));
    Ok(Made::Figure(Box::new(map(&grid, &choice, &print, session.look(1100, 720)))))
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::Input(format!(
        "error: cannot read {path}: {error}\n  = help: a map is drawn from a table, CSV or NDJSON, \
         with a row for each point of a sweep"
    ))
}

/// The rows that are wanted.
fn only(mut grid: Grid, wanted: &[String]) -> Result<Grid, Failure> {
    for text in wanted {
        let Some((name, value)) = text.split_once('=') else {
            let message = "no column and value".to_owned();
            let expected = "expected both, such as kernel=6.18".to_owned();
            return Err(Failure::in_text("--where", text, &wrong(text, message, expected)));
        };
        let column = column(&grid, "--where", name)?;
        let values: Vec<String> = grid.values(column).iter().map(ToString::to_string).collect();
        grid.keep(column, value);
        if grid.rows.is_empty() {
            let message = format!("no row has {value:?} there");
            let expected = format!("expected one of {}", values.join(", "));
            let span = Some(name.len() + 1..text.len());
            let error = Error { span, ..wrong(text, message, expected) };
            return Err(Failure::in_text("--where", text, &error));
        }
    }
    Ok(grid)
}

fn chosen(args: &Columns, grid: &Grid) -> Result<Choice, Failure> {
    let mut choice = Choice::of(grid);
    if let Some(name) = &args.x {
        choice.x = column(grid, "--x", name)?;
    }
    if !args.measure.is_empty() {
        let columns = args.measure.iter().map(|name| column(grid, "--measure", name));
        choice.measures = columns.collect::<Result<_, _>>()?;
    }
    let several = choice.measures.len() > 1;
    choice.y = match &args.y {
        Some(name) => Some(column(grid, "--y", name)?),
        None if args.curves || several => None,
        // The second column, unless it has another part already.
        None => choice.y.filter(|y| *y != choice.x && !choice.measures.contains(y)),
    };
    choice.curves = args.curves;
    if let (Some(name), true) = (&args.y, several) {
        let message = "with two parameters there is room for one measure".to_owned();
        let expected = "expected it without --y, or one --measure".to_owned();
        return Err(Failure::in_text("--y", name, &wrong(name, message, expected)));
    }
    if let Some(text) = &args.law {
        choice.law = Some(delay(text)?);
    }
    for &measure in &choice.measures {
        if !grid.rows.iter().any(|row| row[measure].number().is_some()) {
            let name = &grid.columns[measure];
            let message = format!("{name:?} has no number");
            let expected = "expected a column of numbers".to_owned();
            return Err(Failure::in_text("--measure", name, &wrong(name, message, expected)));
        }
    }
    Ok(choice)
}

fn column(grid: &Grid, flag: &str, name: &str) -> Result<usize, Failure> {
    grid.column(name).ok_or_else(|| {
        let message = format!("the table has no column {name:?}");
        let expected = format!("expected one of {}", grid.columns.join(", "));
        let near = nearest(name, grid.columns.iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        Failure::in_text(flag, name, &Error { help, ..wrong(name, message, expected) })
    })
}

fn delay(text: &str) -> Result<Span, Failure> {
    units::span(text).map_err(|expected| {
        let message = format!("{text:?} is no delay");
        Failure::in_text("--law", text, &wrong(text, message, expected))
    })
}

fn wrong(text: &str, message: String, expected: String) -> Error {
    Error { span: Some(0..text.len()), message, expected, help: None }
}
