//! The kernel's tracepoints, as trace_pipe prints them: `sock:inet_sock_set_state`,
//! `tcp:tcp_send_reset`, `tcp:tcp_destroy_sock`, `tcp:tcp_retransmit_skb`,
//! `tcp:tcp_retransmit_synack`, with the fields of 6.18.
//!
//! 3.10 has none of them; for it this is what they would say. Where a real line names the task that
//! happened to run, the host's name stands, its process number is 0, the flags are dots. Addresses
//! of buffers and sockets, and socket cookies, are made from the connection's own addresses. Only
//! connections are traced, not listeners and sockets that never had a peer, and not what happens
//! when a program closes a socket whose connection had ended before.

use std::collections::{BTreeMap, BTreeSet};

use finwait_model::cause::Cause;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::Object;
use finwait_model::segment::Segment;
use finwait_model::sink::{Note, SockEnd};
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use super::HostView;
use super::number::fnv;

/// Writes the lines of one host. Some name a socket's state, which events do not: so it has to be
/// shown every event, from the run's beginning or from a [`HostView`] on.
#[derive(Clone, Debug)]
pub struct Tracer {
    host: String,
    states: BTreeMap<FourTuple, TcpState>,
    orphans: BTreeSet<FourTuple>,
}

impl Tracer {
    /// For a host at the run's beginning.
    pub fn new(host: &str) -> Self {
        Self { host: host.to_owned(), states: BTreeMap::new(), orphans: BTreeSet::new() }
    }
    /// For a host as it stands.
    pub fn of(view: &HostView) -> Self {
        let mut tracer = Self::new(&view.name);
        for row in view.rows.iter().filter(|row| row.object == Object::Sock) {
            let flow = FourTuple::new(row.local, row.remote);
            tracer.states.insert(flow, row.state);
            if row.orphan {
                tracer.orphans.insert(flow);
            }
        }
        tracer
    }
    /// The line of something that no segment shows, if the kernel traces it.
    pub fn note(&mut self, at: Instant, note: &Note) -> Option<String> {
        match *note {
            Note::State { flow, from, to } if flow.dport != 0 => {
                self.states.insert(flow, to);
                // A child begins as a copy of its listener.
                let child = (from, to) == (TcpState::Close, TcpState::SynRecv);
                let from = if child { TcpState::Listen } else { from };
                // connect() chooses its port only then. [tcp_v4_connect]
                let sport = if to == TcpState::SynSent { 0 } else { flow.sport };
                let (from, to) = (from.kernel_name(), to.kernel_name());
                let text = format!(
                    "family=AF_INET protocol=IPPROTO_TCP {} oldstate={from} newstate={to}",
                    ends(FourTuple { sport, ..flow })
                );
                Some(self.line(at, "inet_sock_set_state", &text))
            }
            Note::Orphaned { flow, .. } => {
                self.orphans.insert(flow);
                None
            }
            Note::Destroyed { flow, state, why } => {
                self.states.remove(&flow);
                let orphan = self.orphans.remove(&flow);
                if !orphan && !ends_in_close(state, why) {
                    // The program has still to close what is left of it.
                    return None;
                }
                let cookie = cookie(flow);
                let flow = match why {
                    // These disconnect the socket first, which forgets the peer's port.
                    // [tcp_disconnect]
                    SockEnd::Aborted(Cause::RstListenerClosed | Cause::RstLingerZero) => {
                        FourTuple { dport: 0, ..flow }
                    }
                    _ => flow,
                };
                let text = format!("family=AF_INET {} sock_cookie={cookie:x}", ends(flow));
                Some(self.line(at, "tcp_destroy_sock", &text))
            }
            _ => None,
        }
    }
    /// The line of a segment that leaves, if it is a RST or one that was sent before.
    pub fn sent(&self, at: Instant, segment: &Segment, cause: Cause) -> Option<String> {
        let flow = segment.flow;
        let state = self.states.get(&flow).copied();
        match cause {
            _ if cause.is_reset() => Some(self.reset(at, segment, cause)),
            Cause::SynAckTimer | Cause::SynAckAgain => {
                let text = format!("family=AF_INET {}", ends(flow));
                Some(self.line(at, "tcp_retransmit_synack", &text))
            }
            _ if cause.is_retransmission() => {
                let state = state.map_or("TCP_CLOSE", TcpState::kernel_name);
                let text = format!(
                    "skbaddr={:016x} skaddr={:016x} family=AF_INET {} state={state} err=0",
                    buffer(segment),
                    cookie(flow),
                    ends(flow)
                );
                Some(self.line(at, "tcp_retransmit_skb", &text))
            }
            _ => None,
        }
    }
    fn reset(&self, at: Instant, segment: &Segment, cause: Cause) -> String {
        let flow = segment.flow;
        let site = cause.site();
        let reason = site.reset.map_or("NOT_SPECIFIED", |reason| reason.kernel_name());
        let (src, mut dest) = (flow.source(), flow.destination());
        // Whose RST it is; a socket of its own knows its state, everything else is one of these.
        let state = match cause {
            Cause::RstNoSocket => None,
            Cause::RstListenAck | Cause::RstRequestSyn | Cause::RstAcceptOverflow => {
                // The kernel prints the listener's ends.
                dest = Endpoint::default();
                Some(TcpState::Listen)
            }
            Cause::RstTwSyn | Cause::RstTwData => Some(TcpState::TimeWait),
            _ => Some(self.states.get(&flow).copied().unwrap_or(TcpState::Close)),
        };
        // tcp_send_active_reset answers no segment.
        let answers = site.path.last() == Some(&"tcp_v4_send_reset");
        let skbaddr = if answers { buffer(segment) } else { 0 };
        let skaddr = if state.is_some() { cookie(FourTuple::new(src, dest)) } else { 0 };
        let state = state.map_or("UNKNOWN", TcpState::kernel_name);
        let text = format!(
            "skbaddr={skbaddr:016x} skaddr={skaddr:016x} src={src} dest={dest} state={state} \
             reason={reason}"
        );
        self.line(at, "tcp_send_reset", &text)
    }
    fn line(&self, at: Instant, event: &str, text: &str) -> String {
        let (seconds, micros) = (at.ns / 1_000_000_000, at.ns / 1_000 % 1_000_000);
        format!(
            "{:>16}-{:<7} [000] ..... {seconds:>5}.{micros:06}: {event}: {text}\n",
            self.host, 0
        )
    }
}

/// Did close() itself end the socket?
const fn ends_in_close(state: TcpState, why: SockEnd) -> bool {
    match why {
        SockEnd::Done => matches!(state, TcpState::SynSent | TcpState::Close),
        SockEnd::Aborted(cause) => matches!(
            cause,
            Cause::RstUnreadData
                | Cause::RstLingerZero
                | Cause::RstLinger2Close
                | Cause::RstOrphanLimit
                | Cause::RstListenerClosed
        ),
        _ => false,
    }
}

/// The addresses and ports as these tracepoints print them.
fn ends(flow: FourTuple) -> String {
    let FourTuple { saddr, sport, daddr, dport } = flow;
    format!(
        "sport={sport} dport={dport} saddr={saddr} daddr={daddr} saddrv6=::ffff:{saddr} \
         daddrv6=::ffff:{daddr}"
    )
}

fn cookie(flow: FourTuple) -> u32 {
    fnv(3, &[flow.source(), flow.destination()], 0)
}

fn buffer(segment: &Segment) -> u32 {
    fnv(4, &[segment.flow.source(), segment.flow.destination()], segment.seq.0)
}
