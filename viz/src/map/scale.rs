//! The axis of a varied parameter: its values, evenly spaced, whatever lies between them.

use finwait_sim::text::grouped;

use crate::canvas::{Canvas, Place};
use crate::grid::Cell;
use crate::lettering::{Lettering, Turn};

/// Values on a line of pixels, each with as much room.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Scale {
    pub(super) values: Vec<Cell>,
    pub(super) from: i32,
    pub(super) to: i32,
}

impl Scale {
    /// Where the room of a value begins; that of the last ends where one more would begin.
    pub(super) fn edge(&self, place: usize) -> i32 {
        let all = (self.to - self.from) as i64 * place as i64;
        self.from + (all / self.values.len().max(1) as i64) as i32
    }
    /// The middle of a value's room.
    pub(super) fn middle(&self, place: usize) -> i32 {
        i32::midpoint(self.edge(place), self.edge(place + 1))
    }
    /// Where a number lies between the values that are numbers; `None` beyond their room.
    pub(super) fn place(&self, number: f64) -> Option<f64> {
        let numbers: Vec<(f64, f64)> = self
            .values
            .iter()
            .enumerate()
            .filter_map(|(n, value)| Some((value.number()?, f64::from(self.middle(n)))))
            .collect();
        let after = numbers.partition_point(|(value, _)| *value < number);
        let last = numbers.len().checked_sub(2)?;
        let before = after.saturating_sub(1).min(last);
        let ((a, left), (b, right)) = (numbers[before], numbers[before + 1]);
        let place = left + (number - a) / (b - a) * (right - left);
        let (least, most) = (self.from.min(self.to), self.from.max(self.to));
        (f64::from(least) <= place && place <= f64::from(most)).then_some(place)
    }
    /// The numbers between the first and the last value, `steps` from each to the next, and so
    /// much beyond them as they have room for.
    pub(super) fn numbers(&self, steps: i32) -> Vec<f64> {
        let values: Vec<f64> = self.values.iter().filter_map(Cell::number).collect();
        let pairs = values.windows(2).enumerate();
        let between = pairs.flat_map(|(n, pair)| {
            let (a, b) = (pair[0], pair[1]);
            let from = if n == 0 { -steps / 2 } else { 0 };
            let to = if n + 2 == values.len() { steps + steps / 2 } else { steps - 1 };
            (from..=to).map(move |step| a + (b - a) * f64::from(step) / f64::from(steps))
        });
        between.collect()
    }
    /// Writes the values below a row, leaving out some where they would touch, and the name.
    pub(super) fn write_below(&self, canvas: &mut Canvas, row: i32, name: &str) {
        let text = Lettering::new(11).centred().below();
        let widest = self.values.iter().map(|value| text.width(&words(value))).max().unwrap_or(0);
        let room = (self.edge(1) - self.edge(0)).max(1);
        let every = ((widest + 10 + room - 1) / room).max(1) as usize;
        for (n, value) in self.values.iter().enumerate().step_by(every) {
            canvas.text((self.middle(n), row + 8), words(value), text);
        }
        let faint = Lettering::new(12).centred().below().color(canvas.theme().faint);
        let middle = i32::midpoint(self.from, self.to);
        canvas.text((middle, row + 28), faint.fit(name, self.to - self.from), faint);
    }
    /// Writes the values left of a column, and the name upwards at `edge`.
    pub(super) fn write_left(&self, canvas: &mut Canvas, column: i32, edge: i32, name: &str) {
        let text = Lettering::new(11).ending().middle();
        let room = (self.edge(0) - self.edge(1)).max(1);
        let every = ((16 + room - 1) / room).max(1) as usize;
        for (n, value) in self.values.iter().enumerate().step_by(every) {
            let words = text.fit(&words(value), column - edge - 30);
            canvas.text((column - 8, self.middle(n)), words, text);
        }
        name_upwards(canvas, (edge, i32::midpoint(self.from, self.to)), self.from - self.to, name);
    }
}

/// An axis's name, upwards, centred at that place.
pub(super) fn name_upwards(canvas: &mut Canvas, at: Place, room: i32, name: &str) {
    let faint = Lettering::new(12).centred().below().turned(Turn::Up).color(canvas.theme().faint);
    canvas.text(at, faint.fit(name, room), faint);
}

/// A value as people read it: digits in groups, at most three decimals.
pub(super) fn words(value: &Cell) -> String {
    match value {
        Cell::Number(number) => number_words(*number),
        Cell::Text(text) => text.clone(),
        Cell::Nothing => "–".to_owned(),
    }
}

/// The same of a number.
pub(super) fn number_words(number: f64) -> String {
    let size = number.abs();
    let sign = if number < 0.0 { "−" } else { "" };
    if size >= 100.0 || (size - size.round()).abs() < 5e-4 {
        return format!("{sign}{}", grouped(size.round() as u64));
    }
    let text = if size >= 10.0 { format!("{size:.1}") } else { format!("{size:.3}") };
    format!("{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A column's name with its unit: from the name's ending, and for sysctls from what they are.
pub(super) fn with_unit(name: &str) -> String {
    const UNITS: [(&str, &str); 18] = [
        ("max_tw_buckets", "buckets"),
        ("max_orphans", "sockets"),
        ("fin_timeout", "s"),
        ("tw_reuse_delay", "ms"),
        ("peak.tw", "buckets"),
        ("peak_buckets", "buckets"),
        ("peak.orphan", "sockets"),
        ("rst_sent", "RSTs"),
        ("rsts", "RSTs"),
        ("overflows", "refused buckets"),
        ("overflow", "refused buckets"),
        ("_per_s", "1/s"),
        ("rate", "1/s"),
        ("share", "share of 1"),
        ("_ms", "ms"),
        ("_us", "µs"),
        ("_s", "s"),
        ("_bytes", "bytes"),
    ];
    // A name that says its unit itself, as "peak, buckets" does, is left alone.
    if name.contains([',', '(']) {
        return name.to_owned();
    }
    let unit = UNITS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, unit)| *unit);
    format!("{name}, {}", unit.unwrap_or("value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(values: &[f64]) -> Scale {
        Scale { values: values.iter().map(|v| Cell::Number(*v)).collect(), from: 0, to: 400 }
    }

    #[test]
    fn numbers_lie_between_their_neighbours() {
        let scale = scale(&[1.0, 10.0, 100.0, 1000.0]);
        assert_eq!((scale.edge(0), scale.middle(0), scale.edge(4)), (0, 50, 400));
        assert_eq!(scale.place(10.0), Some(150.0));
        assert_eq!(scale.place(55.0), Some(200.0));
        assert_eq!(scale.place(1450.0), Some(400.0));
        assert_eq!(scale.place(1500.0), None);
        assert_eq!(scale.place(-10.0), None);
    }

    #[test]
    fn a_scale_of_names_has_no_place_for_numbers() {
        let values = vec![Cell::Text("3.10".to_owned()), Cell::Text("6.18".to_owned())];
        let scale = Scale { values, from: 0, to: 10 };
        assert_eq!((scale.place(1.0), scale.numbers(4)), (None, vec![]));
    }

    #[test]
    fn numbers_and_units() {
        assert_eq!(number_words(131_072.0), "131,072");
        assert_eq!(
            (number_words(0.0213), number_words(-2.5)),
            ("0.021".to_owned(), "−2.5".to_owned())
        );
        assert_eq!(number_words(12.34), "12.3");
        assert_eq!(with_unit("apps.redis.rate"), "apps.redis.rate, 1/s");
        assert_eq!(with_unit("web.net.ipv4.tcp_fin_timeout"), "web.net.ipv4.tcp_fin_timeout, s");
        assert_eq!(with_unit("peak, buckets"), "peak, buckets");
        assert_eq!(with_unit("seed"), "seed, value");
    }
}
