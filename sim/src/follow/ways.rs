//! Between which applications connections may follow a track: those whose connections have nothing to
//! do with one another, and that leave nothing to chance.

use finwait_model::time::{Instant, Span};

use super::Followers;
use super::learn::Lesson;
use super::way::Way;
use crate::app::{AppId, ClientPlan, CloseHow, Pace, ServerPlan};
use crate::link::Quality;
use crate::scenario::{AppPlan, LinkPlan, Scenario};
use crate::stack::Platform;
use crate::units::Rate;
use crate::world::HostId;

impl Followers {
    /// The ways of a scenario; none if connections depend on one another in it.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let mut followers = Self::none(scenario.hosts.len());
        let Some(rates) = rates(scenario) else { return followers };
        if !is_plain(scenario) {
            return followers;
        }
        for (host, app, plan) in scenario.placed_apps() {
            if let AppPlan::Client(client) = plan {
                add_client(&mut followers, scenario, host, app, client);
            }
        }
        followers.rates = rates;
        followers
    }
}

impl Followers {
    /// May the connections of all clients follow tracks?
    pub(crate) fn takes_all(&self, scenario: &Scenario) -> bool {
        scenario.placed_apps().all(|(host, app, plan)| {
            let targets = self.targets(host, app);
            !matches!(plan, AppPlan::Client(_))
                || (!targets.is_empty() && targets.iter().all(Option::is_some))
        })
    }
}

/// At what rates connections are opened; `None` if it may be as many as somebody likes.
fn rates(scenario: &Scenario) -> Option<Vec<Rate>> {
    let rate_of = |plan: &AppPlan| match plan {
        AppPlan::Client(ClientPlan { pace: Pace::Open { rate, .. }, .. }) => Some(Some(*rate)),
        AppPlan::Server(ServerPlan { restart: None, .. }) => Some(None),
        _ => None,
    };
    let rates: Option<Vec<Option<Rate>>> =
        scenario.apps.iter().map(|(_, plan)| rate_of(plan)).collect();
    Some(rates?.into_iter().flatten().collect())
}

/// With links that take longer a SYN-ACK may be sent again, and on 3.10 it depends on the other requests
/// of its listener when.
const SLOWEST: Span = Span::millis(100);

/// Linux on all hosts, nobody in between, and every segment arrives when it should.
pub(crate) fn is_plain(scenario: &Scenario) -> bool {
    let linux = |p: Platform| matches!(p, Platform::Linux(_));
    scenario.boxes.is_empty()
        && scenario.hosts.iter().all(|host| linux(host.platform()))
        && scenario.links.iter().all(|link| is_even(&link.quality))
}

fn is_even(quality: &Quality) -> bool {
    quality.delay <= SLOWEST
        && quality.jitter == Span::ZERO
        && quality.loss.is_never()
        && quality.duplicate.is_never()
        && quality.reorder.is_never()
}

/// Does the client open, ask, read and close, and all of it at once?
fn is_simple_client(plan: &ClientPlan) -> bool {
    plan.hold.is_none() && plan.close == CloseHow::Close
}

fn is_simple_server(plan: &ServerPlan) -> bool {
    plan.service.is_none()
        && plan.close_after.is_none()
        && plan.reads
        && !plan.never_closes
        && plan.parting == 0
}

fn add_client(
    followers: &mut Followers,
    scenario: &Scenario,
    host: HostId,
    app: AppId,
    plan: &ClientPlan,
) {
    let only_clients =
        scenario.apps.iter().all(|(at, plan)| *at != host || matches!(plan, AppPlan::Client(_)));
    if !only_clients || !is_simple_client(plan) {
        return;
    }
    let mut known: Vec<((HostId, AppId), u32)> = Vec::new();
    let targets = plan.targets.iter().map(|to| {
        let server = scenario.placed_apps().find_map(|(at, app, plan)| match plan {
            AppPlan::Server(server)
                if scenario.host_plan(at).addr == to.addr
                    && (server.ports.0..=server.ports.1).contains(&to.port) =>
            {
                Some((at, app, server))
            }
            _ => None,
        });
        let (at, server_app, server) = server.filter(|(_, _, plan)| is_simple_server(plan))?;
        if let Some((_, way)) = known.iter().find(|(who, _)| *who == (at, server_app)) {
            return Some(*way);
        }
        let way = way(scenario, (host, app, plan), (at, server_app, server))?;
        known.push(((at, server_app), followers.ways.len() as u32));
        followers.add_way(way);
        Some(followers.ways.len() as u32 - 1)
    });
    let targets: Vec<Option<u32>> = targets.collect();
    followers.add_client(host, app, targets);
}

fn way(
    scenario: &Scenario,
    client: (HostId, AppId, &ClientPlan),
    server: (HostId, AppId, &ServerPlan),
) -> Option<Way> {
    let link =
        |from, to| scenario.links.iter().position(|l: &LinkPlan| (l.from, l.to) == (from, to));
    let links = [link(client.0, server.0)?, link(server.0, client.0)?];
    let lesson = Lesson::new(scenario, (client.0, client.2), (server.0, server.2), links);
    Some(Way::new(lesson, [client.0, server.0], [client.1, server.1], links))
}

/// So many connections may begin within a span, at those rates.
pub(super) fn starts_within(rates: &[Rate], span: Span) -> u64 {
    rates.iter().fold(0_u64, |sum, rate| {
        let each = span.ns.checked_div(rate.interval().ns).unwrap_or(u64::MAX / 2);
        sum.saturating_add(each).saturating_add(2)
    })
}

/// Later than anything, for a way on which nothing is under way.
pub(super) const NOTHING: Instant = crate::agenda::NEVER;
