//! One way: the connections from one client application to one server, and the tracks that they go.

use std::collections::VecDeque;

use finwait_model::flow::FourTuple;
use finwait_model::kernel::Kernel;
use finwait_model::time::{Instant, Span};
use finwait_model::track::{Numbering, Origin, Place};

use super::learn::Lesson;
use super::track::{CLIENT, Class, Moment, Phases, SERVER, Shape, mirrored, origin};
use super::ways::NOTHING;
use crate::app::AppId;
use crate::world::HostId;

/// A way and what is known of it.
#[derive(Debug)]
pub(super) struct Way {
    lesson: Lesson,
    /// By end.
    pub hosts: [HostId; 2],
    pub apps: [AppId; 2],
    /// By sending end: its link to the other one.
    pub links: [usize; 2],
    /// By end: its place at that host.
    pub places: [usize; 2],
    known: Known,
    /// Connections under way, the oldest first.
    followers: VecDeque<Follower>,
    /// How many have come before them.
    gone: u64,
    /// How many have begun.
    begun: u64,
    /// By end.
    ends: [End; 2],
}

/// What has been learnt.
#[derive(Debug)]
enum Known {
    /// Nothing; it may be tried so often.
    Nothing(u32),
    /// Its connections are not alike.
    Unlike,
    /// They are.
    Track(Box<Track>),
}

#[derive(Debug)]
struct Track {
    shape: Shape,
    lasts: Span,
    numbering: [Numbering; 2],
    room: u64,
    phases: Phases,
    /// By [`Phases::class_of`]: what has been tried, as an index into `classes`.
    tried: Vec<Tried>,
    classes: Vec<Class>,
    /// By class: connections that have gone that way and are not counted yet.
    uncounted: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Tried {
    Not,
    Fails,
    Class(u32),
}

/// A connection on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follower {
    /// How many have begun before it, in the whole world.
    pub number: u64,
    pub began: Instant,
    /// Seen from the client.
    pub client: Origin,
    pub place: Place,
    pub class: u32,
}

impl Follower {
    /// Its numbers seen from that end.
    #[inline]
    pub(super) fn origin(&self, end: usize) -> Origin {
        if end == CLIENT { self.client } else { mirrored(&self.client) }
    }
}

/// So often the first lesson may fail: a connection may have begun at a rare moment.
const ATTEMPTS: u32 = 4;

/// How far all of them are at one end.
#[derive(Clone, Debug)]
struct End {
    /// By moment: how many connections have passed it.
    passed: Vec<u64>,
    /// The earliest that is still to come …
    next: Instant,
    /// … and which it is.
    moment: usize,
}

/// What a connection may begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub class: u32,
    /// Until everything has happened.
    pub lasts: Span,
    /// Open connections that the hosts take without a limit of theirs being met.
    pub room: u64,
}

impl Way {
    pub(super) fn new(
        lesson: Lesson,
        hosts: [HostId; 2],
        apps: [AppId; 2],
        links: [usize; 2],
    ) -> Self {
        let end = End { passed: Vec::new(), next: NOTHING, moment: 0 };
        Self {
            lesson,
            hosts,
            apps,
            links,
            places: [0, 0],
            known: Known::Nothing(ATTEMPTS),
            followers: VecDeque::new(),
            gone: 0,
            begun: 0,
            ends: [end.clone(), end],
        }
    }
    /// The link on which segments come to that end.
    pub(super) const fn link_to(&self, end: usize) -> usize {
        self.links[1 - end]
    }
    /// May a connection that begins now follow a track? Learns what it has to.
    #[inline]
    pub(super) fn start(&mut self, now: Instant) -> Option<Start> {
        if let Known::Nothing(attempts) = self.known {
            self.learn_first(now, attempts);
        }
        let Known::Track(track) = &mut self.known else { return None };
        let place = track.phases.class_of(now);
        let class = match track.tried[place] {
            Tried::Class(class) => class,
            Tried::Fails => return None,
            Tried::Not => track.learn_class(place, &self.lesson, now)?,
        };
        Some(Start { class, lasts: track.lasts, room: track.room })
    }
    #[cold]
    fn learn_first(&mut self, now: Instant, attempts: u32) {
        self.known = if attempts > 1 { Known::Nothing(attempts - 1) } else { Known::Unlike };
        let Some(learned) = self.lesson.learn(now) else { return };
        let Some(phases) = Phases::new(&learned.shape, &learned.numbering) else { return };
        if !phases.is_alike(now) {
            return;
        }
        for (end, moments) in self.ends.iter_mut().zip(&learned.shape.moments) {
            end.passed = vec![self.begun; moments.len()];
        }
        let mut tried = vec![Tried::Not; phases.count()];
        tried[phases.class_of(now)] = Tried::Class(0);
        self.known = Known::Track(Box::new(Track {
            lasts: learned.shape.lasts(),
            shape: learned.shape,
            numbering: learned.numbering,
            room: learned.room,
            phases,
            tried,
            classes: vec![learned.class],
            uncounted: vec![0],
        }));
    }
    /// A connection begins; its beginning is its client's first moment, which is done with.
    #[inline]
    pub(super) fn begin(
        &mut self,
        number: u64,
        now: Instant,
        flow: FourTuple,
        place: Place,
        class: u32,
    ) -> (&Moment, Follower) {
        let Known::Track(track) = &mut self.known else {
            unreachable!("invariant: only who knows the track begins")
        };
        let client = origin(&track.numbering, flow, now, track.shape.syn_arrives);
        let follower = Follower { number, began: now, client, place, class };
        track.uncounted[class as usize] += 1;
        self.followers.push_back(follower);
        self.begun += 1;
        self.ends[CLIENT].passed[0] += 1;
        // Behind others on the same way it may still be the first: a late moment of theirs, an early
        // one of its own.
        for end in [CLIENT, SERVER] {
            self.look(end);
        }
        let Known::Track(track) = &self.known else {
            unreachable!("invariant: only who knows the track begins")
        };
        (&track.classes[class as usize].moments[CLIENT][0], follower)
    }
    /// When something happens next at that end.
    #[inline]
    pub(super) const fn next(&self, end: usize) -> Instant {
        self.ends[end].next
    }
    /// What happens next there, and to whom.
    #[inline]
    pub(super) fn due(&self, end: usize) -> Option<(&Moment, &Follower)> {
        let Known::Track(track) = &self.known else { return None };
        let End { passed, moment, .. } = &self.ends[end];
        let follower = self.followers.get((passed[*moment] - self.gone) as usize)?;
        Some((&track.classes[follower.class as usize].moments[end][*moment], follower))
    }
    /// It has happened. How many connections have come to their end because of it?
    #[inline]
    pub(super) fn pass(&mut self, end: usize) -> u64 {
        let moment = self.ends[end].moment;
        self.ends[end].passed[moment] += 1;
        self.look(end);
        let through = |end: &End| end.passed.last().copied().unwrap_or(0);
        let through = through(&self.ends[CLIENT]).min(through(&self.ends[SERVER]));
        let over = through - self.gone;
        self.followers.drain(..over as usize);
        self.gone = through;
        over
    }
    /// Looks for the earliest moment at that end. Among equals it is that of the oldest connection:
    /// each of its moments was caused by an earlier one, and an application opens connections after
    /// what has arrived in the same instant has been dealt with.
    #[inline]
    fn look(&mut self, end: usize) {
        let Known::Track(track) = &self.known else { return };
        let End { passed, next, moment } = &mut self.ends[end];
        let (mut best, mut which) = (NOTHING, 0);
        for (n, (done, after)) in passed.iter().zip(&track.shape.moments[end]).enumerate().rev() {
            if *done < self.begun {
                let at = self.followers[(*done - self.gone) as usize].began + *after;
                if at < best {
                    (best, which) = (at, n);
                }
            }
        }
        (*next, *moment) = (best, which);
    }
    /// Adds what the connections of each class have counted. Nobody is under way.
    pub(super) fn settle(&mut self, mut count: impl FnMut(&Class, u64)) {
        let Known::Track(track) = &mut self.known else { return };
        for (class, times) in track.classes.iter().zip(&mut track.uncounted) {
            if *times > 0 {
                count(class, core::mem::take(times));
            }
        }
    }
    /// Is anything that was learnt of the client still so?
    #[inline]
    pub(super) fn holds(&self, kernel: &Kernel) -> bool {
        !kernel.buckets_matter_to_others()
    }
}

impl Track {
    #[cold]
    fn learn_class(&mut self, place: usize, lesson: &Lesson, now: Instant) -> Option<u32> {
        self.tried[place] = Tried::Fails;
        if !self.phases.is_alike(now) {
            return None;
        }
        let learned = lesson.learn(now).filter(|learned| learned.shape == self.shape)?;
        let class = self.classes.len() as u32;
        self.classes.push(learned.class);
        self.uncounted.push(0);
        self.tried[place] = Tried::Class(class);
        Some(class)
    }
}
