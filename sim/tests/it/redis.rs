//! Redis as its clients see it: who is turned away, who is kept alive, and what CLIENT LIST says of
//! them at any time.

use finwait_model::counters::Mib;
use finwait_model::kernel::SockOpt;
use finwait_model::time::{Instant, Span};
use finwait_sim::app::{AppId, Call, SysCall};
use finwait_sim::run::{Outcome, run_watched};
use finwait_sim::view::redis::{Clients, Instance};
use finwait_sim::watch::{Sent, Trigger, Watch};
use finwait_sim::world::{HostId, Turns};

use crate::any_scenario::parse;

/// Hears the system calls of one Redis.
struct Ear {
    redis: (HostId, AppId),
    step: (Instant, HostId),
    until: Instant,
    clients: Clients,
    options: Vec<SockOpt>,
}

impl Watch for Ear {
    fn wants_notes(&self) -> bool {
        false
    }
    fn wants_steps(&self) -> bool {
        true
    }
    fn sent(&mut self, _sent: &Sent<'_>) {}
    fn begins(&mut self, at: Instant, host: HostId, _trigger: Trigger<'_>) {
        self.step = (at, host);
    }
    fn called(&mut self, call: &Call) {
        let (at, host) = self.step;
        if (host, call.app) == self.redis && at < self.until {
            self.clients.called(at, call);
            if let SysCall::SetSockOpt(option) = call.what {
                self.options.push(option);
            }
        }
    }
}

/// Plays a client and a Redis, each with these keys, and listens to Redis until then.
fn play(duration: &str, client: &str, redis: &str, until: Span) -> (Outcome, Ear) {
    let text = format!(
        "duration = \"{duration}\"\n[hosts.web]\nkernel = \"6.18\"\n[hosts.redis]\nkernel = \"6.18\"\n\
         [links]\ndelay = \"1ms\"\n[[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"redis:6379\"\n\
         {client}\n[[apps]]\nkind = \"server\"\nhost = \"redis\"\nport = 80\n[[apps]]\nkind = \"redis\"\n\
         host = \"redis\"\nport = 6379\n{redis}\n"
    );
    let scenario = parse(&text);
    let all = Instance::all(&scenario);
    let [Instance { host, app, plan }] = &all[..] else { panic!("one Redis: {all:?}") };
    assert_eq!(*app, AppId(1), "its host has a server before it");
    let mut ear = Ear {
        redis: (*host, *app),
        step: (Instant::ZERO, HostId(0)),
        until: Instant::ZERO + until,
        clients: Clients::new(plan.clone()),
        options: Vec::new(),
    };
    let outcome = run_watched(&scenario, Turns::Forward, &mut ear, |_| ());
    (outcome, ear)
}

#[test]
fn ages_are_those_of_the_connections_to_the_nanosecond() {
    // A SYN each second from 0.5 s on; its handshake takes 3 ms, and Redis another 20 us.
    let client = "rate = \"1/s\"\nstart = \"500ms\"\nhold = \"10s\"";
    let at = Instant { ns: 4_100_000_000 };
    let (_, ear) = play("5s", client, "", at.since(Instant::ZERO));
    let clients: Vec<_> = ear.clients.iter().collect();
    assert_eq!(clients.iter().map(|c| c.id).collect::<Vec<_>>(), [3, 4, 5, 6]);
    for (n, client) in clients.iter().enumerate() {
        let accepted = Span::millis(503 + 1000 * n as u64) + Span::micros(20);
        assert_eq!(client.since, Instant::ZERO + accepted, "{client:?}");
        assert_eq!(client.age(at), at.since(Instant::ZERO + accepted));
        // The request came with the ACK, and has a turn of its own.
        assert_eq!(client.idle(at) + Span::micros(20), client.age(at));
        assert_eq!((client.age_s(at), client.commands), (4 - n as u64, 1));
    }
    let ports: Vec<u16> = clients.iter().map(|c| c.flow.destination().port).collect();
    assert!(ports.iter().all(|port| *port > 1023) && clients.iter().all(|c| c.flow.sport == 6379));
}

#[test]
fn clients_that_close_are_not_in_the_list() {
    let (outcome, ear) = play("5s", "rate = \"50/s\"\ncount = 100", "", Span::secs(5));
    assert_eq!(outcome.lifecycles, 100);
    assert_eq!((ear.clients.iter().count(), ear.clients.received()), (0, 100));
    let redis = outcome.host("redis").expect("it is there");
    assert_eq!((redis.servers.accepted, redis.servers.served), (100, 100));
}

#[test]
fn more_than_maxclients_are_told_so_and_closed() {
    // Five within half a second, and each stays for seconds.
    let client = "rate = \"10/s\"\ncount = 5\nhold = \"3s\"";
    let (outcome, ear) = play("10s", client, "maxclients = 3", Span::secs(2));
    let redis = outcome.host("redis").expect("it is there");
    assert_eq!((redis.servers.accepted, redis.servers.rejected), (5, 2));
    assert_eq!((ear.clients.iter().count(), ear.clients.rejected()), (3, 2));
    assert!(ear.clients.info_clients().contains("connected_clients:3\n"));
    // What they had asked was not read, so the close is a RST; the ACK of what they were told meets
    // the listener.
    let mut causes: Vec<_> = redis.rst.iter().map(|g| (g.cause.name(), g.count)).collect();
    causes.sort_unstable();
    assert_eq!(causes, [("rst-listen-ack", 2), ("rst-unread-data", 2)]);
    assert_eq!(outcome.host("web").expect("it is there").clients.broken, 2);
    assert_eq!(outcome.lifecycles, 5);
}

#[test]
fn tcp_keepalive_probes_as_redis_asks_for_it() {
    let client = "rate = \"1/s\"\ncount = 1\nhold = \"100s\"";
    let (outcome, ear) = play("25s", client, "tcp_keepalive = \"7s\"", Span::secs(25));
    let wanted = [
        SockOpt::KeepAlive(true),
        SockOpt::KeepIdle(7),
        SockOpt::KeepIntvl(2),
        SockOpt::KeepCnt(3),
    ];
    let keep = |option: &&SockOpt| !matches!(option, SockOpt::ReuseAddr(_));
    assert_eq!(ear.options.iter().filter(keep).copied().collect::<Vec<_>>(), wanted);
    // Each answer begins the 7 s anew.
    let redis = outcome.host("redis").expect("it is there");
    assert_eq!(redis.counter(Mib::TCPKeepAlive), 3);
    // An interval of less than 3 s has probes a second apart.
    let (_, ear) = play("1s", client, "tcp_keepalive = \"2s\"", Span::secs(1));
    assert!(ear.options.contains(&SockOpt::KeepIntvl(1)));
    let (_, ear) = play("1s", client, "", Span::secs(1));
    assert_eq!(ear.options.iter().filter(keep).count(), 0);
}

#[test]
fn an_idle_client_is_closed_when_the_list_says_it_was_idle_for_longer() {
    let client = "rate = \"1/s\"\ncount = 1\nhold = \"100s\"";
    let listed = |at: Span| play("10s", client, "timeout = \"3s\"", at).1.clients.iter().count();
    // Idle since 0.003 s: the clock of whole seconds shows more than 3 at 4 s.
    assert_eq!(listed(Span::millis(3_999)), 1);
    assert_eq!(listed(Span::millis(4_101)), 0);
}
