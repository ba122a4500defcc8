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
    /// In which of its spans each end is before the row, and behind it.
    pub(crate) before: [Option<usize>; 2],
    pub(crate) after: [Option<usize>; 2],
}

/// A line of text beside an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    /// Does what stood at the end go with it?
    pub(crate) ends: bool,
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
    let mut maker = Maker::new(story);
    let mut rows: Vec<Row> = Vec::new();
    for place in 0..maker.beats.len() {
        if maker.told[place] {
            continue;
        }
        let beat = maker.beats[place];
        // What happens at once at one end stands together.
        let together = |row: &&mut Row| row.at == beat.at && row.arrow.is_none();
        let segment = matches!(beat.what, What::Left(_) | What::Arrived(_));
        if let Some(last) = rows.last_mut().filter(together).filter(|_| !segment) {
            maker.tell(place, last);
            continue;
        }
        let mut row = Row { before: maker.stands, ..Row::new(beat.at) };
        match beat.what {
            What::Left(number) => maker.departure(place, number, &mut row),
            What::Arrived(number) => {
                row.arrow = Some(Arrow { flight: number, part: Part::Arrives });
                maker.consequences(place, &mut row);
            }
            _ => maker.tell(place, &mut row),
        }
        row.after = maker.stands;
        if row.arrow.is_some() || row.cells.iter().any(|cells| !cells.is_empty()) {
            rows.push(row);
        }
    }
    rows.extend(still_there(story, maker.stands));
    mark_quiet(story, &mut rows);
    rows
}

/// Tells beats, and knows which it has told.
struct Maker<'a> {
    story: &'a Story,
    beats: Vec<Beat>,
    told: Vec<bool>,
    /// In which span each end is by what has been told.
    stands: [Option<usize>; 2],
}

impl<'a> Maker<'a> {
    fn new(story: &'a Story) -> Self {
        let beats = hoisted(&story.beats);
        let told = vec![false; beats.len()];
        let (from, first) = (story.from(), beats.first().map_or(Instant::ZERO, |beat| beat.at));
        // A part of a story begins with what stands already.
        let stands = [0, 1].map(|side| {
            let spans = story.ends[side].spans.iter().enumerate();
            let stands = spans.filter(|(_, span)| {
                span.from < from.max(first) && span.until.is_none_or(|until| until >= first)
            });
            stands.map(|(place, _)| place).next_back()
        });
        Self { story, beats, told, stands }
    }
    /// A beat that is no segment, in words beside its end.
    fn tell(&mut self, place: usize, row: &mut Row) {
        let beat = self.beats[place];
        self.told[place] = true;
        match beat.what {
            What::Became(span) => self.stands[beat.side] = Some(span),
            // The bucket stands there already.
            What::Gone(Ending::Sock(_, SockEnd::ToBucket)) => {}
            What::Gone(_) | What::Refused(_) => self.stands[beat.side] = None,
            _ => {}
        }
        if !self.passes(place) {
            row.cells[beat.side].extend(cell(self.story, &beat));
        }
        row.after = self.stands;
    }
    /// Is it a state that an end only passes through, without doing anything in it?
    fn passes(&self, place: usize) -> bool {
        let Beat { side, what: What::Became(span), .. } = self.beats[place] else { return false };
        if !self.story.ends[side].spans[span].is_brief() {
            return false;
        }
        let mut behind = self.beats[place + 1..].iter().filter(|beat| beat.side == side);
        let does = behind.find(|beat| {
            !matches!(beat.what, What::Orphaned(_) | What::Timer(_) | What::Dropped(_))
        });
        does.is_none_or(|beat| {
            matches!(beat.what, What::Became(_) | What::Gone(_) | What::Refused(_))
        })
    }
    fn departure(&mut self, place: usize, number: usize, row: &mut Row) {
        let flight = &self.story.flights[number];
        self.told[place] = true;
        if let Some(cause) = flight.cause {
            let tone = if flight.is_reset() { Tone::Wrong } else { Tone::Kernel };
            let text = cause.name().to_owned();
            row.cells[self.beats[place].side].push(Cell { text, tone, ends: false });
        }
        let mut part = Part::Leaves;
        if let Some(arrival) = self.arrives_next(place, number) {
            part = Part::Whole;
            self.consequences(arrival, row);
        }
        row.arrow = Some(Arrow { flight: number, part });
    }
    /// Where the flight that left there arrives, if nothing happens between that has not been told
    /// yet: then its arrow goes straight across.
    fn arrives_next(&self, place: usize, flight: usize) -> Option<usize> {
        let left = self.beats[place];
        let mut behind = (place + 1)..self.beats.len();
        let arrival = behind.find(|&n| self.beats[n].what == What::Arrived(flight))?;
        let mut between = (place + 1)..arrival;
        let is_free = between.all(|n| {
            let beat = self.beats[n];
            self.told[n] || (beat.at == left.at && beat.side == left.side)
        });
        is_free.then_some(arrival)
    }
    /// What an arrival does at once stands beside the arrow's head.
    fn consequences(&mut self, arrival: usize, row: &mut Row) {
        let Beat { at, side, .. } = self.beats[arrival];
        self.told[arrival] = true;
        for place in arrival + 1..self.beats.len() {
            let beat = self.beats[place];
            let other = matches!(beat.what, What::Left(_) | What::Arrived(_) | What::Call(_));
            if beat.at != at || beat.side != side || other {
                break;
            }
            self.tell(place, row);
        }
    }
}

/// The recording ends before the connection does.
fn still_there(story: &Story, stands: [Option<usize>; 2]) -> Option<Row> {
    if !story.is_open {
        return None;
    }
    let mut row = Row { before: stands, after: stands, ..Row::new(story.end) };
    for (cells, stands) in row.cells.iter_mut().zip(stands) {
        if stands.is_some() {
            let text = "still there: the run ends".to_owned();
            cells.push(Cell { text, tone: Tone::Kernel, ends: false });
        }
    }
    Some(row)
}

impl Row {
    const fn new(at: Instant) -> Self {
        Self {
            at,
            cells: [const { Vec::new() }; 2],
            arrow: None,
            quiet: None,
            before: [None; 2],
            after: [None; 2],
        }
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
    let ends = matches!(beat.what, What::Gone(_) | What::Refused(_));
    Some(Cell { text, tone, ends })
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
