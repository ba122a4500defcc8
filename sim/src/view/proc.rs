//! Files under /proc/net: sockstat, snmp, netstat.

use core::fmt::Write as _;

use finwait_model::kernel::Object;
use finwait_model::release::Release;

use super::HostView;
use super::mib::{self, Group};

/// /proc/net/sockstat, the whole file. A simulated host has no UDP, no raw sockets and no
/// fragments; memory is not modelled: all of these are 0. `[sockstat_seq_show]`
pub fn sockstat(view: &HostView) -> String {
    let stat = view.sockstat;
    format!(
        "sockets: used {}\nTCP: inuse {} orphan {} tw {} alloc {} mem 0\nUDP: inuse 0 mem 0\n\
         UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
        sockets_used(view),
        stat.inuse,
        stat.orphan,
        stat.tw,
        stat.alloc,
    )
}

/// `sockets: used`. 6.18 counts every full socket `[sk_alloc, sk_clone]`; 3.10 only those that a
/// program can reach, neither orphans nor children that nobody has accepted `[sock_alloc]`.
pub fn sockets_used(view: &HostView) -> u32 {
    let stat = view.sockstat;
    match view.release {
        Release::V3_10 => {
            let listeners = view.rows.iter().filter(|row| row.object == Object::Listener);
            let queued: u32 = listeners.map(|row| row.rx_queue).sum();
            stat.alloc.saturating_sub(stat.orphan).saturating_sub(queued)
        }
        Release::V6_18 => stat.alloc,
    }
}

/// The Tcp lines of /proc/net/snmp. `[snmp_seq_show_tcp_udp]`
pub fn snmp(view: &HostView) -> String {
    let mut names = "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn".to_owned();
    // Constants of the MIB; they do not follow the sysctls.
    let mut values = "Tcp: 1 200 120000 -1".to_owned();
    append(view, Group::Tcp, &mut names, &mut values);
    names + "\n" + &values + "\n"
}

/// The TcpExt lines of /proc/net/netstat, without counters that finwait does not count: who reads
/// them goes by names. `[netstat_seq_show]`
pub fn netstat(view: &HostView) -> String {
    let (mut names, mut values) = ("TcpExt:".to_owned(), "TcpExt:".to_owned());
    append(view, Group::TcpExt, &mut names, &mut values);
    names + "\n" + &values + "\n"
}

fn append(view: &HostView, group: Group, names: &mut String, values: &mut String) {
    for (mib, n) in mib::counters(view).filter(|(mib, _)| Group::of(*mib) == group) {
        // Writing into a string cannot fail.
        let _ = write!(names, " {}", mib::short_name(mib));
        let _ = write!(values, " {n}");
    }
}
