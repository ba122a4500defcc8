//! The golden traces of an active close on the live kernel, and the generator's cases.

use finwait_model::release::Release;
use finwait_sim::script::lower::lower;
use finwait_sim::script::parse;
use finwait_verify::seen::Seen;
use finwait_verify::{check::Setup, live, plan, talk};

/// Can this process play on the live kernel? Prints why not; `FINWAIT_LIVE=require` forbids that.
pub(crate) fn permitted() -> bool {
    let result = finwait_verify::netns::permit_thread();
    if let Err(why) = &result {
        assert!(std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"), "{why}");
        eprintln!("skipped: {why}");
    }
    result.is_ok()
}

fn play(script: &str) -> Seen {
    let script = parse(script.as_bytes()).unwrap();
    let plan = lower(&script, Release::V6_18, &|_| None).unwrap();
    let case = plan::case("test", &plan).unwrap();
    let setup = Setup::new(None);
    let play = move || live::play(&case, setup.tick, talk::REMOTE, None).unwrap().seen;
    std::thread::spawn(play).join().unwrap()
}

fn sent(seen: &Seen) -> Vec<String> {
    seen.sent.iter().skip(1).map(|s| s.header.to_string()).collect()
}

const OPEN: &str = "
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <...>
+.01 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
+.01 close(4) = 0
+0 > F. 1:1(0) ack 1
+.01 < . 1:1(0) ack 2 win 65535
+.01 < F. 1:1(0) ack 2 win 65535
";

#[test]
fn a_bucket_answers_the_last_fin() {
    if !permitted() {
        return;
    }
    let seen = play(OPEN);
    assert_eq!(sent(&seen), ["F. 1:1(0) ack 1 win 64240", ". 2:2(0) ack 2 win 64240"]);
    let last = seen.looks.last().unwrap();
    assert_eq!(last.tw, 1);
    assert_eq!(last.counters.get("TcpExtTW"), Some(&1));
}

#[test]
fn a_refused_bucket_is_missed_by_the_last_fin() {
    if !permitted() {
        return;
    }
    let seen = play(&format!("`sysctl -q net.ipv4.tcp_max_tw_buckets=0`{OPEN}"));
    assert_eq!(sent(&seen), ["F. 1:1(0) ack 1 win 64240", "R 2:2(0) win 0"]);
    let last = seen.looks.last().unwrap();
    assert_eq!(last.tw, 0);
    assert_eq!(last.counters.get("TcpExtTCPTimeWaitOverflow"), Some(&1));
    assert_eq!(last.counters.get("TcpOutRsts"), Some(&1));
}
