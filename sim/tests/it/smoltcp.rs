//! The model against an independent TCP: smoltcp on the other side, whatever the order in which the
//! two close and whatever the network does in between.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;
use finwait_sim::app::{Call, SysCall};
use finwait_sim::check::Judge;
use finwait_sim::link::Fate;
use finwait_sim::peer::Content;
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::{HostId, Turns};

use crate::any_scenario::{apps, config, host, link, one_of, parse};

/// What was seen of a run, besides what the judge says.
#[derive(Default)]
pub(crate) struct Seen {
    /// Bytes that the applications of each host have read and written.
    read: BTreeMap<HostId, u64>,
    written: BTreeMap<HostId, u64>,
    /// RSTs that left, and those that got lost.
    pub(crate) resets: u64,
    pub(crate) lost_resets: u64,
    /// Segments of each host that offer no room at all.
    pub(crate) zero_windows: BTreeMap<HostId, u64>,
    /// Each state that a socket of a host went to from another.
    steps: BTreeMap<(HostId, TcpState, TcpState), u64>,
    /// The host whose step goes on.
    host: Option<HostId>,
}

impl Seen {
    pub(crate) fn read(&self, host: HostId) -> u64 {
        self.read.get(&host).copied().unwrap_or(0)
    }
    pub(crate) fn written(&self, host: HostId) -> u64 {
        self.written.get(&host).copied().unwrap_or(0)
    }
}

impl Watch for Seen {
    fn wants_notes(&self) -> bool {
        true
    }
    fn wants_steps(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        if sent.segment.flags.rst() {
            self.resets += 1;
            self.lost_resets += u64::from(sent.fate == Fate::Lost);
        } else if sent.segment.win == 0 {
            *self.zero_windows.entry(sent.host).or_default() += 1;
        }
    }
    fn noted(&mut self, _at: Instant, host: HostId, note: &Note) {
        if let Note::State { from, to, .. } = *note {
            *self.steps.entry((host, from, to)).or_default() += 1;
        }
    }
    fn begins(&mut self, _at: Instant, host: HostId, _trigger: finwait_sim::watch::Trigger<'_>) {
        self.host = Some(host);
    }
    fn called(&mut self, call: &Call) {
        let Some(host) = self.host else { return };
        let Ok(n) = call.result else { return };
        let tally = match call.what {
            SysCall::Recv(_) => &mut self.read,
            SysCall::Send(_) => &mut self.written,
            _ => return,
        };
        *tally.entry(host).or_default() += u64::from(n);
    }
}

pub(crate) const A: HostId = HostId(0);
pub(crate) const B: HostId = HostId(1);

/// Plays a scenario with the judge, who must find nothing.
pub(crate) fn play(text: &str) -> (Outcome, Seen) {
    let scenario = parse(text);
    let mut watch = (Judge::new(&scenario), Seen::default());
    let outcome = run_watched(&scenario, Turns::Forward, &mut watch, |_| ());
    let (judge, seen) = watch;
    assert!(judge.count() == 0, "{:#?} in\n{text}", judge.violations());
    (outcome, seen)
}

/// What smoltcp has seen, whichever host it runs on.
pub(crate) fn content(outcome: &Outcome) -> Content {
    let mut all = Content::default();
    for content in outcome.hosts.iter().filter_map(|h| h.content) {
        all.received += content.received;
        all.sent += content.sent;
        all.wrong += content.wrong;
    }
    all
}

/// A host with smoltcp. Small buffers make zero windows.
fn other(name: &'static str) -> impl Strategy<Value = String> {
    let sizes = || one_of(&["300", "1000", "4096", "16384", "200000"]);
    (sizes(), sizes(), one_of(&["576", "1500", "9000"])).prop_map(move |(recv, send, mtu)| {
        format!(
            "[hosts.{name}]\nstack = \"smoltcp\"\nrecv_buffer_bytes = {recv}\n\
             send_buffer_bytes = {send}\nmtu = {mtu}\ntimeout = \"300s\"\n"
        )
    })
}

/// One of the hosts runs smoltcp, sometimes both.
fn scenario(gentle: bool, lossless: bool) -> impl Strategy<Value = String> {
    let pairs = prop_oneof![
        4 => (other("a").boxed(), host("b", gentle).boxed()),
        4 => (host("a", gentle).boxed(), other("b").boxed()),
        1 => (other("a").boxed(), other("b").boxed()),
    ];
    (pairs, link(lossless), apps(gentle), 0..1000_u64).prop_map(|((a, b), link, apps, seed)| {
        format!("duration = \"3000s\"\nsample = \"10s\"\nseed = {seed}\n{a}{b}{link}{apps}")
    })
}

proptest! {
    // Losses take long to repair: fewer of these.
    #![proptest_config(ProptestConfig { cases: config().cases / 4, ..config() })]

    #[test]
    fn every_connection_ends_whatever_the_network_does(text in scenario(true, false)) {
        ended(&text)?;
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_byte_is_ever_wrong(text in scenario(false, false)) {
        let (outcome, seen) = play(&text);
        let content = content(&outcome);
        prop_assert_eq!(content.wrong, 0, "of {:?} in\n{}", content, text);
        for (reader, writer) in [(A, B), (B, A)] {
            let (read, written) = (seen.read(reader), seen.written(writer));
            prop_assert!(read <= written, "{} read of {} in\n{}", read, written, text);
        }
    }

    #[test]
    fn every_connection_ends_and_loses_nothing(text in scenario(true, true)) {
        ended(&text)?;
    }
}

/// Plays it: connections end on both sides, no byte is wrong, and none is lost where nobody resets.
fn ended(text: &str) -> Result<(), TestCaseError> {
    let (outcome, seen) = play(text);
    prop_assert_eq!(content(&outcome).wrong, 0, "in\n{}", text);
    prop_assert_eq!(outcome.lifecycles, 60, "in\n{}", text);
    for (name, listeners) in [("a", 0), ("b", 1)] {
        let stat = outcome.host(name).expect("it is there").sockstat;
        let left = (stat.inuse, stat.orphan, stat.tw);
        // A RST that is lost may leave the other end where it is for ever.
        prop_assert!(
            seen.lost_resets > 0 || left == (listeners, 0, 0),
            "{name}: {left:?} in\n{text}"
        );
    }
    // Who is reset may have left something unread.
    if seen.resets == 0 {
        prop_assert_eq!(seen.read(B), seen.written(A), "in\n{}", text);
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Order {
    name: &'static str,
    client: &'static str,
    server: &'static str,
    /// The states that the client's and the server's socket must go through behind ESTAB.
    path: [&'static [TcpState]; 2],
}

use TcpState::{Close, CloseWait, Established, FinWait1, FinWait2, LastAck, TimeWait};

const ORDERS: [Order; 4] = [
    Order {
        name: "the client first",
        client: "close = \"close\"",
        server: "close_after = \"300ms\"",
        path: [
            &[Established, FinWait1, FinWait2, TimeWait, Close],
            &[Established, CloseWait, LastAck, Close],
        ],
    },
    Order {
        name: "the server first",
        client: "close = \"close\"\nhold = \"300ms\"\nresponse_bytes = 999999",
        server: "closes_first = true",
        path: [
            &[Established, CloseWait, LastAck, Close],
            &[Established, FinWait1, FinWait2, TimeWait, Close],
        ],
    },
    Order {
        name: "half-close",
        client: "close = \"shutdown\"",
        server: "close_after = \"300ms\"\nparting_bytes = 700",
        path: [
            &[Established, FinWait1, FinWait2, TimeWait, Close],
            &[Established, CloseWait, LastAck, Close],
        ],
    },
    Order {
        name: "abort",
        client: "close = \"linger0\"",
        server: "",
        path: [&[Established, Close], &[Established, Close]],
    },
];

/// For each host the states that sockets went through, as a set of steps.
pub(crate) fn steps_of(seen: &Seen, host: HostId) -> Vec<(TcpState, TcpState)> {
    seen.steps.keys().filter(|k| k.0 == host).map(|k| (k.1, k.2)).collect()
}

#[test]
fn every_close_order_goes_through_the_states_of_the_rfc() {
    for order in ORDERS {
        for (a, b) in [
            ("stack = \"smoltcp\"", "kernel = \"6.18\""),
            ("stack = \"smoltcp\"", "kernel = \"3.10\""),
            ("kernel = \"6.18\"", "stack = \"smoltcp\""),
            ("kernel = \"3.10\"", "stack = \"smoltcp\""),
        ] {
            let mut text = format!(
                "duration = \"200s\"\n[hosts.a]\n{a}\n[hosts.b]\n{b}\n[links]\ndelay = \"1ms\"\n"
            );
            let response =
                if order.client.contains("response") { "" } else { "response_bytes = 500\n" };
            let _ = write!(
                text,
                "[[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\nrate = \"10/s\"\n\
                 count = 3\n{response}{}\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = 80\n\
                 response_bytes = 500\n{}\n",
                order.client, order.server
            );
            let (outcome, seen) = play(&text);
            let what = format!("{}, {a} and {b}", order.name);
            assert_eq!(outcome.lifecycles, 3, "{what}");
            assert_eq!(content(&outcome).wrong, 0, "{what}");
            for (side, (host, stack)) in [(A, a), (B, b)].into_iter().enumerate() {
                let steps = steps_of(&seen, host);
                for pair in order.path[side].windows(2) {
                    let step = (pair[0], pair[1]);
                    // Linux goes into a bucket there, and its socket to CLOSE.
                    let bucket = stack.starts_with("kernel")
                        && (step.1 == TimeWait
                            || step.1 == FinWait2
                            || step.0 == TimeWait
                            || step.0 == FinWait2);
                    assert!(bucket || steps.contains(&step), "{what}: {step:?} of {steps:?}");
                }
            }
            let left: Vec<_> = outcome.hosts.iter().map(|h| h.sockstat.inuse).collect();
            assert_eq!(left, [0, 1], "{what}");
        }
    }
}

#[test]
fn both_at_once_meet_in_closing() {
    for (a, b) in
        [("stack = \"smoltcp\"", "kernel = \"6.18\""), ("kernel = \"3.10\"", "stack = \"smoltcp\"")]
    {
        // The answer leaves 40 ms after the request has come, which takes 10 ms; then the server
        // closes. The client has all of it without any byte of it, 50 ms after it connected.
        let text = format!(
            "duration = \"200s\"\n[hosts.a]\n{a}\n[hosts.b]\n{b}\n[links]\ndelay = \"10ms\"\n\
             [[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\nrate = \"10/s\"\ncount = 3\n\
             response_bytes = 0\nhold = \"50ms\"\n[[apps]]\nkind = \"server\"\nhost = \"b\"\n\
             port = 80\nresponse_bytes = 0\nservice = \"40ms\"\ncloses_first = true\n"
        );
        let (outcome, seen) = play(&text);
        for host in [A, B] {
            let steps = steps_of(&seen, host);
            assert!(steps.contains(&(FinWait1, TcpState::Closing)), "{a}, {b}: {steps:?}");
        }
        assert_eq!(outcome.rst_count(), 0, "{a}, {b}");
    }
}

#[test]
fn thousands_of_connections_through_a_bad_network() {
    for (a, b) in [
        ("stack = \"smoltcp\"\ntimeout = \"300s\"", "kernel = \"6.18\""),
        ("kernel = \"3.10\"", "stack = \"smoltcp\"\ntimeout = \"300s\""),
    ] {
        let text = format!(
            "duration = \"900s\"\nsample = \"1s\"\n[hosts.a]\n{a}\n[hosts.b]\n{b}\n[links]\n\
             delay = \"5ms\"\njitter = \"3ms\"\nloss = \"2%\"\nduplicate = \"2%\"\nreorder = \"5%\"\n\
             reorder_by = \"20ms\"\n[[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\n\
             rate = \"50/s\"\nscattered = true\ncount = 2500\nrequest_bytes = 700\n\
             response_bytes = 6000\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = 80\n\
             request_bytes = 700\nresponse_bytes = 6000\nclose_after = \"0ms..50ms\"\n"
        );
        let (outcome, seen) = play(&text);
        assert_eq!(outcome.lifecycles, 2500);
        assert_eq!(content(&outcome).wrong, 0);
        assert_eq!(
            (seen.read(A), seen.read(B)),
            (2500 * 6000, 2500 * 700),
            "{a}: {} RSTs",
            seen.resets
        );
        let left: Vec<_> = outcome.hosts.iter().map(|h| h.sockstat.inuse).collect();
        assert_eq!(left, [0, 1]);
    }
}

#[test]
fn a_doubled_syn_opens_one_connection() {
    let text = include_str!("../regressions/smoltcp-doubled-syn.toml");
    let (outcome, seen) = play(text);
    assert_eq!(outcome.lifecycles, 500);
    assert_eq!(outcome.host("a").map(|a| a.clients.broken), Some(0));
    assert_eq!(seen.read(A), 500 * 6000);
}

#[test]
fn smoltcp_waits_10_s_in_time_wait_and_for_ever_in_fin_wait_2() {
    let text = |close_after: &str| {
        format!(
            "duration = \"3600s\"\nsample = \"1s\"\n[hosts.a]\nstack = \"smoltcp\"\n[hosts.b]\n\
             kernel = \"6.18\"\n[[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\n\
             rate = \"1/s\"\ncount = 1\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = 80\n\
             close_after = \"{close_after}\"\n"
        )
    };
    let seconds_in = |outcome: &Outcome, state| {
        let series = &outcome.host("a").expect("it is there").series;
        series.iter().filter(|s| s.count(state) > 0).count()
    };
    let (outcome, _) = play(&text("0s"));
    assert_eq!(seconds_in(&outcome, TimeWait), 10);
    let (outcome, _) = play(&text("2000s"));
    assert_eq!(seconds_in(&outcome, FinWait2), 2000, "Linux would have gone after 60 s");
    assert_eq!(outcome.rst_count(), 0);
}

#[test]
fn ends_and_flows_of_smoltcp_are_seen_as_linux_shows_its_own() {
    let text = "duration = \"1s\"\n[hosts.a]\nstack = \"smoltcp\"\n[hosts.b]\nkernel = \"6.18\"\n\
        [[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\nrate = \"1/s\"\ncount = 1\n\
        hold = \"5s\"\n[[apps]]\nkind = \"server\"\nhost = \"b\"\nport = 80\n";
    let mut world = parse(text).world();
    world.run_watched(Instant { ns: 900_000_000 }, &mut finwait_sim::watch::Count);
    let rows = |name| world.host(name).expect("it is there").stack().rows(world.now());
    let (mine, theirs) = (rows("a"), rows("b"));
    let ends: Vec<(Endpoint, Endpoint)> = mine.iter().map(|r| (r.remote, r.local)).collect();
    let theirs: Vec<_> = theirs.iter().filter(|r| r.remote.port != 0).collect();
    assert_eq!(ends, theirs.iter().map(|r| (r.local, r.remote)).collect::<Vec<_>>());
    assert_eq!(mine[0].state, Established);
    let flow = FourTuple::new(mine[0].local, mine[0].remote);
    let line = world.host("a").expect("it is there").stack().line(flow);
    assert_eq!(line.map(|l| l.state), Some(Established));
}
