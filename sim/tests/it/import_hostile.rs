//! Whatever is imported: no panic, a bounded table, and always a scenario that can be read.

use finwait_sim::import::capture::{Analysis, Limits};
use finwait_sim::import::text::{Kind, recognise};
use finwait_sim::import::{Facts, Wishes, infer};
use finwait_sim::pcap::Format;
use proptest::prelude::*;

use crate::any_scenario::{config, parse};
use crate::import::{captured, valid};

/// One of the texts that tools print, whole.
const TEXTS: &[&str] = &[
    "net.ipv4.tcp_max_tw_buckets = 131072\nnet.ipv4.tcp_rmem = 4096\t87380\t6291456\nkernel.osrelease = 3.10.0-1160.el7\n\
     kernel.hostname = web1.example.org\nnet.ipv4.tcp_fin_timeout = 99999999999\nvm.swappiness = 10\n",
    "#kernel\nTcpActiveOpens                  201                0.0\nTcpPassiveOpens   7 0.0\nTcpExtTW  200  0.0\n\
     TcpExtTCPTimeWaitOverflow 18446744073709551615 0.0\nTcpRetransSegs 3 0.0\nTcpOutSegs 9 0.0\n",
    "{\"kernel\":{\"TcpActiveOpens\":201,\"TcpExtTW\":200,\"TcpPassiveOpens\":18446744073709551615}}\n",
    "Tcp:\n    201 active connections openings\n    9 passive connection openings\nTcpExt:\n    TCPTimeWaitOverflow: 12\n",
    "Tcp: RtoAlgorithm ActiveOpens PassiveOpens\nTcp: 1 77 88\nTcpExt: TW TCPTimeWaitOverflow\nTcpExt: 5 6\n",
    "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 511 0.0.0.0:80 0.0.0.0:*\n\
     ESTAB 0 0 10.0.0.1:80 10.0.0.2:4000\n\t rtt:0.5/0.1\nTIME-WAIT 0 0 10.0.0.1:40001 10.0.0.3:6379\n\
     TIME-WAIT 0 0 127.0.0.1:40002 127.0.0.1:80\nFIN-WAIT-2 0 0 10.0.0.1:40003 10.0.0.3:6379\nESTAB 0 0 [fe80::1]:1 [fe80::2]:2\n",
    "Total: 4\nTCP:   204 (estab 2, closed 201, orphaned 0, timewait 200)\n",
    "sockets: used 3\nTCP: inuse 3 orphan 0 tw 200 alloc 4 mem 311\n",
    "  sl  local_address rem_address   st tx_queue\n   0: 0100007F:18EB 00000000:0000 0A 0:0\n   1: 0100000A:9C40 0300000A:18EB 06 0:0\n",
    "Linux web 5.14.0-70.el9.x86_64 #1 SMP\n",
    "123456.78 99.10\n",
];

/// What happens to bytes on their way.
#[derive(Clone, Debug)]
enum Harm {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Again(prop::sample::Index, prop::sample::Index),
    Number(prop::sample::Index, &'static str),
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    let index = any::<prop::sample::Index>;
    let number = prop::sample::select(
        &[
            "0",
            "-1",
            "18446744073709551615",
            "18446744073709551616",
            "0.5",
            "",
            "\u{1b}[31m",
            "\"",
            "\n",
        ][..],
    );
    let harm = prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        1 => index().prop_map(Harm::Cut),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        1 => (index(), index()).prop_map(|(from, to)| Harm::Again(from, to)),
        3 => (index(), number).prop_map(|(at, number)| Harm::Number(at, number)),
    ];
    prop::collection::vec(harm, 0..12)
}

fn harmed(bytes: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for harm in harms {
        if out.is_empty() {
            break;
        }
        match harm {
            Harm::Set(at, byte) => {
                let at = at.index(out.len());
                out[at] = *byte;
            }
            Harm::Cut(at) => out.truncate(at.index(out.len())),
            Harm::Insert(at, bytes) => {
                let at = at.index(out.len());
                out.splice(at..at, bytes.iter().copied());
            }
            Harm::Again(from, to) => {
                let (from, to) = (from.index(out.len()), to.index(out.len()));
                let piece = out[from.min(to)..from.max(to)].to_vec();
                out.splice(to..to, piece);
            }
            // The digits behind that place become another number.
            Harm::Number(at, number) => {
                let start = at.index(out.len());
                let Some(first) = out[start..].iter().position(u8::is_ascii_digit) else {
                    continue;
                };
                let first = start + first;
                let last = out[first..]
                    .iter()
                    .position(|b| !b.is_ascii_digit())
                    .map_or(out.len(), |n| first + n);
                out.splice(first..last, number.bytes());
            }
        }
    }
    out
}

/// Reads a text as whatever it looks like; what is taken over leads to a scenario.
fn read(facts: &mut Facts, bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    match recognise(text) {
        Ok(kind) => {
            if let Err(error) = facts.add(kind, "text", text) {
                assert!(
                    error.span.is_none_or(|span| span.start <= span.end && span.end <= text.len())
                );
            }
        }
        Err(error) => assert!(!error.expected.is_empty()),
    }
}

fn small_capture() -> Vec<u8> {
    let text = "duration = \"300ms\"\n[hosts.a]\nkernel = \"3.10\"\n[hosts.b]\nkernel = \"6.18\"\n[links]\nloss = \"5%\"\n\
                [[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80-81\"\nrate = \"30/s\"\nclose = \"shutdown\"\n\
                [[apps]]\nkind = \"server\"\nhost = \"b\"\nport = \"80-81\"\nparting_bytes = 9\nclose_after = \"5ms\"\n";
    captured(&parse(text), None, Format::Ng)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..config() })]

    #[test]
    fn texts_that_were_harmed(
        harms in prop::collection::vec((0..TEXTS.len(), harms()), 1..6),
        between in prop::option::of(1_u64..1 << 62),
    ) {
        let mut facts = Facts { between: between.map(finwait_model::time::Span::nanos), ..Facts::default() };
        for (which, harms) in &harms {
            read(&mut facts, &harmed(TEXTS[*which].as_bytes(), harms));
        }
        if facts.check().is_ok() {
            valid(&facts);
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,300}", kind in 0..10_usize) {
        let kinds = [
            Kind::Sysctl, Kind::Nstat, Kind::Netstat, Kind::Mib, Kind::Ss, Kind::SsSummary,
            Kind::Sockstat, Kind::ProcTcp, Kind::Uname, Kind::Uptime,
        ];
        let mut facts = Facts::default();
        if facts.add(kinds[kind], &text, &text).is_ok() {
            valid(&facts);
        }
    }

    #[test]
    fn captures_that_were_harmed(harms in harms(), classic in any::<bool>()) {
        use std::sync::OnceLock;
        static FILES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
        let (ng, old) = FILES.get_or_init(|| {
            let text = "duration = \"200ms\"\n[hosts.a]\nkernel = \"6.18\"\n[hosts.b]\nkernel = \"6.18\"\n[[apps]]\nkind = \"client\"\n\
                        host = \"a\"\nto = \"b:80\"\nrate = \"50/s\"\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = 80\n";
            (small_capture(), captured(&parse(text), Some(finwait_sim::world::HostId(1)), Format::Classic))
        });
        let bytes = harmed(if classic { old } else { ng }, &harms);
        let mut analysis = Analysis::new(Limits { flows: 16, services: 3 });
        if analysis.read(bytes.as_slice(), |_| ()).is_ok() {
            let mut facts = Facts::default();
            facts.add_capture(analysis.finish(), "x\u{1b}\n\"]");
            valid(&facts);
        }
    }

    #[test]
    fn any_segments(segments in prop::collection::vec(any_segment(), 0..120)) {
        let mut bytes = Vec::new();
        finwait_sim::pcap::write(&mut bytes, &segments).expect("memory takes it");
        let mut analysis = Analysis::new(Limits { flows: 8, services: 3 });
        analysis.read(bytes.as_slice(), |_| ()).expect("it is a capture");
        let mut facts = Facts::default();
        facts.add_capture(analysis.finish(), "any");
        valid(&facts);
        let _ = infer(&facts, &Wishes { name: Some("\"\n".to_owned()), duration: None }).scenario("x").expect("it can be read");
    }
}

/// A segment between a few hosts, at any time.
fn any_segment() -> impl Strategy<Value = (u64, finwait_model::segment::Segment)> {
    use finwait_model::flow::{Addr, FourTuple};
    use finwait_model::segment::{Flags, Segment};
    use finwait_model::seq::Seq;
    let time = prop_oneof![0..5_000_000_000_u64, any::<u64>()];
    let number = prop_oneof![0..50_u32, any::<u32>()];
    let ends = (0..3_u8, 0..3_u8, 80..83_u16, 80..83_u16);
    (time, ends, number.clone(), number, any::<u8>(), 0..200_u16).prop_map(
        |(at, ends, seq, ack, flags, len)| {
            let flow = FourTuple {
                saddr: Addr::v4(10, 0, 0, ends.0),
                daddr: Addr::v4(10, 0, 0, ends.1),
                sport: ends.2,
                dport: ends.3,
            };
            (
                at,
                Segment {
                    flow,
                    seq: Seq(seq),
                    ack: Seq(ack),
                    flags: Flags(flags),
                    len,
                    ..Segment::default()
                },
            )
        },
    )
}
