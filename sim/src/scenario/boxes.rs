//! `[[boxes]]`: NATs and load balancers, and the ways that connections take through them.

use core::ops::Range;

use toml::Spanned;

use finwait_model::flow::{Addr, Endpoint};
use finwait_model::time::Span;

use super::error::Error;
use super::schema::{BoxKind, PassBox, Ports};
use super::{AppPlan, Scenario, build};
use crate::nat::{Forgotten, NatPlan, Patience, Way};
use crate::world::HostId;

/// The ports that a box gives out unless it says otherwise.
const PORTS: (u16, u16) = (1024, 65_535);

/// Reads the boxes; hosts and applications are there already.
pub(super) fn boxes(
    written: Vec<Spanned<PassBox>>,
    scenario: &Scenario,
) -> Result<Vec<(HostId, NatPlan)>, Error> {
    let mut plans: Vec<(HostId, NatPlan)> = Vec::with_capacity(written.len());
    for one in written {
        let span = one.span();
        let one = one.into_inner();
        let host = build::find_host(&one.host, scenario)?;
        let at = one.host.span();
        if plans.iter().any(|(other, _)| *other == host) {
            return wrong(
                at,
                format!("{} is a box already", one.host.get_ref()),
                "expected another host",
            );
        }
        if scenario.apps.iter().any(|(other, _)| *other == host) {
            let message = format!("applications run on {}", one.host.get_ref());
            return wrong(at, message, "expected a host of its own for a box");
        }
        let way = match one.kind.get_ref().0 {
            BoxKind::Nat => nat(&one, &span, host, &plans, scenario)?,
            BoxKind::Balancer => balancer(&one, &span, host, scenario)?,
        };
        plans.push((host, plan(&one, way)));
    }
    Ok(plans)
}

fn wrong<T>(at: Range<usize>, message: impl Into<String>, expected: &str) -> Result<T, Error> {
    Err(Error::new(at, message.into(), expected.to_owned()))
}

fn plan(one: &PassBox, way: Way) -> NatPlan {
    let is_nat = matches!(way, Way::Nat { .. });
    let usual = Patience::default();
    let or =
        |written: Option<super::schema::Written<Span>>, usual: Span| written.map_or(usual, |w| w.0);
    NatPlan {
        way,
        ports: one.ports.as_ref().map_or(PORTS, |ports| (ports.get_ref().0, ports.get_ref().1)),
        keep_ports: one.keep_ports.unwrap_or(is_nat),
        patience: Patience {
            opening: or(one.opening, usual.opening),
            idle: or(one.idle, usual.idle),
            closing: or(one.closing, usual.closing),
            closed: or(one.closed, usual.closed),
        },
        forgotten: one
            .forgotten
            .map_or(if is_nat { Forgotten::Adopt } else { Forgotten::Reset }, |f| f.0),
    }
}

fn nat(
    one: &PassBox,
    span: &Range<usize>,
    host: HostId,
    others: &[(HostId, NatPlan)],
    scenario: &Scenario,
) -> Result<Way, Error> {
    let stray = one.port.as_ref().map(Spanned::span).or_else(|| one.to.as_ref().map(Spanned::span));
    if let Some(at) = stray {
        return wrong(at, "a NAT has no port and no backends", "expected inside = [\"a host\", …]");
    }
    let Some(names) = one.inside.as_ref().filter(|names| !names.get_ref().is_empty()) else {
        let at = one.inside.as_ref().map_or_else(|| span.clone(), Spanned::span);
        return wrong(at, "nobody is behind the NAT", "expected inside = [\"a host\", …]");
    };
    let mut inside: Vec<Addr> = Vec::new();
    for name in names.get_ref() {
        let of = build::find_host(name, scenario)?;
        let addr = scenario.host_plan(of).addr;
        if of == host {
            return wrong(name.span(), "a NAT is not behind itself", "expected another host");
        }
        let taken = |way: &Way| matches!(way, Way::Nat { inside } if inside.contains(&addr));
        if inside.contains(&addr) || others.iter().any(|(_, plan)| taken(&plan.way)) {
            let message = format!("{} is behind a NAT already", name.get_ref());
            return wrong(name.span(), message, "expected each host once");
        }
        inside.push(addr);
    }
    Ok(Way::Nat { inside })
}

fn balancer(
    one: &PassBox,
    span: &Range<usize>,
    host: HostId,
    scenario: &Scenario,
) -> Result<Way, Error> {
    if let Some(inside) = &one.inside {
        let expected = "expected port and to with a balancer";
        return wrong(inside.span(), "nobody is inside a load balancer", expected);
    }
    let (Some(port), Some(to)) = (&one.port, &one.to) else {
        let expected = "expected port = 6379 and to = \"redis:6379\"";
        return wrong(span.clone(), "a load balancer needs a port and backends", expected);
    };
    let backends = build::targets(to, scenario)?;
    if backends.iter().any(|b| b.addr == scenario.host_plan(host).addr) {
        let message = "a load balancer is not its own backend";
        return wrong(to.span(), message, "expected another host");
    }
    let Ports(low, high) = *port.get_ref();
    Ok(Way::Balancer { ports: (low, high), to: backends })
}

impl Scenario {
    /// The hosts that are boxes on the way of others.
    pub fn box_hosts(&self) -> Vec<HostId> {
        self.boxes.iter().map(|(host, _)| *host).collect()
    }
    /// The NAT that a host is behind.
    pub(super) fn nat_of(&self, host: HostId) -> Option<HostId> {
        let addr = self.host_plan(host).addr;
        let is_mine =
            |plan: &NatPlan| matches!(&plan.way, Way::Nat { inside } if inside.contains(&addr));
        self.boxes.iter().find(|(_, plan)| is_mine(plan)).map(|(host, _)| *host)
    }
    fn host_at(&self, addr: Addr) -> Option<HostId> {
        self.hosts.iter().position(|h| h.addr == addr).map(|i| HostId(i as u16))
    }
    /// The hosts that talk directly because of an application, in the order of the way.
    pub(super) fn talks(&self, from: HostId, to: Endpoint) -> Vec<(HostId, HostId)> {
        let Some(target) = self.host_at(to.addr) else { return Vec::new() };
        let mut pairs = Vec::new();
        match self.nat_of(from).filter(|nat| *nat != target) {
            Some(nat) => pairs.extend([(from, nat), (nat, target)]),
            None => pairs.push((from, target)),
        }
        let balancer = self.boxes.iter().find(|(host, _)| *host == target);
        if let Some((_, NatPlan { way: Way::Balancer { to, .. }, .. })) = balancer {
            let backends = to.iter().filter_map(|backend| self.host_at(backend.addr));
            pairs.extend(backends.map(|backend| (target, backend)));
        }
        pairs
    }
    /// To whom an application connects.
    pub(super) fn targets_of(app: &AppPlan) -> &[Endpoint] {
        match app {
            AppPlan::Client(client) => &client.targets,
            AppPlan::Pool(pool) => &pool.targets,
            AppPlan::Wrk(wrk) => std::slice::from_ref(&wrk.target.to),
            AppPlan::Ab(ab) => std::slice::from_ref(&ab.target.to),
            AppPlan::Nginx(nginx) => nginx.upstream.as_ref().map_or(&[], |up| &up.targets),
            AppPlan::Scripted(script) => &script.targets,
            AppPlan::Server(_) | AppPlan::Redis(_) => &[],
        }
    }
}
