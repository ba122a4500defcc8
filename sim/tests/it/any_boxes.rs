//! Whatever the scenario with pools, boxes on the way and servers that are restarted: the judge finds
//! nothing, the hosts' turns do not matter, and the numbers of pools and boxes add up.

use proptest::prelude::*;

use finwait_sim::app::{PoolTally, Reason};
use finwait_sim::run::{Outcome, run};
use finwait_sim::world::Turns;

use crate::any_scenario::{config, host, link, one_of, parse};
use crate::stage::play;

fn nat() -> impl Strategy<Value = String> {
    (
        any::<bool>(),
        one_of(&["1024-65535", "2000-2040", "2000-2007"]),
        one_of(&["1s", "8s", "1h"]),
        one_of(&["0s", "1s", "120s"]),
        one_of(&["adopt", "drop", "reset"]),
    )
        .prop_map(|(keep, ports, idle, closed, forgotten)| {
            format!(
                "[[boxes]]\nkind = \"nat\"\nhost = \"gate\"\ninside = [\"a\", \"b\"]\n\
                 keep_ports = {keep}\nports = \"{ports}\"\nidle = \"{idle}\"\n\
                 closed = \"{closed}\"\nforgotten = \"{forgotten}\"\n"
            )
        })
}

fn balancer() -> impl Strategy<Value = String> {
    (one_of(&["1s", "8s", "1h"]), one_of(&["adopt", "drop", "reset"])).prop_map(
        |(idle, forgotten)| {
            format!(
                "[[boxes]]\nkind = \"balancer\"\nhost = \"lb\"\nport = 80\nto = \"c:80-82\"\n\
                 idle = \"{idle}\"\nforgotten = \"{forgotten}\"\n"
            )
        },
    )
}

/// A pool and a client on two hosts that talk to `to`.
fn clients(gentle: bool) -> impl Strategy<Value = String> {
    let pool = (
        one_of(&[
            "rate = \"20/s\"",
            "rate = \"300/s\"\nscattered = true",
            "clients = 9",
            "clients = 20\nthink = \"0ms..30ms\"",
        ]),
        1_u32..4,
        one_of(&["1", "2", "30"]),
        one_of(&["0s", "200ms", "3s", "60s"]),
        one_of(&["", "backlog = 0\n", "backlog = 3\n", "backlog = 50\n"]),
        0_u32..=3,
        any::<bool>(),
        any::<bool>(),
        one_of(&["1", "300", "9000"]),
    );
    (pool, one_of(&["close", "shutdown", "linger0"]), any::<bool>()).prop_map(
        move |((pace, workers, size, keepalive, backlog, short, watches, cache, bytes), how, lb)| {
            let to = if lb { "lb" } else { "c" };
            let backlog = if gentle { "" } else { backlog };
            let watches = gentle || watches;
            format!(
                "[[apps]]\nkind = \"openresty\"\nhost = \"a\"\nto = \"{to}:80\"\n{pace}\n\
                 count = 300\nworkers = {workers}\npool_size = {size}\n\
                 keepalive = \"{keepalive}\"\n{backlog}watches = {watches}\ncode_cache = {cache}\n\
                 connect_timeout = \"4s\"\nread_timeout = \"4s\"\nresponse_bytes = {bytes}\n\
                 paths = [{{ end = \"keepalive\", share = 7, commands = 2, hold = \"0ms..5ms\" }},\n\
                 {{ end = \"close\", share = {short} }}]\n\
                 [[apps]]\nkind = \"client\"\nhost = \"b\"\nto = \"{to}:80\"\nrate = \"40/s\"\n\
                 count = 80\nclose = \"{how}\"\nresponse_bytes = {bytes}\n"
            )
        },
    )
}

fn server(gentle: bool) -> impl Strategy<Value = String> {
    (
        one_of(&[
            "kind = \"redis\"\ntimeout = \"2s\"",
            "kind = \"redis\"",
            "kind = \"server\"",
            "kind = \"server\"\nclose_after = \"never\"",
            "kind = \"server\"\nreuse_addr = false\nrestart_every = \"3s\"\nretry = \"700ms\"",
            "kind = \"server\"\nrestart_at = \"2s\"\nrestart_takes = \"400ms\"",
            "kind = \"server\"\ncloses_first = true",
        ]),
        one_of(&["1", "300", "9000"]),
    )
        .prop_map(move |(kind, bytes)| {
            let kind = if gentle { "kind = \"redis\"" } else { kind };
            format!("[[apps]]\nhost = \"c\"\nport = \"80-82\"\n{kind}\nresponse_bytes = {bytes}\n")
        })
}

/// A scenario; in a gentle one nothing is lost, forgotten or ended before its time.
fn scenario(gentle: bool) -> impl Strategy<Value = String> {
    let hosts = [("a"), ("b"), ("gate"), ("lb"), ("c")].map(|name| host(name, gentle));
    let apps = (clients(gentle), server(gentle));
    (hosts, link(gentle), nat(), balancer(), apps, any::<bool>(), 0..1000_u64).prop_map(
        move |(hosts, link, nat, balancer, (clients, server), has_nat, seed)| {
            let nat = if has_nat { nat.as_str() } else { "" };
            let boxes = format!("{nat}{balancer}");
            let boxes = if gentle {
                // Nothing is forgotten that stands.
                let boxes = boxes.replace("idle = \"1s\"", "idle = \"1h\"");
                let boxes = boxes.replace("idle = \"8s\"", "idle = \"1h\"");
                boxes.replace("2000-2007", "1024-65535").replace("2000-2040", "1024-65535")
            } else {
                boxes
            };
            let mut text = format!("duration = \"12s\"\nseed = {seed}\n");
            hosts.iter().chain([&link, &boxes, &clients, &server]).for_each(|t| text += t);
            text
        },
    )
}

fn pool(outcome: &Outcome) -> &PoolTally {
    let host = outcome.host("a").expect("it is there");
    host.pool.as_ref().expect("it has a pool")
}

/// What goes into a pool comes out of it, once.
fn adds_up(pool: &PoolTally) -> Result<(), TestCaseError> {
    let in_pool =
        [Reason::PoolEviction, Reason::PoolIdle, Reason::PoolReadable, Reason::PoolDubious];
    let closed: u64 = in_pool.iter().map(|reason| pool.closed(*reason)).sum();
    prop_assert_eq!(pool.kept, pool.hits + closed + pool.idle);
    prop_assert_eq!(pool.ages.count(), pool.closes.values().map(|ages| ages.count()).sum::<u64>());
    prop_assert!(pool.answered <= pool.requests);
    prop_assert!(pool.failed_pooled <= pool.failed());
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_judge_finds_nothing_and_turns_do_not_matter(text in scenario(false)) {
        let scenario = parse(&text);
        let outcome = play(&scenario);
        adds_up(pool(&outcome))?;
        let backward = run(&scenario, Turns::Backward, |_| ());
        prop_assert_eq!(outcome.digest, backward.digest);
        for passage in outcome.hosts.iter().filter_map(|h| h.passage) {
            prop_assert!(passage.adopted + passage.forgotten <= 2 * passage.flows);
            prop_assert!(passage.now <= passage.peak && passage.peak <= passage.flows);
        }
    }

    #[test]
    fn every_request_is_answered_or_something_was_reset(text in scenario(true)) {
        // Answers as long as the pool expects them, and time for all of them.
        let bytes = text.find("response_bytes").map(|at| &text[at..]).unwrap_or_default();
        let bytes = bytes.lines().next().unwrap_or_default().to_owned();
        let text = text.replace("duration = \"12s\"", "duration = \"400s\"");
        let text = text.replace("read_timeout = \"4s\"", "read_timeout = \"390s\"");
        let text = text.replace("connect_timeout = \"4s\"", "connect_timeout = \"390s\"");
        let server = text.rfind("response_bytes").expect("it is there");
        let text = format!("{}{bytes}\n", &text[..server]);
        let outcome = play(&parse(&text));
        let pool = pool(&outcome);
        adds_up(pool)?;
        prop_assert_eq!(pool.errors.get("unread data in buffer"), None, "no byte comes twice");
        prop_assert_eq!(pool.requests, 300);
        prop_assert_eq!(pool.answered + pool.failed(), 300, "{:?} in\n{}", pool.errors, text);
        let reset = outcome.rst_count() > 0;
        prop_assert!(pool.failed() == 0 || reset, "{:?} in\n{}", pool.errors, text);
    }
}
