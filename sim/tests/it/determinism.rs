//! The same scenario and seed give the same bytes: twice, backwards, on several threads, watched
//! or not. That debug and release agree is checked by `.ci/run`, which has both.

use finwait_model::time::Span;
use finwait_sim::record::Trace;
use finwait_sim::run::{Outcome, run, run_watched};
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;

use crate::golden;
use crate::stage::{edited, names, set};

/// A busy world with every kind of trouble on its links, short enough to run a few times.
fn troubled() -> Scenario {
    let mut scenario = edited(
        "incident.toml",
        &[
            (
                "delay = \"50us\"",
                "delay = \"50us\"\nloss = \"1%\"\nduplicate = \"1/200\"\n\
              jitter = \"90us\"\nreorder = \"1/50\"\nreorder_by = \"3ms\"",
            ),
            ("tcp_max_tw_buckets\" = 131072", "tcp_max_tw_buckets\" = 2000"),
        ],
    );
    scenario.duration = Span::secs(3);
    scenario
}

fn fingerprint(outcome: &Outcome) -> (String, u64, u64, u64) {
    let digest = outcome.digest.to_string();
    (digest, outcome.segments, outcome.lifecycles, outcome.rst_count())
}

#[test]
fn twice_backwards_watched_and_threaded_are_the_same() {
    let scenario = troubled();
    let once = fingerprint(&crate::stage::play(&scenario));
    assert_eq!(once, fingerprint(&run(&scenario, Turns::Forward, |_| ())), "twice, not judged");
    assert_eq!(once, fingerprint(&run(&scenario, Turns::Backward, |_| ())), "hosts backwards");
    let mut trace = Trace::new();
    let watched = run_watched(&scenario, Turns::Forward, &mut trace, |_| ());
    assert_eq!(once, fingerprint(&watched), "with everything recorded");
    assert!(trace.records().len() as u64 > watched.segments, "segments and notes");
    let threads: Vec<_> = std::thread::scope(|scope| {
        let start = || scope.spawn(|| fingerprint(&run(&scenario, Turns::Forward, |_| ())));
        let running = [start(), start(), start()];
        running.into_iter().map(|t| t.join().expect("it runs")).collect()
    });
    assert!(threads.iter().all(|t| *t == once), "on three threads at once");
}

#[test]
fn how_finely_a_run_is_sampled_does_not_matter() {
    let mut scenario = troubled();
    let coarse = run(&scenario, Turns::Forward, |_| ());
    scenario.sample = Span::millis(7);
    let fine = run(&scenario, Turns::Forward, |_| ());
    assert_eq!(fingerprint(&coarse), fingerprint(&fine));
    assert!(fine.hosts[0].series.len() > 10 * coarse.hosts[0].series.len());
}

#[test]
fn another_seed_is_another_run() {
    let mut scenario = troubled();
    let one = fingerprint(&run(&scenario, Turns::Forward, |_| ()));
    scenario.seed = 2;
    assert_ne!(one, fingerprint(&run(&scenario, Turns::Forward, |_| ())));
}

#[test]
fn digests_of_the_scenarios_are_golden() {
    let mut text = String::from("# scenario, seconds, segments, lifecycles, RSTs, digest\n");
    for name in names() {
        let mut scenario = set(&name, &[]);
        // A minute of the incident shows its beginning; `.ci/run` runs all of it.
        scenario.duration = Span::nanos(scenario.duration.ns.min(Span::secs(60).ns));
        let outcome = crate::stage::play(&scenario);
        let (digest, segments, lifecycles, rst) = fingerprint(&outcome);
        let seconds = scenario.duration.ns / 1_000_000_000;
        text += &format!("{name} {seconds} {segments} {lifecycles} {rst} {digest}\n");
    }
    golden::check("digests.txt", &text);
}
