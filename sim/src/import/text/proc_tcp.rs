//! /proc/net/tcp and /proc/net/tcp6: what `ss` shows, in hexadecimal.

use core::ops::Range;

use finwait_model::flow::Addr;
use finwait_model::state::TcpState;

use super::ss::{End, Row, Sockets};
use super::{lines, shown, words, wrong};
use crate::scenario::Error;

/// An IPv4 address within one of IPv6, as the file writes its first three words.
const MAPPED: &str = "0000000000000000FFFF0000";

/// Reads the file.
pub fn read(text: &str) -> Result<Sockets, Error> {
    let mut out = Sockets::default();
    for (span, line) in lines(text) {
        let words = words(&span, line);
        let [number, local, peer, state, ..] = words.as_slice() else {
            if words.is_empty() {
                continue;
            }
            return Err(not_a_socket(&span));
        };
        if number.1 == "sl" {
            continue;
        }
        if !number.1.ends_with(':') {
            return Err(not_a_socket(&span));
        }
        let by_number = |n: u8| TcpState::ALL.into_iter().find(|state| *state as u8 == n);
        let Some(state) = u8::from_str_radix(&state.1, 16).ok().and_then(by_number) else {
            let message = format!("{} is no state of a socket", shown(&state.1));
            return Err(wrong(state.0.clone(), message, "expected 01 to 0C"));
        };
        match (end(local)?, end(peer)?) {
            (Some(local), Some(peer)) => {
                out.rows.push(Row { state, backlog: None, local, peer, rtt: None });
            }
            _ => out.ipv6 += 1,
        }
    }
    Ok(out)
}

fn not_a_socket(span: &Range<usize>) -> Error {
    let expected =
        "expected a line of /proc/net/tcp such as \"0: 0100007F:18EB 00000000:0000 0A …\"";
    wrong(span.clone(), "this is no socket", expected)
}

/// `0100007F:18EB`; `None` for an address of IPv6.
fn end((place, word): &(Range<usize>, String)) -> Result<Option<End>, Error> {
    let bad = || {
        let message = format!("{} is no address with a port", shown(word));
        wrong(place.clone(), message, "expected hexadecimal digits such as 0100007F:18EB")
    };
    let (addr, port) = word.split_once(':').ok_or_else(bad)?;
    let port = u16::from_str_radix(port, 16).map_err(|_| bad())?;
    let all_hex = addr.bytes().all(|b| b.is_ascii_hexdigit());
    let last = match addr.len() {
        8 if all_hex => addr,
        32 if all_hex && addr.starts_with(MAPPED) => &addr[24..],
        32 if all_hex && addr.bytes().all(|b| b == b'0') => "00000000",
        32 if all_hex => return Ok(None),
        _ => return Err(bad()),
    };
    // The file writes the four bytes as one number of a little-endian machine.
    let ip = u32::from_str_radix(last, 16).map_err(|_| bad())?.swap_bytes();
    Ok(Some(End { addr: (ip != 0).then_some(Addr(ip)), port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_both_files() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                    \x20  0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000\n\
                    \x20  1: 0200000A:9C40 0300000A:18EB 06 00000000:00000000 00:00000000\n";
        let sockets = read(text).expect("it is right");
        assert_eq!(sockets.rows[0].state, TcpState::Listen);
        assert_eq!(sockets.rows[0].local.port, 6379);
        assert_eq!(sockets.rows[1].local.addr, Some(Addr::v4(10, 0, 0, 2)));
        assert_eq!(sockets.rows[1].state, TcpState::TimeWait);
        let text = "0: 0000000000000000FFFF00000200000A:0050 0000000000000000FFFF00000300000A:9C40 01\n\
                    1: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A\n\
                    2: B80D01200000000067452301EFCDAB89:0016 00000000000000000000000000000000:0000 0A\n";
        let sockets = read(text).expect("it is right");
        assert_eq!((sockets.rows.len(), sockets.ipv6), (2, 1));
        assert_eq!(sockets.rows[0].local.addr, Some(Addr::v4(10, 0, 0, 2)));
        let text = "0: 0100007F:18EB 00000000:0000 FF 0\n";
        assert_eq!(read(text).expect_err("FF").position(text), Some((1, 32)));
    }
}
