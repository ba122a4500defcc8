//! What a capture has to know of a run, wherever it comes from.

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::recording::Header;
use crate::scenario::Scenario;
use crate::stack::Platform;
use crate::world::HostId;

/// A run, as far as captures show it.
#[derive(Clone, Debug)]
pub struct About {
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// Its hosts, in order.
    pub hosts: Vec<HostAbout>,
    /// Those of them that are boxes on the way of others.
    pub boxes: Vec<HostId>,
    /// How much earlier than what is told last something may still be told: in a run hosts take
    /// their turns in windows as long as the smallest link delay.
    pub(super) lag: Span,
}

/// A host of it.
#[derive(Clone, Debug)]
pub struct HostAbout {
    /// Its name.
    pub name: String,
    /// Its address.
    pub addr: Addr,
    /// What kernel it runs.
    pub release: Release,
    /// Which TCP it runs.
    pub platform: Platform,
}

impl About {
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|h| h.name == name).map(|i| HostId(i as u16))
    }
    /// The host with that address.
    pub fn host_at(&self, addr: Addr) -> Option<HostId> {
        self.hosts.iter().position(|h| h.addr == addr).map(|i| HostId(i as u16))
    }
    /// What the host with that address is called, or the address.
    pub fn name_of(&self, addr: Addr) -> String {
        let host = self.hosts.iter().find(|h| h.addr == addr);
        host.map_or_else(|| addr.to_string(), |h| h.name.clone())
    }
}

/// A run that goes on.
impl From<&Scenario> for About {
    fn from(scenario: &Scenario) -> Self {
        let hosts = scenario.hosts.iter().map(|plan| HostAbout {
            name: plan.name.clone(),
            addr: plan.addr,
            release: plan.release,
            platform: plan.platform(),
        });
        Self {
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            hosts: hosts.collect(),
            boxes: scenario.box_hosts(),
            lag: scenario.links.iter().map(|l| l.quality.delay).min().unwrap_or(Span::ZERO),
        }
    }
}

/// A run that was recorded; its events are told in the order of time.
impl From<&Header> for About {
    fn from(header: &Header) -> Self {
        let hosts = header.hosts.iter().map(|info| HostAbout {
            name: info.name.clone(),
            addr: info.addr,
            release: info.release,
            platform: info.platform,
        });
        Self {
            scenario: header.scenario.clone(),
            seed: header.seed,
            hosts: hosts.collect(),
            boxes: header.boxes(),
            lag: Span::ZERO,
        }
    }
}
