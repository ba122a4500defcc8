//! The connections that are under way.

use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Fd, Kernel};
use finwait_model::seq::Seq;
use finwait_model::time::{Instant, Span};
use finwait_model::track::Place;

use super::Toward;
use super::event::Event;
use super::graph::{ALONE, Node};
use super::replay::{Known, PATIENT_MS, Recent};
use crate::follow::{CLIENT, SERVER};
use crate::world::HostId;

/// Descriptors from here on are those of connections: no host has as many listeners.
pub(super) const FIRST_FD: u32 = 1 << 12;

/// A connection that lasts longer has too much of a past to be worked out anew.
const LONGEST: Span = Span::secs(30);
/// What is not answered for so long will be sent again.
pub(super) const UNANSWERED: Span = Span::millis(PATIENT_MS);

/// What there is to look at with one that has just begun.
const FRESH: [bool; 2] = [false, true];

/// One of them.
#[derive(Debug)]
pub(super) struct Conn {
    pub generation: u32,
    pub way: u32,
    /// The client's host.
    pub host: HostId,
    pub door: u32,
    pub land: u32,
    pub node: Node,
    pub ends: [Side; 2],
    pub place: Option<Place>,
    pub began: Instant,
    /// By end: is there something to look at before anything happens there? At the client's whether its
    /// bucket is still there, once it was made; at the server's whether there is room at its listener,
    /// until it has come there.
    pub heeds: [bool; 2],
    pub accepted: bool,
    /// Its numbers are too near to zero, which means "none" in many places.
    pub unusual: bool,
    /// connect() has been called, and it is not over.
    pub live: bool,
    pub events: Vec<Event>,
}

/// One end of it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Side {
    /// The connection as it sends.
    pub flow: FourTuple,
    /// The same as [`crate::digest::ends`] has it.
    pub words: (u64, u64),
    /// Where what it sends goes.
    pub toward: Toward,
    /// Its initial sequence number, zero before it is drawn.
    pub iss: Seq,
    /// The offset of its timestamps.
    pub offset: u32,
    pub recent: Recent,
    /// When payload came last, and when it left last.
    pub received: Instant,
    pub sent: Instant,
    /// The number of its delayed-ACK timer, if one is pending.
    pub delack: u64,
    /// Since when a retransmission is due, if one is.
    pub write: Option<Instant>,
}

impl Conn {
    fn new(generation: u32) -> Self {
        Self {
            generation,
            way: 0,
            host: HostId(0),
            door: 0,
            land: 0,
            node: ALONE,
            ends: [Side::default(); 2],
            place: None,
            began: Instant::ZERO,
            heeds: FRESH,
            accepted: false,
            unusual: false,
            live: false,
            events: Vec::new(),
        }
    }
    /// The descriptor that either end has of it.
    #[inline]
    pub(super) const fn fd(&self, slot: u32) -> Fd {
        Fd { index: FIRST_FD + slot, generation: self.generation }
    }
    /// Why what becomes of it is not known, if it has lasted too long for that.
    #[inline]
    pub(super) fn too_old(&self, now: Instant) -> Option<&'static str> {
        (now.since(self.began) > LONGEST).then_some("a connection that lasts long")
    }
    /// Has it come to its listener?
    pub(super) const fn has_knocked(&self) -> bool {
        !self.heeds[SERVER]
    }
    /// Is its bucket gone, which was made before?
    #[inline]
    pub(super) fn has_lost_bucket(&self, kernel: &Kernel) -> bool {
        let flow = self.ends[CLIENT].flow;
        self.place.is_none_or(|place| !kernel.bucket_stands(place, flow))
    }
    /// The same as [`Self::too_old`] for one to which nothing happens.
    pub(super) fn oddity(&self, now: Instant) -> Option<&'static str> {
        let late = |since: Instant| now.since(since) > UNANSWERED;
        if self.ends.iter().any(|end| end.write.is_some_and(late)) {
            return Some("something that is not answered");
        }
        self.too_old(now)
    }
    /// No bucket could be had in the event that was noted last.
    pub(super) fn is_refused(&mut self) {
        if let Some(last) = self.events.last_mut() {
            last.key = last.key.refused();
        }
    }
    /// Which end of it is on that host?
    #[inline]
    pub(super) fn end(&self, host: HostId) -> usize {
        [CLIENT, SERVER][usize::from(self.host != host)]
    }
    pub(super) const fn known(&self) -> Known {
        let [client, server] = &self.ends;
        let (iss, recent) = ([client.iss, server.iss], [client.recent, server.recent]);
        Known { flow: client.flow, iss, recent }
    }
}

/// All of them; slots that are free are used again, the last one first.
#[derive(Default, Debug)]
pub(super) struct Conns {
    all: Vec<Conn>,
    free: Vec<u32>,
}

impl Conns {
    /// Another one: its slot.
    pub(super) fn open(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        self.all.push(Conn::new(0));
        self.all.len() as u32 - 1
    }
    /// It is over.
    pub(super) fn close(&mut self, slot: u32) {
        let conn = &mut self.all[slot as usize];
        conn.generation = conn.generation.wrapping_add(1);
        (conn.live, conn.accepted, conn.unusual) = (false, false, false);
        (conn.node, conn.place, conn.heeds) = (ALONE, None, FRESH);
        conn.events.clear();
        self.free.push(slot);
    }
    #[inline]
    pub(super) fn at(&mut self, slot: u32) -> &mut Conn {
        &mut self.all[slot as usize]
    }
    /// The descriptor that either end has of it.
    pub(super) fn fd(&self, slot: u32) -> Fd {
        self.all[slot as usize].fd(slot)
    }
    /// The connection of a descriptor.
    #[inline]
    pub(super) fn of(&self, fd: Fd) -> Option<(u32, &Conn)> {
        let slot = fd.index.checked_sub(FIRST_FD)?;
        let conn = self.all.get(slot as usize)?;
        (conn.generation == fd.generation).then_some((slot, conn))
    }
    /// Nothing happens to any of them any more.
    pub(super) fn die(&mut self) {
        self.all.iter_mut().for_each(|conn| conn.live = false);
    }
    /// How many there are.
    pub(super) const fn open_now(&self) -> u64 {
        (self.all.len() - self.free.len()) as u64
    }
    pub(super) fn live(&self) -> impl Iterator<Item = &Conn> {
        self.all.iter().filter(|conn| conn.live)
    }
}
