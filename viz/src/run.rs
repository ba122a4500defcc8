//! A run as figures of tables need it: who took part, under which limits, and the samples.

use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Instant;
use finwait_sim::recording::{End, Error, Recording};
use finwait_sim::run::Outcome;
use finwait_sim::sample::Sample;
use finwait_sim::stack::Platform;
use finwait_sim::text::seconds;
use finwait_sim::world::HostId;

use crate::figure::About;
use crate::sheet::Limit;

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The small print.
    pub about: About,
    /// Its hosts, in the order of the scenario.
    pub hosts: Vec<HostRun>,
    /// When it ended.
    pub end: Instant,
}

/// A host of a run.
#[derive(Clone, Debug)]
pub struct HostRun {
    /// Its name.
    pub name: String,
    /// What kernel it ran.
    pub release: Release,
    /// Which TCP it ran.
    pub platform: Platform,
    /// Its sysctls.
    pub sysctl: Sysctl,
    /// Its samples, in order.
    pub samples: Vec<Sample>,
}

impl HostRun {
    /// The limit of its buckets, which came to that many.
    pub(crate) fn bucket_limit(&self, peak: u32) -> Limit {
        Limit::new("net.ipv4.tcp_max_tw_buckets", self.sysctl.tcp_max_tw_buckets, peak)
    }
}

impl Run {
    /// What a recording holds.
    pub fn read(recording: &Recording) -> Result<Self, Error> {
        let header = recording.header();
        let (digest, remark) = match recording.end() {
            End::Complete(totals) => (totals.digest.clone(), String::new()),
            End::Interrupted(totals) => (totals.digest.clone(), ended("interrupted", totals.at)),
            End::Cut(at) => (String::new(), ended("the recording is cut", *at)),
        };
        let hosts = recording.hosts().iter().enumerate().map(|(place, host)| {
            Ok(HostRun {
                name: host.name.clone(),
                release: host.release,
                platform: host.platform,
                sysctl: host.sysctl.clone(),
                samples: recording.samples(HostId(place as u16))?,
            })
        });
        let hosts = hosts.collect::<Result<Vec<_>, Error>>()?;
        let about = About {
            scenario: header.scenario.clone(),
            seed: Some(header.seed),
            digest,
            hosts: kernels(&hosts),
            remark,
        };
        Ok(Self { about, hosts, end: recording.end().at() })
    }
    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<&HostRun> {
        self.hosts.iter().find(|host| host.name == name)
    }
    /// The host that held the most buckets, or else was refused the most, sent the most RSTs, had the
    /// most sockets; the first of equals.
    pub fn busiest(&self) -> Option<&HostRun> {
        let mut best: Option<(&HostRun, [u64; 4])> = None;
        for host in &self.hosts {
            let most = |of: fn(&Sample) -> u64| host.samples.iter().map(of).max().unwrap_or(0);
            let size = [
                most(|s| s.sockstat.tw.into()),
                most(|s| s.overflows),
                most(|s| s.out_rsts),
                most(|s| s.sockstat.alloc.into()),
            ];
            if best.is_none_or(|(_, largest)| size > largest) {
                best = Some((host, size));
            }
        }
        best.map(|(host, _)| host)
    }
}

/// What has just been run.
impl From<&Outcome> for Run {
    fn from(outcome: &Outcome) -> Self {
        let hosts = outcome.hosts.iter().map(|host| HostRun {
            name: host.name.clone(),
            release: host.release,
            platform: host.platform,
            sysctl: host.sysctl.clone(),
            samples: host.series.clone(),
        });
        let hosts: Vec<HostRun> = hosts.collect();
        let end = Instant { ns: outcome.simulated.ns };
        let about = About {
            scenario: outcome.scenario.clone(),
            seed: Some(outcome.seed),
            digest: outcome.digest.to_string(),
            hosts: kernels(&hosts),
            remark: if outcome.interrupted { ended("interrupted", end) } else { String::new() },
        };
        Self { about, hosts, end }
    }
}

fn kernels(hosts: &[HostRun]) -> Vec<String> {
    let what = |host: &HostRun| {
        host.platform.kernel().or_else(|| host.platform.stack()).unwrap_or_default()
    };
    hosts.iter().map(|host| format!("{} {}", host.name, what(host))).collect()
}

fn ended(how: &str, at: Instant) -> String {
    format!("{how} at {} s", seconds(at.ns, 1))
}
