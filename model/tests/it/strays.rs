//! Segments for nobody, for a listener and for a request: sections 8.2 to 8.4 of the fact sheet.

use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::solo::{Say, Solo};
use crate::text_table::{Row, check, flags};
use crate::trace::{both, one, play};

fn say_of(row: &Row<'_>) -> Say {
    Say {
        flags: flags(row.get("flags")),
        seq: row.number("seq").unwrap(),
        len: row.number("len").unwrap() as u16,
        ack: row.number("ack").unwrap_or(0),
        ts: None,
    }
}

/// 8.2: nothing is found.
const NOBODY: &str = "
flags seq len ack reply
R     5   0   -   -
R.    5   0   9   -
SR    5   0   -   -
.     5   0   9   R 9:9
F.    5   0   9   R 9:9
P.    5   10  9   R 9:9
S.    5   0   9   R 9:9
S     5   0   -   R. 0:0 ack 6
F     5   10  -   R. 0:0 ack 16
F     5   0   -   R. 0:0 ack 6
P     5   10  -   R. 0:0 ack 15
-     5   0   -   R. 0:0 ack 5
S     5   10  -   R. 0:0 ack 16
SF    5   0   -   R. 0:0 ack 7
";

#[test]
fn nobody_answers_with_a_rst() {
    check(NOBODY, |release, row| {
        let mut solo = Solo::new(release, &[]);
        let seg = solo.segment(say_of(row));
        let sent = solo.on(|k, cx| k.rx(&seg, cx)).1;
        for (rst, _) in &sent {
            assert_eq!((rst.win, rst.options.is_empty()), (0, true), "9.3.3");
        }
        assert_eq!(solo.mib(Mib::OutRsts), sent.len() as u64);
        assert_eq!(solo.mib(Mib::OutSegs), sent.len() as u64);
        solo.show(&sent)
    });
}

/// 8.4: a listener.
const LISTENER: &str = "
flags seq len ack reply
.     5   0   9   R 9:9
S.    5   0   9   R 9:9
F.    5   0   9   R 9:9
P.    5   10  9   R 9:9
R     5   0   -   -
R.    5   0   9   -
SR    5   0   -   -
SF    5   0   -   -
F     5   0   -   -
P     5   10  -   -
-     5   0   -   -
S     0   0   -   S. 0:0 ack 1
S     0   10  -   S. 0:0 ack 1
SP    0   0   -   S. 0:0 ack 1
";

#[test]
fn a_listener_takes_syns_only() {
    check(LISTENER, |release, row| {
        let mut solo = Solo::new(release, &[]);
        solo.listen(10);
        let text = solo.says(say_of(row));
        assert_eq!(solo.mib(Mib::ListenDrops), 0, "no counter for what is dropped");
        let waits = if text.starts_with('S') { "SYN-RECV" } else { "gone" };
        assert_eq!(solo.state(), waits);
        text
    });
}

/// 8.3: a request, by what it answers, whether it stays, and what is counted.
const REQUEST: &str = "
flags seq  len ack outcome
S     0    0   -   S. 0:0 ack 1, SYN-RECV, RetransSegs
R     1    0   -   -, gone, AttemptFails EmbryonicRsts
R.    1    0   1   -, gone, AttemptFails EmbryonicRsts
R     2    0   -   3.10: -, gone, AttemptFails EmbryonicRsts  6.18: . 1:1 ack 1, SYN-RECV,
R     -1   0   -   -, SYN-RECV,
S     1    0   -   R. 0:0 ack 2, gone, AttemptFails OutRsts EmbryonicRsts
S     -9   0   -   . 1:1 ack 1, SYN-RECV,
.     1    0   2   R 2:2, SYN-RECV, OutRsts
P.    1    10  9   R 9:9, SYN-RECV, OutRsts
P     1    10  -   -, SYN-RECV,
F     1    0   -   -, SYN-RECV,
.     -9   0   1   . 1:1 ack 1, SYN-RECV,
S.    1    0   1   R 1:1, gone, AttemptFails OutRsts EmbryonicRsts
.     1    0   1   -, ESTAB,
P.    1    10  1   . 1:1 ack 11, ESTAB,
F.    1    0   1   -, CLOSE-WAIT,
";

#[test]
fn a_request_meets_every_kind_of_segment() {
    check(REQUEST, |release, row| {
        let mut solo = Solo::new(release, &[]);
        solo.listen(10);
        solo.syn();
        let before = solo.k.counters().clone();
        let text = solo.says(say_of(row));
        let counted: Vec<String> = [
            Mib::AttemptFails,
            Mib::EstabResets,
            Mib::RetransSegs,
            Mib::OutRsts,
            Mib::EmbryonicRsts,
            Mib::ListenDrops,
        ]
        .iter()
        .filter(|m| solo.mib(**m) > before.get(**m))
        .map(|m| format!("{m:?}"))
        .collect();
        format!("{text}, {}, {}", solo.state(), counted.join(" ")).trim().to_owned()
    });
}

#[test]
fn a_repeated_syn_is_answered_twice_a_second() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[]);
        solo.listen(10);
        solo.syn();
        let mut answers = 0;
        for _ in 0..10 {
            answers += u64::from(solo.syn() != "-");
            solo.wait(Span::millis(90));
        }
        assert_eq!(answers, 2, "{release}");
        assert_eq!(solo.mib(Mib::TCPACKSkippedSynRecv), 8, "{release}");
    }
}

#[test]
fn the_accept_queue_overflows_at_the_third_segment() {
    for (abort, answer) in [("0", "-"), ("1", "R 1:1")] {
        for release in Release::ALL {
            let mut solo = Solo::new(release, &[("tcp_abort_on_overflow", abort)]);
            let listener = solo.listen(1);
            assert_eq!(solo.syn(), "S. 0:0 ack 1");
            assert_eq!(solo.rx(". 1 0 ack 1"), "-");
            // Two handshakes begin while there is room for one more.
            for port in [40001, 40002] {
                solo.port = port;
                assert_eq!(solo.syn(), "S. 0:0 ack 1");
            }
            solo.port = 40001;
            assert_eq!(solo.rx(". 1 0 ack 1"), "-");
            solo.port = 40002;
            assert_eq!(solo.rx(". 1 0 ack 1"), answer, "{release}");
            let embryonic = if abort == "1" { "1" } else { "0" };
            let text = format!(
                "ListenOverflows 1
                 ListenDrops 1
                 EmbryonicRsts {embryonic}
                 AttemptFails 0
                 PassiveOpens 2
                 OutRsts {embryonic}"
            );
            play(&mut solo, listener, listener, &text);
            if abort == "0" {
                // The request stays; once there is room, the next segment completes it.
                assert_eq!(solo.rx("P. 1 5 ack 1"), "-", "{release}: still full");
                assert_eq!(solo.mib(Mib::ListenOverflows), 2);
                assert!(solo.on(|k, cx| k.accept(listener, cx)).0.is_ok());
                assert_eq!(solo.rx("P. 1 5 ack 1"), ". 1:1 ack 6", "{release}");
                assert_eq!(solo.mib(Mib::PassiveOpens), 3);
            }
        }
    }
}

/// 6.3.1 and 6.4.1: what is limited, and what restarts the 60 seconds.
#[test]
fn limits_on_the_acks_of_a_time_wait_bucket() {
    both(
        &[],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         < . 1 0 ack 2 -> . 2:2 ack 2
         < . 1 0 ack 2 ->
         < S 1 ->
         < S. 1 0 ack 2 ->
         TCPACKSkippedTimeWait 3
         # whatever occupies sequence space is answered every time, a bare FIN too
         < F. 1 0 ack 2 -> . 2:2 ack 2
         < P. 2 10 ack 2 -> . 2:2 ack 2
         < P. 200 10 ack 2 -> . 2:2 ack 2
         wait 510ms ->
         < . 1 0 ack 2 -> . 2:2 ack 2
         # nothing but an exact RST harms it
         < R 1 ->
         < R 3 ->
         < R. 500 0 ack 2 ->
         state TIME-WAIT
         < R 2 ->
         state gone
         OutRsts 0",
    );
}

#[test]
fn every_answered_segment_begins_the_sixty_seconds_anew() {
    for release in Release::ALL {
        one(
            release,
            &[],
            "close -> F. 1:1 ack 1
             < F. 1 0 ack 2 -> . 2:2 ack 2
             wait 50s ->
             < F. 1 0 ack 2 -> . 2:2 ack 2
             wait 50s ->
             < . 2 0 ack 2 ->
             wait 50s ->
             state TIME-WAIT
             # a SYN without ACK does not
             < S 1 -> . 2:2 ack 2
             wait 13s ->
             state gone",
        );
    }
}

#[test]
fn rfc1337() {
    both(
        &[("tcp_rfc1337", "1")],
        "close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         wait 50s ->
         < R 2 ->
         state TIME-WAIT
         wait 13s ->
         6.18: state gone
         3.10: state TIME-WAIT",
    );
}

#[test]
fn timestamps_of_a_time_wait_bucket() {
    both(
        &[],
        "with timestamps
         close -> F. 1:1 ack 1
         < F. 1 0 ack 2 -> . 2:2 ack 2
         # an older timestamp: an ACK, limited, and a count
         < . 2 0 ack 2 ts -1 -> . 2:2 ack 2
         6.18: PAWSTimewait 1
         3.10: PAWSEstab 1
         < . 2 0 ack 2 ts -1 ->
         6.18: PAWSTimewait 2
         < R 2 0 ts -1 ->
         state TIME-WAIT
         # a SYN below rcv_nxt with an equal timestamp is old, with a newer one it is not
         < S 1 0 ts 0 ->
         < S 1 0 ts 1 -> S. 0:0 ack 2
         state SYN-RECV",
    );
}
