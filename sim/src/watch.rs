//! Who looks on while a world runs.

use core::ops::ControlFlow;

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;
use finwait_model::segment::Segment;
use finwait_model::sink::Note;
use finwait_model::time::Instant;

use crate::app::{AppId, Call};
use crate::host::Host;
use crate::link::Fate;
use crate::sample::Sample;
use crate::stack::Stack;
use crate::world::HostId;

/// A segment that has just left a host.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// When.
    pub at: Instant,
    /// Whose it is.
    pub host: HostId,
    /// The segment.
    pub segment: &'a Segment,
    /// Why it was sent.
    pub cause: Cause,
    /// The segment whose arrival made the kernel send it; `None` if a timer or an application did.
    pub answers: Option<&'a Segment>,
    /// What the network did with it.
    pub fate: Fate,
}

impl Sent<'_> {
    /// Did a box pass it on, as what arrived under other addresses? Its cause is that of who sent
    /// it first. What a kernel answers goes back to where it came from.
    pub fn is_passed_on(&self) -> bool {
        self.answers.is_some_and(|arrived| arrived.flow != self.segment.flow.reversed())
    }
}

/// Why a host did a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger<'a> {
    /// This segment arrived.
    Arrival(&'a Segment),
    /// Timers of its kernel were due.
    Timer,
    /// An application was due.
    App(AppId),
}

/// Looks on. It sees everything and changes nothing, so a run goes the same way whoever watches.
pub trait Watch {
    /// Does it want to know anything but samples and the end of windows? Who does not costs a
    /// [run](crate::run::run_watched) nothing.
    #[inline(always)]
    fn wants_segments(&self) -> bool {
        true
    }
    /// Is it content with samples, RSTs, and notes that are not [passing](Note::is_passing)? Then
    /// connections that are like earlier ones need not be worked out anew. It is asked when a run
    /// begins.
    #[inline(always)]
    fn wants_only_resets(&self) -> bool {
        false
    }
    /// Does it want notes? Where nobody does, the kernel does not even make them. It is asked when
    /// it begins to watch, and says the same ever after.
    fn wants_notes(&self) -> bool;
    /// Does it want to know each step, window and system call? It is asked as for notes; who does
    /// not need not be told of them.
    #[inline(always)]
    fn wants_steps(&self) -> bool {
        false
    }
    /// A segment has left.
    fn sent(&mut self, sent: &Sent<'_>);
    /// Something happened inside a host that no segment shows.
    fn noted(&mut self, _at: Instant, _host: HostId, _note: &Note) {}
    /// The same of a note that stands for those of many connections, and happened to this one.
    #[inline]
    fn noted_of(&mut self, at: Instant, host: HostId, flow: FourTuple, note: &Note) {
        self.noted(at, host, &note.with_flow(flow));
    }
    /// A host begins a step.
    #[inline(always)]
    fn begins(&mut self, _at: Instant, _host: HostId, _trigger: Trigger<'_>) {}
    /// A timer of that connection has fired.
    #[inline(always)]
    fn touched(&mut self, _flow: FourTuple) {}
    /// An application has made a system call.
    #[inline(always)]
    fn called(&mut self, _call: &Call) {}
    /// The host has done its step, and whatever its applications did because of it.
    #[inline(always)]
    fn stepped(&mut self, _stack: &Stack) {}
    /// Every host has done everything that happens before that time, and nothing else.
    #[inline(always)]
    fn window(&mut self, _stop: Instant) {}
    /// The hosts as they stand when everything before that time has happened, with a sample of
    /// each. [`ControlFlow::Break`] ends the run here.
    #[inline(always)]
    fn sampled(&mut self, _at: Instant, _hosts: &[Host], _samples: &[Sample]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Watches nothing: the kernels' own arrays count, and the world hashes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Count;

impl Watch for Count {
    #[inline(always)]
    fn wants_segments(&self) -> bool {
        false
    }
    #[inline(always)]
    fn wants_only_resets(&self) -> bool {
        true
    }
    #[inline(always)]
    fn wants_notes(&self) -> bool {
        false
    }
    #[inline(always)]
    fn sent(&mut self, _sent: &Sent<'_>) {}
}

/// Two who look on together.
impl<A: Watch, B: Watch> Watch for (A, B) {
    #[inline(always)]
    fn wants_only_resets(&self) -> bool {
        self.0.wants_only_resets() && self.1.wants_only_resets()
    }
    #[inline(always)]
    fn wants_segments(&self) -> bool {
        self.0.wants_segments() || self.1.wants_segments()
    }
    #[inline(always)]
    fn wants_notes(&self) -> bool {
        self.0.wants_notes() || self.1.wants_notes()
    }
    #[inline(always)]
    fn wants_steps(&self) -> bool {
        self.0.wants_steps() || self.1.wants_steps()
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.0.sent(sent);
        self.1.sent(sent);
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.0.noted(at, host, note);
        self.1.noted(at, host, note);
    }
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        self.0.begins(at, host, trigger);
        self.1.begins(at, host, trigger);
    }
    fn touched(&mut self, flow: FourTuple) {
        self.0.touched(flow);
        self.1.touched(flow);
    }
    fn called(&mut self, call: &Call) {
        self.0.called(call);
        self.1.called(call);
    }
    fn stepped(&mut self, stack: &Stack) {
        self.0.stepped(stack);
        self.1.stepped(stack);
    }
    fn window(&mut self, stop: Instant) {
        self.0.window(stop);
        self.1.window(stop);
    }
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        let first = self.0.sampled(at, hosts, samples);
        let second = self.1.sampled(at, hosts, samples);
        if first.is_break() { first } else { second }
    }
}

impl<W: Watch + ?Sized> Watch for &mut W {
    fn wants_only_resets(&self) -> bool {
        (**self).wants_only_resets()
    }
    fn wants_segments(&self) -> bool {
        (**self).wants_segments()
    }
    fn wants_notes(&self) -> bool {
        (**self).wants_notes()
    }
    fn wants_steps(&self) -> bool {
        (**self).wants_steps()
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        (**self).sent(sent);
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        (**self).noted(at, host, note);
    }
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        (**self).begins(at, host, trigger);
    }
    fn touched(&mut self, flow: FourTuple) {
        (**self).touched(flow);
    }
    fn called(&mut self, call: &Call) {
        (**self).called(call);
    }
    fn stepped(&mut self, stack: &Stack) {
        (**self).stepped(stack);
    }
    fn window(&mut self, stop: Instant) {
        (**self).window(stop);
    }
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        (**self).sampled(at, hosts, samples)
    }
}

/// Somebody who may not be there.
impl<W: Watch> Watch for Option<W> {
    fn wants_only_resets(&self) -> bool {
        self.as_ref().is_none_or(W::wants_only_resets)
    }
    fn wants_segments(&self) -> bool {
        self.as_ref().is_some_and(W::wants_segments)
    }
    fn wants_notes(&self) -> bool {
        self.as_ref().is_some_and(W::wants_notes)
    }
    fn wants_steps(&self) -> bool {
        self.as_ref().is_some_and(W::wants_steps)
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if let Some(watch) = self {
            watch.sent(sent);
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        if let Some(watch) = self {
            watch.noted(at, host, note);
        }
    }
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        if let Some(watch) = self {
            watch.begins(at, host, trigger);
        }
    }
    fn touched(&mut self, flow: FourTuple) {
        if let Some(watch) = self {
            watch.touched(flow);
        }
    }
    fn called(&mut self, call: &Call) {
        if let Some(watch) = self {
            watch.called(call);
        }
    }
    fn stepped(&mut self, stack: &Stack) {
        if let Some(watch) = self {
            watch.stepped(stack);
        }
    }
    fn window(&mut self, stop: Instant) {
        if let Some(watch) = self {
            watch.window(stop);
        }
    }
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        match self {
            Some(watch) => watch.sampled(at, hosts, samples),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Somebody of whatever kind, who has been asked what they want: the world and the kernels are
/// compiled once for all of them, and call them only for that.
pub(crate) struct Asked<'a> {
    watch: &'a mut dyn Watch,
    notes: bool,
    steps: bool,
}

impl<'a> Asked<'a> {
    /// Asks.
    pub(crate) fn new(watch: &'a mut dyn Watch) -> Self {
        Self { notes: watch.wants_notes(), steps: watch.wants_steps(), watch }
    }
}

impl Watch for Asked<'_> {
    fn wants_only_resets(&self) -> bool {
        self.watch.wants_only_resets()
    }
    #[inline(always)]
    fn wants_notes(&self) -> bool {
        self.notes
    }
    #[inline(always)]
    fn wants_steps(&self) -> bool {
        self.steps
    }
    #[inline]
    fn sent(&mut self, sent: &Sent<'_>) {
        self.watch.sent(sent);
    }
    #[inline]
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        if self.notes {
            self.watch.noted(at, host, note);
        }
    }
    #[inline]
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        if self.steps {
            self.watch.begins(at, host, trigger);
        }
    }
    #[inline]
    fn touched(&mut self, flow: FourTuple) {
        if self.steps {
            self.watch.touched(flow);
        }
    }
    #[inline]
    fn called(&mut self, call: &Call) {
        if self.steps {
            self.watch.called(call);
        }
    }
    #[inline]
    fn stepped(&mut self, stack: &Stack) {
        if self.steps {
            self.watch.stepped(stack);
        }
    }
    #[inline]
    fn window(&mut self, stop: Instant) {
        if self.steps {
            self.watch.window(stop);
        }
    }
    #[inline]
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        self.watch.sampled(at, hosts, samples)
    }
}
