//! Who meets whom: what a load generator or a proxy says to the application behind its target, and the
//! other way round.
//!
//! Segments carry lengths and no headers. So how long messages are, and who says `Connection: close`
//! when, is worked out here, from what both ends are meant to do. A balancer on the way has several
//! backends, who have to agree.

use core::ops::Range;

use finwait_model::flow::Endpoint;

use super::error::Error;
use super::{AppPlan, Scenario};
use crate::app::{FrontPlan, PoolPlan};
use crate::nat::{NatPlan, Way};

/// What somebody meets who connects somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Manners {
    request: u32,
    response: u32,
    /// How many requests a connection carries before the server closes it; `None`: as many as come.
    most: Option<u32>,
    /// Does the server close after an answer if the client wants it so?
    closes_if_asked: bool,
    /// Does it answer only once on a connection, without closing it?
    once: bool,
}

/// Lets all those meet; `written` says where each application stands in the file.
pub(super) fn meet(written: &[Range<usize>], scenario: &mut Scenario) -> Result<(), Error> {
    for (index, span) in written.iter().enumerate() {
        let Some((targets, closes, waits)) = asks(&scenario.apps[index].1) else { continue };
        let Some(manners) = behind(&targets, span, scenario)? else { continue };
        check(manners, closes, waits, span)?;
        for target in &targets {
            tell(*target, closes, span, scenario)?;
        }
        let last_answer = manners.most;
        let (request, response) = (manners.request, manners.response);
        match &mut scenario.apps[index].1 {
            AppPlan::Wrk(plan) => {
                let target = &mut plan.target;
                (target.request, target.response) = (request, response);
                target.last_answer = last_answer;
            }
            AppPlan::Ab(plan) => {
                let target = &mut plan.target;
                (target.request, target.response) = (request, response);
                target.last_answer = last_answer;
            }
            AppPlan::Nginx(plan) => {
                if let Some(up) = &mut plan.upstream {
                    (up.request, up.response, up.last_answer) = (request, response, last_answer);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whom an application asks, whether it wants connections closed after an answer, and whether it
/// waits for the server to do so.
fn asks(app: &AppPlan) -> Option<(Vec<Endpoint>, bool, bool)> {
    match app {
        AppPlan::Wrk(plan) => Some((vec![plan.target.to], plan.closes, false)),
        AppPlan::Ab(plan) => Some((vec![plan.target.to], !plan.keeps, !plan.keeps)),
        AppPlan::Nginx(plan) => {
            plan.upstream.as_ref().map(|up| (up.targets.clone(), up.keepalive == 0, false))
        }
        _ => None,
    }
}

fn check(manners: Manners, closes: bool, waits: bool, span: &Range<usize>) -> Result<(), Error> {
    let wrong = |message: &str, expected: &str| {
        Err(Error::new(span.clone(), message.into(), expected.into()))
    };
    if waits && !manners.closes_if_asked {
        return wrong(
            "without kept connections ab reads up to the server's end of file, and this server waits \
             for the client's",
            "expected connection = \"keep-alive\" here, an nginx behind the target, or \
             closes_first = true of the server there",
        );
    }
    if manners.once && !closes {
        return wrong(
            "the server behind the target answers once on each connection",
            "expected connection = \"close\" here (no keepalive of an upstream), or an nginx there",
        );
    }
    Ok(())
}

/// What is met behind those targets; `None` if nobody is there.
fn behind(
    targets: &[Endpoint],
    span: &Range<usize>,
    scenario: &Scenario,
) -> Result<Option<Manners>, Error> {
    let mut met: Option<Manners> = None;
    for place in targets.iter().flat_map(|to| places(*to, scenario)) {
        let Some(app) = listener(place, scenario) else { continue };
        let Some(manners) = manners(&scenario.apps[app].1) else { continue };
        match met {
            Some(other) if other != manners => {
                let message = "the servers behind the target are not alike".to_owned();
                let expected =
                    "expected the same kind, lengths and keepalive_requests of all of them";
                return Err(Error::new(span.clone(), message, expected.to_owned()));
            }
            _ => met = Some(manners),
        }
    }
    Ok(met)
}

/// Says to the web servers there whether their clients want connections closed.
fn tell(
    target: Endpoint,
    closes: bool,
    span: &Range<usize>,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    for place in places(target, scenario) {
        let Some(index) = listener(place, scenario) else { continue };
        let others = scenario.apps.iter().filter_map(|(_, app)| asks(app));
        let mut others = others.filter(|(targets, ..)| {
            targets
                .iter()
                .flat_map(|to| places(*to, scenario))
                .any(|other| listener(other, scenario) == Some(index))
        });
        if others.any(|(_, other, _)| other != closes) {
            let message =
                "clients of one web server want different things of a connection".to_owned();
            let expected =
                "expected the same `connection` of all, or another nginx on a port of its own";
            return Err(Error::new(span.clone(), message, expected.to_owned()));
        }
        match &mut scenario.apps[index].1 {
            AppPlan::Nginx(plan) => plan.front.clients_close = closes,
            AppPlan::Pool(PoolPlan { front: Some(front), .. }) => front.clients_close = closes,
            _ => {}
        }
    }
    Ok(())
}

/// Where a connection ends: there, or at the backends of a balancer there.
fn places(to: Endpoint, scenario: &Scenario) -> Vec<Endpoint> {
    let balancer = scenario.boxes.iter().find_map(|(host, plan)| match plan {
        NatPlan { way: Way::Balancer { to: backends, .. }, .. }
            if scenario.host_plan(*host).addr == to.addr =>
        {
            Some(backends.clone())
        }
        _ => None,
    });
    balancer.unwrap_or_else(|| vec![to])
}

/// The application that listens there.
fn listener(place: Endpoint, scenario: &Scenario) -> Option<usize> {
    let on = |(low, high): (u16, u16)| (low..=high).contains(&place.port);
    scenario.apps.iter().position(|(host, app)| {
        scenario.host_plan(*host).addr == place.addr
            && match app {
                AppPlan::Server(plan) => on(plan.ports),
                AppPlan::Redis(plan) => plan.port == place.port,
                AppPlan::Nginx(plan) => on(plan.front.ports),
                AppPlan::Pool(plan) => plan.front.as_ref().is_some_and(|front| on(front.ports)),
                _ => false,
            }
    })
}

fn manners(app: &AppPlan) -> Option<Manners> {
    Some(match app {
        AppPlan::Server(plan) => Manners {
            request: plan.request,
            response: plan.response,
            most: Some(1),
            closes_if_asked: plan.closes_first,
            once: true,
        },
        AppPlan::Redis(plan) => Manners {
            request: plan.request,
            response: plan.response,
            most: None,
            closes_if_asked: false,
            once: false,
        },
        AppPlan::Nginx(plan) => of_front(&plan.front),
        AppPlan::Pool(plan) => return plan.front.as_ref().map(of_front),
        _ => return None,
    })
}

fn of_front(front: &FrontPlan) -> Manners {
    Manners {
        request: front.request,
        response: front.response,
        most: Some(if front.keepalive_timeout.ns == 0 { 1 } else { front.keepalive_requests }),
        closes_if_asked: true,
        once: false,
    }
}
