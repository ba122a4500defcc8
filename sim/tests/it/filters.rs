//! pcap filters select what tcpdump's select: random filters on random segments.

use std::path::PathBuf;
use std::process::Command;

use finwait_model::cause::Cause;
use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::segment::{Flags, Options, Segment, Timestamp};
use finwait_model::seq::Seq;
use finwait_model::time::Instant;
use finwait_sim::capture::{Direction, Packet, Take as _};
use finwait_sim::link::Fate;
use finwait_sim::pcap::Classic;
use finwait_sim::view::pcap_filter::Filter;
use finwait_sim::wire;
use finwait_sim::world::HostId;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many filters, and how many segments each of them sees.
const FILTERS: usize = 400;
const SEGMENTS: usize = 300;

fn tcpdump_is_here() -> bool {
    if Command::new("tcpdump").arg("--version").output().is_ok() {
        return true;
    }
    let required = std::env::var("FINWAIT_LIVE").as_deref() == Ok("require");
    assert!(!required, "tcpdump is not here, and FINWAIT_LIVE=require");
    eprintln!("skipped: tcpdump is not here");
    false
}

fn segments() -> impl Strategy<Value = Segment> {
    let addr = prop_oneof![Just(1u8), Just(2), Just(3)].prop_map(|n| Addr::v4(10, 0, n / 3, n));
    let port = prop_oneof![Just(80u16), Just(81), Just(6379), Just(40000), 1u16..3000];
    let flags = prop_oneof![
        Just(0x02u8),
        Just(0x12),
        Just(0x10),
        Just(0x11),
        Just(0x14),
        Just(0x04),
        Just(0x18),
        any::<u8>()
    ];
    let ends = (addr.clone(), port.clone(), addr, port);
    let stamp = proptest::option::of((any::<u32>(), 0u32..9));
    (ends, flags, any::<(u32, u32, u16)>(), prop_oneof![Just(0u16), 0u16..120], stamp).prop_map(
        |((saddr, sport, daddr, dport), flags, (seq, ack, win), len, stamp)| Segment {
            flow: FourTuple::new(Endpoint::new(saddr, sport), Endpoint::new(daddr, dport)),
            seq: Seq(seq),
            ack: Seq(ack),
            len,
            win,
            flags: Flags(flags),
            options: Options {
                ts: stamp.map(|(val, ecr)| Timestamp { val, ecr }),
                ..Options::default()
            },
        },
    )
}

/// Numbers that a filter computes with.
fn arithmetic() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0u32..40).prop_map(|n| n.to_string()),
        (1u32..400).prop_map(|n| format!("0x{n:x}")),
        Just("len".to_owned()),
        Just("tcp[tcpflags]".to_owned()),
        Just("(tcp-rst|tcp-fin)".to_owned()),
        Just("tcp[2:2]".to_owned()),
        (0u32..70).prop_map(|n| format!("tcp[{n}]")),
        (0u32..38, prop_oneof![Just(1), Just(2), Just(4)])
            .prop_map(|(n, size)| format!("ip[{n}:{size}]")),
    ];
    let operators = proptest::sample::select(vec!["+", "-", "*", "&", "|"]);
    // By constants only: libpcap takes the `0` of `len / tcp[0]` for the divisor and refuses it.
    let divisions = (proptest::sample::select(vec!["/", "%"]), 1u32..40);
    let shifts = (proptest::sample::select(vec!["<<", ">>"]), 0u32..12);
    leaf.prop_recursive(2, 6, 2, move |inner| {
        prop_oneof![
            3 => (inner.clone(), operators.clone(), inner.clone())
                .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            1 => (inner.clone(), divisions.clone())
                .prop_map(|(a, (operator, by))| format!("{a} {operator} {by}")),
            1 => (inner.clone(), shifts.clone())
                .prop_map(|(a, (shift, by))| format!("{a} {shift} {by}")),
            1 => inner.clone().prop_map(|a| format!("({a})")),
            1 => inner.prop_map(|a| format!("tcp[({a}) & 15]")),
        ]
    })
}

fn questions() -> impl Strategy<Value = String> {
    let end = || proptest::sample::select(vec!["", "src ", "dst ", "src or dst ", "src and dst "]);
    let host = || {
        let hosts = ["10.0.0.1", "10.0.0.2", "10.0.1.3", "10.0.0.9", "10.0", "10.0.1"];
        proptest::sample::select(hosts.to_vec())
    };
    let net = proptest::sample::select(vec![
        "10.0.0.0/24",
        "10.0.1.0/24",
        "10.0.0.2/31",
        "10",
        "10.0.1",
        "10.0.0.0 mask 255.255.255.0",
        "11.0.0.0/8",
        "0.0.0.0/0",
    ]);
    let port = || prop_oneof![Just(80u16), Just(81), Just(6379), Just(40000), 1u16..3000];
    let compare = proptest::sample::select(vec!["=", "==", "!=", "<", "<=", ">", ">="]);
    let proto = || proptest::sample::select(vec!["", "tcp "]);
    prop_oneof![
        Just("tcp".to_owned()),
        Just("ip".to_owned()),
        Just("ip proto 6".to_owned()),
        (end(), host()).prop_map(|(end, host)| format!("{end}host {host}")),
        host().prop_map(|host| format!("src {host}")),
        (host(), host()).prop_map(|(a, b)| format!("host {a} or {b}")),
        (end(), net).prop_map(|(end, net)| format!("{end}net {net}")),
        (proto(), end(), port()).prop_map(|(p, end, port)| format!("{p}{end}port {port}")),
        (end(), port(), port()).prop_map(|(end, a, b)| format!("{end}port {a} or not {b}")),
        (end(), port(), port()).prop_map(|(end, a, b)| format!("{end}port ({a} or {b})")),
        (end(), port(), port()).prop_map(|(end, a, b)| format!("{end}portrange {a}-{b}")),
        (20u16..120).prop_map(|n| format!("greater {n}")),
        (20u16..120).prop_map(|n| format!("less {n}")),
        (0u8..=255, any::<u8>())
            .prop_map(|(mask, value)| format!("tcp[13] & {mask} = {}", value & mask)),
        Just("tcp[tcpflags] & (tcp-rst|tcp-fin) != 0".to_owned()),
        Just("tcp[tcpflags] == tcp-syn".to_owned()),
        (arithmetic(), compare, arithmetic()).prop_map(|(a, c, b)| format!("{a} {c} {b}")),
    ]
}

fn filters() -> impl Strategy<Value = String> {
    questions().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} || {b}")),
            inner.clone().prop_map(|a| format!("not {a}")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

/// The numbers of the packets that tcpdump selects, or what it complains about.
fn theirs(file: &PathBuf, filter: &str) -> Result<Vec<u64>, String> {
    let mut command = Command::new("tcpdump");
    // -O: its optimizer drops questions whose answer it knows (`… or ip`), and with them the loads
    // that would have rejected a short packet.
    let output =
        command.args(["-O", "-nn", "-tt", "--nano", "-q", "-r"]).arg(file).arg(filter).output();
    let output = output.expect("it starts");
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its optimizer has found out that nothing can match.
        let nothing = complaint.contains("expression rejects all packets");
        return if nothing { Ok(Vec::new()) } else { Err(complaint) };
    }
    let number = |line: &str| line.split(['.', ' ']).nth(1).and_then(|n| n.parse().ok());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(|line| number(line).expect("a line begins with its time")).collect())
}

#[test]
fn a_filter_selects_what_tcpdump_selects() {
    if !tcpdump_is_here() {
        return;
    }
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let mut packets = Vec::new();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("filters.pcap");
    let mut pcap = Classic::new(std::fs::File::create(&file).expect("it can be made")).expect("it");
    for number in 0..SEGMENTS {
        let segment = segments().new_tree(&mut runner).expect("there is one").current();
        let packet = Packet {
            at: Instant { ns: number as u64 },
            host: HostId(0),
            direction: Direction::Out,
            segment,
            ip_id: number as u16,
            cause: Cause::Data,
            fate: Fate::Lost,
            why: None,
        };
        pcap.take(&packet).expect("it can be written");
        let mut bytes = Vec::new();
        wire::emit_into(&segment, packet.ip_id, &mut bytes);
        packets.push(bytes);
    }
    pcap.finish().expect("it can be written");
    let (mut mixed, mut refused) = (0, 0);
    for _ in 0..FILTERS {
        let text = filters().new_tree(&mut runner).expect("there is one").current();
        let ours = Filter::parse(&text, &[]).map(|filter| {
            let selected = |n: &u64| filter.matches(&packets[*n as usize], Direction::Out);
            (0..SEGMENTS as u64).filter(selected).collect::<Vec<u64>>()
        });
        match (theirs(&file, &text), ours) {
            (Ok(theirs), Ok(ours)) => {
                assert_eq!(theirs, ours, "{text}");
                mixed += usize::from(!ours.is_empty() && ours.len() < SEGMENTS);
            }
            (Err(_), Err(_)) => refused += 1,
            (Err(theirs), Ok(_)) => panic!("only tcpdump refuses {text}: {theirs}"),
            (Ok(_), Err(ours)) => panic!("only we refuse {text}: {ours}"),
        }
    }
    assert!(
        mixed > FILTERS / 4 && refused < FILTERS / 10,
        "{mixed} select some, {refused} refused"
    );
}
