//! A table with a row for each point of a sweep: what was varied, and what came of it.

mod csv;
mod json;

use std::cmp::Ordering;
use std::fmt;

use finwait_sim::scenario::Error;

/// A table; every row has a cell for each column.
#[derive(Clone, PartialEq, Debug)]
pub struct Grid {
    /// What the columns are called.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// One value.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// A number.
    Number(f64),
    /// A name, such as a release.
    Text(String),
    /// A point that failed has none.
    Nothing,
}

impl Grid {
    /// Reads a table: NDJSON if it begins with a brace, and else CSV with a line of names.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let grid =
            if text.trim_start().starts_with('{') { json::parse(text)? } else { csv::parse(text)? };
        if grid.rows.is_empty() {
            return Err(Error {
                span: Some(0..text.len()),
                message: "the table has no row".to_owned(),
                expected: "expected a row for each point of a sweep".to_owned(),
                help: None,
            });
        }
        Ok(grid)
    }
    /// The place of the column with that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
    /// Only the rows that have that value in a column, written as in the file.
    pub fn keep(&mut self, column: usize, value: &str) {
        let value = Cell::read(value);
        self.rows.retain(|row| row[column] == value);
    }
    /// The different values of a column: numbers by size, names in the order of their coming.
    pub fn values(&self, column: usize) -> Vec<Cell> {
        let mut values: Vec<Cell> = Vec::new();
        for row in &self.rows {
            if row[column] != Cell::Nothing && !values.contains(&row[column]) {
                values.push(row[column].clone());
            }
        }
        values.sort_by(|a, b| match (a, b) {
            (Cell::Number(a), Cell::Number(b)) => a.total_cmp(b),
            (Cell::Number(_), _) => Ordering::Less,
            (_, Cell::Number(_)) => Ordering::Greater,
            _ => Ordering::Equal,
        });
        values
    }
    /// The numbers in a column of those rows that have such cells in other columns.
    pub(crate) fn numbers(&self, column: usize, such: &[(usize, &Cell)]) -> Vec<f64> {
        let fits = |row: &&Vec<Cell>| such.iter().all(|(at, cell)| row[*at] == **cell);
        self.rows.iter().filter(fits).filter_map(|row| row[column].number()).collect()
    }
}

impl Cell {
    /// What stands in a file: a number if it is one.
    fn read(text: &str) -> Self {
        let text = text.trim();
        match text.parse::<f64>() {
            // What is larger is no number of things, and sums of it could overflow.
            Ok(number) if number.abs() <= 1e15 => Self::Number(number),
            _ if text.is_empty() => Self::Nothing,
            _ => Self::Text(text.to_owned()),
        }
    }
    /// The number that it is.
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// As in a file.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Nothing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_ndjson_are_the_same_table() {
        let csv = "rate,kernel,\"peak, buckets\"\r\n50,\"3.10\",3000\n100,v6,\n";
        let json = "{\"rate\": 50, \"kernel\": 3.10, \"peak, buckets\": 3e3}\n\n\
                    {\"rate\": 100, \"kernel\": \"v6\", \"peak, buckets\": null}\n";
        let grid = Grid::parse(csv).expect("it is a table");
        assert_eq!(grid.columns, ["rate", "kernel", "peak, buckets"]);
        assert_eq!(grid.rows[1][1..], [Cell::Text("v6".to_owned()), Cell::Nothing]);
        assert_eq!(Grid::parse(json), Ok(grid));
    }

    #[test]
    fn what_is_too_large_to_be_counted_is_a_name() {
        assert_eq!(Cell::read("1e300"), Cell::Text("1e300".to_owned()));
        let grid = Grid::parse("{\"a\": 1e300}").expect("it is a table");
        assert!(grid.numbers(0, &[]).is_empty());
        assert_eq!(Cell::read("NaN"), Cell::Text("NaN".to_owned()));
    }

    #[test]
    fn values_are_sorted_and_numbers_found() {
        let grid = Grid::parse("x,y\n30,1\n4,2\n30,5\nz,6\n").expect("it is a table");
        let z = Cell::Text("z".to_owned());
        assert_eq!(grid.values(0), [Cell::Number(4.0), Cell::Number(30.0), z.clone()]);
        assert_eq!(grid.numbers(1, &[(0, &Cell::Number(30.0))]), [1.0, 5.0]);
        assert_eq!(grid.numbers(1, &[(0, &z)]), [6.0]);
        let mut kept = grid;
        kept.keep(0, "30.0");
        assert_eq!(kept.numbers(1, &[]), [1.0, 5.0]);
    }

    #[test]
    fn errors_have_their_place() {
        let wrong = |text: &str| {
            let error = Grid::parse(text).expect_err("it is no table");
            (error.position(text), error.to_string())
        };
        let (at, why) = wrong("a,b\n1,2\n3\n");
        assert_eq!(
            (at, why.as_str()),
            (Some((3, 1)), "the row has 1 cell: expected 2, as many as there are names")
        );
        let (at, why) = wrong("a,a\n1,2\n");
        assert_eq!(
            (at, why.as_str()),
            (Some((1, 3)), "a second column \"a\": expected different names")
        );
        let (at, why) = wrong("a,\"b\n1,2\n");
        assert_eq!(at, Some((1, 3)), "{why}");
        let (at, why) = wrong("{\"a\": 1}\n{\"a\": 1,}\n");
        assert_eq!(at.map(|(line, _)| line), Some(2), "{why}");
        let (at, why) = wrong("{\"a\": 1}\n{\"a\": [1]}\n");
        assert_eq!(at.map(|(line, _)| line), Some(2), "{why}");
        for text in ["", "\n", "a,b\n", "{}"] {
            assert!(Grid::parse(text).is_err(), "{text:?}");
        }
    }
}
