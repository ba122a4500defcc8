//! A host as the tools of Linux show it: `ss`, `nstat`, `netstat -s`, `/proc/net/sockstat`,
//! `sysctl`, `tcpdump`. Pure text out of a [`HostView`]; nothing here asks a kernel.

pub mod mib;
pub mod netstat;
pub mod nstat;
mod number;
pub mod pcap_filter;
pub mod proc;
pub mod redis;
pub mod ss;
pub mod sysctl;
pub mod tcpdump;
pub mod trace;

use finwait_model::counters::Mib;
use finwait_model::kernel::{Kernel, Row, SockStat};
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Instant;

use crate::host::Host;
use crate::stack::Platform;

/// How one host stands at one instant: all that the views need, wherever it comes from (a kernel
/// that runs, or a recording).
#[derive(Clone, Debug)]
pub struct HostView {
    /// The host's name in its scenario.
    pub name: String,
    /// What kernel it runs.
    pub release: Release,
    /// The same, or what it runs instead of a kernel.
    pub platform: Platform,
    /// When.
    pub at: Instant,
    /// Every listener, socket, request and bucket, sorted as [`Row`] orders.
    pub rows: Vec<Row>,
    /// Every counter, in the order of [`Mib::ALL`].
    pub counters: Vec<(Mib, u64)>,
    /// /proc/net/sockstat.
    pub sockstat: SockStat,
    /// Its sysctls at that instant.
    pub sysctl: Sysctl,
}

impl HostView {
    /// Looks at a host.
    pub fn of(host: &Host, at: Instant) -> Self {
        let stack = host.stack();
        Self {
            platform: host.platform(),
            rows: stack.rows(at),
            sockstat: stack.sockstat(),
            ..Self::of_kernel(host.name(), host.kernel(), at)
        }
    }
    /// Looks at a kernel.
    pub fn of_kernel(name: &str, kernel: &Kernel, at: Instant) -> Self {
        Self {
            name: name.to_owned(),
            release: kernel.release(),
            platform: Platform::Linux(kernel.release()),
            at,
            rows: kernel.rows(at),
            counters: Mib::ALL.iter().map(|&m| (m, kernel.counters().get(m))).collect(),
            sockstat: kernel.sockstat(),
            sysctl: kernel.sysctl().clone(),
        }
    }
    /// A counter's value.
    pub fn counter(&self, mib: Mib) -> u64 {
        self.counters.iter().find(|(m, _)| *m == mib).map_or(0, |(_, v)| *v)
    }
}
