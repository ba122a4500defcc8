//! The same as one JSON object; docs/explore.md describes it.

use serde_json::{Map, Value, json};

use finwait_sim::explore::every::Scope;
use finwait_sim::explore::schedule::Setup;
use finwait_sim::explore::{Kind, Property};

use super::Args;
use super::exhaustive::Explored;
use super::search::Searched;
use super::tell::{self, Told};

/// Renders it.
pub(super) fn render(
    args: &Args,
    property: &Property,
    searched: &Searched,
    told: &[Told<'_>],
) -> String {
    let whole = json!({
        "property": property.to_string(),
        "verdict": tell::verdict(args, property, searched),
        "holds": searched.found.is_empty() != property.is_wanted(),
        "seed": args.seed,
        "cases": searched.cases,
        "violating_cases": searched.violating,
        "interrupted": searched.interrupted,
        "found": told.iter().map(one).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// What an exhaustive search came to.
pub(super) fn explored(
    property: &Property,
    scope: &Scope,
    explored: &Explored,
    told: &[Told<'_>],
) -> String {
    let states: u64 = explored.levels.iter().sum();
    let untold = explored.untold.iter().map(|(kind, walk)| {
        let walk: Vec<String> = walk.iter().map(ToString::to_string).collect();
        json!({ "kind": kind.to_string(), "actions": walk })
    });
    let whole = json!({
        "property": property.to_string(),
        "holds": (explored.violations == 0) != property.is_wanted(),
        "states": states,
        "transitions": explored.transitions,
        "depth": explored.levels.len() - 1,
        "states_by_depth": explored.levels,
        "ends": explored.ends,
        "complete": explored.whole,
        "violating_states": explored.violations,
        "connections": scope.conns,
        "losses": scope.losses,
        "timers": scope.timers,
        "interrupted": explored.searched.interrupted,
        "found": told.iter().map(one).collect::<Vec<_>>(),
        "not_replayed": untold.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn one(told: &Told<'_>) -> Value {
    let found = told.found;
    let (schedule, violation) = (&found.schedule, &found.violation);
    let names = [schedule.hosts[0].name.as_str(), schedule.hosts[1].name.as_str()];
    let reset = violation.kind.reset();
    let states = match violation.kind {
        Kind::Stands(own, peer) => Some([own.ss_name(), peer.ss_name()]),
        _ => None,
    };
    let sysctls = told.matters.sysctls.iter().map(|m| {
        let tried = std::iter::once((m.default.clone(), m.vanishes)).chain(m.others.clone());
        let tried = tried.map(|(value, vanishes)| (value, json!(!vanishes)));
        json!({
            "host": names[m.side],
            "sysctl": m.name,
            "value": m.value,
            "default": m.default,
            "needed": m.vanishes,
            "happens_with": tried.collect::<Map<String, Value>>(),
        })
    });
    let releases = told.matters.releases.iter().enumerate().map(|(side, (release, shows))| {
        json!({ "host": names[side], "kernel": release.name(), "happens": shows })
    });
    json!({
        "kind": violation.kind.to_string(),
        "text": tell::sentence(found),
        "case": found.case,
        "at_s": violation.at.ns as f64 / 1e9,
        "host": names[violation.side],
        "connection": violation.conn + 1,
        "cause": reset.map(|(cause, _)| cause.name()),
        "because": reset.map(|(_, because)| because.name()),
        "states": states,
        "drawn": { "steps": found.drawn.steps, "fates": found.drawn.fates, "sysctls": found.drawn.sysctls },
        "schedule": {
            "delay_s": schedule.delay.ns as f64 / 1e9,
            "backlog": schedule.backlog,
            "connections": schedule.conns(),
            "steps": schedule.steps.iter().map(|s| s.line(names)).collect::<Vec<_>>(),
            "fates": schedule.fates.iter().map(|f| f.line(names)).collect::<Vec<_>>(),
            "hosts": schedule.hosts.iter().map(host).collect::<Vec<_>>(),
        },
        "sysctls": sysctls.collect::<Vec<_>>(),
        "other_kernels": releases.collect::<Vec<_>>(),
        "chain": told.chain.as_ref().map(|chain| {
            chain.links.iter().map(|link| link.text.clone()).collect::<Vec<_>>()
        }),
        "file": told.file,
        "pkt": told.pkt,
    })
}

fn host(setup: &Setup) -> Value {
    let all = setup.given.iter().chain(&setup.sysctl);
    let sysctl: Map<String, Value> = all.map(|(n, v)| (n.clone(), json!(v))).collect();
    json!({
        "name": setup.name,
        "kernel": setup.release.name(),
        "sysctl": sysctl,
        "leaves_unread": setup.habits.leaves_unread,
        "never_accepts": setup.habits.never_accepts,
    })
}
