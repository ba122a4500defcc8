//! A measure of the cases of a question as bars, one below the other, with its number beside each.

use crate::canvas::{Area, Canvas, Stroke};
use crate::figure::{About, Figure, Look};
use crate::lettering::Lettering;
use crate::ticks;

/// A case, and what was measured of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// How long its bar is.
    pub value: f64,
    /// The number as it is printed.
    pub number: String,
}

/// How high a case is.
const ROW: i32 = 46;
/// How thick its bar is.
const BAR: i32 = 16;
/// Room for the axis below.
const BELOW: i32 = 44;

/// How high such a figure is.
pub const fn height(cases: usize) -> i32 {
    106 + BELOW + ROW * cases as i32
}

/// Draws them; `unit` is what the axis says. A measure that matters as a mistake is drawn like a RST.
pub fn cases(
    title: &str,
    unit: &str,
    is_bad: bool,
    cases: &[Case],
    look: Look,
    about: &About,
) -> Figure {
    let mut figure = Figure::new(look, title, "", about);
    let (theme, body) = (figure.theme(), figure.body());
    let bold = Lettering::new(13).bold();
    let widest = cases.iter().map(|case| bold.width(&case.name)).max().unwrap_or(0);
    let left = (widest + 24).clamp(120, body.width * 2 / 5);
    let numbers = cases.iter().map(|case| bold.width(&case.number)).max().unwrap_or(0);
    let plot = body.inset(left, 8, numbers + 24, BELOW);
    let most = cases.iter().map(|case| case.value).fold(0.0, f64::max);
    let (top, step) = ticks::any(most, (plot.width / 110).max(1));
    let place = |value: f64| plot.x + (f64::from(plot.width) * value / top).round() as i32;
    axis(&mut figure.canvas, plot, top, step, unit);
    let color = if is_bad { theme.rst } else { theme.series(0) };
    let small = Lettering::new(11).below().color(theme.faint);
    for (n, case) in cases.iter().enumerate() {
        let y = plot.y + 4 + ROW * n as i32;
        let end = place(case.value);
        let named = bold.middle();
        let at = (body.x, y + BAR / 2);
        figure.canvas.text(at, named.fit(&case.name, left - 12), named);
        if end > plot.x {
            let bar = Area { x: plot.x, y, width: end - plot.x, height: BAR };
            figure.canvas.rect(bar, color);
        }
        figure.canvas.text((end + 8, y + BAR / 2), case.number.as_str(), named.halo());
        let words = small.halo().fit(&case.about, body.right() - plot.x - 4);
        figure.canvas.text((plot.x + 4, y + BAR + 6), words, small.halo());
    }
    figure
}

fn axis(canvas: &mut Canvas, plot: Area, top: f64, step: f64, unit: &str) {
    let theme = *canvas.theme();
    let line = Stroke::new(theme.grid, 1);
    let text = Lettering::new(11).centred().below();
    for value in ticks::between(0.0, top, step) {
        let x = plot.x + (f64::from(plot.width) * value / top).round() as i32;
        canvas.line((x, plot.y), (x, plot.bottom()), line);
        canvas.text((x, plot.bottom() + 6), ticks::label(value, step), text);
    }
    canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), Stroke::new(theme.faint, 1));
    canvas.text((plot.centre().0, plot.bottom() + 26), unit, text.color(theme.faint));
}
