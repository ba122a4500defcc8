//! One direction between two hosts: delay, jitter, loss, duplication, reordering.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use finwait_model::cause::Cause;
use finwait_model::segment::Segment;
use finwait_model::time::{Instant, Span};

use crate::rng::{Ratio, Stream};
use crate::world::HostId;

/// What a link does to segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quality {
    /// How long a segment travels; at least 1 ns.
    pub delay: Span,
    /// Up to how much longer, evenly distributed, for each segment alone.
    pub jitter: Span,
    /// How likely a segment is lost.
    pub loss: Ratio,
    /// How likely a segment arrives twice.
    pub duplicate: Ratio,
    /// How likely a segment is held back by `reorder_by`, so that later ones overtake it.
    pub reorder: Ratio,
    /// How long it is held back.
    pub reorder_by: Span,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            delay: Span::micros(100),
            jitter: Span::ZERO,
            loss: Ratio::NEVER,
            duplicate: Ratio::NEVER,
            reorder: Ratio::NEVER,
            reorder_by: Span::millis(1),
        }
    }
}

impl Quality {
    /// Do segments always arrive in the order in which they were sent?
    const fn keeps_order(&self) -> bool {
        self.jitter.ns == 0 && self.reorder.is_never()
    }
}

/// What became of a segment on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It will arrive then.
    Arrives(Instant),
    /// It will arrive twice.
    Twice(Instant, Instant),
    /// It will never arrive.
    Lost,
    /// Nobody has that address.
    Unroutable,
}

/// One direction between two hosts, with what is on its way. Only the sending host's turn puts
/// segments in, so the order within a link does not depend on the order of hosts.
#[derive(Debug)]
pub struct Link {
    /// Who sends.
    pub from: HostId,
    /// Who receives.
    pub to: HostId,
    quality: Quality,
    stream: Stream,
    flight: Flight,
    /// Segments that have entered it and are on nobody's list, because their connection follows a
    /// track; and those of them that have arrived.
    followers: (u64, u64),
}

/// Segments on their way. A link that keeps order needs only a ring; the heap is for jitter.
#[derive(Debug)]
enum Flight {
    Ring(VecDeque<Arrival>),
    Heap { heap: BinaryHeap<Reverse<Numbered>>, next_number: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Instant,
    segment: Segment,
    cause: Cause,
    /// How many segments of followers had entered the link before it.
    behind: u64,
}

/// An arrival that orders by time, then by the order of sending.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    number: u64,
    arrival: Arrival,
}

impl Numbered {
    const fn key(&self) -> (u64, u64) {
        (self.arrival.at.ns, self.number)
    }
}
impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Numbered {}
impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Numbered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Link {
    /// A link with nothing on it. Its chance comes from the stream of its two names.
    pub fn new(from: HostId, to: HostId, quality: Quality, stream: Stream) -> Self {
        let flight = if quality.keeps_order() {
            Flight::Ring(VecDeque::new())
        } else {
            Flight::Heap { heap: BinaryHeap::new(), next_number: 0 }
        };
        Self { from, to, quality, stream, flight, followers: (0, 0) }
    }
    /// The least time that any segment needs: what the world's windows are made of.
    pub const fn least_delay(&self) -> Span {
        self.quality.delay
    }
    /// A segment enters the link, with why it was sent: a box on the way passes both on.
    #[inline(always)]
    pub fn send(&mut self, now: Instant, segment: &Segment, cause: Cause) -> Fate {
        if self.stream.happens(self.quality.loss) {
            return Fate::Lost;
        }
        let first = self.travel(now, segment, cause);
        if !self.stream.happens(self.quality.duplicate) {
            return Fate::Arrives(first);
        }
        Fate::Twice(first, self.travel(now, segment, cause))
    }
    fn travel(&mut self, now: Instant, segment: &Segment, cause: Cause) -> Instant {
        let mut at = now + self.quality.delay + self.stream.span_up_to(self.quality.jitter);
        if self.stream.happens(self.quality.reorder) {
            at += self.quality.reorder_by;
        }
        let arrival = Arrival { at, segment: *segment, cause, behind: self.followers.0 };
        match &mut self.flight {
            Flight::Ring(ring) => ring.push_back(arrival),
            Flight::Heap { heap, next_number } => {
                heap.push(Reverse(Numbered { number: *next_number, arrival }));
                *next_number += 1;
            }
        }
        at
    }
    /// When the next segment arrives.
    #[inline]
    pub fn next_arrival(&self) -> Option<Instant> {
        match &self.flight {
            Flight::Ring(ring) => ring.front().map(|a| a.at),
            Flight::Heap { heap, .. } => heap.peek().map(|n| n.0.arrival.at),
        }
    }
    /// Segments of connections that follow a track enter the link.
    #[inline]
    pub(crate) const fn follower_enters(&mut self, segments: u64) {
        self.followers.0 += segments;
    }
    /// They arrive.
    #[inline]
    pub(crate) const fn follower_arrives(&mut self, segments: u64) {
        self.followers.1 += segments;
    }
    /// How many of them have arrived so far.
    #[inline]
    pub(crate) const fn followers_arrived(&self) -> u64 {
        self.followers.1
    }
    /// How many of them had entered the link before the segment that arrives next.
    pub(crate) fn next_behind(&self) -> u64 {
        match &self.flight {
            Flight::Ring(ring) => ring.front().map_or(0, |a| a.behind),
            Flight::Heap { heap, .. } => heap.peek().map_or(0, |n| n.0.arrival.behind),
        }
    }
    /// Takes the next segment off the link.
    #[inline(always)]
    pub fn receive(&mut self) -> Option<(Segment, Cause)> {
        match &mut self.flight {
            Flight::Ring(ring) => ring.pop_front().map(|a| (a.segment, a.cause)),
            Flight::Heap { heap, .. } => {
                heap.pop().map(|n| (n.0.arrival.segment, n.0.arrival.cause))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(quality: Quality) -> Link {
        Link::new(HostId(0), HostId(1), quality, Stream::new(1, "link a > b"))
    }
    /// Sends numbered segments 10 µs apart and lists what arrives, in order.
    fn arrivals(quality: Quality, count: u16) -> Vec<(u64, u16)> {
        let mut link = link(quality);
        for n in 0..count {
            let segment = Segment { len: n, ..Segment::default() };
            link.send(Instant { ns: u64::from(n) * 10_000 }, &segment, Cause::Data);
        }
        std::iter::from_fn(|| {
            let at = link.next_arrival()?;
            Some((at.ns, link.receive()?.0.len))
        })
        .collect()
    }

    #[test]
    fn a_plain_link_only_delays() {
        let got = arrivals(Quality::default(), 3);
        assert_eq!(got, [(100_000, 0), (110_000, 1), (120_000, 2)]);
    }

    #[test]
    fn jitter_delays_by_at_most_itself_and_arrivals_stay_sorted() {
        let got = arrivals(Quality { jitter: Span::micros(50), ..Quality::default() }, 500);
        assert_eq!(got.len(), 500);
        assert!(got.is_sorted_by_key(|a| a.0));
        assert!(!got.is_sorted_by_key(|a| a.1), "50 us of jitter overtakes 10 us of distance");
        for (at, n) in got {
            let sent = u64::from(n) * 10_000;
            assert!((sent + 100_000..=sent + 150_000).contains(&at));
        }
    }

    #[test]
    fn loss_duplication_and_reordering_come_as_often_as_asked() {
        let tenth = Ratio { numerator: 1, denominator: 10 };
        let lost = arrivals(Quality { loss: tenth, ..Quality::default() }, 2000).len();
        assert!((1700..1900).contains(&lost), "{lost}");
        let twice = arrivals(Quality { duplicate: tenth, ..Quality::default() }, 2000).len();
        assert!((2100..2300).contains(&twice), "{twice}");
        let held = arrivals(Quality { reorder: tenth, ..Quality::default() }, 2000);
        let late = held.iter().filter(|(at, n)| *at > u64::from(*n) * 10_000 + 100_000).count();
        assert!((100..300).contains(&late), "{late}");
    }
}
