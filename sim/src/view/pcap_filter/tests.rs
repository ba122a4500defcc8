use super::*;
use crate::wire;
use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::segment::{Flags, Segment};
use proptest::prelude::*;

const HOSTS: [(&str, Addr); 2] = [("web", Addr::v4(10, 0, 0, 1)), ("redis", Addr::v4(10, 0, 0, 2))];

/// A segment from web to redis.
fn packet(sport: u16, dport: u16, flags: Flags, len: u16) -> Vec<u8> {
    let flow = FourTuple::new(Endpoint::new(HOSTS[0].1, sport), Endpoint::new(HOSTS[1].1, dport));
    wire::emit(&Segment { flow, flags, len, ..Segment::default() })
}

fn selects(filter: &str, packet: &[u8]) -> bool {
    let filter = Filter::parse(filter, &HOSTS).unwrap_or_else(|e| panic!("{filter}: {e}"));
    filter.matches(packet, Direction::Out)
}

#[test]
fn questions_about_a_fin() {
    let fin = packet(40000, 6379, Flags::FIN | Flags::ACK, 0);
    for yes in [
        "",
        "tcp",
        "ip",
        "host 10.0.0.1",
        "host web",
        "src web and dst redis",
        "src or dst 10.0.0.2",
        "net 10.0.0.0/24",
        "net 10.0.0.0 mask 255.0.0.0",
        "net 10",
        "port 6379",
        "port redis",
        "tcp dst port (80 or 6379)",
        "portrange 6379-6394",
        "port 80 or 6379",
        "not src port 80 and 40000",
        "tcp[tcpflags] & (tcp-rst|tcp-fin) != 0",
        "tcp[13] & 1 != 0",
        "tcp[tcpflags] == tcp-fin|tcp-ack",
        "tcp[2:2] = 6379",
        "len = 40 && less 40 && greater 40",
        "ip[9] = 6 and ip proto 6 and proto \\tcp",
        "-1 = 0xffffffff",
        "outbound",
        "!(src port 80) and !udp",
        "tcp[13]&(2|1)=1",
        "((tcp[0:2]) + 1) = 40001",
    ] {
        assert!(selects(yes, &fin), "{yes}");
    }
    for no in [
        "udp",
        "arp",
        "host 10.0.0.3",
        "src redis",
        "src and dst web",
        "inbound",
        "tcp[tcpflags] & tcp-rst != 0",
        "udp port 6379",
        "greater 41",
        "udp[0] = 0",
        "not udp[0] = 0 and ip6",
    ] {
        assert!(!selects(no, &fin), "{no}");
    }
}

#[test]
fn and_binds_no_stronger_than_or() {
    let one = packet(1, 2, Flags::ACK, 0);
    assert!(!selects("port 1 or port 2 and port 3", &one));
    assert!(selects("port 1 or (port 2 and port 3)", &one));
}

#[test]
fn a_load_behind_the_end_rejects_whatever_stands_around_it() {
    let short = packet(1, 2, Flags::ACK, 0);
    assert!(!selects("tcp[60] = 1", &short) && !selects("not tcp[60] = 1", &short));
    assert!(selects("tcp or tcp[60] = 1", &short), "it is not asked");
    assert!(!selects("10 / tcp[13] = 0 or tcp", &packet(1, 2, Flags::NONE, 0)));
    assert!(selects("not tcp[60] = 1", &packet(1, 2, Flags::ACK, 100)));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (filter, at, piece) in [
        ("10.0.0.1", 0..8, "expected `host`"),
        ("prot 80", 0..4, "expected `host`"),
        ("port 80 or", 10..10, "expected a question"),
        ("tcp and 80", 8..10, "expected `port`"),
        ("port 70000", 5..10, "expected 0 to 65535"),
        ("host wbe", 5..8, "expected an address or one of web, redis"),
        ("net 10.0.0.1/24", 4..15, "expected 10.0.0.0"),
        ("host 10.0.0.0/24", 13..16, "expected `net`"),
        ("tcp[0:3] = 1", 6..7, "expected 1, 2 or 4"),
        ("tcp[13] & 4", 11..11, "expected a comparison"),
        ("tcp[0] / 0 = 1", 7..8, "expected another number"),
        ("(port 80", 0..1, "expected `)`"),
        ("port 80)", 7..8, "expected something that opens"),
        ("ether host 1", 0..5, "expected a question about TCP over IPv4"),
        ("tcp udp", 4..7, "expected `and`, `or`"),
        ("tcp host web", 0..8, "expected ip or no protocol"),
        ("port 080", 5..8, "expected octal digits"),
        ("port 80 ü", 8..10, "expected a word"),
    ] {
        let error = Filter::parse(filter, &HOSTS).expect_err(filter);
        assert_eq!(error.span, Some(at), "{filter}: {error}");
        assert!(error.expected.contains(piece), "{filter}: {error}");
    }
    let error = Filter::parse("prot 80", &HOSTS).expect_err("it is no word");
    assert_eq!(error.help.as_deref(), Some("did you mean `port`?"));
}

#[test]
fn deep_nesting_is_refused_and_not_fallen_into() {
    for deep in ["(".repeat(5000) + "tcp" + &")".repeat(5000), "not ".repeat(5000) + "tcp"] {
        assert!(Filter::parse(&deep, &HOSTS).is_err());
    }
    assert!(Filter::parse(&("-".repeat(5000) + "1 = 1"), &HOSTS).is_err());
    let wide = vec!["port 1"; 5000].join(" or ");
    assert!(Filter::parse(&wide, &HOSTS).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".{0,60}") {
        let _ = Filter::parse(&text, &HOSTS);
    }

    #[test]
    fn any_words_are_answered_and_never_panic(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "port", "host", "net", "src", "dst", "tcp", "udp", "ip", "80", "10.0.0.1", "10.0", "/",
            "24", "mask", "(", ")", "[", "]", ":", "and", "or", "not", "!", "=", "<", "+", "-", "*",
            "%", "^", "&", "|", "<<", "len", "less", "portrange", "1-9", "web", "proto", "\\tcp",
            "tcp[13]", "tcp-syn", "0", "4294967295", "inbound",
        ]), 0..14),
        bytes in proptest::collection::vec(any::<u8>(), 0..90),
    ) {
        if let Ok(filter) = Filter::parse(&words.join(" "), &HOSTS) {
            filter.matches(&bytes, Direction::In);
        }
    }
}
