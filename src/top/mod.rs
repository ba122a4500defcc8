//! A run on one screen, to be moved through in time. What is shown is made from the samples of the
//! run alone, so that moving costs nothing.

mod draw;
mod keys;

pub(crate) use draw::draw;
pub(crate) use keys::Then;

use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::sample::Sample;
use finwait_sim::stack::Platform;

/// A host as the screen knows it.
#[derive(Clone, Debug)]
pub(crate) struct TopHost {
    pub(crate) name: String,
    pub(crate) platform: Platform,
    /// net.ipv4.tcp_max_tw_buckets.
    pub(crate) bucket_limit: i64,
    /// In the order of time, evenly spaced.
    pub(crate) samples: Vec<Sample>,
}

/// What the screen shows.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    pub(crate) run: String,
    pub(crate) hosts: Vec<TopHost>,
    /// The place of the host that is shown.
    pub(crate) host: usize,
    pub(crate) at: Instant,
    pub(crate) end: Instant,
}

/// The states of the table, in the order in which a close goes through them.
pub(crate) const STATES: [TcpState; 10] = [
    TcpState::Listen,
    TcpState::SynSent,
    TcpState::SynRecv,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::TimeWait,
    TcpState::CloseWait,
    TcpState::LastAck,
    TcpState::Closing,
];

/// What rises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counter {
    /// `TcpOutRsts`.
    Rsts,
    /// `TcpExtTCPTimeWaitOverflow`.
    Overflows,
}

impl Screen {
    pub(crate) fn host(&self) -> &TopHost {
        &self.hosts[self.host]
    }
    /// The last sample at or before that time; `None` before the first.
    pub(crate) fn sample(&self, at: Instant) -> Option<&Sample> {
        let samples = &self.host().samples;
        let after = samples.partition_point(|sample| sample.at <= at);
        samples.get(after.checked_sub(1)?)
    }
    /// How many objects are in a state; requests are in SYN-RECV.
    pub(crate) fn count(&self, state: TcpState, at: Instant) -> u32 {
        let Some(sample) = self.sample(at) else { return 0 };
        let requests = if state == TcpState::SynRecv { TcpState::NewSynRecv } else { state };
        let more = if requests == state { 0 } else { sample.count(requests) };
        sample.count(state) + more
    }
    /// By how much a counter has risen in the second before that time.
    pub(crate) fn per_second(&self, counter: Counter, at: Instant) -> u64 {
        let value = |at: Instant| {
            self.sample(at).map_or(0, |sample| match counter {
                Counter::Rsts => sample.out_rsts,
                Counter::Overflows => sample.overflows,
            })
        };
        let Some(before) = at.ns.checked_sub(SECOND.ns) else { return value(at) };
        value(at).saturating_sub(value(Instant { ns: before }))
    }
    /// The last `n` seconds up to the instant shown, the oldest first.
    pub(crate) fn seconds(&self, n: usize) -> impl Iterator<Item = Option<Instant>> {
        let at = self.at.ns;
        (0..n as u64)
            .rev()
            .map(move |back| at.checked_sub(back * SECOND.ns).map(|ns| Instant { ns }))
    }
}

const SECOND: Span = Span::secs(1);
