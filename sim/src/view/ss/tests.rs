//! Cells, widths, states and filters, by the example of one host's table.

use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Object, Row, RowTimer, SockStat};
use finwait_model::release::Release;
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Instant, Span};

use super::{Flags, Query, time_left};
use crate::view::HostView;

const WEB: Addr = Addr::v4(10, 0, 0, 1);
const PEER: Addr = Addr::v4(10, 0, 0, 2);

fn row(state: TcpState, object: Object, local: u16, remote: u16) -> Row {
    let timer = match object {
        Object::Bucket => Some(("timewait", 59_960)),
        Object::Request => Some(("on", 996)),
        _ => None,
    };
    Row {
        state,
        object,
        rx_queue: 0,
        tx_queue: 0,
        local: Endpoint::new(WEB, local),
        remote: Endpoint::new(PEER, remote),
        timer: timer.map(|(name, ms)| RowTimer { name, left: Span::millis(ms), count: 0 }),
        orphan: !matches!(object, Object::Listener) && state != TcpState::Established,
    }
}

fn view(release: Release) -> HostView {
    let mut listener = row(TcpState::Listen, Object::Listener, 80, 0);
    listener.local.addr = Addr::ANY;
    listener.remote.addr = Addr::ANY;
    listener.tx_queue = 128;
    HostView {
        name: "web".to_owned(),
        release,
        platform: crate::stack::Platform::Linux(release),
        at: Instant::ZERO,
        rows: vec![
            row(TcpState::Established, Object::Sock, 80, 40000),
            row(TcpState::SynRecv, Object::Request, 80, 40001),
            row(TcpState::FinWait2, Object::Sock, 40002, 6379),
            row(TcpState::FinWait2, Object::Bucket, 40003, 6379),
            row(TcpState::TimeWait, Object::Bucket, 40004, 6379),
            listener,
        ],
        counters: Vec::new(),
        sockstat: SockStat::default(),
        sysctl: Sysctl::new(release),
    }
}

const TCP: Flags = Flags {
    all: false,
    listening: false,
    timers: false,
    extended: false,
    no_header: false,
    tcp: true,
};

/// The local ports of what is selected.
fn ports(flags: Flags, filter: &str, release: Release) -> Vec<u16> {
    let view = view(release);
    let query = Query::new(flags, filter).unwrap();
    query.select(&view).iter().map(|row| row.local.port.max(row.remote.port % 40000)).collect()
}

#[test]
fn the_table_as_ss_prints_it() {
    let flags = Flags { all: true, timers: true, ..TCP };
    let text = Query::new(flags, "").unwrap().text(&view(Release::V6_18));
    let expected = "\
State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process                  |
LISTEN     0      128          0.0.0.0:80         0.0.0.0:*                             |
ESTAB      0      0           10.0.0.1:80        10.0.0.2:40000                         |
SYN-RECV   0      0           10.0.0.1:80        10.0.0.2:40001 timer:(on,996ms,0)      |
FIN-WAIT-2 0      0           10.0.0.1:40002     10.0.0.2:6379                          |
FIN-WAIT-2 0      0           10.0.0.1:40003     10.0.0.2:6379  timer:(timewait,59sec,0)|
TIME-WAIT  0      0           10.0.0.1:40004     10.0.0.2:6379  timer:(timewait,59sec,0)|
";
    assert_eq!(text, expected.replace('|', ""));
}

#[test]
fn the_last_timer_makes_no_room_for_itself() {
    let flags = Flags { timers: true, ..TCP };
    let text = Query::new(flags, "state time-wait").unwrap().text(&view(Release::V6_18));
    let expected = "\
Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
0      0           10.0.0.1:40004     10.0.0.2:6379 timer:(timewait,59sec,0)
";
    assert_eq!(text, expected);
    let bare = Flags { no_header: true, ..TCP };
    let text = Query::new(bare, "state time-wait").unwrap().text(&view(Release::V6_18));
    assert_eq!(text, "0      0      10.0.0.1:40004 10.0.0.2:6379\n");
}

#[test]
fn flags_choose_states() {
    let new = Release::V6_18;
    assert_eq!(ports(TCP, "", new), [80, 40002, 40003]);
    assert_eq!(ports(Flags { all: true, ..TCP }, "", new), [80, 80, 80, 40002, 40003, 40004]);
    assert_eq!(ports(Flags { listening: true, ..TCP }, "", new), [80]);
    assert_eq!(ports(TCP, "state fin-wait-2", new), [40002, 40003]);
    assert_eq!(ports(TCP, "state TIME-WAIT", new), [40004]);
    assert_eq!(ports(TCP, "state bucket", new), [80, 40004]);
    assert_eq!(ports(TCP, "exclude time-wait exclude established", new), [80, 80, 40002, 40003]);
}

#[test]
fn on_3_10_all_buckets_are_time_wait_to_who_asks() {
    let old = Release::V3_10;
    assert_eq!(ports(TCP, "", old), [80, 40002]);
    assert_eq!(ports(TCP, "state fin-wait-2", old), [40002]);
    assert_eq!(ports(TCP, "state time-wait", old), [40003, 40004]);
}

#[test]
fn conditions_group_from_the_left() {
    let all = |filter: &str| ports(Flags { all: true, ..TCP }, filter, Release::V6_18);
    assert_eq!(all("sport = :40002"), [40002]);
    assert_eq!(all("sport >= 40003 and dport eq :6379"), [40003, 40004]);
    assert_eq!(all("sport :40002 or sport :40003 and dport :99"), [0_u16; 0]);
    assert_eq!(all("sport :40002 or sport :40003 dport :99"), [0_u16; 0]);
    assert_eq!(all("sport :40002 dport :99 || sport :40003"), [40003]);
    assert_eq!(all("not ( dst 10.0.0.0/8 | src 0.0.0.0 )"), [0_u16; 0]);
    assert_eq!(all("! dst 10.0.1/24 & sport > :40003"), [40004]);
    assert_eq!(all("dst 10.0.0.2:6379 sport lt :40003"), [40002]);
    assert_eq!(all("dst *:6379 sport ne :40003"), [40002, 40004]);
}

#[test]
fn mistakes_have_a_place() {
    for (filter, place) in [
        ("state fin-wait2", 6..15),
        ("state", 5..5),
        ("sport = :80 and", 15..15),
        ("( sport = :80", 13..13),
        ("sport = :80 )", 12..13),
        ("sport = :65536", 8..14),
        ("dst != 10.0.0.1", 4..6),
        ("dst 10.0.0.256", 4..14),
        ("dst 10.0.0.0/33", 4..15),
        ("(sport = :80)", 0..6),
        ("sport = :80 state established", 12..17),
        ("dev eth0", 0..3),
    ] {
        let error = Query::new(TCP, filter).unwrap_err();
        assert_eq!(error.span, Some(place), "{filter}: {error}");
    }
    let error = Query::new(TCP, "state fin-wait2").unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean `fin-wait-2`?"));
}

#[test]
fn times() {
    for (ms, text) in [
        (0, ""),
        (5, "005ms"),
        (200, "200ms"),
        (1_000, "1sec"),
        (1_060, "1.060ms"),
        (10_500, "10sec"),
        (59_960, "59sec"),
        (60_000, "1min"),
        (62_000, "1min2sec"),
        (119_900, "1min59sec"),
        (660_500, "11min"),
        (7_199_000, "119min"),
    ] {
        assert_eq!(time_left(Span::millis(ms)), text, "{ms}");
    }
}
