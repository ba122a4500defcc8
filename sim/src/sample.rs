//! How the tables and counters of a host stand, at one instant and over time.

use finwait_model::counters::Mib;
use finwait_model::kernel::SockStat;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use crate::host::Host;

/// One look at a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// /proc/net/sockstat.
    pub sockstat: SockStat,
    /// Sockets and buckets by state's number; buckets by their substate.
    pub states: [u32; 13],
    /// `TcpOutRsts` so far.
    pub out_rsts: u64,
    /// `TcpExtTCPTimeWaitOverflow` so far.
    pub overflows: u64,
    /// `TcpExtTW` so far: buckets made (6.18) or expired (3.10).
    pub tw_total: u64,
}

impl Sample {
    /// Looks at a host. Costs a few dozen reads, whatever the size of its tables.
    pub fn of(host: &Host, at: Instant) -> Self {
        let stack = host.stack();
        let counters = stack.kernel().counters();
        Self {
            at,
            sockstat: stack.sockstat(),
            states: stack.state_counts(),
            out_rsts: counters.get(Mib::OutRsts),
            overflows: counters.get(Mib::TCPTimeWaitOverflow),
            tw_total: counters.get(Mib::TW),
        }
    }
    /// How many sockets or buckets are in that state.
    pub const fn count(&self, state: TcpState) -> u32 {
        self.states[state as usize]
    }
}

/// The largest values of a run's samples.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Peak {
    /// Timewait buckets.
    pub tw: u32,
    /// Orphans.
    pub orphan: u32,
    /// Sockets in FIN-WAIT-1.
    pub fin_wait1: u32,
    /// Sockets and buckets in FIN-WAIT-2.
    pub fin_wait2: u32,
}

impl Peak {
    /// Takes a sample in.
    pub fn take(&mut self, sample: &Sample) {
        self.tw = self.tw.max(sample.sockstat.tw);
        self.orphan = self.orphan.max(sample.sockstat.orphan);
        self.fin_wait1 = self.fin_wait1.max(sample.count(TcpState::FinWait1));
        self.fin_wait2 = self.fin_wait2.max(sample.count(TcpState::FinWait2));
    }
}
