//! One parameter: a curve for each measure.

use super::scale::{Scale, name_upwards, with_unit, words};
use super::{Choice, law_words};
use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::chart::Axis;
use crate::figure::Figure;
use crate::grid::{Cell, Grid};
use crate::legend::{self, Entry, Mark};
use crate::lettering::Lettering;
use crate::ticks;

/// Room for the numbers at the left.
const LEFT: i32 = 90;
/// Room for the legend at the right.
const RIGHT: i32 = 270;

/// A curve: at each value of `x` the least, the mean and the most.
struct Curve {
    name: String,
    points: Vec<(i32, [f64; 3])>,
}

/// Draws them into the figure's body.
pub(super) fn draw(figure: &mut Figure, grid: &Grid, choice: &Choice) {
    let plot = figure.body().inset(LEFT, 10, RIGHT, 48);
    let scale = Scale { values: grid.values(choice.x), from: plot.x, to: plot.right() };
    let curves = curves(grid, choice, &scale);
    let law = law(choice, &scale);
    let all = curves.iter().flat_map(|curve| curve.points.iter().map(|(_, point)| point[2]));
    let most = all.chain(law.iter().map(|(_, buckets)| *buckets)).fold(0.0, f64::max);
    let least = curves.iter().flat_map(|curve| curve.points.iter().map(|(_, point)| point[0]));
    let least = least.fold(0.0, f64::min);
    let (_, step) = ticks::any(most - least, plot.height / 50);
    let up = Axis {
        from: (least / step).floor() * step,
        to: (most.max(least + step) / step - 1e-9).ceil() * step,
        step,
        name: String::new(),
    };
    let height = |value: f64| up.height(value, plot);
    let row = |value: f64| height(value).round() as i32;
    let name = match choice.measures.as_slice() {
        [only] => with_unit(&grid.columns[*only]),
        _ => "value, in each measure's unit".to_owned(),
    };
    axes(&mut figure.canvas, plot, &Axis { name, ..up.clone() });
    scale.write_below(&mut figure.canvas, plot.bottom(), &with_unit(&grid.columns[choice.x]));
    let mut entries = Vec::new();
    for (n, curve) in curves.iter().enumerate() {
        entries.push(draw_curve(&mut figure.canvas, n, curve, row));
    }
    if let Some(delay) = choice.law {
        let stroke = Stroke::tenths(figure.theme().ink, 15).dashed(6, 3);
        let places: Vec<_> = law.iter().map(|(x, buckets)| (*x, height(*buckets))).collect();
        figure.canvas.curve(&places, stroke);
        let mark = Mark::Line(stroke);
        entries.push(Entry { mark, name: law_words(delay), number: String::new() });
    }
    let area = Area { x: plot.right() + 20, width: RIGHT - 20, ..plot };
    legend::draw(&mut figure.canvas, area, "", &entries);
}

/// A curve for each measure, or one for each value of `y`.
fn curves(grid: &Grid, choice: &Choice, scale: &Scale) -> Vec<Curve> {
    let by_value = choice.y.zip(choice.measures.first());
    let Some((y, &measure)) = by_value else {
        let of = |&measure: &usize| {
            let points = points(grid, choice.x, measure, None, scale);
            Curve { name: grid.columns[measure].clone(), points }
        };
        return choice.measures.iter().map(of).collect();
    };
    let of = |value: &Cell| {
        let name = format!("{} {}", grid.columns[y], words(value));
        Curve { name, points: points(grid, choice.x, measure, Some((y, value)), scale) }
    };
    grid.values(y).iter().map(of).collect()
}

fn points(
    grid: &Grid,
    x: usize,
    measure: usize,
    such: Option<(usize, &Cell)>,
    scale: &Scale,
) -> Vec<(i32, [f64; 3])> {
    let points = scale.values.iter().enumerate().filter_map(|(n, value)| {
        let such: Vec<(usize, &Cell)> = [Some((x, value)), such].into_iter().flatten().collect();
        let numbers = grid.numbers(measure, &such);
        let least = numbers.iter().copied().reduce(f64::min)?;
        let most = numbers.iter().copied().reduce(f64::max)?;
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        Some((scale.middle(n), [least, mean, most]))
    });
    points.collect()
}

/// The buckets that the rates at `x` take.
fn law(choice: &Choice, scale: &Scale) -> Vec<(f64, f64)> {
    let Some(delay) = choice.law else { return Vec::new() };
    let seconds = 60.0 + delay.ns as f64 / 1e9;
    let rates = scale.numbers(16).into_iter().filter(|rate| *rate >= 0.0);
    rates.filter_map(|rate| Some((scale.place(rate)?, rate * seconds))).collect()
}

fn axes(canvas: &mut Canvas, plot: Area, up: &Axis) {
    let theme = *canvas.theme();
    for value in ticks::between(up.from, up.to, up.step) {
        let y = up.height(value, plot).round() as i32;
        canvas.line((plot.x, y), (plot.right(), y), Stroke::new(theme.grid, 1));
        let text = Lettering::new(11).ending().middle();
        canvas.text((plot.x - 8, y), ticks::label(value, up.step), text);
    }
    let line = Stroke::new(theme.faint, 1);
    canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), line);
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), line);
    name_upwards(canvas, (plot.x - LEFT + 4, plot.centre().1), plot.height, &up.name);
}

/// A curve through the means, in a band from the least to the most; every curve's points have a
/// shape of their own.
fn draw_curve(canvas: &mut Canvas, n: usize, curve: &Curve, row: impl Fn(f64) -> i32) -> Entry {
    let color = canvas.theme().series(n);
    let of = |which: usize| curve.points.iter().map(move |(x, point)| (*x, point[which]));
    let place = |(x, value): (i32, f64)| (x, row(value));
    let band: Vec<Place> = of(2).map(place).chain(of(0).rev().map(place)).collect();
    if curve.points.iter().any(|(_, point)| point[0] < point[2]) {
        canvas.polygon(&band, color.alpha(60));
    }
    let means: Vec<Place> = of(1).map(place).collect();
    let stroke = Stroke::new(color, 2);
    canvas.path(&means, stroke);
    for &mean in &means {
        legend::point(canvas, mean, n, color);
    }
    Entry { mark: Mark::Points(stroke, n), name: curve.name.clone(), number: String::new() }
}
