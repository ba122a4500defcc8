//! The figures of a report, each on white and on dark paper.

use finwait_model::time::Instant;
use finwait_sim::findings;

use super::facts::{Conn, Facts};
use crate::figure::{Figure, Look};
use crate::lanes::{self, Zero};
use crate::machine;
use crate::story::Story;
use crate::timeline::timeline;
use crate::trace::Part;

/// A figure.
pub(super) struct Picture {
    /// What its file and its place on the page are called.
    pub(super) name: &'static str,
    /// What it shows, for who does not see it.
    pub(super) alt: String,
    /// What is said below it.
    pub(super) caption: String,
    /// On white.
    pub(super) light: Figure,
    /// On dark paper.
    pub(super) dark: Figure,
}

impl Picture {
    fn new(
        name: &'static str,
        alt: String,
        caption: String,
        size: (i32, i32),
        draw: impl Fn(Look) -> Figure,
    ) -> Self {
        let look = |dark| Look { width: size.0, height: size.1, dark };
        Self { name, alt, caption, light: draw(look(false)), dark: draw(look(true)) }
    }
}

/// All that there are of a run.
pub(super) fn all(facts: &Facts) -> Vec<Picture> {
    [tables(facts), lanes(facts), states(facts)].into_iter().flatten().collect()
}

/// The tables over time of the host that the run is about.
fn tables(facts: &Facts) -> Option<Picture> {
    let name = &findings::hero(&facts.hosts)?.name;
    let host = facts.tables.host(name).filter(|host| host.samples.len() > 1)?;
    let part = Part { from: Instant::ZERO, to: facts.until() };
    let alt = format!("Timewait buckets, sockets and RSTs of {name} over time");
    let draw = |look| timeline(&facts.tables, host, part, look);
    Some(Picture::new("timeline", alt, String::new(), (1280, 800), draw))
}

/// A connection that ended well, and below it one that ended in a RST.
fn lanes(facts: &Facts) -> Option<Picture> {
    let ordinary = facts.conns.iter().find(|conn| conn.reset.is_none() && conn.story.is_some());
    let reset = facts.conns.iter().find(|conn| conn.reset.is_some() && conn.story.is_some());
    let shown: Vec<&Conn> = ordinary.into_iter().chain(reset).collect();
    let stories: Vec<Story> = shown.iter().filter_map(|conn| conn.story.clone()).collect();
    let caption = match (ordinary, reset) {
        (_, None) => String::new(),
        (None, Some(_)) => "The first RST of the run.".to_owned(),
        (Some(_), Some(_)) => {
            "Above, an ordinary connection early in the run; below, the connection of the first RST. \
             Each counts from its own first SYN."
                .to_owned()
        }
    };
    if stories.is_empty() {
        return None;
    }
    let names: Vec<String> = stories.iter().map(Story::name).collect();
    let alt = format!("Swim lanes of {}", names.join(" and "));
    let about = &facts.tables.about;
    let title = if stories.len() == 1 { names[0].clone() } else { "Two connections".to_owned() };
    let draw = |look| lanes::figure(&title, &stories, Zero::Connection, look, about);
    Some(Picture::new("lanes", alt, caption, (1280, 320), draw))
}

/// How often sockets went from which state to which.
fn states(facts: &Facts) -> Option<Picture> {
    facts.machine.edges().next()?;
    let hosts: Vec<&str> = facts.hosts.iter().map(|h| h.name.as_str()).collect();
    let title = format!("The states of {}", hosts.join(" and "));
    let about = &facts.tables.about;
    let draw = |look| machine::figure(&title, &facts.machine, look, about);
    let alt = format!("TCP's state machine with how often {} took each edge", hosts.join(" and "));
    Some(Picture::new("machine", alt, String::new(), (1200, 760), draw))
}
