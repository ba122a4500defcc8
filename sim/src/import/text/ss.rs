//! `ss -tan`: sockets by state, with their ends.

use core::ops::Range;

use finwait_model::flow::Addr;
use finwait_model::state::TcpState;
use finwait_model::time::Span;

use super::{lines, shown, words, wrong};
use crate::scenario::Error;
use crate::units;

/// Every socket that a machine has, as far as it is TCP over IPv4.
#[derive(Clone, Default, Debug)]
pub struct Sockets {
    /// The sockets.
    pub rows: Vec<Row>,
    /// Those over IPv6.
    pub ipv6: u64,
    /// Those that are no TCP.
    pub others: u64,
}

/// A socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its state.
    pub state: TcpState,
    /// Of a listener the limit of its accept queue, where the text has it.
    pub backlog: Option<u64>,
    /// Its own end.
    pub local: End,
    /// The other end.
    pub peer: End,
    /// Its smoothed round trip, where `-i` was given.
    pub rtt: Option<Span>,
}

/// An end of a connection; a listener's may be open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct End {
    /// The address; `None` for any.
    pub addr: Option<Addr>,
    /// The port; 0 for any.
    pub port: u16,
}

/// States by their names in `ss`.
fn state(name: &str) -> Option<TcpState> {
    TcpState::ALL.into_iter().find(|state| state.ss_name() == name)
}

pub(super) fn is_headline(words: &[&str]) -> bool {
    matches!(words, ["State", "Recv-Q", ..] | ["Netid", "State", ..] | ["Recv-Q", "Send-Q", ..])
}

pub(super) fn is_row(words: &[&str]) -> bool {
    let known = |word: &str| state(word).is_some();
    match words {
        [first, queue, ..] if known(first) => queue.parse::<u64>().is_ok(),
        [netid, second, ..] => is_netid(netid) && known(second),
        _ => false,
    }
}

fn is_netid(word: &str) -> bool {
    const NETIDS: [&str; 17] = [
        "tcp", "udp", "raw", "u_str", "u_dgr", "u_seq", "nl", "p_raw", "p_dgr", "icmp6", "sctp",
        "dccp", "mptcp", "v_str", "v_dgr", "ti_st", "xdp",
    ];
    NETIDS.contains(&word)
}

/// Reads them.
pub fn read(text: &str) -> Result<Sockets, Error> {
    let mut out = Sockets::default();
    for (span, line) in lines(text) {
        let words = words(&span, line);
        let plain: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
        if plain.is_empty() {
            continue;
        }
        // `-i` tells more of a socket on a line of its own, or, with `-O`, on the same.
        if line.starts_with(['\t', ' ']) && !is_row(&plain) {
            if let Some(last) = out.rows.last_mut() {
                last.rtt = rtt(&plain).or(last.rtt);
            }
            continue;
        }
        if is_headline(&plain) {
            if plain[0] == "Recv-Q" {
                let expected =
                    "expected the column State: ss -tan without a single state as filter";
                return Err(wrong(span, "the sockets have no state", expected));
            }
            continue;
        }
        let netid = is_netid(&plain[0].to_ascii_lowercase());
        if netid && plain[0] != "tcp" {
            out.others += 1;
            continue;
        }
        match row(&span, &words[usize::from(netid)..])? {
            Some(row) => out.rows.push(Row { rtt: rtt(&plain), ..row }),
            None => out.ipv6 += 1,
        }
    }
    Ok(out)
}

/// A line; `None` if it is about IPv6.
fn row(span: &Range<usize>, words: &[(Range<usize>, String)]) -> Result<Option<Row>, Error> {
    let expected = "expected a line of ss -tan: state, two queues, two addresses with ports";
    let [name, receive, send, local, peer, ..] = words else {
        return Err(wrong(span.clone(), "this is no socket", expected));
    };
    let Some(state) = state(&name.1) else {
        let message = format!("{} is no state of a socket", shown(&name.1));
        return Err(wrong(name.0.clone(), message, "expected ESTAB, TIME-WAIT, LISTEN or another"));
    };
    let number = |(place, word): &(Range<usize>, String)| {
        word.parse::<u64>().map_err(|_| {
            let message = format!("{} is no length of a queue", shown(word));
            wrong(place.clone(), message, "expected a whole number")
        })
    };
    number(receive)?;
    let send = number(send)?;
    let (Some(local), Some(peer)) = (end(local)?, end(peer)?) else { return Ok(None) };
    let backlog = (state == TcpState::Listen).then_some(send);
    Ok(Some(Row { state, backlog, local, peer, rtt: None }))
}

/// `10.0.0.1:80`, `*:22`, `0.0.0.0:*`, `[::ffff:10.0.0.1]:80`, `10.0.0.1%eth0:80`; `None` for an
/// address of IPv6. A listener on `[::]` takes connections of IPv4 as well.
fn end((place, word): &(Range<usize>, String)) -> Result<Option<End>, Error> {
    let bad = |what: &str, expected: &str| {
        Err(wrong(place.clone(), format!("{} {what}", shown(word)), expected))
    };
    let Some((addr, port)) = word.rsplit_once(':') else {
        return bad("is no address with a port", "expected an address such as 10.0.0.1:80");
    };
    let port = match port {
        "*" => 0,
        port => match port.parse::<u16>() {
            Ok(port) => port,
            Err(_) => return bad("has no port as a number", "expected numbers: ss -n"),
        },
    };
    let addr = addr.trim_start_matches('[').trim_end_matches(']');
    let addr = addr.split('%').next().unwrap_or(addr);
    let addr = addr.strip_prefix("::ffff:").unwrap_or(addr);
    Ok(match addr {
        "*" | "0.0.0.0" | "::" => Some(End { addr: None, port }),
        _ if addr.contains(':') => None,
        _ => match addr.parse::<core::net::Ipv4Addr>() {
            Ok(ip) => Some(End { addr: Some(Addr(u32::from(ip))), port }),
            Err(_) => return bad("has no address as numbers", "expected numbers: ss -n"),
        },
    })
}

/// `rtt:0.012/0.006`, in milliseconds.
fn rtt(words: &[&str]) -> Option<Span> {
    let text = words.iter().find_map(|word| word.strip_prefix("rtt:"))?;
    units::span(&format!("{}ms", text.split('/').next()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_ends_and_round_trips() {
        let text = "State     Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n\
                    LISTEN    0      511        127.0.0.1:6379       0.0.0.0:*\n\
                    LISTEN    0      128             [::]:22            [::]:*\n\
                    ESTAB     0      0   [::ffff:10.0.0.1]:80 [::ffff:10.0.0.2]:4000 users:((\"x\"))\n\
                    \t ts sack rtt:0.012/0.006 mss:1448\n\
                    ESTAB     0      0          [fe80::1]:80       [fe80::2]:4000\n\
                    TIME-WAIT 0      0    10.0.0.1%eth0:40000  10.0.0.3:6379\n";
        let sockets = read(text).expect("it is right");
        assert_eq!((sockets.rows.len(), sockets.ipv6), (4, 1));
        assert_eq!(sockets.rows[0].backlog, Some(511));
        assert_eq!(sockets.rows[1].local, End { addr: None, port: 22 });
        assert_eq!(sockets.rows[2].rtt, Some(Span::micros(12)));
        assert_eq!(sockets.rows[3].local, End { addr: Some(Addr::v4(10, 0, 0, 1)), port: 40000 });
        let text = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
                    u_str ESTAB  0      0      * 1234 * 4321\ntcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n";
        let sockets = read(text).expect("it is right");
        assert_eq!((sockets.rows.len(), sockets.others), (1, 1));
    }

    #[test]
    fn errors_have_places() {
        for (text, at) in [
            ("ESTAB 0 0 10.0.0.1:http 10.0.0.2:5\n", (1, 11)),
            ("ESTAB 0 0 web:80 10.0.0.2:5\n", (1, 11)),
            ("ESTAB 0 x 10.0.0.1:80 10.0.0.2:5\n", (1, 9)),
            ("ESTAB 0 0\n", (1, 1)),
            ("WAITING 0 0 10.0.0.1:80 10.0.0.2:5\n", (1, 1)),
            ("Recv-Q Send-Q Local Address:Port\n", (1, 1)),
        ] {
            assert_eq!(read(text).expect_err(text).position(text), Some(at), "{text}");
        }
    }
}
