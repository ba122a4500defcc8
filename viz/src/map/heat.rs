//! Two parameters: a field of cells, each in the colour of what came of it.

use super::Choice;
use super::scale::{Scale, name_upwards, number_words, with_unit};
use crate::canvas::{Area, Stroke};
use crate::figure::Figure;
use crate::grid::Grid;
use crate::lettering::Lettering;
use crate::ticks;

/// Room for the names of the values at the left.
const LEFT: i32 = 110;
/// Room for the scale of colours at the right.
const RIGHT: i32 = 130;

/// Draws it into the figure's body.
pub(super) fn draw(figure: &mut Figure, grid: &Grid, choice: &Choice, y: usize) {
    let plot = figure.body().inset(LEFT, 4, RIGHT, 48);
    let across = Scale { values: grid.values(choice.x), from: plot.x, to: plot.right() };
    let up = Scale { values: grid.values(y), from: plot.bottom(), to: plot.y };
    let Some(&measure) = choice.measures.first() else { return };
    let field = Field { figure, grid, choice, y, measure, across, up };
    field.draw(plot);
}

struct Field<'a> {
    figure: &'a mut Figure,
    grid: &'a Grid,
    choice: &'a Choice,
    y: usize,
    measure: usize,
    across: Scale,
    up: Scale,
}

impl Field<'_> {
    fn draw(mut self, plot: Area) {
        let cells = self.cells();
        let numbers = || cells.iter().filter_map(|(_, mean)| *mean);
        let least = numbers().fold(f64::INFINITY, f64::min).min(0.0);
        let most = numbers().fold(f64::NEG_INFINITY, f64::max);
        let range = if most > least { (least, most) } else { (least, least + 1.0) };
        for (area, mean) in &cells {
            self.cell(*area, *mean, range);
        }
        self.law();
        let canvas = &mut self.figure.canvas;
        self.across.write_below(
            canvas,
            plot.bottom(),
            &with_unit(&self.grid.columns[self.choice.x]),
        );
        self.up.write_left(
            canvas,
            plot.x,
            plot.x - LEFT + 4,
            &with_unit(&self.grid.columns[self.y]),
        );
        self.colors(plot, range);
    }
    /// Every point's place and the mean of its runs.
    fn cells(&self) -> Vec<(Area, Option<f64>)> {
        let mut cells = Vec::new();
        for (i, x) in self.across.values.iter().enumerate() {
            for (j, y) in self.up.values.iter().enumerate() {
                let corner = (self.across.edge(i), self.up.edge(j));
                let other = (self.across.edge(i + 1), self.up.edge(j + 1));
                let such = [(self.choice.x, x), (self.y, y)];
                let numbers = self.grid.numbers(self.measure, &such);
                cells.push((Area::between(corner, other), mean(&numbers)));
            }
        }
        cells
    }
    fn cell(&mut self, area: Area, mean: Option<f64>, range: (f64, f64)) {
        let theme = self.figure.theme();
        let canvas = &mut self.figure.canvas;
        // A line of paper between cells.
        let inner = area.inset(0, 0, 1, 1);
        let Some(mean) = mean else {
            canvas.rect(inner, theme.panel);
            let text = Lettering::new(11).centred().middle().color(theme.faint);
            canvas.text(area.centre(), "–", text);
            return;
        };
        let color = theme.scale(share(mean, range));
        canvas.rect(inner, color);
        let words = number_words(mean);
        let text = Lettering::new(12).color(color.ink());
        if text.width(&words) + 12 > area.width || area.height < 18 {
            return;
        }
        if self.choice.law.is_some() {
            // The line goes through the middle of cells, from below upwards.
            canvas.text((area.x + 7, area.y + 8), words, text.below());
        } else {
            canvas.text(area.centre(), words, text.centred().middle());
        }
    }
    /// What the colours mean: a bar from the least to the most.
    fn colors(&mut self, plot: Area, range: (f64, f64)) {
        let theme = self.figure.theme();
        let canvas = &mut self.figure.canvas;
        let bar = Area { x: plot.right() + 24, width: 18, ..plot };
        let steps = 64.min(bar.height.max(1));
        let edge = |n: i32| bar.bottom() - bar.height * n / steps;
        for n in 0..steps {
            let area = Area::between((bar.x, edge(n)), (bar.right(), edge(n + 1)));
            canvas.rect(area, theme.scale((n * 255 / (steps - 1).max(1)) as u8));
        }
        let text = Lettering::new(11).middle();
        let (_, step) = ticks::any(range.1 - range.0, bar.height / 60);
        for value in ticks::between(range.0, range.1, step) {
            let share = (value - range.0) / (range.1 - range.0);
            let y = bar.bottom() - (f64::from(bar.height) * share).round() as i32;
            canvas.line((bar.right(), y), (bar.right() + 4, y), Stroke::new(theme.faint, 1));
            canvas.text((bar.right() + 8, y), ticks::label(value, step), text);
        }
        let at = (bar.right() + 70, bar.centre().1);
        name_upwards(canvas, at, bar.height, &with_unit(&self.grid.columns[self.measure]));
    }
    /// As many buckets as the rate at `x` takes, where the vertical axis is of buckets; what the
    /// line is, the subtitle says.
    fn law(&mut self) {
        let Some(delay) = self.choice.law else { return };
        let seconds = 60.0 + delay.ns as f64 / 1e9;
        let points: Vec<(f64, f64)> = self
            .across
            .numbers(16)
            .into_iter()
            .filter_map(|rate| Some((self.across.place(rate)?, self.up.place(rate * seconds)?)))
            .collect();
        let theme = self.figure.theme();
        let canvas = &mut self.figure.canvas;
        canvas.curve(&points, Stroke::new(theme.paper, 5));
        canvas.curve(&points, Stroke::new(theme.ink, 2));
    }
}

fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn share(value: f64, (least, most): (f64, f64)) -> u8 {
    ((value - least) / (most - least) * 255.0).round().clamp(0.0, 255.0) as u8
}
