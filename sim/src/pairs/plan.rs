//! In which scenarios connections are known that way: those in which nothing is left to chance, and
//! whose applications do nothing but connect, accept, send, read all there is, and close.

use std::collections::VecDeque;

use finwait_model::flow::Endpoint;
use finwait_model::time::Span;

use super::conn::Conns;
use super::graph::{Graph, Node};
use super::replay::Ground;
use super::timers::Timers;
use super::{Door, Land, Lane, Pairs, Station, Toward, Way, Yard};
use crate::agenda::NEVER;
use crate::app::{ClientPlan, CloseHow, RedisPlan, ServerPlan};
use crate::follow::is_plain;
use crate::scenario::{AppPlan, LinkPlan, Scenario};
use crate::world::HostId;

/// Over links that take longer, a round trip comes near to the least timeout of retransmissions.
const SLOWEST: Span = Span::millis(20);
/// Seconds: shorter timeouts of FIN_WAIT2 are stretched by what was measured of round trips.
const SHORTEST_FIN_TIMEOUT: i64 = 3;
/// A host with more listeners would have descriptors for connections among theirs.
const MOST_PORTS: usize = 2048;

impl Pairs {
    /// The pairs of a scenario, if it is one for them.
    pub(crate) fn of(scenario: &Scenario) -> Option<Self> {
        let suits = |link: &LinkPlan| link.quality.delay <= SLOWEST;
        let waits =
            |host: HostId| scenario.host_plan(host).sysctl.tcp_fin_timeout >= SHORTEST_FIN_TIMEOUT;
        let hosts: Vec<HostId> = (0..scenario.hosts.len()).map(|n| HostId(n as u16)).collect();
        if !is_plain(scenario)
            || !scenario.links.iter().all(suits)
            || !hosts.iter().all(|host| waits(*host))
            || !scenario.apps.iter().all(|(_, plan)| is_simple(plan))
        {
            return None;
        }
        let mut pairs = Self::empty(scenario, &hosts);
        for (host, plan) in &scenario.apps {
            let AppPlan::Client(client) = plan else { continue };
            if scenario.apps.iter().any(|(at, plan)| at == host && is_server(plan)) {
                return None;
            }
            for to in &client.targets {
                pairs.add_way(scenario, *host, *to)?;
            }
        }
        (pairs.yard.doors.len() <= MOST_PORTS).then_some(pairs)
    }
    fn empty(scenario: &Scenario, hosts: &[HostId]) -> Self {
        let lanes = |host: HostId| {
            let links = scenario.links.iter().filter(move |link| link.to == host);
            links.map(|link| Lane { delay: link.quality.delay, flights: VecDeque::new() })
        };
        let stations = hosts.iter().map(|host| Station {
            lanes: lanes(*host).collect(),
            arrival: NEVER,
            timers: Timers::default(),
            ways: Vec::new(),
            doors: Vec::new(),
        });
        let yard = Yard {
            doors: Vec::new(),
            stations: stations.collect(),
            wakes: VecDeque::new(),
            armed: 0,
            buckets_touched: false,
        };
        Self {
            lands: Vec::new(),
            ways: Vec::new(),
            graph: Graph::default(),
            conns: Conns::default(),
            yard,
            gave_up: None,
        }
    }
    fn add_way(&mut self, scenario: &Scenario, client: HostId, to: Endpoint) -> Option<()> {
        let ways = &self.yard.stations[usize::from(client.0)].ways;
        let Err(at) = ways.binary_search_by_key(&to, |way| way.0) else { return Some(()) };
        let (server, backlog) = scenario.apps.iter().find_map(|(host, plan)| {
            let listens = scenario.host_plan(*host).addr == to.addr && listens_on(plan, to.port);
            listens.then_some((*host, backlog_of(plan)?))
        })?;
        let toward = |from: HostId, to: HostId| {
            let mut links = scenario.links.iter().filter(|link| link.to == to);
            let lane = links.position(|link| link.from == from)? as u16;
            Some(Toward { host: to.0, lane })
        };
        let hosts = [client, server];
        let lanes = [toward(client, server)?, toward(server, client)?];
        let is_it = |land: &Land| land.hosts == hosts && land.ground.backlog == backlog;
        let land = self.lands.iter().position(is_it).unwrap_or_else(|| {
            let number = self.lands.len();
            let beginning = self.graph.node(number as u32, String::new());
            self.lands.push(Land::new(scenario, hosts, backlog, beginning));
            number
        });
        let is_it = |door: &Door| (door.host, door.port) == (server, to.port);
        let door = self.yard.doors.iter().position(is_it).unwrap_or_else(|| {
            self.yard.doors.push(Door {
                host: server,
                port: to.port,
                fd: None,
                queue: VecDeque::new(),
                coming: 0,
                room: 0,
            });
            self.yard.doors.len() - 1
        });
        let number = self.ways.len() as u32;
        self.ways.push(Way { lanes, land, door, ports: vec![0; 1 << 10] });
        self.yard.stations[usize::from(client.0)].ways.insert(at, (to, number));
        Some(())
    }
}

impl Land {
    fn new(scenario: &Scenario, hosts: [HostId; 2], backlog: i32, beginning: Node) -> Self {
        let configs = hosts.map(|host| scenario.config_of(host));
        let kernels = configs.each_ref().map(finwait_model::kernel::Kernel::new);
        let orphans = kernels.iter().map(finwait_model::kernel::Kernel::room).min().unwrap_or(0);
        Self {
            hosts,
            numbering: kernels.each_ref().map(finwait_model::kernel::Kernel::numbering),
            ground: Ground { configs, backlog },
            beginning,
            orphans,
            begun: 0,
            lessons: 0,
        }
    }
}

fn listens_on(plan: &AppPlan, port: u16) -> bool {
    match plan {
        AppPlan::Server(server) => (server.ports.0..=server.ports.1).contains(&port),
        AppPlan::Redis(redis) => redis.port == port,
        _ => false,
    }
}

fn backlog_of(plan: &AppPlan) -> Option<i32> {
    match plan {
        AppPlan::Server(server) => Some(server.backlog),
        AppPlan::Redis(redis) => Some(redis.backlog),
        _ => None,
    }
}

fn is_server(plan: &AppPlan) -> bool {
    matches!(plan, AppPlan::Server(_) | AppPlan::Redis(_))
}

/// Does it do nothing but what [`super::Act`] lists?
fn is_simple(plan: &AppPlan) -> bool {
    match plan {
        AppPlan::Client(ClientPlan { close, .. }) => *close == CloseHow::Close,
        AppPlan::Server(ServerPlan {
            never_closes, closes_first, parting, reads, restart, ..
        }) => !never_closes && !closes_first && *parting == 0 && *reads && restart.is_none(),
        AppPlan::Redis(RedisPlan { timeout_s, keepalive_s, .. }) => {
            *timeout_s == 0 && *keepalive_s == 0
        }
        _ => false,
    }
}
