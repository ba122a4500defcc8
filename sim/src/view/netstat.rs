//! `netstat -s`: the counters in sentences, as net-tools 2.10 puts them. A counter that net-tools
//! has no sentence for is printed by its name.

use core::fmt::Write as _;

use finwait_model::counters::Mib;

use super::HostView;
use super::mib::{self, Group};

/// What stands behind the number, or around it where there is a `#`.
pub const fn sentence(mib: Mib) -> Option<&'static str> {
    Some(match mib {
        Mib::ActiveOpens => "active connection openings",
        Mib::PassiveOpens => "passive connection openings",
        Mib::AttemptFails => "failed connection attempts",
        Mib::EstabResets => "connection resets received",
        Mib::CurrEstab => "connections established",
        Mib::InSegs => "segments received",
        Mib::OutSegs => "segments sent out",
        Mib::RetransSegs => "segments retransmitted",
        Mib::InErrs => "bad segments received",
        Mib::OutRsts => "resets sent",
        Mib::SyncookiesSent => "SYN cookies sent",
        Mib::SyncookiesRecv => "SYN cookies received",
        Mib::SyncookiesFailed => "invalid SYN cookies received",
        Mib::EmbryonicRsts => "resets received for embryonic SYN_RECV sockets",
        Mib::OutOfWindowIcmps => "ICMP packets dropped because they were out-of-window",
        Mib::TW => "TCP sockets finished time wait in fast timer",
        Mib::TWRecycled => "time wait sockets recycled by time stamp",
        Mib::PAWSPassive => "passive connections rejected because of time stamp",
        Mib::PAWSActive => "active connections rejected because of time stamp",
        Mib::PAWSEstab => "packets rejected in established connections because of timestamp",
        Mib::DelayedACKs => "delayed acks sent",
        Mib::DelayedACKLocked => "delayed acks further delayed because of locked socket",
        Mib::DelayedACKLost => "Quick ack mode was activated # times",
        Mib::ListenOverflows => "times the listen queue of a socket overflowed",
        Mib::ListenDrops => "SYNs to LISTEN sockets dropped",
        Mib::TCPPureAcks => "acknowledgments not containing data payload received",
        Mib::TCPHPAcks => "predicted acknowledgments",
        Mib::TCPRenoRecovery => "times recovered from packet loss due to fast retransmit",
        Mib::TCPFastRetrans => "fast retransmits",
        Mib::TCPSlowStartRetrans => "retransmits in slow start",
        Mib::TCPAbortOnData => "connections reset due to unexpected data",
        Mib::TCPAbortOnClose => "connections reset due to early user close",
        Mib::TCPAbortOnMemory => "connections aborted due to memory pressure",
        Mib::TCPAbortOnTimeout => "connections aborted due to timeout",
        Mib::TCPAbortOnLinger => "connections aborted after user close in linger timeout",
        Mib::TCPAbortFailed => "times unable to send RST due to no memory",
        _ => return None,
    })
}

/// One counter as a line, without indentation.
pub fn line(mib: Mib, n: u64) -> String {
    match sentence(mib) {
        Some(text) if text.contains('#') => text.replace('#', &n.to_string()),
        Some(text) => format!("{n} {text}"),
        None => format!("{}: {n}", mib::short_name(mib)),
    }
}

/// The Tcp and TcpExt sections. The Tcp section shows its ten counters even where they are zero.
/// Left out is what finwait does not count, such as "packet headers predicted".
pub fn text(view: &HostView) -> String {
    let mut out = String::new();
    for group in [Group::Tcp, Group::TcpExt] {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{}:", group.prefix());
        for (mib, n) in mib::counters(view).filter(|(mib, _)| Group::of(*mib) == group) {
            let always = group == Group::Tcp && mib != Mib::InCsumErrors;
            if n > 0 || always {
                let _ = writeln!(out, "    {}", line(mib, n));
            }
        }
    }
    out
}
