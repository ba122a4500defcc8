//! The rows of a ladder: what stands at either side, and the arrow between them.

use finwait_model::errno::Errno;
use finwait_model::sink::{DropReason, SockEnd};
use finwait_model::time::{Instant, Span};
use finwait_sim::app::Call;

use crate::story::{Beat, Ending, Flight, Story, What, words};

/// One row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// When.
    pub(crate) at: Instant,
    /// What stands beside each end, from top to bottom.
    pub(crate) cells: [Vec<Cell>; 2],
    /// The arrow.
    pub(crate) arrow: Option<Arrow>,
    /// For so long nothing happened before: a break in the axis of time.
    pub(crate) quiet: Option<Span>,
}

/// A line of text beside an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// What kind of thing it tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// The end came into that one of its spans.
    State(usize),
    /// A program called.
    Call,
    /// The kernel did something of its own accord: a timer, a cause.
    Kernel,
    /// Something went wrong: a bucket refused, a segment thrown away.
    Wrong,
}

/// A segment, or a part of its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrow {
    /// Which flight.
    pub(crate) flight: usize,
    /// How much of it.
    pub(crate) part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Nothing happens between departure and arrival.
    Whole,
    /// It leaves; it arrives in a later row, or nowhere.
    Leaves,
    /// It arrives.
    Arrives,
}

/// Brings a story into rows.
pub(crate) fn rows(story: &Story) -> Vec<Row> {
    let beats = hoisted(&story.beats);
    // What stands in a row already because an arrow ends there.
    let mut told = vec![false; beats.len()];
    let mut rows: Vec<Row> = Vec::new();
    for place in 0..beats.len() {
        if told[place] {
            continue;
        }
        let beat = &beats[place];
        let side = beat.side;
        let mut row = Row::new(beat.at);
        match beat.what {
            What::Left(number) => {
                let flight = &story.flights[number];
                if let Some(cause) = flight.cause {
                    let tone = if flight.is_reset() { Tone::Wrong } else { Tone::Kernel };
                    row.cells[side].push(Cell { text: cause.name().to_owned(), tone });
                }
                let arrival = arrives_next(&beats, place, number);
                if let Some(arrival) = arrival {
                    told[arrival] = true;
                    consequences(story, &beats, arrival, &mut told, &mut row);
                }
                let part = if arrival.is_some() { Part::Whole } else { Part::Leaves };
                row.arrow = Some(Arrow { flight: number, part });
            }
            What::Arrived(number) => {
                row.arrow = Some(Arrow { flight: number, part: Part::Arrives });
                consequences(story, &beats, place, &mut told, &mut row);
            }
            _ => {
                let Some(cell) = cell(story, beat) else { continue };
                // What happens at once at one end stands together.
                let together = |row: &&mut Row| row.at == beat.at && row.arrow.is_none();
                if let Some(last) = rows.last_mut().filter(together) {
                    last.cells[side].push(cell);
                    continue;
                }
                row.cells[side].push(cell);
            }
        }
        rows.push(row);
    }
    rows.extend(still_there(story));
    mark_quiet(story, &mut rows);
    rows
}

/// The recording ends before the connection does.
fn still_there(story: &Story) -> Option<Row> {
    if !story.is_open {
        return None;
    }
    let mut row = Row::new(story.end);
    for (cells, end) in row.cells.iter_mut().zip(&story.ends) {
        if end.spans.last().is_some_and(|span| span.until.is_none()) {
            cells.push(Cell { text: "still there: the run ends".to_owned(), tone: Tone::Kernel });
        }
    }
    Some(row)
}

/// Where the flight that left there arrives, if nothing happens between: then its arrow goes
/// straight across.
fn arrives_next(beats: &[Beat], place: usize, flight: usize) -> Option<usize> {
    let left = beats[place];
    let behind = &beats[place + 1..];
    let arrival = behind.iter().position(|b| b.what == What::Arrived(flight))?;
    let at = behind[arrival].at;
    let between = behind[..arrival].iter();
    let is_free =
        between.into_iter().all(|b| (b.at == left.at && b.side == left.side) || b.at == at);
    is_free.then_some(place + 1 + arrival)
}

impl Row {
    const fn new(at: Instant) -> Self {
        Self { at, cells: [const { Vec::new() }; 2], arrow: None, quiet: None }
    }
}

/// What an arrival does at once stands beside the arrow's head.
fn consequences(story: &Story, beats: &[Beat], arrival: usize, told: &mut [bool], row: &mut Row) {
    let Beat { at, side, .. } = beats[arrival];
    for (place, beat) in beats.iter().enumerate().skip(arrival + 1) {
        let segment = matches!(beat.what, What::Left(_) | What::Arrived(_) | What::Call(_));
        if beat.at != at || beat.side != side || segment {
            break;
        }
        told[place] = true;
        row.cells[side].extend(cell(story, beat));
    }
}

/// The beats, with what an end did in the instant in which a segment left in front of the segment.
fn hoisted(beats: &[Beat]) -> Vec<Beat> {
    let mut out: Vec<Beat> = Vec::with_capacity(beats.len());
    for beat in beats {
        let stays = matches!(beat.what, What::Left(_) | What::Arrived(_) | What::Call(_));
        let sent_now =
            |b: &&Beat| b.at == beat.at && b.side == beat.side && matches!(b.what, What::Left(_));
        let over = if stays { 0 } else { out.iter().rev().take_while(sent_now).count() };
        out.insert(out.len() - over, *beat);
    }
    out
}

/// What a beat is called; `None` for what the rows show in another way.
fn cell(story: &Story, beat: &Beat) -> Option<Cell> {
    let end = &story.ends[beat.side];
    let (text, tone) = match beat.what {
        What::Left(_) | What::Arrived(_) => return None,
        What::Became(place) => {
            let span = &end.spans[place];
            if span.is_brief() {
                return None;
            }
            let planned = span.planned.map_or(String::new(), |p| format!(", {}", words::span(p)));
            (format!("{}{planned}", span.name()), Tone::State(place))
        }
        What::Refused(place) => (words::gap(&end.gaps[place]), Tone::Wrong),
        What::Gone(Ending::Sock(_, SockEnd::ToBucket)) => return None,
        What::Gone(ending @ Ending::Sock(_, SockEnd::Done)) => {
            (words::ending(ending), Tone::Kernel)
        }
        What::Gone(ending @ Ending::Bucket(..)) => (words::ending(ending), Tone::Kernel),
        What::Gone(ending) => (words::ending(ending), Tone::Wrong),
        What::Orphaned(_) => ("orphan".to_owned(), Tone::Kernel),
        What::Timer(kind) => (format!("timer: {}", words::timer(kind)), Tone::Kernel),
        // The state says it.
        What::Dropped(DropReason::TcpReset) => return None,
        What::Dropped(reason) => (format!("dropped: {}", reason.kernel_name()), Tone::Wrong),
        // It has tried in vain, and does so again and again.
        What::Call(Call { result: Err(Errno::EAGAIN), .. }) => return None,
        What::Call(call) => (words::call(&call), Tone::Call),
    };
    Some(Cell { text, tone })
}

/// Marks where nothing happens for longer than segments travel.
fn mark_quiet(story: &Story, rows: &mut [Row]) {
    let longest = story.flights.iter().filter_map(Flight::delay).max().unwrap_or_default();
    let quiet = Span::nanos(longest.ns.saturating_mul(2)).max(Span::millis(1));
    // When the last thing happened so far: a whole arrow ends later than its row begins.
    let mut last: Option<Instant> = None;
    for row in rows {
        if let Some(last) = last
            && row.at > last
            && row.at.since(last) > quiet
        {
            row.quiet = Some(row.at.since(last));
        }
        let end = row
            .arrow
            .filter(|arrow| arrow.part == Part::Whole)
            .and_then(|arrow| story.flights[arrow.flight].arrivals.first().copied());
        last = last.max(Some(end.unwrap_or(row.at)));
    }
}
