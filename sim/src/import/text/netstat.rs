//! `netstat -s`: the counters in sentences, of net-tools 2.10 and of the older one of RHEL 7.

use finwait_model::counters::Mib;

use super::counters::Counters;
use super::{lines, shown, wrong};
use crate::scenario::Error;
use crate::view::mib::{Group, short_name};
use crate::view::netstat::sentence;

/// Sentences that net-tools has put differently over the years.
const OTHERWISE: &[(&str, Mib)] = &[
    ("active connections openings", Mib::ActiveOpens),
    ("segments send out", Mib::OutSegs),
    ("segments retransmited", Mib::RetransSegs),
    ("bad segments received.", Mib::InErrs),
    ("packets rejects in established connections because of timestamp", Mib::PAWSEstab),
    ("passive connections rejected because of timestamp", Mib::PAWSPassive),
    ("active connections rejected because of timestamp", Mib::PAWSActive),
    ("TCP sockets finished time wait in slow timer", Mib::TWKilled),
    ("time wait sockets recycled by timestamp", Mib::TWRecycled),
    ("SYNs to LISTEN sockets ignored", Mib::ListenDrops),
    ("resets received for embryonic SYN_RECV sockets", Mib::EmbryonicRsts),
    ("connections aborted due to timeout", Mib::TCPAbortOnTimeout),
    ("acknowledgments not containing data received", Mib::TCPPureAcks),
    ("times recovered from packet loss by selective acknowledgements", Mib::TCPSackRecovery),
    ("times recovered from packet loss due to SACK data", Mib::TCPSackRecovery),
];

/// Reads the sections Tcp and TcpExt; the others are passed over.
pub fn read(text: &str) -> Result<Counters, Error> {
    let mut out = Counters::default();
    let mut section: Option<&str> = None;
    for (span, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if !line.starts_with(char::is_whitespace) {
            let Some(name) = trimmed.strip_suffix(':') else {
                let message = format!("{} is no section", shown(trimmed));
                return Err(wrong(span, message, "expected a section such as \"TcpExt:\""));
            };
            section = Some(name);
            continue;
        }
        let Some(section) = section else {
            let expected = "expected a section such as \"Tcp:\" before it";
            return Err(wrong(span, format!("{} is in no section", shown(trimmed)), expected));
        };
        let group = match section {
            "Tcp" => Group::Tcp,
            "TcpExt" => Group::TcpExt,
            _ => continue,
        };
        if let Some((name, n)) = counter(trimmed, group) {
            out.put(name, n);
        } else if !trimmed.contains(|c: char| c.is_ascii_digit()) {
            let message = format!("{} counts nothing", shown(trimmed));
            return Err(wrong(span, message, "expected a number and what it counts"));
        }
    }
    Ok(out)
}

/// `200 resets sent`, `TCPDelivered: 1001`, `Quick ack mode was activated 3 times`. A sentence that
/// says nothing to finwait is none.
fn counter(line: &str, group: Group) -> Option<(String, u64)> {
    if let Some((name, n)) = line.split_once(": ")
        && let (true, Ok(n)) = (super::counters::is_name(name), n.trim().parse())
    {
        return Some((format!("{}{name}", group.prefix()), n));
    }
    let start = line.find(|c: char| c.is_ascii_digit())?;
    let digits = line[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len() - start);
    let n = line[start..start + digits].parse().ok()?;
    let before = line[..start].trim();
    let after = line[start + digits..].trim();
    let fits = |text: &str| match text.split_once('#') {
        Some((left, right)) => left.trim() == before && right.trim() == after,
        None => before.is_empty() && text == after,
    };
    let by_sentence = Mib::ALL
        .iter()
        .copied()
        .filter(|mib| Group::of(*mib) == group)
        .find(|mib| sentence(*mib).is_some_and(fits));
    let mib =
        by_sentence.or_else(|| OTHERWISE.iter().find(|(text, _)| fits(text)).map(|(_, m)| *m))?;
    Some((format!("{}{}", Group::of(mib).prefix(), short_name(mib)), n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_old_and_new() {
        let text = "Ip:\n    7 total packets received\nTcp:\n    21 active connections openings\n    \
                    3 bad segments received.\nUdp:\n    9 packets received\nTcpExt:\n    \
                    TCPTimeWaitOverflow: 12\n    Quick ack mode was activated 5 times\n    \
                    18 packet headers predicted\n    4 SYNs to LISTEN sockets dropped\n";
        let counters = read(text).expect("it is right");
        let got: Vec<_> = counters.iter().collect();
        assert_eq!(
            got,
            [
                ("TcpActiveOpens", 21),
                ("TcpExtDelayedACKLost", 5),
                ("TcpExtListenDrops", 4),
                ("TcpExtTCPTimeWaitOverflow", 12),
                ("TcpInErrs", 3),
            ]
        );
    }

    #[test]
    fn errors_have_places() {
        for (text, at) in [
            ("    7 resets sent\n", (1, 1)),
            ("Tcp:\nnonsense\n", (2, 1)),
            ("Tcp:\n    nonsense\n", (2, 1)),
        ] {
            assert_eq!(read(text).expect_err(text).position(text), Some(at), "{text}");
        }
    }
}
