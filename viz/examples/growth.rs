//! Draws what `cargo bench -p finwait-sim --bench lifecycle -- growth` prints: the cost of a
//! lifecycle over buckets, rate and hosts, both axes logarithmic.
//!
//! `cargo run -p finwait-viz --example growth < growth.csv > growth.svg`

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use finwait_viz::canvas::{Area, Place, Stroke};
use finwait_viz::figure::{About, Figure, Look};
use finwait_viz::lettering::Lettering;
use finwait_viz::svg::Fonts;

/// Nanoseconds at the lower and upper end of the vertical axis.
const NS: (f64, f64) = (1e2, 1e4);
/// The same of the horizontal one, whatever is counted.
const COUNT: (f64, f64) = (1.0, 1e8);

/// One line of the figure.
#[derive(Default, Debug)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

fn main() -> ExitCode {
    let mut text = String::new();
    let drawn = io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())
        .and_then(|_| read(&text))
        .and_then(|series| {
            let svg = draw(&series).to_svg(Fonts::Embedded);
            io::stdout().write_all(svg.as_bytes()).map_err(|error| error.to_string())
        });
    match drawn {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Lines that belong to one series stand together.
fn read(text: &str) -> Result<Vec<Series>, String> {
    let mut all: Vec<Series> = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let point = match fields[..] {
            [name, x, _, _, ns, _] => x.parse().ok().zip(ns.parse().ok()).map(|p| (name, p)),
            _ => None,
        };
        let Some((name, point)) = point else {
            let expected = "series,x,live,lifecycles,ns,digest";
            return Err(format!("line {}: {line}: expected {expected}", number + 1));
        };
        if all.last().is_none_or(|series| series.name != name) {
            all.push(Series { name: name.to_owned(), points: Vec::new() });
        }
        all.last_mut().into_iter().for_each(|series| series.points.push(point));
    }
    Ok(all)
}

/// How far along an axis a value lies, 0 to 1.
fn share(value: f64, (from, to): (f64, f64)) -> f64 {
    ((value.max(from) / from).ln() / (to / from).ln()).min(1.0)
}

fn draw(all: &[Series]) -> Figure {
    let look = Look { width: 900, height: 520, ..Look::default() };
    let what = "nanoseconds of processor time; connect, request, response, both close, TIME-WAIT";
    let mut figure = Figure::new(look, "What a lifecycle costs", what, &About::default());
    let theme = figure.theme();
    let plot = figure.body().inset(70, 16, 150, 48);
    let place = |(x, ns): (f64, f64)| -> Place {
        let right = f64::from(plot.width) * share(x, COUNT);
        let up = f64::from(plot.height) * share(ns, NS);
        (plot.x + right.round() as i32, plot.bottom() - up.round() as i32)
    };
    let (small, grid) = (Lettering::new(11), Stroke::new(theme.grid, 1));
    for power in 0..=8 {
        let x = place((10f64.powi(power), NS.0)).0;
        figure.canvas.line((x, plot.y), (x, plot.bottom()), grid);
        let label = ["1", "10", "100", "1,000", "10,000", "100,000", "1 M", "10 M", "100 M"];
        let label = label[power as usize];
        figure.canvas.text((x, plot.bottom() + 6), label, small.centred().below());
    }
    for ns in [100, 200, 500, 1_000, 2_000, 5_000, 10_000] {
        let y = place((1.0, f64::from(ns))).1;
        figure.canvas.line((plot.x, y), (plot.right(), y), grid);
        let label = if ns < 1_000 { format!("{ns} ns") } else { format!("{} us", ns / 1_000) };
        figure.canvas.text((plot.x - 8, y), label, small.ending().middle());
    }
    for (number, series) in all.iter().enumerate() {
        let color = theme.series(number);
        let places: Vec<Place> = series.points.iter().map(|&point| place(point)).collect();
        for pair in places.windows(2) {
            figure.canvas.line(pair[0], pair[1], Stroke::new(color, 2));
        }
        for &at in &places {
            figure.canvas.circle(at, 3, color);
        }
        let key =
            Area { x: plot.right() + 16, y: plot.y + 24 * number as i32, width: 14, height: 4 };
        figure.canvas.rect(key, color);
        figure.canvas.text((key.right() + 8, key.y + 2), series.name.as_str(), small.middle());
    }
    let middle = (plot.x + plot.width / 2, plot.bottom() + 26);
    figure.canvas.text(middle, "how many of what the colour stands for", small.centred().below());
    figure
}
