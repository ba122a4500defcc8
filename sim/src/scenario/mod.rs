//! Scenarios: what a person writes in TOML, what it means, and the world made of it.

mod boxes;
mod build;
mod edit;
mod error;
mod load;
mod meets;
mod pool;
mod question;
mod redis;
mod schema;
mod script;
mod script_option;
mod set;
mod smoltcp;
mod texts;
mod web;
mod world;

pub use edit::{Draft, Refusal};
pub use error::{Error, closest, nearest};
pub use question::{CasePlan, FigureKind, FigurePlan, Located, QuestionPlan};
pub use set::Setting;

use std::collections::BTreeMap;

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Span};

use crate::app::{
    AbPlan, AppId, ClientPlan, NginxPlan, PoolPlan, RedisPlan, ScriptPlan, ServerPlan, WrkPlan,
};
use crate::link::Quality;
use crate::nat::NatPlan;
use crate::stack::Platform;
use crate::world::HostId;

/// A scenario whose every name and value has been checked: building its world cannot fail.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, for titles and JSON.
    pub name: String,
    /// What it is about, in a sentence or two.
    pub about: String,
    /// How much virtual time it covers.
    pub duration: Span,
    /// Seeds every stream of chance.
    pub seed: u64,
    /// How often tables and counters are sampled.
    pub sample: Span,
    /// Its hosts, in the order of the file.
    pub hosts: Vec<HostPlan>,
    /// The directions between hosts that have something to say to one another.
    pub links: Vec<LinkPlan>,
    /// What a link is like unless something else is said of it.
    pub quality: Quality,
    /// What applications say, where that is known: lengths are enough for a simulated peer.
    pub texts: Vec<Text>,
    /// What runs on the hosts.
    pub apps: Vec<(HostId, AppPlan)>,
    /// The hosts that are boxes on the way of others, and what they do there.
    pub boxes: Vec<(HostId, NatPlan)>,
    /// Sysctls of the counter-run: the same scenario with what would have helped.
    pub counter: Vec<Setting>,
    /// What has to be true of its run, such as `web.rst_sent == 0`.
    pub expect: Vec<Located>,
    /// Its variants.
    pub cases: Vec<CasePlan>,
    /// The question that the variants answer.
    pub question: Option<QuestionPlan>,
}

/// A host of a scenario.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// Its name.
    pub name: String,
    /// What kernel it runs.
    pub release: Release,
    /// Its tick, and how long it has been up when the run begins.
    pub clock: Clock,
    /// Its address.
    pub addr: Addr,
    /// The MTU of its interface, bytes.
    pub mtu: u16,
    /// Its sysctls.
    pub sysctl: Sysctl,
    /// How its smoltcp is made, if it runs that and no Linux; what stands above is a kernel in
    /// which nothing happens then.
    pub smoltcp: Option<SmoltcpPlan>,
    /// Does the machine that finwait runs on stand in its place?
    pub is_real: bool,
}

/// What a scenario says of a host with smoltcp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmoltcpPlan {
    /// Bytes of each socket's receive buffer.
    pub recv_buffer: u32,
    /// Bytes of each socket's send buffer.
    pub send_buffer: u32,
    /// After how much silence a connection is given up.
    pub timeout: Option<Span>,
}

impl HostPlan {
    /// Which TCP it runs.
    pub const fn platform(&self) -> Platform {
        match self.smoltcp {
            _ if self.is_real => Platform::Real,
            None => Platform::Linux(self.release),
            Some(_) => Platform::Smoltcp,
        }
    }
}

/// What an application says on each of its connections, over and over again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// Whose application it is.
    pub host: HostId,
    /// On which of its own ports, if it is a server; towards which, if it is a client.
    pub ports: (u16, u16),
    /// Is it a server?
    pub serves: bool,
    /// The bytes; not empty.
    pub bytes: Vec<u8>,
}

/// One direction between two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkPlan {
    /// Who sends.
    pub from: HostId,
    /// Who receives; may be the same host (loopback).
    pub to: HostId,
    /// What the link does to segments.
    pub quality: Quality,
}

/// What runs on a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppPlan {
    /// A short-lived client.
    Client(ClientPlan),
    /// A server.
    Server(ServerPlan),
    /// A single-threaded event loop; `slow_first` is drawn when the world is built.
    Redis(RedisPlan),
    /// A web server with pools of connections.
    Pool(PoolPlan),
    /// A wrk.
    Wrk(WrkPlan),
    /// Requests at a rate, like those of ab.
    Ab(AbPlan),
    /// A web server that proxies.
    Nginx(NginxPlan),
    /// A list of system calls.
    Scripted(ScriptPlan),
}

impl Scenario {
    /// Reads a scenario; `name` is what it is called if it does not say.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        build::scenario(text, name)
    }
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|h| h.name == name).map(|i| HostId(i as u16))
    }
    /// The scenario with the machine that finwait runs on in the place of a host: its applications
    /// do not run, and it has a link to everybody, since nobody knows whom it will talk to.
    pub fn with_real(&self, real: HostId) -> Self {
        let mut other = self.clone();
        other.hosts[usize::from(real.0)].is_real = true;
        other.apps.retain(|(host, _)| *host != real);
        for index in 0..other.hosts.len() {
            let host = HostId(index as u16);
            for (from, to) in [(real, host), (host, real)] {
                let known = other.links.iter().any(|l| (l.from, l.to) == (from, to));
                if host != real && !known {
                    other.links.push(LinkPlan { from, to, quality: other.quality });
                }
            }
        }
        other
    }
    /// Every application with its host and its place among that host's, by which system calls name
    /// it.
    pub fn placed_apps(&self) -> impl Iterator<Item = (HostId, AppId, &AppPlan)> {
        let mut next: BTreeMap<HostId, u16> = BTreeMap::new();
        self.apps.iter().map(move |(host, plan)| {
            let place = next.entry(*host).or_default();
            let app = AppId(*place);
            *place += 1;
            (*host, app, plan)
        })
    }
    /// The plan of a host.
    pub fn host_plan(&self, host: HostId) -> &HostPlan {
        &self.hosts[usize::from(host.0)]
    }
    /// The scenario with the settings of its counter-run in force; `None` if it has none.
    pub fn counter_run(&self) -> Option<Self> {
        if self.counter.is_empty() {
            return None;
        }
        let mut other = self.clone();
        for setting in &self.counter {
            setting.clone().apply(&mut other).ok()?;
        }
        other.counter.clear();
        Some(other)
    }
}
