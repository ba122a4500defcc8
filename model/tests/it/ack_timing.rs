//! When an ACK leaves: at once, delayed, or on data. Sections D3 and D4 of the companion sheet.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::kernel::{Fd, SockOpt};
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::pair::End::{C, S};
use crate::pair::Pair;
use crate::solo::Solo;

/// The peer sends `len` bytes, in order; what is answered at once.
struct Sender {
    solo: Solo,
    fd: Fd,
    next: i64,
}

impl Sender {
    fn new(release: Release) -> Self {
        let mut solo = Solo::new(release, &[]);
        let (_, fd) = solo.accepted();
        Self { solo, fd, next: 1 }
    }
    fn data(&mut self, len: u16) -> String {
        let text = format!("P. {} {len} ack 1", self.next);
        self.next += i64::from(len);
        self.solo.rx(&text)
    }
    fn read(&mut self) -> String {
        let fd = self.fd;
        self.solo.call(|k, cx| k.recv(fd, 100_000, cx).unwrap())
    }
}

#[test]
fn d3_4_sixteen_quick_acks() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        let mut quick = 0;
        for _ in 0..30 {
            if sender.data(100) == "-" {
                break;
            }
            quick += 1;
            sender.solo.wait(Span::millis(2));
        }
        assert_eq!(quick, 16, "{release}");
        let sent = sender.solo.wait(Span::millis(300));
        assert_eq!(sent.len(), 1, "{release}: the seventeenth is delayed");
        assert_eq!(sender.solo.mib(Mib::DelayedACKs), 1);
    }
}

/// Segments further apart than an RTO refill the credit: a slow sender always gets quick ACKs.
#[test]
fn d3_4_a_slow_sender_is_always_answered_at_once() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        for n in 0..60 {
            assert_ne!(sender.data(100), "-", "{release}: segment {n}");
            sender.solo.wait(Span::secs(4));
        }
        assert_eq!(sender.solo.mib(Mib::DelayedACKs), 0);
    }
}

/// Out of credit, every second full-sized segment is answered.
#[test]
fn d3_1_more_than_one_full_segment_is_answered() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        for _ in 0..60 {
            sender.data(1460);
            sender.read();
            sender.solo.wait(Span::millis(1));
        }
        let silent = sender.data(1460) == "-";
        sender.read();
        if !silent {
            assert_eq!(sender.data(1460), "-", "{release}: the first of two");
        }
        // With its window at its largest, it waits for the reader.
        let second = [sender.data(1460), sender.read()];
        assert!(second.iter().any(|s| s != "-"), "{release}: the second");
    }
}

/// A reply within the ACK timeout makes the connection interactive: later requests are
/// acknowledged by their replies.
#[test]
fn d3_6_replies_carry_the_acks() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        assert_ne!(sender.data(50), "-", "{release}: the first request");
        for n in 0..10 {
            sender.read();
            let fd = sender.fd;
            sender.solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap());
            let (seq, ack) = (sender.next, 11 + 10 * n);
            sender.next += 50;
            sender.solo.wait(Span::millis(5));
            assert_eq!(sender.solo.rx(&format!("P. {seq} 50 ack {ack}")), "-", "{release}: {n}");
        }
        // Nobody replies to the last: 40 ms or one quarter more pass.
        let sent = sender.solo.wait(Span::millis(300));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].2, Cause::AckDelayed, "{release}");
        let ms = sent[0].0.ns / 1_000_000;
        assert!((40..=48).contains(&ms), "{release}: {ms} ms");
    }
}

/// D3.8: the timer's firing ends the interactive mode, so the next segment may be quick again.
#[test]
fn d3_8_a_delayed_ack_ends_the_interactive_mode() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        sender.data(50);
        sender.read();
        let fd = sender.fd;
        sender.solo.call(|k, cx| k.send(fd, 10, false, cx).unwrap());
        sender.next += 50;
        assert_eq!(sender.solo.rx("P. 51 50 ack 11"), "-", "{release}");
        assert_eq!(sender.solo.wait(Span::millis(100)).len(), 1);
        sender.next = 101;
        let text = sender.solo.rx("P. 101 50 ack 11");
        assert_eq!(text, ". 11:11 ack 151", "{release}");
    }
}

/// D3.9: reading what was pushed twice sends the ACK; end of file sends nothing.
#[test]
fn d3_9_reading_sends_an_ack_that_is_due() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        for _ in 0..16 {
            sender.data(100);
            sender.read();
            sender.solo.wait(Span::millis(2));
        }
        assert_eq!(sender.data(100), "-", "{release}");
        assert_eq!(sender.read(), format!(". 1:1 ack {}", sender.next), "{release}: one push");
    }
}

#[test]
fn quickack_options() {
    for release in Release::ALL {
        let mut sender = Sender::new(release);
        let fd = sender.fd;
        sender.solo.call(|k, cx| k.setsockopt(fd, SockOpt::QuickAck(0), cx).unwrap());
        assert_eq!(sender.data(100), "-", "{release}: TCP_QUICKACK 0 delays");
        let now = sender.solo.call(|k, cx| k.setsockopt(fd, SockOpt::QuickAck(1), cx).unwrap());
        assert_eq!(now, "-", "{release}: and 1 sends nothing while data are unread");
        assert_eq!(sender.read(), format!(". 1:1 ack {}", sender.next), "{release}: reading does");
        // With everything read, the option itself sends what is due.
        let mut sender = Sender::new(release);
        let fd = sender.fd;
        sender.solo.call(|k, cx| k.setsockopt(fd, SockOpt::QuickAck(0), cx).unwrap());
        assert_eq!((sender.data(100), sender.read()), ("-".into(), "-".into()), "{release}");
        let now = sender.solo.call(|k, cx| k.setsockopt(fd, SockOpt::QuickAck(1), cx).unwrap());
        assert_eq!(now, ". 1:1 ack 101", "{release}");
    }
}

// — D4: FIN and ACK, one segment or two —

/// The ladder after C's FIN, S closing so many milliseconds later.
fn fin_and_close(release: Release, payload: bool, close_us: u64) -> (String, Pair) {
    let mut pair = Pair::new(release);
    let (c, s) = pair.connect();
    if payload {
        pair.send(C, c, 50);
        pair.run(Span::millis(10));
        assert_eq!(pair.recv(S, s), Ok(50));
    }
    pair.run(Span::millis(100));
    let at = pair.log.len();
    pair.close(C, c);
    pair.run(Span::micros(close_us));
    pair.close(S, s);
    pair.run(Span::millis(200));
    (pair.line(at), pair)
}

#[test]
fn d4_1_a_fin_after_payload_waits_40_ms_for_the_close() {
    for release in Release::ALL {
        for (ms, one) in [(1, true), (10, true), (30, true), (60, false)] {
            let (line, pair) = fin_and_close(release, true, ms * 1000);
            let want = if one {
                "C F. 51:51 ack 1 · S F. 1:1 ack 52 · C . 52:52 ack 2"
            } else {
                "C F. 51:51 ack 1 · S . 1:1 ack 52 · S F. 1:1 ack 52 · C . 52:52 ack 2"
            };
            assert_eq!(line, want, "{release}: close after {ms} ms");
            assert_eq!(pair.mib(S, Mib::DelayedACKs), u64::from(!one));
        }
    }
}

#[test]
fn d4_2_a_fin_without_payload_waits_a_tick() {
    for release in Release::ALL {
        let (line, _) = fin_and_close(release, false, 10_000);
        let want = "C F. 1:1 ack 1 · S . 1:1 ack 2 · S F. 1:1 ack 2 · C . 2:2 ack 2";
        assert_eq!(line, want, "{release}: close after 10 ms");
        let (line, pair) = fin_and_close(release, false, 60);
        let want = "C F. 1:1 ack 1 · S F. 1:1 ack 2 · C . 2:2 ack 2";
        assert_eq!(line, want, "{release}: close after 10 us");
        assert_eq!(pair.mib(S, Mib::DelayedACKs), 0);
    }
}

#[test]
fn d4_3_a_fin_on_data_is_delayed() {
    for release in Release::ALL {
        let mut pair = Pair::new(release);
        let (c, _) = pair.connect();
        let at = pair.log.len();
        pair.on(C, |k, cx| k.setsockopt(c, SockOpt::Cork(true), cx)).unwrap();
        pair.send(C, c, 10);
        pair.close(C, c);
        pair.run(Span::millis(150));
        assert_eq!(pair.line(at), "C FP. 1:11 ack 1 · S . 1:1 ack 12", "{release}: L10");
        let ms = (pair.log[at + 1].0 - pair.log[at].0).ns / 1_000_000;
        assert!((40..=44).contains(&ms), "{release}: {ms} ms");
    }
}

#[test]
fn d4_5_a_closer_answers_the_fin_at_once() {
    for release in Release::ALL {
        let (_, pair) = fin_and_close(release, true, 60_000);
        let [.., fin, ack] = &pair.log[..] else { panic!("a FIN and its ACK") };
        assert_eq!((ack.0 - fin.0).ns, 50_000, "{release}: as long as the wire is");
    }
}
