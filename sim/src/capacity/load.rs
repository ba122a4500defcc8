//! What a scenario's applications ask of each host: closes that leave a bucket, connects towards each
//! destination, orphans.

use std::collections::BTreeMap;

use finwait_model::flow::Endpoint;
use finwait_model::time::Span;

use super::PerSecond;
use crate::app::{ClientPlan, CloseHow, Delay, Pace};
use crate::scenario::{AppPlan, Scenario};
use crate::world::HostId;

/// What is asked of a host.
#[derive(Clone, Default, Debug)]
pub struct Load {
    /// Closes that leave a bucket here.
    pub closes: PerSecond,
    /// How many there can be in the whole run; fewer than the table has slots never fill it.
    pub closes_in_all: u64,
    /// How long such a bucket waits for the peer's FIN before TIME-WAIT begins, on average.
    pub fin_wait: Span,
    /// Connects from here, by destination.
    pub connects: BTreeMap<Endpoint, PerSecond>,
    /// How long a connection holds its port before it is a bucket, on average.
    pub open: Span,
    /// Is it the connecting side that leaves the bucket, and so keeps the port?
    pub keeps_port: bool,
    /// Can a bucket be taken over by connect(): do both ends write timestamps?
    pub has_timestamps: bool,
    /// How long an orphan waits for its FIN to be acknowledged, on average.
    pub fin_acked: Span,
    /// Is it a guess, because workers go as fast as they can?
    pub is_estimate: bool,
}

impl Load {
    /// The destination that is asked for most.
    pub fn busiest(&self) -> Option<(Endpoint, PerSecond)> {
        let all = self.connects.iter().map(|(&to, &rate)| (to, rate));
        all.fold(None, |best, one| match best {
            Some((_, rate)) if rate >= one.1 => best,
            _ => Some(one),
        })
    }
}

/// One client and who answers it.
#[derive(Debug)]
struct Talk<'a> {
    plan: &'a ClientPlan,
    from: HostId,
    to: HostId,
    /// There and back.
    round_trip: Span,
    /// From the request to the answer.
    service: Span,
    /// From the client's FIN to the server's.
    close_after: Span,
    /// Does the server close first?
    server_first: bool,
}

/// Of every host, in the scenario's order.
pub(super) fn loads(scenario: &Scenario) -> Vec<Load> {
    let mut loads = vec![Load::default(); scenario.hosts.len()];
    for talk in talks(scenario) {
        let rate = talk.rate();
        add_connects(&mut loads[usize::from(talk.from.0)], &talk, rate, scenario);
        let leaves = match talk.plan.close {
            CloseHow::Close | CloseHow::Shutdown => true,
            // A RST takes the place of the FIN.
            CloseHow::LingerZero | CloseHow::Unread => false,
        };
        if talk.server_first {
            let load = &mut loads[usize::from(talk.to.0)];
            // The client closes when it has held the connection for as long as it wanted to.
            add_closes(load, &talk, rate, mean(talk.plan.hold), scenario);
        } else if leaves {
            let load = &mut loads[usize::from(talk.from.0)];
            let wait = match talk.plan.close {
                // It waits for the end of file itself.
                CloseHow::Shutdown => Span::ZERO,
                _ => talk.close_after,
            };
            add_closes(load, &talk, rate, wait, scenario);
            load.keeps_port = true;
        }
    }
    loads
}

fn talks(scenario: &Scenario) -> impl Iterator<Item = Talk<'_>> {
    scenario.apps.iter().filter_map(|(from, app)| {
        let AppPlan::Client(plan) = app else { return None };
        let addr = plan.targets.first()?.addr;
        let to = HostId(scenario.hosts.iter().position(|h| h.addr == addr)? as u16);
        let way = |a, b| {
            let link = scenario.links.iter().find(|l| (l.from, l.to) == (a, b));
            link.map_or(Span::ZERO, |l| l.quality.delay + half(l.quality.jitter))
        };
        let round_trip = way(*from, to) + way(to, *from);
        let talk = Talk {
            plan,
            from: *from,
            to,
            round_trip,
            service: Span::ZERO,
            close_after: Span::ZERO,
            server_first: false,
        };
        Some(answered(talk, scenario))
    })
}

/// The same with what the application behind its first target does.
fn answered<'a>(mut talk: Talk<'a>, scenario: &Scenario) -> Talk<'a> {
    let port = talk.plan.targets[0].port;
    for (host, app) in &scenario.apps {
        if *host != talk.to {
            continue;
        }
        match app {
            AppPlan::Server(plan) if (plan.ports.0..=plan.ports.1).contains(&port) => {
                talk.service = mean(plan.service);
                talk.close_after = mean(plan.close_after);
                talk.server_first = plan.closes_first;
            }
            AppPlan::Redis(plan) if plan.port == port => {
                talk.service = plan.service;
                // Who comes while a slow command runs waits for half of it.
                let squared = u128::from(plan.slow.ns) * u128::from(plan.slow.ns);
                let slow = squared / (2 * u128::from(plan.slow_every.ns.max(1)));
                talk.close_after = plan.service + Span::nanos(u64::try_from(slow).unwrap_or(0));
            }
            _ => {}
        }
    }
    talk
}

impl Talk<'_> {
    /// From connect() to close().
    fn open(&self) -> Span {
        self.round_trip + self.round_trip + self.service + mean(self.plan.hold)
    }
    fn rate(&self) -> PerSecond {
        match self.plan.pace {
            Pace::Open { rate, .. } => PerSecond::of(rate.count, rate.per),
            Pace::Closed { workers, think } => {
                let lasts = match self.plan.close {
                    CloseHow::Shutdown => self.round_trip + self.close_after,
                    _ => Span::ZERO,
                };
                PerSecond::of(workers.into(), self.open() + lasts + mean(think))
            }
        }
    }
}

fn add_connects(load: &mut Load, talk: &Talk<'_>, rate: PerSecond, scenario: &Scenario) {
    let stamps = |host| scenario.host_plan(host).sysctl.tcp_timestamps != 0;
    let first = load.connects.is_empty();
    load.has_timestamps = (first || load.has_timestamps) && stamps(talk.from) && stamps(talk.to);
    load.is_estimate |= matches!(talk.plan.pace, Pace::Closed { .. });
    load.open = load.open.max(talk.open());
    let share = PerSecond { thousandths: rate.thousandths / talk.plan.targets.len() as u64 };
    for &to in &talk.plan.targets {
        let sum = load.connects.entry(to).or_default();
        *sum = sum.plus(share);
    }
}

fn add_closes(load: &mut Load, talk: &Talk<'_>, rate: PerSecond, wait: Span, scenario: &Scenario) {
    let sum = load.closes.plus(rate);
    if sum.thousandths > 0 {
        // The mean, weighted by the rates.
        let weigh = |span: Span, of: PerSecond| u128::from(span.ns) * u128::from(of.thousandths);
        let both = weigh(load.fin_wait, load.closes) + weigh(wait, rate);
        load.fin_wait = Span::nanos((both / u128::from(sum.thousandths)) as u64);
    }
    load.closes = sum;
    load.fin_acked = load.fin_acked.max(talk.round_trip);
    load.is_estimate |= matches!(talk.plan.pace, Pace::Closed { .. });
    let in_all = rate.in_span(scenario.duration).min(talk.plan.count.unwrap_or(u64::MAX));
    load.closes_in_all = load.closes_in_all.saturating_add(in_all);
}

fn mean(delay: Delay) -> Span {
    Span::nanos(delay.least.ns + (delay.most.ns - delay.least.ns) / 2)
}

const fn half(span: Span) -> Span {
    Span::nanos(span.ns / 2)
}
