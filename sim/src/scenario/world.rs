//! From a [`Scenario`] to a [`World`] at time zero.

use finwait_model::kernel::Config;

use super::{AppPlan, Scenario};
use crate::app::{Ab, App, Client, Nginx, Pool, Redis, RedisPlan, Scripted, Server, Wrk};
use crate::follow::Followers;
use crate::host::{Host, Wires};
use crate::link::Link;
use crate::nat::Nat;
use crate::pairs::Pairs;
use crate::peer::PeerConfig;
use crate::rng::Stream;
use crate::world::{HostId, Turns, World};
use finwait_model::time::Span;

impl Scenario {
    /// The world at time zero.
    pub fn world(&self) -> World {
        self.world_with(Turns::Forward)
    }
    /// The same, with the hosts' turns in that order; nothing may depend on it.
    pub fn world_with(&self, turns: Turns) -> World {
        self.world_without_tracks(turns).with_followers(Followers::of(self))
    }
    /// The same for somebody who wants to know of RSTs and samples only, and does not act on the hosts:
    /// connections that stand as others have stood need not be worked out anew. If the world
    /// [gives up](World::gave_up), the run has to be done again in another one.
    pub fn world_of_pairs(&self, turns: Turns) -> Option<World> {
        if Followers::of(self).takes_all(self) {
            return None;
        }
        let pairs = Pairs::of(self)?;
        Some(self.world_without_tracks(turns).with_pairs(pairs))
    }
    /// The same, in which every connection is worked out in full.
    pub fn world_without_tracks(&self, turns: Turns) -> World {
        let links = self.links.iter().map(|plan| {
            let name = |host| self.host_plan(host).name.as_str();
            let stream =
                Stream::new(self.seed, &format!("link {} > {}", name(plan.from), name(plan.to)));
            Link::new(plan.from, plan.to, plan.quality, stream)
        });
        let hosts = (0..self.hosts.len()).map(|index| self.build_host(HostId(index as u16)));
        World::new(hosts.collect(), links.collect(), turns)
    }
    /// What a host's kernel is made of.
    pub(crate) fn config_of(&self, id: HostId) -> Config {
        let plan = self.host_plan(id);
        Config {
            release: plan.release,
            clock: plan.clock,
            sysctl: plan.sysctl.clone(),
            addrs: vec![plan.addr],
            mtu: plan.mtu,
            seed: Stream::new(self.seed, &format!("host {}", plan.name)).bits(),
        }
    }
    fn build_host(&self, id: HostId) -> Host {
        let plan = self.host_plan(id);
        let config = self.config_of(id);
        let mine = self.apps.iter().filter(|(host, _)| *host == id).map(|(_, app)| app);
        let apps = mine.enumerate().map(|(index, app)| {
            start(app, Stream::new(self.seed, &format!("app {}.{index}", plan.name)))
        });
        let smoltcp = plan.smoltcp.map(|smoltcp| PeerConfig {
            addr: plan.addr,
            mtu: plan.mtu,
            recv_buffer: smoltcp.recv_buffer,
            send_buffer: smoltcp.send_buffer,
            timeout: smoltcp.timeout,
            seed: Stream::new(self.seed, &format!("smoltcp {}", plan.name)).bits(),
        });
        let (apps, wires) = (apps.collect(), self.wires(id));
        let mut host = Host::new(id, &plan.name, &config, smoltcp.as_ref(), apps, wires);
        if plan.is_real {
            host.becomes_real();
        }
        match self.boxes.iter().find(|(host, _)| *host == id) {
            Some((_, box_plan)) => host.with_nat(Nat::new(box_plan.clone(), plan.addr)),
            None => host,
        }
    }
    fn wires(&self, id: HostId) -> Wires {
        let mut wires = Wires::default();
        for (index, link) in self.links.iter().enumerate() {
            if link.from == id {
                wires.routes.push((self.host_plan(link.to).addr, index));
            }
        }
        self.through_nat(id, &mut wires);
        wires
    }
    /// Who is behind a NAT sends there what is for anybody else.
    fn through_nat(&self, id: HostId, wires: &mut Wires) {
        let Some(nat) = self.nat_of(id) else { return };
        let way = self.links.iter().position(|link| (link.from, link.to) == (id, nat));
        let Some(way) = way else { return };
        for (_, app) in self.apps.iter().filter(|(host, _)| *host == id) {
            for to in Self::targets_of(app) {
                if !wires.routes.iter().any(|(addr, _)| *addr == to.addr) {
                    wires.routes.push((to.addr, way));
                }
            }
        }
    }
}

fn start(app: &AppPlan, mut stream: Stream) -> App {
    match app {
        AppPlan::Client(plan) => App::Client(Box::new(Client::new(plan.clone(), stream))),
        AppPlan::Server(plan) => App::Server(Server::new(plan.clone(), stream)),
        AppPlan::Pool(plan) => App::Pool(Box::new(Pool::new(plan.clone(), stream))),
        AppPlan::Wrk(plan) => App::Wrk(Box::new(Wrk::new(plan.clone()))),
        AppPlan::Ab(plan) => App::Ab(Box::new(Ab::new(plan.clone(), stream))),
        AppPlan::Nginx(plan) => App::Nginx(Box::new(Nginx::new(plan.clone(), stream))),
        AppPlan::Scripted(plan) => App::Scripted(Box::new(Scripted::new(plan.clone(), stream))),
        AppPlan::Redis(plan) => {
            let slow_first = Span::nanos(stream.below(plan.slow_every.ns));
            App::Redis(Redis::new(RedisPlan { slow_first, ..plan.clone() }))
        }
    }
}
