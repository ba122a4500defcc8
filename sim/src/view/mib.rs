//! Which counters a release has, and in which group of /proc/net they stand.

use finwait_model::counters::Mib;
use finwait_model::release::Release;

use super::HostView;

/// A group of counters, named as in /proc/net/snmp and /proc/net/netstat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// `Tcp`.
    Tcp,
    /// `TcpExt`.
    TcpExt,
}

impl Group {
    /// The group of a counter.
    pub fn of(mib: Mib) -> Self {
        if mib.nstat_name().starts_with("TcpExt") { Self::TcpExt } else { Self::Tcp }
    }
    /// What nstat puts before the counter's name.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Tcp => "Tcp",
            Self::TcpExt => "TcpExt",
        }
    }
}

/// The counter's name within its group: `OutRsts`, `TCPTimeWaitOverflow`.
pub fn short_name(mib: Mib) -> &'static str {
    let name = mib.nstat_name();
    name.strip_prefix(Group::of(mib).prefix()).unwrap_or(name)
}

/// Does a kernel of this release have the counter? `[snmp4_net_list]`
pub const fn exists(mib: Mib, release: Release) -> bool {
    let since_3_10 = matches!(
        mib,
        Mib::BeyondWindow
            | Mib::TSEcrRejected
            | Mib::PAWSOldAck
            | Mib::PAWSTimewait
            | Mib::TCPWinProbe
            | Mib::TCPKeepAlive
            | Mib::TCPDelivered
            | Mib::TCPZeroWindowDrop
            | Mib::TcpTimeoutRehash
    );
    // It went with net.ipv4.tcp_tw_recycle.
    let gone = matches!(mib, Mib::PAWSPassive);
    match release {
        Release::V3_10 => !since_3_10,
        Release::V6_18 => !gone,
    }
}

/// The host's counters that its release has, in the order of /proc/net.
pub fn counters(view: &HostView) -> impl Iterator<Item = (Mib, u64)> + '_ {
    view.counters.iter().copied().filter(|(mib, _)| exists(*mib, view.release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_short_names() {
        assert_eq!(Group::of(Mib::OutRsts), Group::Tcp);
        assert_eq!(short_name(Mib::OutRsts), "OutRsts");
        assert_eq!(Group::of(Mib::TW), Group::TcpExt);
        assert_eq!(short_name(Mib::TCPTimeWaitOverflow), "TCPTimeWaitOverflow");
        assert_eq!(short_name(Mib::TcpTimeoutRehash), "TcpTimeoutRehash");
    }
}
