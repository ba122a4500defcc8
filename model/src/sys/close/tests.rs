//! What close() decides, sections 2.2 and 2.3 of the fact sheet.

use alloc::format;

use super::{CloseVerdict, close_state, judge_close};
use crate::sock::Sock;
use crate::state::TcpState;
use crate::text_table::check;

/// First match wins. `queued` is what came in order and was not read, `fin` a FIN among it.
const CLOSE: &str = "
state      queued fin linger verdict
# CLOSE: nothing at all
UNCONN     0      no  -      nothing
UNCONN     10     no  0      nothing
# unread data goes before everything else
ESTAB      1      no  -      reset unread
ESTAB      10     no  0      reset unread
ESTAB      10     no  5      reset unread
CLOSE-WAIT 10     yes -      reset unread
FIN-WAIT-1 10     no  -      reset unread
FIN-WAIT-2 10     no  -      reset unread
CLOSING    10     yes -      reset unread
LAST-ACK   10     yes -      reset unread
# a FIN alone is not data
CLOSE-WAIT 0      yes -      go LAST-ACK fin
CLOSING    0      yes -      go CLOSING
# linger 0
ESTAB      0      no  0      disconnect
CLOSE-WAIT 0      yes 0      disconnect
SYN-SENT   0      no  0      disconnect
SYN-RECV   0      no  0      disconnect
FIN-WAIT-1 0      no  0      disconnect
FIN-WAIT-2 0      no  0      disconnect
LAST-ACK   0      yes 0      disconnect
# the state table, with linger > 0 as without
ESTAB      0      no  -      go FIN-WAIT-1 fin
ESTAB      0      no  5      go FIN-WAIT-1 fin
SYN-RECV   0      no  -      go FIN-WAIT-1 fin
SYN-SENT   0      no  -      go UNCONN
FIN-WAIT-1 0      no  -      go FIN-WAIT-1
FIN-WAIT-2 0      no  -      go FIN-WAIT-2
LAST-ACK   0      yes -      go LAST-ACK
";

fn state(name: &str) -> TcpState {
    let found = TcpState::ALL.into_iter().find(|s| s.ss_name() == name);
    found.unwrap_or_else(|| panic!("no state {name}"))
}

#[test]
fn close_in_every_state() {
    check(CLOSE, |_, row| {
        let mut sk = Sock::new(250, 131_072, 16_384);
        sk.state = state(row.get("state"));
        sk.done = row.get("fin") == "yes";
        sk.rcv_nxt = sk.copied_seq + row.number("queued").unwrap() as u32 + u32::from(sk.done);
        sk.rare_mut().opt.linger = row.number("linger").map(|s| s as u32);
        match judge_close(&sk) {
            CloseVerdict::Nothing => "nothing".into(),
            CloseVerdict::ResetUnread => "reset unread".into(),
            CloseVerdict::Disconnect => "disconnect".into(),
            CloseVerdict::Go(to, fin) => format!("go {to}{}", if fin { " fin" } else { "" }),
        }
    });
}

/// 2.3.1: every state has a next one.
#[test]
fn the_table_of_next_states() {
    use TcpState::{
        Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, NewSynRecv,
        SynRecv, SynSent, TimeWait,
    };
    let table = [
        (Established, FinWait1, true),
        (SynSent, Close, false),
        (SynRecv, FinWait1, true),
        (CloseWait, LastAck, true),
        (FinWait1, FinWait1, false),
        (FinWait2, FinWait2, false),
        (Closing, Closing, false),
        (LastAck, LastAck, false),
        (Close, Close, false),
        (NewSynRecv, Close, false),
        (Listen, Close, false),
        (TimeWait, Close, false),
    ];
    assert_eq!(table.len(), TcpState::ALL.len());
    for (from, to, fin) in table {
        assert_eq!(close_state(from), (to, fin), "{from:?}");
    }
}
