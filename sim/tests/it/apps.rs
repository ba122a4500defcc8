//! Applications beyond the short-lived client: pools of connections, servers that are restarted or
//! never close, a Redis with a timeout.

use std::fmt::Write as _;

use finwait_sim::app::{PoolTally, Reason};
use finwait_sim::run::{HostOutcome, Outcome};

use crate::any_scenario::parse;
use crate::stage::play;

/// A web server and a Redis or server, both on 6.18, 1 ms apart.
fn world(duration: &str, web: &str, peer: &str) -> Outcome {
    let mut text = format!("duration = \"{duration}\"\n");
    for host in ["web", "redis"] {
        let _ = write!(text, "[hosts.{host}]\nkernel = \"6.18\"\n");
    }
    let _ = write!(
        text,
        "[links]\ndelay = \"1ms\"\n[[apps]]\nhost = \"web\"\nto = \"redis:6379\"\n{web}\n\
         [[apps]]\nhost = \"redis\"\nport = 6379\n{peer}\n"
    );
    play(&parse(&text))
}

fn web(outcome: &Outcome) -> (&HostOutcome, &PoolTally) {
    let web = outcome.host("web").expect("there is a web");
    (web, web.pool.as_ref().expect("it has a pool"))
}

const REDIS: &str = "kind = \"redis\"";

#[test]
fn requests_one_at_a_time_share_one_connection() {
    let outcome = world("10s", "kind = \"openresty\"\nrate = \"10/s\"", REDIS);
    let (web, pool) = web(&outcome);
    assert_eq!((pool.requests, pool.answered, pool.hits, pool.misses), (100, 100, 99, 1));
    assert_eq!((pool.idle, pool.kept, pool.failed()), (1, 100, 0));
    assert_eq!((web.clients.started, web.clients.finished), (1, 0));
    assert!(pool.closes.is_empty());
}

#[test]
fn every_worker_has_a_pool_of_its_own() {
    let outcome = world("10s", "kind = \"openresty\"\nrate = \"10/s\"\nworkers = 4", REDIS);
    let (_, pool) = web(&outcome);
    assert_eq!((pool.misses, pool.idle), (4, 4));
}

#[test]
fn short_code_closes_connections_that_others_had_kept() {
    let paths = "kind = \"openresty\"\nrate = \"100/s\"\npaths = [{ end = \"keepalive\", share = 9 }, \
                 { end = \"close\", share = 1 }]";
    let outcome = world("20s", paths, REDIS);
    let (web, pool) = web(&outcome);
    let short = pool.closed(Reason::ShortCode);
    assert!((150..260).contains(&short), "a tenth of 2000: {short}");
    assert_eq!(pool.misses, web.clients.started);
    assert_eq!(pool.misses - short, pool.idle, "each close costs a connection");
    assert_eq!(web.sockstat.tw, u32::try_from(short).expect("it is small"), "and a bucket");
    assert_eq!(pool.ages.count(), short);
}

#[test]
fn a_share_of_all_requests_leaves_the_rest_to_the_others() {
    let requests = "kind = \"openresty\"\nrate = \"400/s\"\npaths = [\n\
                    { end = \"close\", share = \"20%\" },\n\
                    { end = \"close\", commands = 2, share = 1 },\n\
                    { end = \"keepalive\", share = 3 }]";
    let outcome = world("10s", requests, REDIS);
    let (_, pool) = web(&outcome);
    // 20 % and a quarter of the other 80 %.
    assert!((1_450..1_750).contains(&pool.closed(Reason::ShortCode)), "{pool:?}");
    assert_eq!(pool.requests, 4_000);
    let by_reason: u64 = pool.closes.values().map(|ages| ages.count()).sum();
    assert_eq!(by_reason, pool.ages.count());
}

#[test]
fn a_full_pool_closes_the_least_recently_used() {
    // Eight at a time on average, and room for two.
    let requests = "kind = \"openresty\"\nrate = \"200/s\"\nscattered = true\npool_size = 2";
    let outcome = world("5s", requests, "kind = \"server\"\nservice = \"0ms..80ms\"");
    let (web, pool) = web(&outcome);
    assert_eq!(pool.failed(), 0);
    let evicted = pool.closed(Reason::PoolEviction);
    assert!(evicted > 20, "{evicted}");
    assert_eq!(evicted, web.clients.finished);
    assert!(pool.idle <= 2);
    assert_eq!(pool.hits + pool.misses, pool.requests);
}

#[test]
fn an_idle_connection_goes_after_the_keepalive_timeout() {
    let once = "kind = \"openresty\"\nrate = \"1/s\"\ncount = 1\nkeepalive = \"5s\"";
    let outcome = world("20s", once, REDIS);
    let (web, pool) = web(&outcome);
    assert_eq!(pool.closed(Reason::PoolIdle), 1);
    assert_eq!((pool.idle, web.clients.finished), (0, 1));
    let age = pool.ages.most().expect("one was closed");
    assert_eq!(age.ns / 1_000_000, 5_004, "a round trip for each of SYN and request, and 5 s");
}

#[test]
fn a_backlog_makes_requests_wait_for_a_connection() {
    let base = "kind = \"openresty\"\nclients = 10\nthink = \"5ms\"\npool_size = 2\n\
                connect_timeout = \"30ms\"\n";
    let server = "kind = \"server\"\nservice = \"20ms\"";
    let outcome = world("5s", &format!("{base}backlog = 20"), server);
    let (web, pool) = web(&outcome);
    assert_eq!(web.clients.started, 2, "never more connections than the pool's size");
    assert!(pool.waited > 100);
    assert_eq!(pool.errors.keys().collect::<Vec<_>>(), [&"timeout"]);
    let outcome = world("5s", &format!("{base}backlog = 3"), server);
    let (web, pool) = self::web(&outcome);
    assert_eq!(web.clients.started, 2);
    assert!(pool.errors["too many waiting connect operations"] > 100);
}

#[test]
fn without_the_code_cache_a_pool_never_lives() {
    let outcome = world("5s", "kind = \"openresty\"\nrate = \"20/s\"\ncode_cache = false", REDIS);
    let (web, pool) = web(&outcome);
    assert_eq!((pool.hits, pool.misses, pool.failed()), (0, 100, 0));
    assert_eq!(pool.closed(Reason::PoolGone), 100);
    assert_eq!(web.sockstat.tw, 100);
}

/// Requests every 10 s, a Redis that closes after 3 s of nothing.
fn timeout_of_redis(watches: bool) -> Outcome {
    let web = format!("kind = \"openresty\"\nrate = \"1/10s\"\nwatches = {watches}");
    world("100s", &web, "kind = \"redis\"\ntimeout = \"3s\"")
}

#[test]
fn a_pool_that_watches_sees_the_server_close() {
    let outcome = timeout_of_redis(true);
    let (web, pool) = web(&outcome);
    assert_eq!((pool.requests, pool.answered, pool.failed()), (10, 10, 0));
    assert_eq!(pool.closed(Reason::PoolReadable), 10);
    assert_eq!(outcome.rst_count(), 0);
    let age = pool.ages.most().expect("some were closed").ns / 1_000_000;
    // More than 3 whole seconds between two readings of a clock that shows seconds.
    assert!((3_000..4_300).contains(&age), "{age} ms");
    assert_eq!(web.sockstat.tw, 0, "Redis has the buckets, who closed first");
}

#[test]
fn a_pool_that_does_not_watch_meets_a_rst() {
    let outcome = timeout_of_redis(false);
    let (_, pool) = web(&outcome);
    assert_eq!((pool.requests, pool.answered), (10, 5));
    assert_eq!((pool.failed(), pool.failed_pooled), (5, 5), "each second one");
    let redis = outcome.host("redis").expect("there is a redis");
    assert_eq!(redis.rst_count(), 10, "for the data, and for the FIN behind it");
}

/// A server that closes first is restarted after 5 s; its connections are in TIME-WAIT then.
fn restarted(options: &str) -> Outcome {
    let client = "kind = \"client\"\nrate = \"10/s\"";
    let server = "kind = \"server\"\ncloses_first = true\nrestart_at = \"5s\"\nretry = \"2s\"";
    world("100s", client, &format!("{server}\n{options}"))
}

#[test]
fn a_restarted_server_gets_its_port_at_once_with_reuseaddr() {
    let outcome = restarted("reuse_addr = true");
    let servers = outcome.host("redis").expect("there is a redis").servers;
    assert_eq!((servers.restarts, servers.in_use), (1, 0));
    let clients = outcome.host("web").expect("there is a web").clients;
    assert_eq!(clients.not_connected, 0);
}

#[test]
fn without_reuseaddr_its_own_time_wait_keeps_it_out_for_a_minute() {
    let outcome = restarted("reuse_addr = false");
    let servers = outcome.host("redis").expect("there is a redis").servers;
    assert_eq!(servers.restarts, 1);
    assert_eq!(servers.in_use, 31, "every two seconds for a minute and a little");
    let clients = outcome.host("web").expect("there is a web").clients;
    assert!((595..=635).contains(&clients.not_connected), "{}", clients.not_connected);
}

#[test]
fn a_process_that_ends_closes_what_it_holds() {
    let client = "kind = \"client\"\nrate = \"10/s\"\ncount = 20\nhold = \"1h\"";
    let server = "kind = \"server\"\nrestart_at = \"10s\"";
    let outcome = world("20s", client, server);
    let redis = outcome.host("redis").expect("there is a redis");
    assert_eq!(redis.servers.restarts, 1);
    assert_eq!(redis.sockstat.tw, 20, "it has sent a FIN on each");
}

#[test]
fn a_server_that_never_closes_stays_in_close_wait() {
    let client = "kind = \"client\"\nrate = \"10/s\"\ncount = 20";
    let outcome = world("20s", client, "kind = \"server\"\nclose_after = \"never\"");
    let redis = outcome.host("redis").expect("there is a redis");
    assert_eq!(redis.sockstat.inuse, 21, "the listener and 20 in CLOSE-WAIT");
}
