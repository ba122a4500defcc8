//! From the events of a recording to those of a trace.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::Object;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::app::{Call, SysCall};
use finwait_sim::link::Fate;
use finwait_sim::recording::{Event, Recording, What};
use finwait_sim::world::HostId;
use serde_json::{Value, json};

use super::choose::Chosen;
use super::events::{Place, arrow, begin, end, instant, segment, track};
use crate::story::{Gap, words};

/// Takes what is put into the file.
type Put<'a> = &'a mut dyn FnMut(Value) -> io::Result<()>;

/// Follows every socket that is shown.
pub(super) struct Tracer {
    chosen: Chosen,
    names: Vec<(finwait_model::flow::Addr, String)>,
    until: Instant,
    /// A socket's track, and what it holds now. A four-tuple keeps its track when it is used again.
    tracks: BTreeMap<(HostId, FourTuple), Track>,
    /// How many tracks each host has.
    counts: Vec<usize>,
    /// Segments on their way, by when and where they arrive.
    flying: BTreeMap<(Instant, FourTuple), VecDeque<(Segment, u64)>>,
    arrows: u64,
}

#[derive(Clone, Copy, Debug)]
struct Track {
    place: Place,
    holds: Option<Object>,
}

impl Tracer {
    pub(super) fn new(rec: &Recording, chosen: Chosen, until: Instant) -> Self {
        let names = rec.hosts().iter().map(|host| (host.addr, host.name.clone())).collect();
        Self {
            chosen,
            names,
            until,
            tracks: BTreeMap::new(),
            counts: vec![0; rec.hosts().len()],
            flying: BTreeMap::new(),
            arrows: 0,
        }
    }
    /// What stands already when the trace begins.
    pub(super) fn stand(
        &mut self,
        rec: &Recording,
        at: Instant,
        put: Put<'_>,
    ) -> Result<(), finwait_sim::capture::Error> {
        for host in (0..rec.hosts().len()).map(|n| HostId(n as u16)) {
            for row in rec.host_at(host, at)?.rows {
                let flow = FourTuple::new(row.local, row.remote);
                if row.object != Object::Listener && row.state != TcpState::Close {
                    self.enter(at, host, flow, row.state, row.object, put)?;
                }
            }
        }
        Ok(())
    }
    /// Whatever still stands ends with the trace.
    pub(super) fn end(&mut self, at: Instant, put: Put<'_>) -> io::Result<()> {
        for track in self.tracks.values().filter(|track| track.holds.is_some()) {
            put(end(track.place, at))?;
        }
        Ok(())
    }
    /// Takes the next event in.
    pub(super) fn take(&mut self, event: &Event, put: Put<'_>) -> io::Result<()> {
        let Event { at, host, what } = *event;
        match what {
            What::Sent { segment, cause, fate, .. } => {
                self.sent(at, host, &segment, cause, fate, put)
            }
            What::Received(segment) => self.received(at, host, &segment, put),
            What::Note(ref note) => self.note(at, host, note, put),
            What::Call(ref call) => self.call(at, host, call, put),
            What::Counter(..) | What::SockStat(_) | What::Row(..) => Ok(()),
        }
    }

    /// Is it a connection, and one that is shown?
    fn shows(&self, flow: FourTuple) -> bool {
        flow.sport != 0 && flow.dport != 0 && self.chosen.shows(flow)
    }
    /// The track of a socket; a new one is named.
    fn place(&mut self, host: HostId, flow: FourTuple, put: Put<'_>) -> io::Result<Place> {
        if let Some(track) = self.tracks.get(&(host, flow)) {
            return Ok(track.place);
        }
        let count = &mut self.counts[usize::from(host.0)];
        *count += 1;
        let place = Place { pid: usize::from(host.0) + 1, tid: *count };
        self.tracks.insert((host, flow), Track { place, holds: None });
        let peer = self.names.iter().find(|(addr, _)| *addr == flow.daddr);
        let peer = peer.map_or_else(|| flow.daddr.to_string(), |(_, name)| name.clone());
        put(track(place, &format!("{} – {peer}:{}", flow.sport, flow.dport)))?;
        Ok(place)
    }
    fn holds(&self, host: HostId, flow: FourTuple) -> Option<Object> {
        self.tracks.get(&(host, flow)).and_then(|track| track.holds)
    }
    fn enter(
        &mut self,
        at: Instant,
        host: HostId,
        flow: FourTuple,
        state: TcpState,
        holder: Object,
        put: Put<'_>,
    ) -> io::Result<()> {
        if !self.shows(flow) {
            return Ok(());
        }
        let place = self.place(host, flow, put)?;
        self.leave(at, host, flow, put)?;
        let name = match holder {
            Object::Bucket => format!("{state} bucket"),
            Object::Request => format!("{state} request"),
            Object::Sock | Object::Listener => state.to_string(),
        };
        self.set(host, flow, Some(holder));
        put(begin(place, at, &name))
    }
    /// Its state ends, if it is in one.
    fn leave(
        &mut self,
        at: Instant,
        host: HostId,
        flow: FourTuple,
        put: Put<'_>,
    ) -> io::Result<()> {
        if self.holds(host, flow).is_none() {
            return Ok(());
        }
        let place = self.place(host, flow, put)?;
        self.set(host, flow, None);
        put(end(place, at))
    }
    fn set(&mut self, host: HostId, flow: FourTuple, holds: Option<Object>) {
        if let Some(track) = self.tracks.get_mut(&(host, flow)) {
            track.holds = holds;
        }
    }

    fn sent(
        &mut self,
        at: Instant,
        host: HostId,
        sent: &Segment,
        cause: Cause,
        fate: Fate,
        put: Put<'_>,
    ) -> io::Result<()> {
        let flow = sent.flow;
        if !self.shows(flow) {
            return Ok(());
        }
        if cause == Cause::SynOnConnect && self.holds(host, flow) != Some(Object::Sock) {
            // Its note came before it had a port.
            self.enter(at, host, flow, TcpState::SynSent, Object::Sock, put)?;
        }
        let place = self.place(host, flow, put)?;
        let mut args = told(sent);
        args["cause"] = json!(cause.name());
        args["call_path"] = json!(cause.site().path.join(" → "));
        if let Some(reason) = cause.site().reset {
            args["sk_rst_reason"] = json!(reason.kernel_name());
        }
        if matches!(fate, Fate::Lost | Fate::Unroutable) {
            args["lost"] = json!(true);
        }
        put(segment(place, at, &format!("{} ↗", words::flags(sent)), args.clone()))?;
        let arrivals = match fate {
            Fate::Arrives(at) => [Some(at), None],
            Fate::Twice(first, second) => [Some(first), Some(second)],
            Fate::Lost | Fate::Unroutable => [None, None],
        };
        for arrival in arrivals.into_iter().flatten().filter(|arrival| *arrival < self.until) {
            self.arrows += 1;
            put(arrow(place, at, self.arrows, true))?;
            let key = (arrival, flow);
            self.flying.entry(key).or_default().push_back((*sent, self.arrows));
        }
        if sent.flags.rst() {
            put(instant(place, at, "rst", &format!("RST: {}", cause.name()), args))?;
        }
        Ok(())
    }
    fn received(
        &mut self,
        at: Instant,
        host: HostId,
        came: &Segment,
        put: Put<'_>,
    ) -> io::Result<()> {
        let flow = came.flow.reversed();
        if !self.shows(flow) {
            return Ok(());
        }
        let place = self.place(host, flow, put)?;
        put(segment(place, at, &format!("{} ↘", words::flags(came)), told(came)))?;
        let key = (at, came.flow);
        let Some(flying) = self.flying.get_mut(&key) else { return Ok(()) };
        let found = flying.iter().position(|(segment, _)| segment == came);
        let id = found.and_then(|n| flying.remove(n)).map(|(_, id)| id);
        if flying.is_empty() {
            self.flying.remove(&key);
        }
        id.map_or(Ok(()), |id| put(arrow(place, at, id, false)))
    }
    fn call(&mut self, at: Instant, host: HostId, call: &Call, put: Put<'_>) -> io::Result<()> {
        let acts =
            matches!(call.what, SysCall::Connect(_) | SysCall::Close { .. } | SysCall::Shutdown(_));
        if !acts || !self.shows(call.flow) {
            return Ok(());
        }
        let place = self.place(host, call.flow, put)?;
        put(instant(place, at, "call", &words::call(call), json!({ "fd": call.fd })))
    }
    fn note(&mut self, at: Instant, host: HostId, note: &Note, put: Put<'_>) -> io::Result<()> {
        let flow = note.flow();
        if matches!(note, Note::Drop { .. }) || !self.shows(flow) {
            return Ok(());
        }
        let mut tell = |tracer: &mut Self, cat: &str, name: &str, args: Value| {
            let place = tracer.place(host, flow, put)?;
            put(instant(place, at, cat, name, args))
        };
        match *note {
            Note::State { to: TcpState::Close, .. } => {
                self.leave_if(at, host, flow, Object::Sock, put)
            }
            Note::State { from, to, .. } if from != to => {
                self.enter(at, host, flow, to, Object::Sock, put)
            }
            Note::RequestBorn { .. } => {
                self.enter(at, host, flow, TcpState::SynRecv, Object::Request, put)
            }
            Note::RequestDied { .. } => self.leave_if(at, host, flow, Object::Request, put),
            Note::BucketBorn { substate, .. } => {
                self.enter(at, host, flow, substate, Object::Bucket, put)
            }
            Note::BucketTimeWait { .. } => {
                self.enter(at, host, flow, TcpState::TimeWait, Object::Bucket, put)
            }
            Note::BucketDied { .. } => self.leave_if(at, host, flow, Object::Bucket, put),
            Note::BucketRefused { substate, count, limit, .. } => {
                let gap = Gap { state: substate, from: at, until: None, count, limit };
                let args = json!({ "buckets": count, "net.ipv4.tcp_max_tw_buckets": limit });
                tell(self, "overflow", &words::gap(&gap), args)
            }
            Note::Orphaned { state, .. } => {
                tell(self, "orphan", "orphan", json!({ "state": state.to_string() }))
            }
            Note::Timer { kind, .. } => {
                let name = format!("timer: {}", words::timer(kind));
                tell(self, "timer", &name, json!({}))
            }
            Note::State { .. } | Note::Destroyed { .. } | Note::Drop { .. } => Ok(()),
        }
    }
    fn leave_if(
        &mut self,
        at: Instant,
        host: HostId,
        flow: FourTuple,
        holder: Object,
        put: Put<'_>,
    ) -> io::Result<()> {
        if self.holds(host, flow) == Some(holder) {
            self.leave(at, host, flow, put)
        } else {
            Ok(())
        }
    }
}

/// A segment's numbers, as they are on the wire.
fn told(segment: &Segment) -> Value {
    json!({
        "seq": segment.seq.0, "ack": segment.ack.0, "len": segment.len, "win": segment.win,
    })
}
