//! No figure lets one text cross another, or lets it leave the paper.

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::time::{Instant, Span};
use finwait_sim::app::{AppId, Call, Reason, SysCall, Why};
use finwait_sim::recording::Recording;
use finwait_sim::why;

use crate::canvas::{Area, Canvas, Shape};
use crate::figure::{About, Figure, Look};
use crate::ladder::{self, Panel};
use crate::lanes::Zero;
use crate::lettering::{Anchor, Turn};
use crate::run::Run;
use crate::story::{self, Story};
use crate::trace::Part;
use crate::{ages, cases, compare, grid, map, timeline};
use crate::{lanes, machine};

#[path = "../tests/it/stage.rs"]
mod stage;

/// Where each text stands, a little smaller than its letters.
fn texts(figure: &Figure) -> Vec<(Area, String)> {
    let text = |shape: &Shape| {
        let Shape::Text { at: (x, y), text, lettering } = shape else { return None };
        let width = lettering.width(text);
        let before = match lettering.anchor {
            Anchor::Start => 0,
            Anchor::Middle => width / 2,
            Anchor::End => width,
        };
        let (drop, capitals) = (lettering.drop(), lettering.size as i32 * 7 / 10);
        let area = match lettering.turn {
            Turn::Level => Area { x: x - before, y: y + drop - capitals, width, height: capitals },
            Turn::Up => {
                let (x, y) = (x + drop - capitals, y + before - width);
                Area { x, y, width: capitals, height: width }
            }
            Turn::Down => Area { x: x - drop, y: y - before, width: capitals, height: width },
        };
        Some((area.inset(1, 1, 1, 1), text.clone()))
    };
    figure.canvas.shapes.iter().filter_map(text).collect()
}

fn check(what: &str, figure: &Figure) {
    let all = texts(figure);
    assert!(all.len() > 5, "{what}");
    let paper = figure.canvas.area();
    for (n, (a, text)) in all.iter().enumerate() {
        let inside = a.x >= 0 && a.right() <= paper.width && a.bottom() <= paper.height;
        assert!(inside, "{what}: {text:?} leaves the paper: {a:?}");
        for (b, other) in &all[n + 1..] {
            let apart =
                a.right() <= b.x || b.right() <= a.x || a.bottom() <= b.y || b.bottom() <= a.y;
            assert!(apart, "{what}: {text:?} and {other:?} cross: {a:?}, {b:?}");
        }
    }
}

fn some(rec: &Recording, count: usize) -> Vec<Story> {
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    story::opened(rec, all, count).expect("it can be read")
}

#[test]
fn no_text_crosses_another() {
    for name in stage::names() {
        let rec = stage::recorded(&name, &[], 6);
        for (width, dark) in [(500, false), (900, true), (1200, false), (1900, false)] {
            let look = Look { width, height: 300, dark };
            let about = About { scenario: name.clone(), ..About::default() };
            let reset = why::reset(&rec, None, 1).expect("it can be read");
            let mut stories = some(&rec, 2);
            if let Some(reset) = reset {
                stories.insert(0, story::story_of(&rec, &reset).expect("read").expect("one"));
            }
            for story in &stories {
                let panel = Panel { heading: "", story };
                let what = format!("ladder of {} in {name}, {width}", story.name());
                let figure = ladder::figure(&story.name(), &[panel], look, &about);
                // A connection of thousands of segments is longer than any paper, which is cut.
                if figure.canvas.height < Canvas::MOST {
                    check(&what, &figure);
                }
                let what = format!("lanes of {} in {name}, {width}", story.name());
                let one = core::slice::from_ref(story);
                check(&what, &lanes::figure(&story.name(), one, Zero::Run, look, &about));
            }
            for count in [3, 6, 15] {
                let what = format!("{count} lanes in {name}, {width}");
                let stories = some(&rec, count);
                check(&what, &lanes::figure(&what, &stories, Zero::Run, look, &about));
                check(&what, &lanes::figure(&what, &stories, Zero::Connection, look, &about));
            }
            let all = Instant::ZERO..Instant { ns: u64::MAX };
            let counts = machine::count(&rec, None, all).expect("it can be read");
            let what = format!("machine of {name}, {width}");
            check(&what, &machine::figure(&what, &counts, look, &about));
        }
    }
}

#[test]
fn two_ladders_beside_one_another_do_not_cross() {
    let full = stage::recorded("closes-apart.toml", &[], 10);
    let free = stage::recorded("closes-apart.toml", &["web.net.ipv4.tcp_max_tw_buckets=9"], 10);
    let [full, free] = [full, free].map(|rec| some(&rec, 1).remove(0));
    let panels = [("table free", &free), ("table full", &full)];
    let panels = panels.map(|(heading, story)| Panel { heading, story });
    for width in [500, 1400, 1600, 2000] {
        let look = Look { width, height: 300, dark: false };
        check("double", &ladder::figure("two", &panels, look, &About::default()));
    }
}

const LOOKS: [Look; 3] = [
    Look { width: 640, height: 400, dark: false },
    Look { width: 1000, height: 640, dark: true },
    Look { width: 1920, height: 1080, dark: false },
];

#[test]
fn tables_over_time_do_not_cross() {
    // The incident is large, and has nothing that others have not.
    let small = stage::names().into_iter().filter(|name| name != "incident.toml");
    let runs = small.map(|name| {
        let run = Run::read(&stage::recorded(&name, &[], 70)).expect("it can be read");
        (name, run)
    });
    let runs: Vec<(String, Run)> = runs.collect();
    for ((name, run), (other, against)) in runs.iter().zip(runs.iter().rev()) {
        let (host, beside) = (&run.hosts[0], &against.hosts[0]);
        let part = Part { from: Instant::ZERO, to: run.end };
        let what = ["something that happens"; 2].map(|words| words.repeat(9));
        let parting = compare::Parting { at: Instant { ns: 3_000_000_000 }, what };
        for look in LOOKS {
            let what = format!("timeline of {name} at {look:?}");
            check(&what, &timeline::timeline(run, host, part, look));
            let sides = [compare::Side { run, host }, compare::Side { run: against, host: beside }];
            let what = format!("{name} against {other} at {look:?}");
            check(&what, &compare::compare(sides, part, Some(&parting), look));
        }
    }
}

#[test]
fn bars_of_cases_do_not_cross() {
    let case = |n: u32| cases::Case {
        name: format!("case-{}", "long-".repeat(n as usize)),
        about: "what it is ".repeat(1 + n as usize),
        value: f64::from(n * 1234),
        number: format!("{}", n * 1234),
    };
    for count in 2..9 {
        let all: Vec<_> = (0..count).map(case).collect();
        for width in [640, 1100, 1920] {
            let look = Look { width, height: cases::height(all.len()), dark: width == 1100 };
            let figure = cases::cases("RSTs", "RSTs", true, &all, look, &About::default());
            check(&format!("{count} bars, {width}"), &figure);
        }
    }
}

#[test]
fn ages_do_not_cross() {
    let part = Part { from: Instant::ZERO, to: Instant { ns: 60_000_000_000 } };
    for reasons in [0, 1, Reason::ALL.len()] {
        let mut closes = ages::Closes::new(part);
        for (n, reason) in Reason::ALL.iter().take(reasons).enumerate() {
            for age in 0..34 {
                let at = Instant { ns: 1_000_000_000 * age };
                let why = Why { age: Span::nanos(1_000 << age), ..Why::plain(*reason) };
                let call = |what| Call {
                    app: AppId(0),
                    fd: 7,
                    flow: FourTuple::default(),
                    what,
                    result: Ok(100),
                };
                for _ in 0..=n * 700 {
                    closes.called(at, &call(SysCall::Close { lingers: false, why }), 100);
                }
                closes.called(at, &call(SysCall::Connect(Endpoint::default())), 100);
                closes.called(at, &call(SysCall::Send(100)), 100);
            }
        }
        for look in LOOKS {
            let figure = ages::figure("Ages", &closes, look, &About::default());
            check(&format!("ages for {reasons} reasons at {look:?}"), &figure);
        }
    }
}

#[test]
fn maps_do_not_cross() {
    let mut table = "apps.redis.rate,web.net.ipv4.tcp_max_tw_buckets,kernel,share\n".to_owned();
    for n in 0..400 {
        let (rate, limit) = (1 << (n % 20), 1_000 << (n / 20));
        table += &format!("{rate},{limit},{},0.{n:03}\n", ["3.10", "6.18"][n % 2]);
    }
    let grid = grid::Grid::parse(&table).expect("it is a table");
    let heat = map::Choice::of(&grid);
    let law = Some(Span::millis(40));
    let curves = map::Choice { curves: true, ..heat.clone() };
    let names = map::Choice { x: 2, y: None, ..heat.clone() };
    for choice in [map::Choice { law, ..heat.clone() }, heat, curves, names] {
        for look in LOOKS {
            let figure = map::map(&grid, &choice, "sweep.csv", look);
            check(&format!("{choice:?} at {look:?}"), &figure);
        }
    }
}
