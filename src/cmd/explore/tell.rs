//! What was found, in words: the schedule, what happens in it, why, and what it takes.

use std::fmt::Write as _;
use std::io::Cursor;

use finwait_sim::explore::every::Scope;
use finwait_sim::explore::matter::{Matter, Matters, matters};
use finwait_sim::explore::record::record;
use finwait_sim::explore::{Ending, Kind, Property, Schedule, pkt, text};
use finwait_sim::recording::{Event, Recording, What};
use finwait_sim::text::{grouped, wrapped};
use finwait_sim::why::{self, Chain};
use finwait_viz::ladder::{self, Ink};
use finwait_viz::story::{self, Story};

use super::Args;
use super::exhaustive::Explored;
use super::search::{Found, Searched};
use crate::failure::Failure;
use crate::ink;
use crate::source::broken;
use crate::story::chain as chains;
use crate::story::text::counted;

/// The widest line of text.
const WIDTH: usize = 98;
/// The widest line of a ladder.
const LADDER: usize = 116;

/// Everything that can be said of something that was found.
pub(super) struct Told<'f> {
    pub(super) found: &'f Found,
    /// The file that replays it.
    pub(super) file: String,
    /// The recording, as bytes and opened.
    pub(super) bytes: Vec<u8>,
    pub(super) rec: Recording,
    /// The connection's ladder.
    pub(super) ladder: Option<Story>,
    /// The segment that made it happen, back to its first causes.
    pub(super) chain: Option<Chain>,
    pub(super) matters: Matters,
    /// The packetdrill script of the host that it is about.
    pub(super) pkt: Option<String>,
}

/// Plays everything that was found once more, and writes down what it can.
pub(super) fn told<'f>(
    property: &Property,
    searched: &'f Searched,
) -> Result<Vec<Told<'f>>, Failure> {
    searched.found.iter().map(|found| one(property, found)).collect()
}

fn one<'f>(property: &Property, found: &'f Found) -> Result<Told<'f>, Failure> {
    let (schedule, violation) = (&found.schedule, &found.violation);
    let about = [format!("{}; play it with `finwait explore FILE`.", sentence(found))];
    let file = text::written(schedule, &property.to_string(), &about);
    let bytes = record(schedule, &violation.kind.to_string(), &file, Vec::new())?;
    let wrong = |error| broken("the recording of a schedule", &error);
    let rec = Recording::read(Cursor::new(bytes.clone())).map_err(wrong)?;
    let event = event(&rec, found).map_err(wrong)?;
    let chain = event.as_ref().map(|event| why::chain(&rec, event)).transpose().map_err(wrong)?;
    let ladder = ladder_of(&rec, found, event.as_ref()).map_err(wrong)?;
    let matters = matters(schedule, property, violation.kind);
    let about = [sentence(found), format!("Found by finwait explore: {property}")];
    let about: Vec<String> = about.iter().flat_map(|line| wrapped(line, WIDTH)).collect();
    let pkt = pkt::script(schedule, violation.side, violation.moment, &about);
    let (chain, pkt) = (chain.flatten(), pkt.map(|script| script.to_string()));
    Ok(Told { found, file, bytes, rec, ladder, chain, matters, pkt })
}

/// The RST that it is about: of this moment, or the one that arrives in it.
fn event(rec: &Recording, found: &Found) -> Result<Option<Event>, finwait_sim::recording::Error> {
    let violation = &found.violation;
    let Some((cause, _)) = violation.kind.reset() else { return Ok(None) };
    let mut last = None;
    for event in rec.resets() {
        let event = event?;
        if event.at > violation.at {
            break;
        }
        if matches!(event.what, What::Sent { cause: its, .. } if its == cause) {
            last = Some(event);
        }
    }
    Ok(last)
}

fn ladder_of(
    rec: &Recording,
    found: &Found,
    event: Option<&Event>,
) -> Result<Option<Story>, finwait_sim::recording::Error> {
    if let Some(event) = event {
        return story::story_of(rec, event);
    }
    // The connections stand in the order of their SYNs.
    let all = story::opened(rec, finwait_model::time::Instant::ZERO..rec.end().at(), usize::MAX)?;
    Ok(all.into_iter().nth(found.violation.conn))
}

/// What happens, in a sentence without its full stop.
pub(super) fn sentence(found: &Found) -> String {
    let violation = &found.violation;
    let hosts = &found.schedule.hosts;
    let (own, peer) = (&hosts[violation.side].name, &hosts[1 - violation.side].name);
    let at = violation.at;
    match violation.kind {
        Kind::Reset(cause, because) => {
            format!("t={at} s: {own} sends a RST ({}), because {}", cause.name(), because.text())
        }
        Kind::BucketReset(None) => format!("t={at} s: a RST takes the bucket of {own} away"),
        Kind::BucketReset(Some((cause, because))) => format!(
            "t={at} s: a RST from {peer} ({}) takes the bucket of {own} away; it was sent because {}",
            cause.name(),
            because.text()
        ),
        Kind::OldData => {
            format!("t={at} s: {own} takes data of an older connection for the younger one's")
        }
        Kind::Stands(one, other) => {
            format!("t={at} s: {own} has been in {}, {peer} in {}", state(one), state(other))
        }
        Kind::Ended(ending) => {
            format!("t={at} s: nothing is left of either; {}", ended(ending, own, peer))
        }
    }
}

/// What ended the host's socket, in a clause.
fn ended(ending: Ending, own: &str, peer: &str) -> String {
    match ending {
        Ending::ByReset(None) => format!("a RST from {peer} had ended the socket of {own}"),
        Ending::ByReset(Some((cause, because))) => format!(
            "a RST from {peer} ({}) had ended the socket of {own}; it was sent because {}",
            cause.name(),
            because.text()
        ),
        Ending::OwnReset(cause) => format!("{own} had reset it itself ({})", cause.name()),
        Ending::TimedOut => format!("{own} had given up after too many retransmissions"),
        Ending::BucketRefused => format!("the bucket of {own} had been refused"),
        Ending::Quiet => format!("no RST and no timeout had ended the socket of {own}"),
    }
}

fn state(state: finwait_model::state::TcpState) -> String {
    match state {
        finwait_model::state::TcpState::Close => "no state: nothing is left".to_owned(),
        state => state.to_string(),
    }
}

/// All of it.
pub(super) fn render(
    args: &Args,
    property: &Property,
    searched: &Searched,
    told: &[Told<'_>],
) -> String {
    let mut out = String::new();
    paragraph(&mut out, &verdict(args, property, searched));
    match told {
        [] => {}
        [one] => story(&mut out, one),
        several => table(&mut out, several),
    }
    if let Some(folder) = &args.out
        && !told.is_empty()
    {
        let text = format!(
            "Written to {}: of each kind a schedule to replay, a packetdrill script, a recording and \
             its story.",
            folder.display()
        );
        out.push('\n');
        paragraph(&mut out, &text);
    }
    out
}

fn paragraph(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH) {
        let _ = writeln!(out, "{line}");
    }
}

/// The answer in a sentence or two.
pub(super) fn verdict(args: &Args, property: &Property, searched: &Searched) -> String {
    let shows = if property.is_wanted() { "is reached" } else { "does not hold" };
    let lacks = if property.is_wanted() { "was not reached" } else { "holds" };
    let Searched { found, cases, violating, interrupted } = searched;
    let one_schedule = found.iter().all(|f| f.case.is_none()) && *cases == 1;
    if one_schedule && args.what.is_some() {
        let does = if found.is_empty() { lacks } else { shows };
        return format!("{property} {does} in this schedule.");
    }
    let ended = if *interrupted { " until it was interrupted" } else { "" };
    let played = format!("{} played{ended} with seed {}", counted(*cases, "schedule"), args.seed);
    match &found[..] {
        [] => format!("{property} {lacks}: {played}, none shows it."),
        [one] if !args.all => {
            let case = one.case.map_or(0, |n| n + 1);
            let drawn = one.drawn;
            format!(
                "{property} {shows}: with seed {} the {} schedule shows it first. It had {}, {} and {}; \
                 this is the smallest that is left of it.",
                args.seed,
                ordinal(case),
                counted(drawn.steps as u64, "step"),
                counted(drawn.fates as u64, "fate"),
                counted(drawn.sysctls as u64, "sysctl"),
            )
        }
        several => format!(
            "{property} {shows}: {played}, {} of them show it, in {}.",
            grouped(*violating),
            counted(several.len() as u64, "way"),
        ),
    }
}

/// What an exhaustive search came to.
pub(super) fn explored(
    args: &Args,
    property: &Property,
    scope: &Scope,
    explored: &Explored,
    told: &[Told<'_>],
) -> String {
    let mut out = String::new();
    let Explored { levels, transitions, ends, whole, violations, untold, searched } = explored;
    let states: u64 = levels.iter().sum();
    let depth = levels.len() - 1;
    let all = if *whole {
        "that is all there is"
    } else if searched.interrupted {
        "interrupted"
    } else {
        "deeper there is more"
    };
    paragraph(
        &mut out,
        &format!(
            "{property}: {}, {}, depth {depth} ({all}); in {} nothing can happen any more; {} \
             violating, in {}.",
            counted(states, "distinct state"),
            counted(*transitions, "transition"),
            grouped(*ends),
            grouped(*violations),
            counted((told.len() + untold.len()) as u64, "way"),
        ),
    );
    let reorders = if scope.reorders { "in any order" } else { "in order" };
    let waits = match scope.timers {
        None => "as often as there is one".to_owned(),
        Some(1) => "at most once".to_owned(),
        Some(n) => format!("at most {n} times"),
    };
    let data = if scope.data { ", each end sends 100 bytes" } else { "" };
    paragraph(
        &mut out,
        &format!(
            "Scope: {}{data}, at most {} lost, segments arrive {reorders}; time goes on to the next timer {waits}.",
            counted(scope.conns.into(), "connection"),
            counted(scope.losses.into(), "segment"),
        ),
    );
    let by_depth: Vec<String> = levels.iter().map(|n| grouped(*n)).collect();
    paragraph(&mut out, &format!("States by depth: {}.", by_depth.join(" ")));
    match told {
        [] => {}
        [one] => story(&mut out, one),
        several => table(&mut out, several),
    }
    for (kind, walk) in untold {
        let walk: Vec<String> = walk.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "\n     {kind}, by a walk that needs its timers just so:");
        for line in wrapped(&walk.join(", "), WIDTH - 5) {
            let _ = writeln!(out, "     {line}");
        }
    }
    if let Some(folder) = &args.out
        && !told.is_empty()
    {
        let _ = writeln!(out, "\nWritten to {}.", folder.display());
    }
    out
}

fn ordinal(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (1, r) if r != 11 => "st",
        (2, r) if r != 12 => "nd",
        (3, r) if r != 13 => "rd",
        _ => "th",
    };
    format!("{}{ending}", grouped(n))
}

/// The story of one.
pub(super) fn story(out: &mut String, told: &Told<'_>) {
    let style = ink::if_wanted(ink::stdout(), ink::BAD);
    let _ = writeln!(out, "\n{style}{}{style:#}", told.found.violation.kind);
    paragraph(out, &format!("{}.", sentence(told.found)));
    out.push('\n');
    schedule(out, &told.found.schedule);
    out.push('\n');
    if let Some(story) = &told.ladder {
        let ink = if ink::stdout() { Ink::COLOURED } else { Ink::default() };
        out.push_str(&ladder::text_in(story, LADDER, ink));
        out.push('\n');
    }
    if let Some(chain) = &told.chain {
        out.push_str("Why: ");
        out.push_str(&chains::text(&told.rec, std::slice::from_ref(chain)));
        out.push('\n');
    }
    takes(out, told);
}

/// The schedule, a line for each step.
pub(super) fn schedule(out: &mut String, schedule: &Schedule) {
    let names = [schedule.hosts[0].name.as_str(), schedule.hosts[1].name.as_str()];
    for step in &schedule.steps {
        let _ = writeln!(out, "    {}", step.line(names));
    }
    for fate in &schedule.fates {
        let _ = writeln!(out, "    segment {}", fate.line(names));
    }
    for setup in &schedule.hosts {
        let mut said = format!("{}: Linux {}", setup.name, setup.release);
        for (name, value) in setup.given.iter().chain(&setup.sysctl) {
            let _ = write!(said, ", {name} = {value}");
        }
        if setup.habits.leaves_unread {
            said.push_str(", its program does not read by itself");
        }
        if setup.habits.never_accepts {
            said.push_str(", its program does not accept by itself");
        }
        let _ = writeln!(out, "    {said}");
    }
    if schedule.backlog != 1 {
        let _ = writeln!(out, "    listen() with a backlog of {}", schedule.backlog);
    }
}

/// Which sysctls and kernels it takes; each was tried.
fn takes(out: &mut String, told: &Told<'_>) {
    let schedule = &told.found.schedule;
    let Matters { sysctls, releases } = &told.matters;
    out.push_str("What it takes (each line was played)\n");
    if sysctls.is_empty() {
        out.push_str("    no sysctl: it happens with everything as the kernel has it\n");
    }
    for matter in sysctls {
        let _ = writeln!(out, "    {}", matter_line(matter, schedule));
    }
    for (side, (release, shows)) in releases.iter().enumerate() {
        let name = &schedule.hosts[side].name;
        let does = if *shows { "the same happens" } else { "it does not happen" };
        let _ = writeln!(out, "    with Linux {release} on {name} {does}");
    }
}

fn matter_line(matter: &Matter, schedule: &Schedule) -> String {
    let Matter { side, name, value, default, vanishes, others } = matter;
    let does = |vanishes: bool| if vanishes { "it does not happen" } else { "it happens, too" };
    let mut line = format!("{}.{name} = {value}: ", schedule.hosts[*side].name);
    for (other, vanishes) in others {
        let _ = write!(line, "with {other} {}; ", does(*vanishes));
    }
    let _ = write!(line, "with {default}, the kernel's own, {}", does(*vanishes));
    line
}

/// A line for each kind, and its schedule.
fn table(out: &mut String, told: &[Told<'_>]) {
    for (number, one) in told.iter().enumerate() {
        let found = one.found;
        let case = found.case.map_or(String::new(), |case| format!(" (schedule {})", case + 1));
        let _ = writeln!(out, "\n{:>3}  {}{case}", number + 1, found.violation.kind);
        for line in wrapped(&format!("{}.", sentence(found)), WIDTH - 5) {
            let _ = writeln!(out, "     {line}");
        }
        let mut lines = String::new();
        schedule(&mut lines, &found.schedule);
        for line in lines.lines() {
            let _ = writeln!(out, "   {line}");
        }
        for matter in &one.matters.sysctls {
            for line in wrapped(&matter_line(matter, &found.schedule), WIDTH - 9) {
                let _ = writeln!(out, "         {line}");
            }
        }
    }
    if let Some(first) = told.first() {
        let _ = writeln!(
            out,
            "\nFor the whole story of one, with its ladder and why: --out DIR, and\n\
             finwait explore DIR/{}/schedule.toml",
            super::out::folder(&first.found.violation.kind)
        );
    }
}
