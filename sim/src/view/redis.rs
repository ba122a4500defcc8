//! `CLIENT LIST` and `INFO` of a simulated Redis, as 7.0.15 prints them.
//!
//! [`Clients`] is told the system calls of one event loop, out of a run or a recording, and knows
//! at any instant whom it serves, since when, and when each was heard of last. What a plain client
//! of the real program shows and nobody simulates (its buffers, its protocol) is what the real one
//! shows of a client that asks small questions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::flow::FourTuple;
use finwait_model::time::{Instant, Span};

use crate::app::{AppId, Call, RedisPlan, SysCall};
use crate::scenario::{AppPlan, Scenario};
use crate::world::HostId;

/// The version whose fields these are.
pub const VERSION: &str = "7.0.15";
/// The number of the first client: two clients of Redis' own, for scripts, come before it.
const FIRST_ID: u64 = 3;
/// What is left of a query buffer that has been used.
const QUERY_BUFFER: u64 = 20_474;
/// `clientsCron` frees the query buffers of those who have been idle for longer, seconds.
const QUERY_BUFFER_IDLE_S: u64 = 2;
/// The answer buffer of a new client, and what `clientsCron` leaves of it within a second.
const ANSWER_BUFFER: (u64, u64) = (16_384, 1_024);
/// What a client weighs that has nothing in its buffers.
const CLIENT_BYTES: u64 = 1_800;
/// What is free of the query buffer of somebody who has not sent anything.
const UNUSED_QUERY_BUFFER: u64 = 4;

/// One event loop of a scenario: who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Whose host.
    pub host: HostId,
    /// Which of that host's applications.
    pub app: AppId,
    /// What it is meant to do.
    pub plan: RedisPlan,
}

impl Instance {
    /// Those of a scenario, in its order.
    pub fn all(scenario: &Scenario) -> Vec<Self> {
        let redis = |(host, app, plan): (HostId, AppId, &AppPlan)| match plan {
            AppPlan::Redis(plan) => Some(Self { host, app, plan: plan.clone() }),
            _ => None,
        };
        scenario.placed_apps().filter_map(redis).collect()
    }
}

/// A client of a Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its number; none is given twice.
    pub id: u64,
    /// Its descriptor.
    pub fd: u32,
    /// The connection, seen from the Redis.
    pub flow: FourTuple,
    /// When it was accepted.
    pub since: Instant,
    /// When something was read from it or written to it last.
    pub heard: Instant,
    /// Bytes of a command that is not complete.
    pub query: u32,
    /// Has anything come?
    pub asked: bool,
    /// Commands that it has sent.
    pub commands: u64,
}

/// Whole seconds of the clock that Redis looks at, which shows nothing finer.
const fn second(at: Instant) -> u64 {
    at.ns / 1_000_000_000
}

impl Client {
    /// How old it is, exactly.
    pub fn age(&self, at: Instant) -> Span {
        at.since(self.since)
    }
    /// How long nothing has been heard of it, exactly.
    pub fn idle(&self, at: Instant) -> Span {
        at.since(self.heard)
    }
    /// `age`, as the difference of two readings of a clock that shows seconds.
    pub const fn age_s(&self, at: Instant) -> u64 {
        second(at) - second(self.since)
    }
    /// `idle`, likewise.
    pub const fn idle_s(&self, at: Instant) -> u64 {
        second(at) - second(self.heard)
    }
    /// The command that it has sent last.
    pub fn command<'a>(&self, plan: &'a RedisPlan) -> &'a str {
        if self.commands == 0 { "NULL" } else { &plan.command }
    }
    /// Its line, without the line feed.
    fn line(&self, plan: &RedisPlan, at: Instant) -> String {
        let is_new = self.age(at) < Span::secs(1);
        let (rbs, rbp) =
            if is_new { (ANSWER_BUFFER.0, ANSWER_BUFFER.0) } else { (ANSWER_BUFFER.1, 0) };
        let free = match (self.asked, self.idle_s(at) <= QUERY_BUFFER_IDLE_S) {
            (true, true) => QUERY_BUFFER.saturating_sub(self.query.into()),
            (true, false) => 0,
            (false, _) => UNUSED_QUERY_BUFFER,
        };
        let held = if self.asked && free > 0 { QUERY_BUFFER - 2 } else { 0 };
        let total = CLIENT_BYTES + held + rbs - ANSWER_BUFFER.1;
        let (remote, local) = (self.flow.destination(), self.flow.source());
        format!(
            "id={} addr={remote} laddr={local} fd={} name= age={} idle={} flags=N db=0 sub=0 \
             psub=0 ssub=0 multi=-1 qbuf={} qbuf-free={free} argv-mem=0 multi-mem=0 rbs={rbs} \
             rbp={rbp} obl=0 oll=0 omem=0 tot-mem={total} events=r cmd={} user=default redir=-1 \
             resp=2",
            self.id,
            self.fd,
            self.age_s(at),
            self.idle_s(at),
            self.query,
            self.command(plan),
        )
    }
}

/// The clients of one Redis, as its system calls tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clients {
    plan: RedisPlan,
    /// By number, as `CLIENT LIST` has them: in the order in which they came.
    clients: BTreeMap<u64, Client>,
    /// The number of whoever has that descriptor.
    by_fd: BTreeMap<u32, u64>,
    next_id: u64,
    /// Clients that there have been.
    received: u64,
    /// Those that were too many.
    rejected: u64,
    /// Commands of all of them.
    commands: u64,
}

impl Clients {
    /// Nobody yet.
    pub const fn new(plan: RedisPlan) -> Self {
        Self {
            plan,
            clients: BTreeMap::new(),
            by_fd: BTreeMap::new(),
            next_id: FIRST_ID,
            received: 0,
            rejected: 0,
            commands: 0,
        }
    }
    /// It has made a system call.
    pub fn called(&mut self, at: Instant, call: &Call) {
        match (call.what, call.result) {
            (SysCall::Accept, Ok(fd)) => self.accepted(at, fd, call.flow),
            (SysCall::Close { .. }, _) => {
                if let Some(id) = self.by_fd.remove(&call.fd) {
                    self.clients.remove(&id);
                }
            }
            (SysCall::Recv(_), Ok(bytes)) if bytes > 0 => {
                let request = self.plan.request.max(1);
                if let Some(client) = self.of_fd(call.fd) {
                    let all = client.query.saturating_add(bytes);
                    client.query = all % request;
                    client.commands += u64::from(all / request);
                    client.asked = true;
                    client.heard = at;
                    self.commands += u64::from(all / request);
                }
            }
            (SysCall::Send(_), Ok(_)) => {
                if let Some(client) = self.of_fd(call.fd) {
                    client.heard = at;
                }
            }
            _ => {}
        }
    }
    fn accepted(&mut self, at: Instant, fd: u32, flow: FourTuple) {
        if self.clients.len() as u64 >= u64::from(self.plan.max_clients) {
            self.rejected += 1;
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.received += 1;
        self.by_fd.insert(fd, id);
        let client =
            Client { id, fd, flow, since: at, heard: at, query: 0, asked: false, commands: 0 };
        self.clients.insert(id, client);
    }
    fn of_fd(&mut self, fd: u32) -> Option<&mut Client> {
        self.clients.get_mut(self.by_fd.get(&fd)?)
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &RedisPlan {
        &self.plan
    }
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }
    /// How many there have been, those that were turned away not counted.
    pub const fn received(&self) -> u64 {
        self.received
    }
    /// How many were turned away.
    pub const fn rejected(&self) -> u64 {
        self.rejected
    }
    /// `CLIENT LIST`.
    pub fn list(&self, at: Instant) -> String {
        self.iter().map(|client| client.line(&self.plan, at) + "\n").collect()
    }
    /// `INFO clients`.
    pub fn info_clients(&self) -> String {
        let mut out = String::from("# Clients\n");
        let input = if self.iter().any(|client| client.asked) { 20_480 } else { 0 };
        for (name, value) in [
            ("connected_clients", self.clients.len() as u64),
            ("cluster_connections", 0),
            ("maxclients", self.plan.max_clients.into()),
            ("client_recent_max_input_buffer", input),
            ("client_recent_max_output_buffer", 0),
            ("blocked_clients", 0),
            ("tracking_clients", 0),
            ("clients_in_timeout_table", 0),
        ] {
            let _ = writeln!(out, "{name}:{value}");
        }
        out
    }
    /// `INFO stats`, the lines that a simulation knows.
    pub fn info_stats(&self) -> String {
        format!(
            "# Stats\ntotal_connections_received:{}\ntotal_commands_processed:{}\n\
             rejected_connections:{}\n",
            self.received, self.commands, self.rejected
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Why;
    use finwait_model::flow::{Addr, Endpoint};

    fn at(ms: u64) -> Instant {
        Instant { ns: ms * 1_000_000 }
    }

    fn plan() -> RedisPlan {
        let text = "duration = \"1s\"\n[hosts.r]\nkernel = \"6.18\"\n[[apps]]\nkind = \"redis\"\n\
                    host = \"r\"\nport = 6379\nmaxclients = 2\nrequest_bytes = 10\n";
        let scenario = Scenario::parse(text, "redis").expect("it is good");
        Instance::all(&scenario)[0].plan.clone()
    }

    fn call(fd: u32, what: SysCall, result: u32) -> Call {
        let end = |last, port| Endpoint::new(Addr::v4(10, 0, 0, last), port);
        let flow = FourTuple::new(end(2, 6379), end(1, 40_000 + result as u16));
        Call { app: AppId(0), fd, flow, what, result: Ok(result) }
    }

    #[test]
    fn ages_are_differences_of_whole_seconds() {
        let mut clients = Clients::new(plan());
        clients.called(at(900), &call(0, SysCall::Accept, 7));
        let lines = clients.list(at(1_100));
        assert!(
            lines.starts_with(
                "id=3 addr=10.0.0.1:40007 laddr=10.0.0.2:6379 fd=7 name= age=1 idle=1 "
            )
        );
        assert!(lines.ends_with(" cmd=NULL user=default redir=-1 resp=2\n"), "{lines}");
        clients.called(at(1_950), &call(7, SysCall::Recv(16_384), 14));
        let client = clients.iter().next().expect("it is there").clone();
        assert_eq!(
            (client.age(at(2_050)), client.idle(at(2_050))),
            (Span::millis(1_150), Span::millis(100))
        );
        assert_eq!((client.age_s(at(2_050)), client.idle_s(at(2_050))), (2, 1));
        assert_eq!((client.query, client.commands), (4, 1));
        assert!(clients.list(at(2_050)).contains(" qbuf=4 qbuf-free=20470 "));
    }

    #[test]
    fn who_is_too_many_is_no_client_and_has_no_number() {
        let mut clients = Clients::new(plan());
        for fd in 7..10 {
            clients.called(at(1), &call(0, SysCall::Accept, fd));
        }
        let close = SysCall::Close { lingers: false, why: Why::default() };
        for fd in [9, 7] {
            clients.called(at(2), &call(fd, close, 0));
        }
        clients.called(at(3), &call(0, SysCall::Accept, 7));
        assert_eq!(clients.iter().map(|c| c.id).collect::<Vec<_>>(), [4, 5]);
        assert_eq!((clients.received(), clients.rejected()), (3, 1));
        assert!(
            clients
                .info_clients()
                .contains("connected_clients:2\ncluster_connections:0\nmaxclients:2\n")
        );
        assert!(clients.info_stats().contains("rejected_connections:1\n"));
    }
}
