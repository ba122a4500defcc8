//! No figure of a connection lets one text cross another, or lets it leave the paper.

use finwait_model::time::Instant;
use finwait_sim::recording::Recording;
use finwait_sim::why;

use crate::canvas::{Area, Shape};
use crate::figure::{About, Figure, Look};
use crate::ladder::{self, Panel};
use crate::lanes::Zero;
use crate::lettering::{Anchor, Turn};
use crate::story::{self, Story};
use crate::{lanes, machine};

#[path = "../tests/it/stage.rs"]
mod stage;

/// Where each text stands, a little smaller than its letters.
fn texts(figure: &Figure) -> Vec<(Area, String)> {
    let text = |shape: &Shape| {
        let Shape::Text { at: (x, y), text, lettering } = shape else { return None };
        assert_eq!(lettering.turn, Turn::Level);
        let width = lettering.width(text);
        let left = match lettering.anchor {
            Anchor::Start => *x,
            Anchor::Middle => x - width / 2,
            Anchor::End => x - width,
        };
        let base = y + lettering.drop();
        let capitals = lettering.size as i32 * 7 / 10;
        let area = Area { x: left, y: base - capitals, width, height: capitals };
        Some((area.inset(1, 1, 1, 1), text.clone()))
    };
    figure.canvas.shapes.iter().filter_map(text).collect()
}

fn check(what: &str, figure: &Figure) {
    let all = texts(figure);
    assert!(all.len() > 10, "{what}");
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
        for (width, dark) in [(900, false), (1200, true), (1900, false)] {
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
                check(&what, &ladder::figure(&story.name(), &[panel], look, &about));
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
    for width in [1400, 1600, 2000] {
        let look = Look { width, height: 300, dark: false };
        check("double", &ladder::figure("two", &panels, look, &About::default()));
    }
}
