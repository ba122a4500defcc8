//! What stands at the two ends of a recording, as JSON: what was run, and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Instant, Span};

use super::codec::{HostKey, LAST};
use super::damage::Error;
use crate::scenario::Scenario;
use crate::stack::{self, Platform};
use crate::world::HostId;

/// What was run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The version of finwait that wrote it.
    pub finwait: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its text, with what the command line has changed.
    pub toml: String,
    /// The seed in force.
    pub seed: u64,
    /// How long the run was meant to last.
    pub duration: Span,
    /// How far apart the samples are.
    pub sample: Span,
    /// What was recorded, if not everything.
    pub filter: Option<String>,
    /// The hosts, in order.
    pub hosts: Vec<HostInfo>,
}

/// A host of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostInfo {
    /// Its name.
    pub name: String,
    /// What kernel it ran.
    pub release: Release,
    /// Its address.
    pub addr: Addr,
    /// Its tick, and how long it had been up when the run began.
    pub clock: Clock,
    /// The MTU of its interface, bytes.
    pub mtu: u16,
    /// Its sysctls when the run began.
    pub sysctl: Sysctl,
    /// Is it a box on the way of others, a NAT or a load balancer?
    pub passes_on: bool,
    /// Which TCP it ran.
    pub platform: Platform,
}

/// How a recording ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The run went to its end.
    Complete(Totals),
    /// Somebody ended the run before.
    Interrupted(Totals),
    /// The file ends there without having been finished: the program or the machine went down, or
    /// the disk was full.
    Cut(Instant),
}

impl End {
    /// Everything that happened before that time is in it.
    pub const fn at(&self) -> Instant {
        match self {
            Self::Complete(totals) | Self::Interrupted(totals) => totals.at,
            Self::Cut(at) => *at,
        }
    }
    /// What the run came to, unless the file was cut.
    pub const fn totals(&self) -> Option<&Totals> {
        match self {
            Self::Complete(totals) | Self::Interrupted(totals) => Some(totals),
            Self::Cut(_) => None,
        }
    }
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Totals {
    /// When it ended.
    pub at: Instant,
    /// The fingerprint of everything that happened, recorded or not.
    pub digest: String,
    /// Segments that left any host, recorded or not.
    pub segments: u64,
    /// Connections that clients opened and closed.
    pub lifecycles: u64,
    /// Segments that are recorded.
    pub recorded_segments: u64,
    /// RSTs that are recorded.
    pub recorded_resets: u64,
    /// What became of the filter, if there was one.
    pub remark: Option<String>,
}

impl Header {
    /// For a run of that scenario, whose text says what it does.
    pub fn new(scenario: &Scenario, toml: &str, filter: Option<String>) -> Self {
        let boxes = scenario.box_hosts();
        let hosts = scenario.hosts.iter().enumerate().map(|(index, plan)| HostInfo {
            name: plan.name.clone(),
            release: plan.release,
            addr: plan.addr,
            clock: plan.clock,
            mtu: plan.mtu,
            sysctl: plan.sysctl.clone(),
            passes_on: boxes.contains(&HostId(index as u16)),
            platform: plan.platform(),
        });
        Self {
            finwait: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.name.clone(),
            toml: toml.to_owned(),
            seed: scenario.seed,
            duration: scenario.duration,
            sample: scenario.sample,
            filter,
            hosts: hosts.collect(),
        }
    }
    /// The hosts that are boxes on the way of others.
    pub fn boxes(&self) -> Vec<HostId> {
        let boxes = self.hosts.iter().enumerate().filter(|(_, h)| h.passes_on);
        boxes.map(|(index, _)| HostId(index as u16)).collect()
    }
    pub(super) fn keys(&self) -> Vec<HostKey> {
        self.hosts.iter().map(|h| HostKey { addr: h.addr, clock: h.clock }).collect()
    }
    pub(super) fn to_json(&self) -> Vec<u8> {
        let hosts = self.hosts.iter().map(|host| HostJson {
            name: host.name.clone(),
            kernel: host.release.name().to_owned(),
            addr: host.addr.0,
            hz: host.clock.hz,
            uptime_ns: host.clock.uptime_ns,
            boot_jiffies: host.clock.boot_jiffies,
            mtu: host.mtu,
            sysctl: sysctls(&host.sysctl),
            passes_on: host.passes_on,
            stack: host.platform.stack().map(str::to_owned),
        });
        json(&HeaderJson {
            finwait: self.finwait.clone(),
            scenario: self.scenario.clone(),
            toml: self.toml.clone(),
            seed: self.seed,
            duration_ns: self.duration.ns,
            sample_ns: self.sample.ns,
            filter: self.filter.clone(),
            hosts: hosts.collect(),
            counters: counter_names(),
            causes: cause_names(),
        })
    }
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |what: String| Error::Header(what);
        let read: HeaderJson = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        if read.counters != counter_names() || read.causes != cause_names() {
            return Err(wrong(format!(
                "finwait {} wrote it, which knew other counters or causes",
                read.finwait
            )));
        }
        let hosts: Result<Vec<HostInfo>, Error> = read.hosts.into_iter().map(host).collect();
        let hosts = hosts?;
        if hosts.is_empty() || hosts.len() > 1 << 12 {
            return Err(wrong(format!("{} hosts", hosts.len())));
        }
        Ok(Self {
            finwait: read.finwait,
            scenario: read.scenario,
            toml: read.toml,
            seed: read.seed,
            duration: Span { ns: read.duration_ns },
            sample: Span { ns: read.sample_ns },
            filter: read.filter,
            hosts,
        })
    }
}

/// Every sysctl by name, as /proc/sys shows it.
pub(super) fn sysctls(sysctl: &Sysctl) -> BTreeMap<String, String> {
    let values = sysctl.names().filter_map(|n| Some((n.to_owned(), sysctl.get(n)?)));
    values.collect()
}

/// The other way round; names and values that the release does not take are an error.
pub(super) fn sysctl(release: Release, values: &BTreeMap<String, String>) -> Result<Sysctl, Error> {
    let mut sysctl = Sysctl::new(release);
    for (name, value) in values {
        if sysctl.get(name).as_ref() != Some(value) {
            sysctl
                .set(name, value)
                .map_err(|_| Error::Header(format!("{name} cannot be {value}")))?;
        }
    }
    Ok(sysctl)
}

fn host(read: HostJson) -> Result<HostInfo, Error> {
    let release = Release::from_name(&read.kernel)
        .ok_or_else(|| Error::Header(format!("no Linux {} is known", read.kernel)))?;
    if !matches!(read.hz, 100 | 250 | 300 | 1000) {
        return Err(Error::Header(format!("no kernel has {} ticks per second", read.hz)));
    }
    Ok(HostInfo {
        name: read.name,
        release,
        addr: Addr(read.addr),
        clock: Clock {
            hz: read.hz,
            uptime_ns: read.uptime_ns.min(u64::MAX >> 2),
            boot_jiffies: read.boot_jiffies.min(u64::MAX >> 2),
        },
        mtu: read.mtu,
        sysctl: sysctl(release, &read.sysctl)?,
        passes_on: read.passes_on,
        platform: match read.stack.as_deref() {
            None => Platform::Linux(release),
            Some(stack::REAL) => Platform::Real,
            Some(_) => Platform::Smoltcp,
        },
    })
}

fn counter_names() -> Vec<String> {
    Mib::ALL.iter().map(|m| m.nstat_name().to_owned()).collect()
}

fn cause_names() -> Vec<String> {
    Cause::all().map(|c| c.name().to_owned()).collect()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let Ok(text) = serde_json::to_vec(value) else {
        unreachable!("invariant: names and numbers can always be written as JSON")
    };
    text
}

#[derive(Serialize, Deserialize)]
struct HeaderJson {
    finwait: String,
    scenario: String,
    seed: u64,
    duration_ns: u64,
    sample_ns: u64,
    filter: Option<String>,
    hosts: Vec<HostJson>,
    counters: Vec<String>,
    causes: Vec<String>,
    toml: String,
}

#[derive(Serialize, Deserialize)]
struct HostJson {
    name: String,
    kernel: String,
    addr: u32,
    hz: u32,
    uptime_ns: u64,
    boot_jiffies: u64,
    mtu: u16,
    sysctl: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    passes_on: bool,
    /// What it ran if that was no Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct EndJson {
    complete: bool,
    at_ns: u64,
    digest: String,
    segments: u64,
    lifecycles: u64,
    recorded_segments: u64,
    recorded_resets: u64,
    remark: Option<String>,
}

/// The end as JSON.
pub(super) fn end_json(complete: bool, totals: &Totals) -> Vec<u8> {
    json(&EndJson {
        complete,
        at_ns: totals.at.ns,
        digest: totals.digest.clone(),
        segments: totals.segments,
        lifecycles: totals.lifecycles,
        recorded_segments: totals.recorded_segments,
        recorded_resets: totals.recorded_resets,
        remark: totals.remark.clone(),
    })
}

/// The other way round.
pub(super) fn read_end(bytes: &[u8]) -> Option<End> {
    let read: EndJson = serde_json::from_slice(bytes).ok()?;
    let totals = Totals {
        at: Instant { ns: read.at_ns }.min(LAST),
        digest: read.digest,
        segments: read.segments,
        lifecycles: read.lifecycles,
        recorded_segments: read.recorded_segments,
        recorded_resets: read.recorded_resets,
        remark: read.remark,
    };
    Some(if read.complete { End::Complete(totals) } else { End::Interrupted(totals) })
}
