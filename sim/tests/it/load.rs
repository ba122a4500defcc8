//! wrk, ab, nginx and scripts: what is counted, what is closed and why, and how long things take.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_model::time::{Instant, Span};
use finwait_sim::app::{Class, LoadTally, Reason, ScriptTally, Status, WebTally};
use finwait_sim::run::{HostOutcome, Outcome};

use crate::any_scenario::parse;
use crate::stage::play;

/// A load, a web server and a Redis, each 1 ms from the others.
fn world(duration: &str, apps: &str) -> Outcome {
    let mut text = format!("duration = \"{duration}\"\n");
    for host in ["load", "web", "redis"] {
        let _ = write!(text, "[hosts.{host}]\nkernel = \"6.18\"\n");
    }
    let _ = write!(text, "[links]\ndelay = \"1ms\"\n{apps}");
    play(&parse(&text))
}

fn load(outcome: &Outcome) -> (&HostOutcome, &LoadTally) {
    let host = outcome.host("load").expect("it is there");
    (host, host.load.as_ref().expect("it loads"))
}

fn web(outcome: &Outcome) -> (&HostOutcome, &WebTally) {
    let host = outcome.host("web").expect("it is there");
    (host, host.web.as_ref().expect("it serves"))
}

/// Percentiles are known to a 64th.
fn near(told: Option<Span>, exact: Span) {
    let told = told.expect("something was measured");
    assert!(told >= exact && told.ns - exact.ns <= exact.ns / 64, "{told} instead of {exact}");
}

fn script(outcome: &Outcome) -> &ScriptTally {
    outcome.host("load").and_then(|host| host.script.as_ref()).expect("it runs a script")
}

/// A wrk without turns, so that nothing but the network and the server takes time.
fn wrk(connections: u32, more: &str) -> String {
    format!(
        "[[apps]]\nkind = \"wrk\"\nhost = \"load\"\nto = \"web:80\"\nthreads = 1\nturn = \"0s\"\n\
         connections = {connections}\nduration = \"5s\"\n{more}\n"
    )
}

fn nginx(more: &str, listen: &str, upstream: &str) -> String {
    let upstream =
        if upstream.is_empty() { String::new() } else { format!("[apps.upstream]\n{upstream}\n") };
    let more_requests =
        if listen.contains("keepalive_requests") { "" } else { "keepalive_requests = 100000\n" };
    let listen = format!("{more_requests}{listen}");
    format!(
        "[[apps]]\nkind = \"nginx\"\nhost = \"web\"\n{more}\n[apps.listen]\nport = 80\n{listen}\n{upstream}"
    )
}

const REDIS: &str =
    "[[apps]]\nkind = \"redis\"\nhost = \"redis\"\nport = 6379\nservice = \"20us\"\n";

#[test]
fn without_queues_latencies_are_the_sum_of_the_delays() {
    // There and back, and 3 ms of work.
    let outcome = world("6s", &(wrk(10, "") + &nginx("service = \"3ms\"", "", "")));
    let (host, tally) = load(&outcome);
    let all = Some(Span::millis(5));
    assert_eq!((host.latencies.percentile(1), host.latencies.most()), (all, all));
    // Ten at a time, each in 5 ms; the handshake comes first.
    assert_eq!(tally.answered, 10 * ((5000 - 2) / 5));
    assert_eq!((tally.given_up, tally.failed, tally.all_errors()), (10, 0, 0));
    assert_eq!(tally.active(outcome.simulated), Span::secs(5));
    // And through a proxy, with a kept connection to a Redis that is asked one question at a time.
    let apps = wrk(1, "") + &nginx("", "", "to = \"redis:6379\"\nkeepalive = 1") + REDIS;
    let outcome = world("6s", &apps);
    let (host, _) = load(&outcome);
    let first = Span::micros(2_000 + 2_000 + 2_000 + 20);
    assert!(host.latencies.most() >= Some(first), "the first one waits for the connection");
    near(host.latencies.percentile(500), Span::micros(4_020));
    let (host, tally) = web(&outcome);
    near(host.latencies.percentile(500), Span::micros(2_020));
    assert_eq!((tally.misses, tally.hits), (2, tally.requests - 2), "a thousand go on each");
    // A request that comes by itself brings its connection: SYN, question, and their answers.
    let ab =
        "[[apps]]\nkind = \"ab\"\nhost = \"load\"\nto = \"web:80\"\nrate = \"10/s\"\ncount = 20\n";
    let outcome = world("6s", &(ab.to_owned() + &nginx("service = \"3ms\"", "", "")));
    let (host, tally) = load(&outcome);
    assert_eq!((tally.sent, tally.answered), (20, 20));
    let all = Some(Span::millis(7));
    assert_eq!((host.latencies.percentile(1), host.latencies.most()), (all, all));
    assert_eq!(host.connects.most(), Some(Span::millis(2)));
}

#[test]
fn threads_share_the_connections_and_are_busy_for_a_turn() {
    let apps = wrk(5, "").replace("threads = 1", "threads = 2") + &nginx("", "", "");
    let outcome = world("6s", &apps);
    assert_eq!(web(&outcome).1.accepted, 4, "wrk leaves the fifth out");
    // One thread, 200 us for each event: to write a request, and to read its answer.
    let busy = wrk(50, "").replace("turn = \"0s\"", "turn = \"200us\"") + &nginx("", "", "");
    let outcome = world("6s", &busy);
    let (_, tally) = load(&outcome);
    assert!((12_300..12_500).contains(&tally.answered), "2,500 a second: {}", tally.answered);
}

#[test]
fn connection_close_lets_the_server_close_first() {
    let apps = wrk(2, "connection = \"close\"").replace("turn = \"0s\"", "turn = \"5us\"")
        + &nginx("", "", "");
    let outcome = world("6s", &apps);
    let (host, tally) = load(&outcome);
    let (server, served) = web(&outcome);
    assert_eq!(tally.all_errors(), 0);
    assert!(tally.answered > 2000);
    assert_eq!(served.accepted, host.clients.started, "a connection for each request");
    let closed = served.closes[&Reason::ConnectionClose];
    assert!((tally.answered..=tally.answered + 2).contains(&closed), "{closed}");
    assert_eq!((served.reused, served.open), (0, 0));
    assert_eq!(host.sockstat.tw, 0);
    assert!(u64::from(server.sockstat.tw) >= tally.answered, "who closes first has the buckets");
}

#[test]
fn keepalive_requests_end_a_connection_in_good_order() {
    let apps = wrk(2, "") + &nginx("", "keepalive_requests = 10", "");
    let outcome = world("6s", &apps);
    let (host, tally) = load(&outcome);
    let (_, served) = web(&outcome);
    assert_eq!(tally.all_errors(), 0, "the answer says so, and wrk reads it");
    assert_eq!(served.closes[&Reason::KeepaliveRequests], tally.answered / 10);
    assert_eq!(host.clients.started, 2 + tally.answered / 10);
    // And none is kept at all with keepalive_timeout 0.
    let apps = wrk(1, "") + &nginx("", "keepalive_timeout = \"0s\"", "");
    let outcome = world("6s", &apps);
    let (_, served) = web(&outcome);
    assert_eq!(served.closes[&Reason::KeepaliveOff], load(&outcome).1.answered);
    assert_eq!(served.reused, 0);
}

#[test]
fn wrk_meets_refusals_when_it_writes() {
    // The server's process ends after 2 s, and nobody listens for a second.
    let server = "[[apps]]\nkind = \"server\"\nhost = \"web\"\nport = 80\nrestart_at = \"2s\"\n\
                  restart_takes = \"1s\"\n";
    let outcome = world("6s", &(wrk(3, "connection = \"close\"") + server));
    let (_, tally) = load(&outcome);
    assert!(tally.errors[&(Class::Write, "ECONNREFUSED")] > 1000, "{:?}", tally.errors);
    assert_eq!(tally.of_class(Class::Connect), 0);
    assert!(tally.answered > 2900, "it goes on afterwards: {}", tally.answered);
    assert_eq!(tally.sent, tally.answered + tally.failed + tally.given_up);
    // With one port only, each connection but one is lost for good.
    let few = wrk(4, "") + &nginx("", "", "");
    let few = few + "[hosts.load.sysctl]\n\"net.ipv4.ip_local_port_range\" = \"40000 40001\"\n";
    let outcome = world("6s", &few);
    let (_, tally) = load(&outcome);
    assert_eq!(tally.errors[&(Class::Connect, "EADDRNOTAVAIL")], tally.lost);
    assert_eq!((tally.lost, web(&outcome).1.accepted), (2, 2), "nobody tries again");
}

#[test]
fn late_answers_are_timeouts_and_not_latencies() {
    let outcome =
        world("6s", &(wrk(1, "timeout = \"50ms\"") + &nginx("service = \"60ms\"", "", "")));
    let (host, tally) = load(&outcome);
    assert_eq!(tally.errors[&(Class::Timeout, "timeout")], tally.answered);
    assert!(tally.answered > 70 && host.latencies.count() == 0);
    // ab gives such a request up, and closes; nginx sees its client go: 499.
    let ab = "[[apps]]\nkind = \"ab\"\nhost = \"load\"\nto = \"web:80\"\nrate = \"5/s\"\ncount = 10\n\
              timeout = \"50ms\"\n";
    let slow = nginx("", "", "to = \"redis:6379\"")
        + "[[apps]]\nkind = \"server\"\nhost = \"redis\"\nport = 6379\nservice = \"100ms\"\n";
    let outcome = world("6s", &(ab.to_owned() + &slow));
    let (_, tally) = load(&outcome);
    assert_eq!((tally.failed, tally.of_class(Class::Timeout)), (10, 10));
    let (host, served) = web(&outcome);
    assert_eq!((served.with(Status::ClientClosed), served.with(Status::Ok)), (10, 0));
    // "client prematurely closed connection, so upstream connection is closed too": its answer finds
    // nobody, and the FIN behind it neither.
    assert_eq!(served.closes[&Reason::ClientAborted], 20);
    assert_eq!(host.counter(Mib::OutRsts), 20);
}

#[test]
fn an_upstream_that_fails_is_a_502_or_the_next_ones_turn() {
    let up = "to = \"redis:6379-6380\"\nkeepalive = 4";
    let apps = wrk(1, "") + &nginx("", "", up) + REDIS;
    let outcome = world("6s", &apps);
    let (_, served) = web(&outcome);
    assert_eq!(served.with(Status::BadGateway), 0);
    assert_eq!(served.retries, served.errors["ECONNREFUSED"]);
    assert!(served.retries * 2 >= served.requests, "every other question goes to nobody first");
    let nobody = wrk(1, "") + &nginx("", "", "to = \"redis:6380\"");
    let outcome = world("6s", &nobody);
    let (_, served) = web(&outcome);
    assert_eq!(served.with(Status::BadGateway), load(&outcome).1.answered);
    assert_eq!(load(&outcome).1.all_errors(), 0, "a 502 is an answer");
    // 504: an upstream that hangs.
    let hangs = nginx("", "", "to = \"redis:6379\"\nread_timeout = \"1s\"")
        + "[[apps]]\nkind = \"server\"\nhost = \"redis\"\nport = 6379\nreads = false\n";
    let outcome = world("6s", &(wrk(1, "") + &hangs));
    let (_, served) = web(&outcome);
    assert_eq!(served.with(Status::GatewayTimeout), 4);
    assert_eq!(served.closes[&Reason::TimedOut], 4);
}

#[test]
fn a_kept_upstream_connection_goes_as_nginx_says() {
    let of = |up: &str, redis: &str, duration: &str| {
        let apps = wrk(1, "") + &nginx("", "", &format!("to = \"redis:6379\"\n{up}"));
        let outcome = world(duration, &(apps + redis));
        web(&outcome).1.clone()
    };
    let requests = of("keepalive = 1\nkeepalive_requests = 100", REDIS, "6s");
    assert_eq!(requests.closes[&Reason::KeepaliveRequests], requests.requests / 100);
    let time = of("keepalive = 1\nkeepalive_time = \"1s\"", REDIS, "6s");
    assert_eq!(time.closes[&Reason::KeepaliveTime], 4);
    let none = of("", REDIS, "6s");
    assert_eq!(none.closes[&Reason::NoKeepalive], none.with(Status::Ok));
    // One request, and nothing more: who closes the kept connection?
    let once = |up: &str, redis: &str| {
        let ab = "[[apps]]\nkind = \"ab\"\nhost = \"load\"\nto = \"web:80\"\nrate = \"1/s\"\ncount = 1\n";
        let apps =
            ab.to_owned() + &nginx("", "", &format!("to = \"redis:6379\"\nkeepalive = 1{up}"));
        let served = web(&world("9s", &(apps + redis))).1.clone();
        assert_eq!(served.idle, 0);
        served
    };
    assert_eq!(once("\nkeepalive_timeout = \"3s\"", REDIS).closes[&Reason::PoolIdle], 1);
    let timeout = REDIS.to_owned() + "timeout = \"1s\"\n";
    assert_eq!(once("", &timeout).closes[&Reason::PoolReadable], 1, "Redis closes what is idle");
}

#[test]
fn an_openresty_with_clients_answers_them_when_its_code_is_done() {
    let openresty = "[[apps]]\nkind = \"openresty\"\nhost = \"web\"\nto = \"redis:6379\"\n\
                     [apps.listen]\nport = 80\n";
    let outcome = world("6s", &(wrk(1, "") + openresty + REDIS));
    let (host, _) = load(&outcome);
    near(host.latencies.percentile(500), Span::micros(4_020));
    let (host, served) = web(&outcome);
    let pool = host.pool.as_ref().expect("it has a pool");
    assert_eq!((pool.requests, pool.misses), (served.requests, 1));
    assert_eq!(pool.answered, served.requests);
    // Its code goes on when the client is gone (lua_check_client_abort off).
    assert_eq!(served.with(Status::ClientClosed), 0);
}

/// A client that is written down, against an nginx.
fn scripted(lines: &str, listen: &str, duration: &str) -> Outcome {
    let script =
        format!("[[apps]]\nkind = \"scripted\"\nhost = \"load\"\nscript = '''\n{lines}'''\n");
    world(duration, &(script + &nginx("", listen, "")))
}

#[test]
fn a_script_meets_what_nginx_does_with_its_connections() {
    let closed = |outcome: &Outcome, reason: Reason| {
        let (_, served) = web(outcome);
        assert_eq!(served.closes.keys().collect::<Vec<_>>(), [&reason]);
        assert_eq!((served.open, script(outcome).surprised()), (0, 0));
    };
    let ask = "connect web:80\nsend 100\nrecv 100\n";
    let idle = scripted(&format!("{ask}recv eof\n"), "keepalive_timeout = \"2s\"", "9s");
    closed(&idle, Reason::KeepaliveTimeout);
    let header =
        scripted("connect web:80\nsend 50\nrecv eof\n", "client_header_timeout = \"2s\"", "9s");
    closed(&header, Reason::HeaderTimeout);
    let client = scripted(&format!("{ask}close\n"), "", "9s");
    closed(&client, Reason::ClientClosed);
    // lingering_close: the answer, SHUT_WR, and then nothing comes for 5 s …
    let off = "keepalive_timeout = \"0s\"\nlingering_close = \"always\"";
    let silent = scripted(&format!("{ask}recv eof\nwait 20s\n"), off, "30s");
    closed(&silent, Reason::LingeringTimeout);
    // … or the client closes in good time …
    let good = scripted(&format!("{ask}recv eof\nwait 1s\nclose\n"), off, "30s");
    closed(&good, Reason::LingeringClose);
    // … or goes on for longer than lingering_time, in whole seconds; then its data is reset.
    let on = format!("{ask}recv eof\nrepeat 20\nsend 10 = any\nwait 1s\nend\n");
    let talks = scripted(&on, &format!("{off}\nlingering_time = \"6s\""), "30s");
    closed(&talks, Reason::LingeringTime);
    assert_eq!(web(&talks).0.counter(Mib::OutRsts), 1);
}

#[test]
fn lingering_close_saves_an_answer_that_a_reset_would_take() {
    // More comes than nginx reads: without lingering the close() resets, and the answer is lost that
    // the client had not read yet.
    let late = "connect web:80\nsend 150\nwait 1s\nrecv 100 = any\nrecv eof = any\n";
    let listen = "keepalive_timeout = \"0s\"\n";
    let on = scripted(late, listen, "20s");
    assert_eq!((script(&on).errors.len(), on.rst_count()), (0, 0));
    // And a long answer that is still on its way is lost with the RST for what came meanwhile.
    let meanwhile = "connect web:80\nsend 100\nwait 2ms\nsend 10 = any\nrecv 60000 = any\n";
    let long = "keepalive_timeout = \"0s\"\nresponse_bytes = 60000\n";
    let off = scripted(meanwhile, &format!("{long}lingering_close = \"off\""), "20s");
    assert_eq!(script(&off).errors["ECONNRESET"], 1);
    assert!(off.rst_count() > 0);
    for lingering in ["on", "always"] {
        let saved = scripted(meanwhile, &format!("{long}lingering_close = \"{lingering}\""), "20s");
        assert_eq!((script(&saved).errors.len(), saved.rst_count()), (0, 0), "{lingering}");
    }
}

#[test]
fn scripts_of_both_ends_do_what_they_say() {
    let client = "connect redis:7000 as a\nconnect redis:7000 as b\nsend 100 on a\nsend 100 on b\n\
                  recv 50 on a\nclose on b\nshutdown wr on a\nrecv eof on a\nclose on a\nexit\nwait 1h\n";
    let server = "repeat 2\naccept\nrecv 100\nsend 50 = any\nend\nwait 100ms\n";
    let apps = format!(
        "[[apps]]\nkind = \"scripted\"\nhost = \"load\"\nscript = '''{client}'''\ncopies = 3\n\
         [[apps]]\nkind = \"scripted\"\nhost = \"redis\"\nport = 7000\nscript = '''{server}'''\ncopies = 3\n"
    );
    let outcome = world("9s", &apps);
    let tally = script(&outcome);
    assert_eq!((tally.ended, tally.surprised()), (3, 0), "{:?}", tally.surprises);
    let redis = outcome.host("redis").and_then(|host| host.script.as_ref()).expect("it serves");
    assert_eq!((redis.ended, redis.surprised()), (3, 0), "{:?}", redis.surprises);
    let left = |name| outcome.host(name).map(|host| host.sockstat.inuse);
    assert_eq!((left("load"), left("redis")), (Some(0), Some(1)), "only the listener is left");
}

#[test]
fn a_script_ends_where_something_happens_that_it_does_not_expect() {
    let lines = "wait 1s\nrepeat forever\nconnect web:81 = ECONNREFUSED\nconnect web:80\nclose\n\
                 connect web:81\nend\n";
    let outcome = scripted(lines, "", "9s");
    let tally = script(&outcome);
    let (place, surprise) = tally.surprises.first_key_value().expect("there is one");
    assert_eq!((place.0, place.1.name(), surprise.count), (6, "ECONNREFUSED", 1));
    assert_eq!(surprise.text, "connect web:81");
    assert_eq!(surprise.first, Instant::ZERO + Span::millis(1000 + 2 + 2 + 2));
    assert_eq!((tally.errors["ECONNREFUSED"], tally.ended), (2, 0));
    // SO_LINGER, as a program in a hurry uses it.
    let lines = "connect web:80\nsetsockopt SO_LINGER 0s\nclose\n";
    assert_eq!(scripted(lines, "", "9s").host("load").map(|h| h.counter(Mib::OutRsts)), Some(1));
    // A loop that never waits is slowed down, not endless.
    let spins =
        scripted("connect web:80\nrepeat forever\nsetsockopt TCP_NODELAY on\nend\n", "", "50ms");
    assert!((20_000..60_000).contains(&script(&spins).calls), "{}", script(&spins).calls);
}
