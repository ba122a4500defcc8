//! Figures of tables: units at every axis, the same bytes each time, and the same picture as PNG.

use std::path::Path;
use std::sync::OnceLock;

use finwait_model::time::Instant;
use finwait_sim::run::run;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;
use finwait_viz::compare::{Side, compare};
use finwait_viz::figure::{Figure, Look};
use finwait_viz::grid::Grid;
use finwait_viz::map::{Choice, map};
use finwait_viz::run::Run;
use finwait_viz::svg::Fonts;
use finwait_viz::timeline::timeline;
use finwait_viz::trace::Part;
use tiny_skia::Pixmap;

use crate::golden;

const LOOK: Look = Look { width: 1000, height: 640, dark: false };

/// 3.10 at its edge, 400 s.
fn slots() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let text = include_str!("../../../examples/scenarios/slots-3.10.toml");
        let scenario = Scenario::parse(text, "slots-3.10").expect("it is a scenario");
        Run::from(&run(&scenario, Turns::Forward, |_| ()))
    })
}

fn whole(run: &Run) -> Part {
    Part { from: Instant::ZERO, to: run.end }
}

fn of_slots(look: Look) -> Figure {
    let run = slots();
    timeline(run, run.busiest().expect("it has hosts"), whole(run), look)
}

/// The texts of an SVG that run upwards, and those that are centred.
fn axis_names(svg: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut up, mut middle) = (Vec::new(), Vec::new());
    for line in svg.lines().filter(|line| line.starts_with("<text")) {
        let words = line.split(['>', '<']).nth(2).expect("it has words");
        if line.contains("rotate(-90)") {
            up.push(words);
        } else if line.contains("text-anchor=\"middle\"") {
            middle.push(words);
        }
    }
    (up, middle)
}

const TIME: &str = "time since the run began, s";

#[test]
fn every_axis_of_a_timeline_has_a_unit() {
    let svg = of_slots(LOOK).to_svg(Fonts::Outside);
    let (up, middle) = axis_names(&svg);
    assert_eq!(up, ["buckets", "sockets", "refused/s", "RST/s"]);
    assert_eq!(middle.iter().filter(|text| **text == TIME).count(), 1);
}

#[test]
fn every_axis_of_a_comparison_has_a_unit() {
    let run = slots();
    let side = |name| Side { run, host: run.host(name).expect("it takes part") };
    let figure = compare([side("web"), side("peer")], whole(run), None, LOOK);
    let svg = figure.to_svg(Fonts::Outside);
    let (up, middle) = axis_names(&svg);
    assert_eq!(up, ["buckets", "sockets", "refused/s", "RST/s"]);
    assert!(middle.contains(&TIME));
}

#[test]
fn every_axis_of_a_map_has_a_unit() {
    let text = "rate,max_tw_buckets,rst_share\n1,60,0.5\n1,120,0.25\n2,60,\n2,120,0.1\n";
    let grid = Grid::parse(text).expect("it is a table");
    let heat = map(&grid, &Choice::of(&grid), "", LOOK).to_svg(Fonts::Outside);
    let (up, middle) = axis_names(&heat);
    assert_eq!(up, ["max_tw_buckets, buckets", "rst_share, share of 1"]);
    assert!(middle.contains(&"rate, 1/s") && middle.contains(&"–"), "{middle:?}");
    let curves = Choice { curves: true, ..Choice::of(&grid) };
    let curves = map(&grid, &curves, "", LOOK).to_svg(Fonts::Outside);
    let (up, middle) = axis_names(&curves);
    assert_eq!(up, ["rst_share, share of 1"]);
    assert!(middle.contains(&"rate, 1/s"), "{middle:?}");
    assert!(curves.contains(">max_tw_buckets 60<") && curves.contains(">max_tw_buckets 120<"));
}

#[test]
fn curves_may_go_below_zero() {
    let grid = Grid::parse("x,y\n1,-3\n2,7\n").expect("it is a table");
    let svg = map(&grid, &Choice::of(&grid), "", LOOK).to_svg(Fonts::Outside);
    let rows: Vec<i32> = svg
        .lines()
        .filter_map(|line| line.strip_prefix("<circle ")?.split("cy=\"").nth(1)?.split('"').next())
        .map(|row| row.parse().expect("a number"))
        .collect();
    let low = svg.lines().find(|line| line.ends_with(">−4</text>"));
    assert_eq!(rows.len(), 3, "two points and one in the legend");
    assert!(rows[0] > rows[1] && low.is_some(), "{rows:?}");
}

#[test]
fn a_limit_says_its_full_name() {
    let svg = of_slots(LOOK).to_svg(Fonts::Outside);
    assert!(svg.contains(">net.ipv4.tcp_max_tw_buckets = 2,500</text>"));
}

/// The saw-tooth of 3.10: after the table was full, whole cells leave it at once.
#[test]
fn the_table_never_stands_higher_than_its_limit() {
    let svg = of_slots(LOOK).to_svg(Fonts::Outside);
    let limit = svg.lines().find(|l| l.contains("stroke-dasharray=\"6 3\"")).expect("a limit");
    let row: i32 = limit.split(['M', ',', 'l']).nth(2).expect("a row").parse().expect("a number");
    let color = "fill=\"#5b3a9e\"";
    let area = svg.lines().find(|l| l.starts_with("<path") && l.contains(color)).expect("buckets");
    let rows = heights(area);
    assert_eq!(rows.iter().min(), Some(&row), "the table was full, and no more than that");
    let full = rows.iter().position(|y| *y == row).expect("it was full");
    let lowest = rows[full..rows.len() - 2].iter().max().expect("it goes on");
    assert!(lowest - row > 20, "{} pixels are no saw-tooth", lowest - row);
}

/// The rows that a path goes through.
fn heights(path: &str) -> Vec<i32> {
    let points = path.split('"').nth(1).expect("it has a path").trim_end_matches('z');
    let (first, rest) = points.split_once('l').expect("it goes somewhere");
    let number =
        |pair: &str| -> i32 { pair.split(',').nth(1).expect("a row").parse().expect("a number") };
    let mut y = number(first);
    let steps = rest.split(' ').map(|step| {
        y += number(step);
        y
    });
    steps.collect()
}

#[test]
fn the_same_run_is_the_same_svg() {
    let once = of_slots(LOOK).to_svg(Fonts::Embedded);
    assert_eq!(once, of_slots(LOOK).to_svg(Fonts::Embedded));
    let numbers = once.split_once("</style>").expect("it has fonts").1;
    let places = numbers.split("d=\"M").skip(1).filter_map(|path| path.split('"').next());
    assert!(places.clone().count() > 10);
    assert!(!places.collect::<String>().contains('.'), "whole pixels");
}

#[test]
fn small_and_large_figures_can_be_drawn() {
    for (width, height) in [(640, 400), (4000, 2500)] {
        for dark in [false, true] {
            let svg = of_slots(Look { width, height, dark }).to_svg(Fonts::Outside);
            assert!(svg.contains(&format!("viewBox=\"0 0 {width} {height}\"")));
            assert!(!svg.contains("height=\"-") && !svg.contains("width=\"-"));
        }
    }
}

/// How far two pictures may lie apart: anti-aliasing is not the same on every processor.
const NEAR: f64 = 1.0;
const NEAR_ANYWHERE: i32 = 24;

#[test]
fn the_png_looks_as_it_did() {
    for (name, dark) in [("timeline-light.png", false), ("timeline-dark.png", true)] {
        let png = of_slots(Look { dark, ..LOOK }).to_png();
        let large = Pixmap::decode_png(&png).expect("it is a PNG");
        assert_eq!((large.width(), large.height()), (2000, 1280));
        let small = shrunk(&large, 10);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("FINWAIT_UPDATE").is_some() {
            let png = small.encode_png().expect("it can be encoded");
            std::fs::write(&path, png).expect("it can be written");
        }
        let bytes = std::fs::read(&path).expect("FINWAIT_UPDATE=1 makes the golden picture");
        let golden = Pixmap::decode_png(&bytes).expect("it is a PNG");
        let (mean, most) = apart(&small, &golden);
        assert!(mean < NEAR && most < NEAR_ANYWHERE, "{name}: {mean} in the mean, at most {most}");
    }
}

/// Something else must not pass for it.
#[test]
fn another_picture_does_not_look_like_it() {
    let of = |dark| {
        let png = of_slots(Look { dark, ..LOOK }).to_png();
        shrunk(&Pixmap::decode_png(&png).expect("it is a PNG"), 10)
    };
    let (mean, most) = apart(&of(false), &of(true));
    assert!(mean > NEAR * 10.0 && most > NEAR_ANYWHERE);
}

/// Each square of so many dots as one, in their mean colour.
fn shrunk(large: &Pixmap, side: u32) -> Pixmap {
    let (width, height) = (large.width() / side, large.height() / side);
    let mut small = Pixmap::new(width, height).expect("it is not empty");
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0_u32; 4];
            for dot in 0..side * side {
                let at = ((y * side + dot / side) * large.width() + x * side + dot % side) as usize;
                for (sum, value) in sum.iter_mut().zip(&large.data()[at * 4..]) {
                    *sum += u32::from(*value);
                }
            }
            let at = ((y * width + x) * 4) as usize;
            for (place, sum) in sum.iter().enumerate() {
                small.data_mut()[at + place] = (sum / (side * side)) as u8;
            }
        }
    }
    small
}

/// How far their channels lie apart, in the mean and at most.
fn apart(a: &Pixmap, b: &Pixmap) -> (f64, i32) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let apart = a.data().iter().zip(b.data()).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
    let sum: i64 = apart.clone().map(i64::from).sum();
    (sum as f64 / a.data().len() as f64, apart.max().unwrap_or(0))
}

#[test]
fn the_svg_is_as_it_was() {
    golden::check("timeline.svg", &of_slots(LOOK).to_svg(Fonts::Outside));
}
