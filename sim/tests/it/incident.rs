//! The built-in incident from its beginning to its end: everything that its story says.

use finwait_model::state::TcpState;
use finwait_sim::because::Because;
use finwait_sim::run::{HostOutcome, Outcome, run};
use finwait_sim::sample::Sample;
use finwait_sim::world::Turns;

use crate::stage::set;

const LIMIT: u32 = 131_072;

/// The incident and its counter-run, side by side.
fn both() -> (Outcome, Outcome) {
    let scenario = set("incident.toml", &[]);
    let counter = scenario.counter_run().expect("it has a counter-run");
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| run(&counter, Turns::Forward, |_| ()));
        let incident = run(&scenario, Turns::Forward, |_| ());
        (incident, beside.join().expect("it runs"))
    })
}

fn mean_tenths(samples: &[&Sample], state: TcpState) -> u64 {
    let sum: u64 = samples.iter().map(|s| u64::from(s.count(state))).sum();
    sum * 10 / samples.len() as u64
}

fn fills_and_stays_at_the_edge(web: &HostOutcome) {
    let full = web.series.iter().position(|s| s.overflows > 0).expect("it overflows");
    let at_s = web.series[full].at.ns / 1_000_000_000;
    assert!((50..56).contains(&at_s), "131,072 at 2,500 per second, but at {at_s} s");
    assert_eq!(web.peak.tw, LIMIT, "never one more");
    // Whole cells leave at once: somebody who looks at a random moment sees a few thousand less.
    let seen = web.series[full..].iter().filter(|s| (125_000..130_500).contains(&s.sockstat.tw));
    assert!(seen.count() > 100);
    let seen = web.series.iter().find(|s| s.overflows > 0 && s.sockstat.tw.abs_diff(127_866) < 500);
    let stat = seen.expect("the real one said tw 127866").sockstat;
    assert!((60..200).contains(&stat.inuse), "and inuse 117, here {}", stat.inuse);
}

fn fin_wait_2_is_almost_never_seen(web: &HostOutcome, counter: &HostOutcome) {
    let before: Vec<&Sample> = web.series.iter().filter(|s| s.overflows == 0).collect();
    let full: Vec<&Sample> =
        web.series.iter().filter(|s| s.overflows > 0 && s.sockstat.tw + 10 >= LIMIT).collect();
    let all: Vec<&Sample> = counter.series.iter().collect();
    assert!(mean_tenths(&full, TcpState::FinWait1) > 10, "FIN-WAIT-1 is seen");
    assert!(mean_tenths(&before, TcpState::FinWait2) > 20, "FIN-WAIT-2 was");
    assert!(mean_tenths(&full, TcpState::FinWait2) < 2, "and is almost never any more");
    assert!(mean_tenths(&all, TcpState::FinWait2) > 20, "but is with the limit raised");
}

#[test]
fn the_incident_and_what_would_have_helped() {
    let (incident, counter) = both();
    assert!(incident.lifecycles > 700_000, "{}", incident.lifecycles);
    let web = incident.host("web").expect("there is a web");
    let helped = counter.host("web").expect("there is a web");
    fills_and_stays_at_the_edge(web);
    fin_wait_2_is_almost_never_seen(web, helped);

    assert!(web.rst_count() > 5_000, "{}", web.rst_count());
    assert_eq!(web.rst.len(), 1, "of one kind only: {:?}", web.rst);
    assert_eq!(web.rst[0].because, Because::FinWait2Refused);
    assert_eq!(web.rst[0].cause.name(), "rst-no-socket");
    assert!(web.rst[0].longest.ns < 200_000_000, "a slow command takes 120 ms");
    assert_eq!(incident.rst_count(), web.rst_count(), "Redis resets nobody");
    assert_eq!(counter.rst_count(), 0);
    assert_eq!(web.clients.broken + web.clients.not_connected + web.clients.no_port, 0);
}
