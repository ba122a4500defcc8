//! Records a run while it goes on: a [`Watch`] that writes.

use core::ops::ControlFlow;
use std::io::{self, Write};

use finwait_model::flow::FourTuple;
use finwait_model::sink::Note;
use finwait_model::time::{Instant, Span};

use super::block::{Blocks, Body, Kind};
use super::choose::Choice;
use super::codec::{Codec, listener_flow};
use super::columns::Encoder;
use super::header::{Header, Totals, end_json};
use super::hold::Hold;
use super::keyframe::{self, Frame};
use super::samples::Pending;
use super::step::{Gauges, Item, Step, Trigger};
use super::window::Window;
use crate::app::Call;
use crate::host::Host;
use crate::run::Outcome;
use crate::sample::Sample;
use crate::stack::Stack;
use crate::watch::{self, Sent, Watch};
use crate::world::HostId;

/// A block of events is written when it has so many bytes, before it is packed.
const BLOCK_BYTES: usize = 1 << 20;
/// A step with more than this is told in pieces.
const PIECE: usize = 4096;
/// Where only some connections are recorded, counters that others have raised are told at each
/// sample, with each step that is recorded, and else so often.
const GAUGES_AT_LEAST_EVERY: Span = Span::millis(10);
/// So many samples are written at the latest.
const SAMPLES: usize = 512;

/// A keyframe is written when the events since the last one take `events` times its own bytes, and
/// at least so many: then keyframes cost little, and a reader never reads much to get to a time.
#[derive(Clone, Copy, Debug)]
struct Keyframes {
    events: u64,
    least: u64,
}

/// Records everything that happens into `W`, in blocks as they fill up; it holds no more than one
/// block in memory.
#[derive(Debug)]
pub struct Recorder<W> {
    header: Header,
    choice: Choice,
    /// Are counters told now and then, rather than with each step?
    samples_gauges: bool,
    blocks: Blocks<W>,
    /// The steps of this window, and the one that goes on.
    window: Window,
    /// Which connections it has touched.
    touched: Vec<FourTuple>,
    /// Each host's gauges as they have been told, and when.
    told: Vec<Gauges>,
    told_at: Vec<Instant>,
    /// Steps that wait until it is known how their connections ended.
    hold: Option<Hold>,
    codec: Codec,
    encoder: Encoder,
    /// The block that is being filled: its beginning, segments and RSTs.
    from: Instant,
    segments: u32,
    resets: u32,
    /// All segments and RSTs.
    total_segments: u64,
    total_resets: u64,
    samples: Pending,
    /// Bytes of the last keyframe, and of events since then.
    keyframe_bytes: u64,
    event_bytes: u64,
    keyframes: Keyframes,
    sysctls: Vec<finwait_model::sysctl::Sysctl>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording of everything: the header is written at once.
    pub fn new(out: W, header: Header) -> Self {
        Self::choosing(out, header, Choice::Everything)
    }
    /// The same for some connections. Counters and samples stay those of all.
    pub fn choosing(out: W, header: Header, choice: Choice) -> Self {
        let keys = header.keys();
        let hosts = keys.len();
        let mut blocks = Blocks::new(out, super::VERSION);
        blocks.write(&Body::plain(Kind::Header, header.to_json(), Instant::ZERO));
        Self {
            sysctls: header.hosts.iter().map(|h| h.sysctl.clone()).collect(),
            codec: Codec::new(&keys, Instant::ZERO),
            hold: match choice {
                Choice::Resets(memory) => Some(Hold::new(&keys, memory)),
                Choice::Everything | Choice::Flows(_) => None,
            },
            header,
            samples_gauges: matches!(choice, Choice::Flows(_)),
            choice,
            blocks,
            window: Window::new(hosts),
            touched: Vec::new(),
            told: vec![Gauges::default(); hosts],
            told_at: vec![Instant::ZERO; hosts],
            encoder: Encoder::default(),
            from: Instant::ZERO,
            segments: 0,
            resets: 0,
            total_segments: 0,
            total_resets: 0,
            samples: Pending::new(hosts),
            keyframe_bytes: 0,
            event_bytes: 0,
            keyframes: Keyframes { events: 8, least: 1 << 21 },
        }
    }
    /// Has writing failed? [`Recorder::finish`] says why; until then nothing more is written.
    pub const fn failed(&self) -> bool {
        self.blocks.failed()
    }
    /// Writes a keyframe at every sample, so that a small recording has some.
    #[cfg(test)]
    pub(super) const fn keyframes_are_due(&mut self) {
        self.keyframes = Keyframes { events: 0, least: 0 };
    }
    /// Bytes written so far.
    pub const fn bytes(&self) -> u64 {
        self.blocks.bytes()
    }
    /// Writes the rest, and how the run ended. Gives the writer back.
    pub fn finish(self, outcome: &Outcome) -> io::Result<W> {
        let (out, written) = self.close(outcome);
        written.map(|()| out)
    }
    /// The same; the writer comes back also if writing has failed, with what went wrong first.
    pub fn close(mut self, outcome: &Outcome) -> (W, io::Result<()>) {
        let at = Instant::ZERO + outcome.simulated;
        self.release(at, true);
        self.cut(at);
        self.write_samples(at);
        let complete = !outcome.interrupted;
        let totals = Totals {
            at,
            digest: outcome.digest.to_string(),
            segments: outcome.segments,
            lifecycles: outcome.lifecycles,
            recorded_segments: self.total_segments,
            recorded_resets: self.total_resets,
            remark: self.hold.as_ref().and_then(Hold::remark),
        };
        self.blocks.finish(end_json(complete, &totals), at)
    }

    /// Everything of this window, in the order of time and hosts.
    fn merge(&mut self) {
        let mut window = core::mem::take(&mut self.window);
        window.tell(|step| self.write_step(step));
        self.window = window;
    }

    fn write_step(&mut self, step: &mut Step) {
        if let Some(hold) = &mut self.hold {
            return hold.take(step);
        }
        self.write_pieces(step);
    }

    /// Writes what has been held long enough.
    fn release(&mut self, at: Instant, all: bool) {
        if let Some(mut hold) = self.hold.take() {
            hold.release(at, all, |step| self.write_pieces(step));
            self.hold = Some(hold);
        }
    }

    fn write_pieces(&mut self, step: &mut Step) {
        if step.items.len() + step.rows.len() <= PIECE {
            return self.encode(step);
        }
        let Step { at, host, .. } = *step;
        let mut trigger = core::mem::take(&mut step.trigger);
        let mut pieces = Vec::new();
        for items in step.items.chunks(PIECE) {
            let trigger = core::mem::take(&mut trigger);
            pieces.push(Step { at, host, trigger, items: items.to_vec(), ..Step::default() });
        }
        for rows in step.rows.chunks(PIECE) {
            let trigger = core::mem::take(&mut trigger);
            pieces.push(Step { at, host, trigger, rows: rows.to_vec(), ..Step::default() });
        }
        if let Some(last) = pieces.last_mut() {
            core::mem::swap(&mut last.gauges, &mut step.gauges);
        }
        for mut piece in pieces {
            self.encode(&mut piece);
        }
    }

    fn encode(&mut self, step: &mut Step) {
        for item in &step.items {
            if let Item::Sent(segment, ..) = item {
                self.segments += 1;
                self.resets += u32::from(segment.flags.rst());
            }
        }
        let Ok(()) = self.codec.step(&mut self.encoder, step) else {
            unreachable!("invariant: writing into memory cannot fail")
        };
        if self.encoder.len() >= BLOCK_BYTES {
            self.cut(step.at);
        }
    }

    /// Writes the block that is being filled. Everything before `to` is in it.
    fn cut(&mut self, to: Instant) {
        if self.encoder.len() > 0 {
            let list = self.codec.conns.take_list();
            let body = self.encoder.take();
            let (segments, resets, from) = (self.segments, self.resets, self.from);
            self.total_segments += u64::from(segments);
            self.total_resets += u64::from(resets);
            let body = Body { kind: Kind::Events, list, body, segments, resets, from, to };
            self.event_bytes += self.blocks.write(&body);
        }
        self.codec.restart(to);
        (self.from, self.segments, self.resets) = (to, 0, 0);
    }

    fn write_samples(&mut self, to: Instant) {
        if self.samples.count > 0 {
            let from = self.samples.from;
            let mut body = Body::plain(Kind::Samples, self.samples.take(), from);
            body.to = to;
            self.blocks.write(&body);
        }
    }

    /// What counters have not told yet when everything before `at` has happened.
    fn tell_gauges(&mut self, at: Instant, hosts: &[Host]) {
        let at = Instant { ns: at.ns.saturating_sub(1) };
        for (host, its) in hosts.iter().enumerate() {
            let mut step = Step { at, host: host as u16, ..Step::default() };
            self.told[host].follow(its.stack(), &mut step.gauges);
            self.told_at[host] = at;
            if !step.gauges.is_empty() {
                self.encode(&mut step);
            }
        }
    }

    fn write_keyframe(&mut self, at: Instant, hosts: &[Host]) {
        self.cut(at);
        self.write_samples(at);
        let frames = hosts.iter().map(|host| Frame {
            lines: host
                .stack()
                .lines()
                .into_iter()
                .filter(|l| self.choice.takes(l.flow()))
                .collect(),
            gauges: Gauges::of(host.stack()),
            sysctl: host.kernel().sysctl().clone(),
        });
        let mut frames: Vec<Frame> = frames.collect();
        let body = keyframe::write(&self.header.hosts, &mut frames);
        self.keyframe_bytes = self.blocks.write(&Body::plain(Kind::Keyframe, body, at));
        self.event_bytes = 0;
        self.sysctls = frames.into_iter().map(|f| f.sysctl).collect();
    }

    /// A connection may have changed. As a rule it is the one that was touched just before.
    #[inline]
    fn touch(&mut self, flow: FourTuple) {
        if self.touched.last() != Some(&flow) {
            self.touched.push(flow);
        }
    }

    /// Rows of whatever this step may have changed: of each connection that it has touched, and
    /// of whoever listens at its local end.
    fn look_at_rows(&mut self, stack: &Stack) {
        if self.touched.len() > 1 {
            self.touched.sort_unstable();
            self.touched.dedup();
        }
        let rows = &mut self.window.step().rows;
        let mut listener = None;
        for flow in self.touched.drain(..) {
            let local = flow.source();
            if flow.dport != 0 {
                rows.push((flow, stack.line(flow)));
            }
            if self.choice.is_everything() && local.port != 0 && listener != Some(local) {
                listener = Some(local);
                if let Some(line) = stack.listener_line(local) {
                    rows.push((listener_flow(line.local), Some(line)));
                } else if flow.dport == 0 {
                    rows.push((flow, None));
                }
            }
        }
    }
}

impl<W: Write> Watch for Recorder<W> {
    fn wants_notes(&self) -> bool {
        true
    }
    fn wants_steps(&self) -> bool {
        true
    }

    fn begins(&mut self, at: Instant, host: HostId, trigger: watch::Trigger<'_>) {
        let step = self.window.begin(at, host.0);
        step.trigger = match trigger {
            watch::Trigger::Arrival(segment) if self.choice.takes(segment.flow) => {
                self.touched.push(segment.flow.reversed());
                Trigger::Arrival(*segment)
            }
            watch::Trigger::Arrival(_) => Trigger::Unknown,
            watch::Trigger::Timer => Trigger::Timer,
            watch::Trigger::App(_) => Trigger::App,
        };
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if !self.choice.takes(sent.segment.flow) {
            return;
        }
        self.touch(sent.segment.flow);
        let is_answer = sent.answers.is_some();
        let item = Item::Sent(*sent.segment, sent.cause, sent.fate, is_answer);
        self.window.step().items.push(item);
    }
    fn noted(&mut self, _at: Instant, _host: HostId, note: &Note) {
        let flow = note.flow();
        if !self.choice.takes(flow) {
            return;
        }
        let thrown = matches!(note, Note::Drop { .. });
        self.touch(if thrown { flow.reversed() } else { flow });
        self.window.step().items.push(Item::Note(*note));
    }
    fn touched(&mut self, flow: FourTuple) {
        if self.choice.takes(flow) {
            self.touch(flow);
        }
    }
    fn called(&mut self, call: &Call) {
        if !self.choice.takes(call.flow) {
            return;
        }
        self.touch(call.flow);
        self.window.step().items.push(Item::Call(*call));
    }
    fn stepped(&mut self, stack: &Stack) {
        self.look_at_rows(stack);
        let step = self.window.step();
        let host = usize::from(step.host);
        if self.samples_gauges && step.is_empty() {
            // Nothing of this step is recorded: what it counts can wait a little.
            if step.at.since(self.told_at[host]) < GAUGES_AT_LEAST_EVERY {
                return step.clear();
            }
            step.trigger = Trigger::Unknown;
        }
        self.told[host].follow(stack, &mut step.gauges);
        self.told_at[host] = step.at;
        if step.is_empty() {
            return step.clear();
        }
        self.window.keep();
    }
    fn window(&mut self, _stop: Instant) {
        self.merge();
    }
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        if self.samples_gauges {
            self.tell_gauges(at, hosts);
        }
        self.samples.add(samples);
        self.release(at, false);
        if self.samples.count >= SAMPLES {
            self.write_samples(at);
        }
        if self.hold.is_some() {
            // What is written lags behind, so keyframes have no place in it.
            return if self.failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        let due = self.keyframes.least.max(self.keyframes.events * self.keyframe_bytes);
        let changed = hosts.iter().zip(&self.sysctls).any(|(h, was)| h.kernel().sysctl() != was);
        if changed || self.event_bytes >= due {
            self.write_keyframe(at, hosts);
        }
        if self.failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
