//! Random schedules. They only have to be plausible: what comes of them is for the kernels to say.

use finwait_model::release::Release;
use finwait_model::time::Span;
use finwait_sim::explore::smaller::WAITS;
use finwait_sim::explore::{Act, Fate, Fated, Habits, Schedule, Setup, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Where the search begins: what is given, and what may be varied.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The hosts as given.
    pub(crate) hosts: [Setup; 2],
    /// The kernels that each may run.
    pub(crate) releases: [Vec<Release>; 2],
    /// How long a segment travels.
    pub(crate) delay: Span,
    /// The most steps.
    pub(crate) steps: usize,
}

/// Sysctls that matter at the end of a connection, with values worth trying.
pub(crate) const KNOBS: [(&str, &[&str]); 14] = [
    ("net.ipv4.tcp_max_tw_buckets", &["0", "1", "2"]),
    ("net.ipv4.tcp_max_orphans", &["0", "1"]),
    ("net.ipv4.tcp_fin_timeout", &["1", "5", "61"]),
    ("net.ipv4.tcp_orphan_retries", &["1", "3"]),
    ("net.ipv4.tcp_abort_on_overflow", &["1"]),
    ("net.ipv4.tcp_tw_reuse", &["0", "1"]),
    ("net.ipv4.tcp_rfc1337", &["1"]),
    ("net.ipv4.tcp_timestamps", &["0"]),
    ("net.ipv4.tcp_sack", &["0"]),
    ("net.ipv4.tcp_retries2", &["1", "3"]),
    ("net.ipv4.tcp_synack_retries", &["0", "1"]),
    ("net.ipv4.tcp_syncookies", &["0", "2"]),
    ("net.ipv4.tcp_max_syn_backlog", &["1"]),
    ("net.core.somaxconn", &["0", "1"]),
];

/// Waits that no simple schedule needs: beyond a retransmission, FIN-WAIT-2's and TIME-WAIT's time.
const LONG_WAITS: [Span; 5] =
    [Span::millis(250), Span::secs(3), Span::secs(10), Span::secs(65), Span::secs(130)];

/// A schedule.
pub(crate) fn schedule(base: &Base) -> impl Strategy<Value = Schedule> + use<> {
    let most = base.steps.saturating_sub(1).max(1);
    let base = base.clone();
    let releases =
        (select(simplest_first(&base.releases[0])), select(simplest_first(&base.releases[1])));
    (
        vec(step(), 1..=most),
        vec(fated(), 0..=2),
        vec((0..2_usize, select(KNOBS.to_vec()), any::<prop::sample::Index>()), 0..=3),
        (habits(), habits()),
        releases,
        prop_oneof![4 => Just(1_u8), 1 => Just(0_u8)],
    )
        .prop_map(move |(steps, fates, knobs, habits, releases, backlog)| {
            let mut hosts = base.hosts.clone();
            for (side, release) in [releases.0, releases.1].into_iter().enumerate() {
                if hosts[side].release != release {
                    hosts[side].clock.hz = release.default_hz();
                }
                hosts[side].release = release;
            }
            (hosts[0].habits, hosts[1].habits) = habits;
            hosts[0].habits.never_accepts = false;
            for (side, (name, values), index) in &knobs {
                let set = (name.to_string(), index.get(values).to_string());
                let known = hosts[*side].given.iter().chain(&hosts[*side].sysctl);
                if known.clone().all(|(known, _)| known != name) && takes(&hosts[*side], &set) {
                    hosts[*side].sysctl.push(set);
                }
            }
            let opens = Step { after: Span::ZERO, side: 0, conn: 0, act: Act::Connect };
            let steps = std::iter::once(opens).chain(steps).collect();
            limited(Schedule { hosts, delay: base.delay, backlog, steps, fates })
        })
}

/// Values shrink towards the one that stands first.
fn simplest_first(releases: &[Release]) -> Vec<Release> {
    let mut releases = releases.to_vec();
    releases.sort_by_key(|release| std::cmp::Reverse(*release));
    releases
}

/// Does this release take the value, and is it another one than its own?
fn takes(host: &Setup, (name, value): &(String, String)) -> bool {
    let plain = finwait_model::sysctl::Sysctl::new(host.release);
    plain.clone().set(name, value).is_ok() && plain.get(name).as_ref() != Some(value)
}

/// At most as many connections as there may be.
fn limited(mut schedule: Schedule) -> Schedule {
    let mut opened = 0;
    schedule.steps.retain(|step| {
        let opens = matches!(step.act, Act::Connect | Act::Reconnect);
        opened += usize::from(opens);
        !opens || opened <= usize::from(finwait_sim::explore::schedule::MOST_CONNS)
    });
    schedule
}

fn wait() -> impl Strategy<Value = Span> + Clone {
    prop_oneof![
        8 => select(&WAITS[..1]),
        4 => select(WAITS.to_vec()),
        2 => select(LONG_WAITS.to_vec()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let conn = prop_oneof![4 => Just(0_u8), 2 => Just(1_u8), 1 => Just(2_u8)];
    (wait(), 0..2_usize, conn, act()).prop_map(|(after, side, conn, act)| {
        let opens = matches!(act, Act::Connect | Act::Reconnect);
        let listens = matches!(act, Act::Accept | Act::CloseListener);
        let side = if opens {
            0
        } else if listens {
            1
        } else {
            side
        };
        let whole = opens || listens || act == Act::Exit;
        Step { after, side, conn: if whole { 0 } else { conn }, act }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => Just(Act::Close),
        4 => select(vec![Act::Send(100), Act::Send(1000), Act::Send(100_000)]),
        3 => Just(Act::Connect),
        2 => Just(Act::ShutWr),
        1 => Just(Act::Exit),
        1 => Just(Act::ShutRd),
        1 => Just(Act::ShutRdWr),
        1 => Just(Act::Reconnect),
        1 => Just(Act::Recv),
        1 => Just(Act::Accept),
        1 => Just(Act::CloseListener),
        1 => Just(Act::LingerZero),
        1 => select(vec![Act::Linger2(-1), Act::Linger2(1), Act::Linger2(100)]),
    ]
}

fn fated() -> impl Strategy<Value = Fated> {
    let late = prop_oneof![
        2 => select(vec![Span::millis(20), Span::millis(100), Span::millis(1000)]),
        1 => select(vec![Span::secs(3), Span::secs(65), Span::secs(130)]),
    ];
    let fate = prop_oneof![
        2 => Just(Fate::Lost),
        2 => late.clone().prop_map(Fate::Late),
        1 => late.prop_map(Fate::Twice),
    ];
    (0..2_usize, 1..10_u16, fate).prop_map(|(side, nth, fate)| Fated { side, nth, fate })
}

fn habits() -> impl Strategy<Value = Habits> {
    let rarely = || prop::bool::weighted(0.1);
    (rarely(), rarely())
        .prop_map(|(leaves_unread, never_accepts)| Habits { leaves_unread, never_accepts })
}
