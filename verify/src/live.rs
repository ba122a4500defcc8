//! The live arm: plays a case on the kernel this program runs on.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use finwait_model::flow::Addr;
use finwait_sim::script::observe::Conn;

use crate::clock::Tick;
use crate::diag::Diag;
use crate::ear::{Ear, Heard};
use crate::global;
use crate::netns::{self, Namespace};
use crate::procfs;
use crate::real::{Files, Made};
use crate::seen::{Answered, Done, Look, Reset, Retransmit, Seen, Sent, StateChange};
use crate::step::{Act, Call, Case, Step, When};
use crate::sys;
use crate::talk::{ANY_NAME, Talk};
use crate::tap::{Tap, What};
use crate::wire;

/// While a call blocks, how often to look whether it has returned.
const CHECK_PENDING: u64 = 300_000;

/// A RST that is told and one that is read this close are one.
const SAME_RESET: u64 = 20_000_000;

/// How long a thread that was woken may take to return from its call.
const WOKEN_RUNS: u64 = 700_000;
/// The same on a machine so busy that the thread still waits for a processor.
const WOKEN_RUNS_AT_MOST: u64 = 30_000_000;

/// A case as the live kernel played it.
#[derive(Clone, Debug)]
pub struct Played {
    /// What was seen.
    pub seen: Seen,
    /// CLOCK_MONOTONIC at the run's zero.
    pub zero_ns: u64,
    /// Was a step so late, or so slow, that it is not certain in which tick it was done?
    pub blurred: bool,
}

/// When somebody else may look at the namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visit {
    /// Nothing has happened in it yet.
    Before,
    /// All steps are done, and its sockets are still open.
    After,
}

/// Plays the case in a fresh namespace. Changes the namespace of the calling thread: give it a
/// thread of its own.
pub fn play(case: &Case, tick: Tick, remote: Addr, tap: Option<&Tap>) -> io::Result<Played> {
    play_visited(case, tick, remote, tap, &mut |_| Ok(()))
}

/// The same with a visitor, who is called in the thread that is in the namespace.
pub fn play_visited(
    case: &Case,
    tick: Tick,
    remote: Addr,
    tap: Option<&Tap>,
    visitor: &mut dyn FnMut(Visit) -> io::Result<()>,
) -> io::Result<Played> {
    let ns = Namespace::enter()?;
    for (name, value) in &case.sysctls {
        set_sysctl(name, value)
            .map_err(|e| io::Error::new(e.kind(), format!("{name} = {value}: {e}")))?;
    }
    sys::no_timer_slack();
    sys::prepare_interrupts();
    let (diag, ear) = (Diag::open()?, Ear::open()?);
    visitor(Visit::Before)?;
    let mut live = Live {
        diag,
        ear,
        arrived: None,
        ns,
        tick,
        remote,
        talk: Talk::new(remote, case.peer_isn),
        files: Files::new(remote),
        seen: Seen::default(),
        zero_ns: sys::now_ns(),
        step: 0,
        blurred: false,
        packet: vec![0; 65_536],
    };
    let outcome = live.run(case).and_then(|()| visitor(Visit::After));
    // Before the sockets are closed, which the kernel would tell, too.
    if let Some(tap) = tap {
        live.listen(tap);
    }
    let unfinished = live.files.end();
    outcome?;
    unfinished.into_iter().for_each(|made| live.answered(made));
    live.seen.answers.sort_by_key(|a| a.step);
    Ok(Played { seen: live.seen, zero_ns: live.zero_ns, blurred: live.blurred })
}

fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    if global::is_global(name) { global::set(name, value) } else { netns::set_sysctl(name, value) }
}

struct Live {
    ns: Namespace,
    diag: Diag,
    ear: Ear,
    /// When the last packet reached the host, on CLOCK_MONOTONIC.
    arrived: Option<u64>,
    tick: Tick,
    remote: Addr,
    talk: Talk,
    files: Files,
    seen: Seen,
    zero_ns: u64,
    step: usize,
    blurred: bool,
    packet: Vec<u8>,
}

impl Live {
    fn run(&mut self, case: &Case) -> io::Result<()> {
        let mut due = self.zero_ns;
        for (index, step) in case.steps.iter().enumerate() {
            due = match step.when {
                When::At(ns) => self.zero_ns + ns,
                // What was late makes everything after it late: spans matter, not moments.
                When::After(0) => due,
                When::After(ns) => due.max(self.last_done()) + ns,
            };
            if let Act::Await { patience_ns, .. } = step.act {
                self.wait_for_segment(due + patience_ns)?;
                self.step = index;
                let now = sys::now_ns() - self.zero_ns;
                self.seen.steps.push(Done { start_ns: now, end_ns: now, acted_ns: None });
                continue;
            }
            self.wait_until_aligned(due)?;
            self.step = index;
            let start_ns = sys::now_ns();
            self.act(index, step)?;
            let end_ns = sys::now_ns();
            self.drain()?;
            let (start, end) = (start_ns - self.zero_ns, end_ns - self.zero_ns);
            let acted_ns = self.acted(&step.act, start, end);
            let certain = acted_ns.is_some() || self.tick.of(start_ns) == self.tick.of(end_ns);
            self.blurred |= !certain;
            self.seen.steps.push(Done { start_ns: start, end_ns: end, acted_ns });
            self.let_the_woken_run()?;
            self.look()?;
        }
        Ok(())
    }

    /// Takes in what the kernel itself said.
    fn listen(&mut self, tap: &Tap) {
        let end_ns = sys::now_ns();
        for word in tap.take(self.remote, self.zero_ns, self.files.tids()) {
            let conn = Conn { local: self.talk.port_name(word.local), remote: word.remote.1 };
            let at_ns = word.at_ns - self.zero_ns;
            match word.what {
                _ if word.at_ns > end_ns => {}
                // Another process may use the same addresses: what did not leave here was not ours.
                What::Reset { .. } if !self.sent_reset(conn, at_ns) => {}
                What::Reset { reason, stack } => {
                    self.seen.resets.push(Reset { at_ns, conn, reason, path: stack });
                }
                What::Retransmit { stack } => {
                    self.seen.retransmits.push(Retransmit { at_ns, conn, path: stack });
                }
                What::State(from, to) => {
                    self.seen.states.push(StateChange { at_ns, conn, change: (from, to) });
                }
            }
        }
    }

    /// Did a RST leave on the connection (or from the listener) about then?
    fn sent_reset(&self, conn: Conn, at_ns: u64) -> bool {
        self.seen.sent.iter().any(|s| {
            let c = s.header.conn;
            let same = c == conn || (conn.remote == 0 && c.local == conn.local);
            same && s.header.flags.rst() && s.at_ns.abs_diff(at_ns) < SAME_RESET
        })
    }

    /// When the kernel did the step, if it has shown that.
    fn acted(&mut self, act: &Act, start: u64, end: u64) -> Option<u64> {
        let shown = match act {
            Act::Inject(_) | Act::Icmp(_) => self.arrived.take()?.checked_sub(self.zero_ns)?,
            Act::Call(_) => {
                self.seen.sent.iter().rev().map(|s| s.at_ns).take_while(|at| *at >= start).last()?
            }
            Act::Sysctl { .. } | Act::Look | Act::Await { .. } => return None,
        };
        (start..=end).contains(&shown).then_some(shown)
    }

    /// Whom the step has woken shall have run before the look.
    fn let_the_woken_run(&mut self) -> io::Result<()> {
        if !self.files.any_pending() {
            return Ok(());
        }
        let begun = sys::now_ns();
        self.wait_until(begun + WOKEN_RUNS)?;
        while self.files.any_running() {
            if sys::now_ns() - begun > WOKEN_RUNS_AT_MOST {
                self.blurred = true;
                break;
            }
            self.wait_until(sys::now_ns() + CHECK_PENDING)?;
        }
        Ok(())
    }

    fn last_done(&self) -> u64 {
        self.zero_ns + self.seen.steps.last().map_or(0, |d| d.start_ns)
    }

    fn act(&mut self, index: usize, step: &Step) -> io::Result<()> {
        match &step.act {
            Act::Inject(packet) => self.write(&wire::emit(&self.talk.to_wire(packet))),
            Act::Icmp(u) => {
                let seq = self.talk.host_seq(u.conn, u.seq);
                let flow = self.talk.host_flow(u.conn);
                self.write(&wire::emit_unreachable(self.remote, flow, seq, u.code, u.mtu))
            }
            Act::Sysctl { name, value } => set_sysctl(name, value),
            Act::Call(call) => {
                let before = self.port(call.fd());
                let made = self.files.call(index, call);
                let chosen = match call {
                    Call::Connect { conn, .. } => Some(conn.local),
                    Call::Listen { .. } if before.is_none() => Some(ANY_NAME),
                    _ => None,
                };
                // Before its SYN is read, so that it goes by the script's name.
                if let (Some(name), Some(port)) = (chosen, self.port(call.fd())) {
                    self.talk.alias(port, name);
                }
                if let Some(made) = made {
                    self.answered(made);
                }
                Ok(())
            }
            Act::Look | Act::Await { .. } => Ok(()),
        }
    }

    /// The port that a descriptor is bound to.
    fn port(&self, fd: i32) -> Option<u16> {
        let end = self.files.real(fd).and_then(sys::local_endpoint);
        end.map(|e| e.port).filter(|&port| port != 0)
    }

    fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        (&self.ns.tun).write_all(packet)
    }

    /// Waits until `due` and then for a moment in the middle of a tick, so that the tick in which
    /// the step is done is beyond doubt. Steps that follow at once stay in the same tick.
    fn wait_until_aligned(&mut self, due: u64) -> io::Result<()> {
        let tick = self.tick.tick_ns;
        let (open, close) = (tick * 3 / 8, tick * 7 / 8);
        let mut target = due;
        for _ in 0..100 {
            self.wait_until(target)?;
            let now = sys::now_ns();
            let phase = now % tick;
            if (open..close).contains(&phase) {
                return Ok(());
            }
            let start = now - phase;
            target = if phase < open { start + open } else { start + tick + open };
        }
        self.blurred = true;
        Ok(())
    }

    /// Waits until `until`, reading what the host sends.
    fn wait_until(&mut self, until: u64) -> io::Result<()> {
        loop {
            self.drain()?;
            let now = sys::now_ns();
            if now >= until {
                return Ok(());
            }
            let left = until - now;
            let left = if self.files.any_pending() { left.min(CHECK_PENDING) } else { left };
            sys::wait_readable(self.ns.tun.as_fd(), Duration::from_nanos(left));
        }
    }

    /// Waits until the host has sent something since the last step, or until `until`.
    fn wait_for_segment(&mut self, until: u64) -> io::Result<()> {
        let since = self.step;
        while !self.seen.sent.iter().any(|s| s.step >= since) && sys::now_ns() < until {
            let next = (sys::now_ns() + CHECK_PENDING).min(until);
            self.wait_until(next)?;
        }
        Ok(())
    }

    /// Reads everything that the host has sent, and which blocked calls have returned.
    fn drain(&mut self) -> io::Result<()> {
        // The kernel does not send a segment again while its last copy lies unread in the device.
        loop {
            match (&self.ns.tun).read(&mut self.packet) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        while let Some(heard) = self.ear.heard()? {
            match heard {
                Heard::Arrived(at) => self.arrived = Some(at),
                Heard::Sent(at, segment) => {
                    let header = self.talk.from_wire(&segment);
                    let at_ns = at.saturating_sub(self.zero_ns);
                    self.seen.sent.push(Sent { at_ns, step: self.step, header, cause: None });
                }
            }
        }
        for made in self.files.finished() {
            self.answered(made);
        }
        Ok(())
    }

    fn answered(&mut self, made: Made) {
        self.seen.answers.push(Answered {
            step: made.step,
            start_ns: made.start_ns - self.zero_ns,
            end_ns: made.end_ns.map(|ns| ns - self.zero_ns),
            value: made.value,
            out: made.out,
        });
    }

    /// Reads the host's tables; again if a tick began meanwhile, because a timer may have fired
    /// between the sockets and the counters.
    fn look(&mut self) -> io::Result<()> {
        for attempt in 0..3 {
            let start = sys::now_ns();
            let rows = self.diag.rows(&self.talk)?;
            let counters = procfs::counters()?;
            let (inuse, tw) = procfs::sockstat()?;
            let steady = self.tick.of(start) == self.tick.of(sys::now_ns());
            if steady || attempt == 2 {
                let at_ns = start - self.zero_ns;
                self.blurred |= !steady;
                self.seen.looks.push(Look { at_ns, step: self.step, rows, counters, inuse, tw });
                break;
            }
        }
        self.drain()
    }
}
