//! Whatever the load, the web server and what is behind it: every request is answered or counted as
//! something else, at both ends, and in the end nothing is open.

use proptest::prelude::*;

use finwait_model::counters::Mib;
use finwait_sim::app::Status;
use finwait_sim::run::{Outcome, run};
use finwait_sim::world::Turns;

use crate::any_scenario::{config, host, link, one_of, parse};
use crate::stage::play;

fn load() -> impl Strategy<Value = String> {
    (
        one_of(&[
            "kind = \"wrk\"\nconnections = 7\nthreads = 3\nturn = \"1ms\"\nduration = \"1s\"",
            "kind = \"wrk\"\nconnections = 40\nturn = \"2ms\"\nduration = \"700ms\"\ntimeout = \"80ms\"",
            "kind = \"ab\"\nrate = \"50/s\"\nscattered = true\ncount = 60\ntimeout = \"3s\"",
            "kind = \"ab\"\nrate = \"200/s\"\nduration = \"600ms\"",
            "kind = \"ab\"\nrate = \"1/s\"\ncount = 5\ntimeout = \"500ms\"",
        ]),
        one_of(&["keep-alive", "close"]),
    )
        .prop_map(|(kind, connection)| {
            format!(
                "[[apps]]\n{kind}\nhost = \"load\"\nto = \"web:80\"\nconnection = \"{connection}\"\n"
            )
        })
}

fn web() -> impl Strategy<Value = String> {
    (
        one_of(&[
            "[apps.upstream]\nto = \"back:6379\"\n",
            "[apps.upstream]\nto = \"back:6379\"\nkeepalive = 2\nread_timeout = \"2s\"\n",
            "[apps.upstream]\nto = \"back:6379-6380\"\nkeepalive = 32\nkeepalive_requests = 3\n\
             connect_timeout = \"4s\"\n",
            "[apps.upstream]\nto = \"back:6380\"\nkeepalive = 1\n",
            "",
            "openresty",
        ]),
        one_of(&["75s", "1s", "0s"]),
        one_of(&["1000", "5", "1"]),
        one_of(&["on", "off", "always"]),
        one_of(&["1", "100", "9000"]),
        (1_u32..4, one_of(&["0s", "0ms..30ms"])),
    )
        .prop_map(|(upstream, timeout, requests, lingering, bytes, (workers, service))| {
            let listen = format!(
                "[apps.listen]\nport = 80\nkeepalive_timeout = \"{timeout}\"\n\
                 keepalive_requests = {requests}\nlingering_close = \"{lingering}\"\n\
                 response_bytes = {bytes}\n"
            );
            if upstream == "openresty" {
                return format!(
                    "[[apps]]\nkind = \"openresty\"\nhost = \"web\"\nto = \"back:6379\"\n\
                     pool_size = 3\nworkers = {workers}\n{listen}"
                );
            }
            format!(
                "[[apps]]\nkind = \"nginx\"\nhost = \"web\"\nworkers = {workers}\n\
                 service = \"{service}\"\n{listen}{upstream}"
            )
        })
}

const BACK: &str = "[[apps]]\nkind = \"redis\"\nhost = \"back\"\nport = 6379\nslow = \"120ms\"\n\
                    slow_every = \"300ms\"\n";

/// A scenario that goes on for long enough for everything to end: nginx waits for an answer for a
/// minute, and keeps a connection for longer.
fn scenario(gentle: bool) -> impl Strategy<Value = String> {
    let hosts = ["load", "web", "back"].map(|name| host(name, gentle));
    (hosts, link(gentle), load(), web(), 0..1000_u64).prop_map(
        move |(hosts, link, load, web, seed)| {
            let mut text = format!("duration = \"900s\"\nsample = \"1s\"\nseed = {seed}\n");
            hosts.iter().chain([&link, &load, &web]).for_each(|t| text += t);
            text + BACK
        },
    )
}

/// Every request is accounted for.
fn adds_up(outcome: &Outcome, text: &str) -> Result<(), TestCaseError> {
    let load = outcome.host("load").expect("it is there");
    let tally = load.load.as_ref().expect("it loads");
    let web = outcome.host("web").expect("it is there");
    let served = web.web.as_ref().expect("it serves");
    prop_assert_eq!(tally.in_flight(), 0, "{}", text);
    prop_assert_eq!(tally.sent, tally.answered + tally.failed + tally.given_up);
    let late = tally.errors.get(&(finwait_sim::app::Class::Timeout, "timeout")).copied();
    let wrk = text.contains("kind = \"wrk\"");
    let late = if wrk { late.unwrap_or(0) } else { 0 };
    prop_assert_eq!(load.latencies.count(), tally.answered - late);
    prop_assert_eq!(load.clients.started, load.clients.finished, "it has closed what it opened");
    let over: u64 = served.statuses.values().sum();
    prop_assert_eq!(served.requests, over + served.under_way);
    prop_assert!(over - served.with(Status::ClientClosed) >= tally.answered, "{}", text);
    prop_assert!(served.accepted <= load.clients.started);
    if tally.all_errors() == 0 {
        prop_assert_eq!(tally.failed + tally.lost, 0);
    }
    Ok(())
}

/// In the end nothing is open but listeners.
fn nothing_is_open(outcome: &Outcome, text: &str) -> Result<(), TestCaseError> {
    let web = outcome.host("web").expect("it is there");
    let served = web.web.as_ref().expect("it serves");
    prop_assert_eq!((served.open, served.under_way), (0, 0), "{}", text);
    prop_assert_eq!((served.idle, web.clients.started - web.clients.finished), (0, 0), "{}", text);
    for (name, listeners) in [("load", 0), ("web", 1), ("back", 1)] {
        let stat = outcome.host(name).expect("it is there").sockstat;
        prop_assert_eq!((stat.inuse, stat.orphan), (listeners, 0), "{} in\n{}", name, text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_request_is_accounted_for_and_turns_do_not_matter(text in scenario(false)) {
        let scenario = parse(&text);
        let outcome = play(&scenario);
        adds_up(&outcome, &text)?;
        let backward = run(&scenario, Turns::Backward, |_| ());
        prop_assert_eq!(outcome.digest, backward.digest);
    }

    #[test]
    fn without_loss_nothing_fails_and_nothing_stays_open(text in scenario(true)) {
        let outcome = play(&parse(&text));
        adds_up(&outcome, &text)?;
        nothing_is_open(&outcome, &text)?;
        let load = outcome.host("load").and_then(|host| host.load.as_ref()).expect("it loads");
        // A kept connection that nginx closes may meet a request that is on its way.
        let reset = outcome.rst_count() > 0 || outcome.host("load").is_some_and(|h| h.counter(Mib::EstabResets) > 0);
        let timeouts = load.of_class(finwait_sim::app::Class::Timeout);
        prop_assert!(load.all_errors() == timeouts || reset, "{:?} in\n{}", load.errors, text);
    }
}
