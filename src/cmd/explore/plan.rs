//! What was typed, and what it means: which hosts, which property, how far.

use std::path::Path;

use finwait_model::release::Release;
use finwait_model::sysctl::{Sysctl, SysctlError};
use finwait_model::time::Span;
use finwait_sim::explore::schedule::Side;
use finwait_sim::explore::{Property, Schedule, Setup, text};
use finwait_sim::scenario::{AppPlan, Error, HostPlan, Scenario, nearest};
use finwait_sim::stack::Platform;
use finwait_sim::world::HostId;

use super::Args;
use super::generate::Base;
use crate::failure::Failure;
use crate::plan as scenarios;

/// What is asked if nothing is said.
const PROPERTY: &str = "no-rst-from-proper-closer";
/// How long a segment travels if nothing is said.
const DELAY: Span = Span::millis(10);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Plan {
    /// Look for schedules.
    Search(Box<Base>, Property),
    /// Play one that a file holds.
    Replay(Box<Schedule>, Property),
}

/// Reads everything that was typed.
pub(super) fn plan(args: &Args) -> Result<Plan, Failure> {
    let Some(path) = &args.what else {
        let base = hosts(args)?;
        let property = property(args, names(&base.hosts), None)?;
        return Ok(Plan::Search(Box::new(base), property));
    };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::unreadable(&shown, &e))?;
    if !text::is_schedule(&text) {
        let base = of_scenario(args, path)?;
        let property = property(args, names(&base.hosts), None)?;
        return Ok(Plan::Search(Box::new(base), property));
    }
    if let Some((flag, typed)) = search_only(args) {
        let message = format!("{flag} is for a search, and {shown} is a schedule");
        return Err(Failure::in_text(
            flag,
            &typed,
            &Error {
                span: Some(0..typed.len()),
                message,
                expected: "expected a scenario with it, or no file".to_owned(),
                help: None,
            },
        ));
    }
    let file = text::parse(&text).map_err(|error| Failure::in_text(&shown, &text, &error))?;
    let [one, other] = names(&file.schedule.hosts);
    let own = file.property.as_ref().map(|(own, at)| (own.as_str(), at.start + 1));
    let property = property(args, [one, other], own.map(|(own, at)| (own, at, &*shown, &*text)))?;
    Ok(Plan::Replay(Box::new(file.schedule), property))
}

fn names(hosts: &[Setup; 2]) -> [&str; 2] {
    [&hosts[0].name, &hosts[1].name]
}

/// What makes no sense for a schedule that is there already.
fn search_only(args: &Args) -> Option<(&'static str, String)> {
    let hosts = args.hosts.as_ref().map(|text| ("--hosts", text.clone()));
    hosts.or_else(|| args.set.first().map(|text| ("--set", text.clone())))
}

/// The property that was typed, or that of the schedule's file, or the usual one.
fn property(
    args: &Args,
    names: [&str; 2],
    own: Option<(&str, usize, &str, &str)>,
) -> Result<Property, Failure> {
    let typed = |flag: &str, form: &str, text: &str| {
        let whole = format!("{form}{text}");
        Property::parse(&whole, names).map_err(|error| {
            let span = error
                .span
                .map(|s| s.start.saturating_sub(form.len())..s.end.saturating_sub(form.len()));
            Failure::in_text(flag, text, &Error { span, ..error })
        })
    };
    if let Some(text) = &args.never {
        return typed("--never", "never ", text);
    }
    if let Some(text) = &args.always {
        return typed("--always", "always ", text);
    }
    if let Some(text) = &args.sometimes {
        return typed("--sometimes", "sometimes ", text);
    }
    if let Some(text) = &args.eventually {
        return typed("--eventually", "eventually ", text);
    }
    if let Some(text) = &args.property {
        return typed("--property", "", text);
    }
    match own {
        None => typed("--property", "", PROPERTY),
        Some((own, at, path, file)) => Property::parse(own, names).map_err(|error| {
            let span = error.span.map(|s| s.start + at..s.end + at);
            Failure::in_text(path, file, &Error { span, ..error })
        }),
    }
}

/// `web=6.18,redis=3.10`: both hosts, the one that opens connections first.
fn hosts(args: &Args) -> Result<Base, Failure> {
    let text = args.hosts.as_deref().unwrap_or("web,redis");
    let wrong = |span, message: String, expected: &str| {
        let (expected, help) = (expected.to_owned(), None);
        Failure::in_text("--hosts", text, &Error { span: Some(span), message, expected, help })
    };
    let mut setups = Vec::new();
    let mut releases = Vec::new();
    let mut at = 0;
    for word in text.split(',') {
        let (name, kernel) = match word.split_once('=') {
            None => (word, None),
            Some((name, kernel)) => (name, Some(kernel)),
        };
        let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) || ["any", "peer"].contains(&name) {
            let span = at..at + name.len().max(1).min(text.len() - at);
            return Err(wrong(
                span,
                format!("{name:?} is no name"),
                "expected NAME or NAME=KERNEL",
            ));
        }
        let runs = match kernel {
            None => Release::ALL.to_vec(),
            Some(kernel) => match Release::from_name(kernel) {
                Some(release) => vec![release],
                None => {
                    let start = at + name.len() + 1;
                    let message = format!("there is no kernel {kernel:?}");
                    return Err(wrong(
                        start..start + kernel.len(),
                        message,
                        "expected 3.10 or 6.18",
                    ));
                }
            },
        };
        setups.push(Setup::new(name, *runs.last().unwrap_or(&Release::V6_18), setups.len()));
        releases.push(runs);
        at += word.len() + 1;
    }
    let (Ok(setups), Ok(releases)) = (<[Setup; 2]>::try_from(setups), releases.try_into()) else {
        let message = "not two hosts".to_owned();
        return Err(wrong(
            0..text.len(),
            message,
            "expected who opens connections, and who listens",
        ));
    };
    if setups[0].name == setups[1].name {
        return Err(wrong(
            0..text.len(),
            "both have the same name".to_owned(),
            "expected two names",
        ));
    }
    let mut base = Base { hosts: setups, releases, delay: DELAY, steps: args.steps.into() };
    for set in &args.set {
        given(&mut base.hosts, set)?;
    }
    Ok(base)
}

/// `--set web.net.ipv4.tcp_fin_timeout=5` without a scenario.
fn given(hosts: &mut [Setup; 2], text: &str) -> Result<(), Failure> {
    let wrong = |span, message: String, expected: String, help| {
        Failure::in_text("--set", text, &Error { span: Some(span), message, expected, help })
    };
    let parts = text.split_once('=').and_then(|(key, value)| {
        let (host, name) = key.split_once('.')?;
        Some((host, name, value))
    });
    let Some((host, name, value)) = parts else {
        let expected =
            "expected HOST.SYSCTL=VALUE, such as web.net.ipv4.tcp_fin_timeout=5".to_owned();
        return Err(wrong(0..text.len(), format!("{text:?} sets nothing"), expected, None));
    };
    let Some(side) = hosts.iter().position(|h| h.name == host) else {
        let expected = format!("expected {} or {}", hosts[0].name, hosts[1].name);
        return Err(wrong(0..host.len(), format!("there is no host {host}"), expected, None));
    };
    let release = hosts[side].release;
    let mut sysctl = Sysctl::new(release);
    let (start, end) = (host.len() + 1, host.len() + 1 + name.len());
    match sysctl.set(name, value) {
        Ok(()) => {
            hosts[side].given.push((name.to_owned(), value.to_owned()));
            Ok(())
        }
        Err(SysctlError::Range(low, high)) => {
            let message =
                format!("{value} is out of the range that Linux {release} accepts for {name}");
            Err(wrong(end + 1..text.len(), message, format!("expected {low} to {high}"), None))
        }
        Err(SysctlError::Unknown) => {
            let help = nearest(name, sysctl.names()).map(|n| format!("did you mean `{n}`?"));
            let message = format!("Linux {release} has no sysctl {name}");
            Err(wrong(start..end, message, "expected a full name".to_owned(), help))
        }
        Err(_) => {
            let message = format!("{value:?} is no value of {name}");
            Err(wrong(end + 1..text.len(), message, "expected a number".to_owned(), None))
        }
    }
}

/// The hosts of a scenario: who opens connections there first, and who listens.
fn of_scenario(args: &Args, path: &Path) -> Result<Base, Failure> {
    let shown = path.display().to_string();
    if let Some(text) = &args.hosts {
        return Err(Failure::in_text(
            "--hosts",
            text,
            &Error {
                span: Some(0..text.len()),
                message: format!("the hosts are those of {shown}"),
                expected: "expected --hosts or a scenario, not both".to_owned(),
                help: None,
            },
        ));
    }
    let (mut draft, _) = scenarios::draft(Some(path))?;
    scenarios::set(&mut draft, "--set", &args.set)?;
    let scenario = scenarios::finished(&draft, "--set", &args.set)?;
    let Some((from, to, delay)) = ends(&scenario) else {
        return Err(Failure::Input(format!(
            "error: {shown} has no client and server on two hosts that run Linux\n  = help: without \
             a scenario, --hosts web=3.10,redis=6.18 says which hosts there are"
        )));
    };
    let setups = [setup(scenario.host_plan(from), 0), setup(scenario.host_plan(to), 1)];
    let releases = [vec![setups[0].release], vec![setups[1].release]];
    Ok(Base { hosts: setups, releases, delay, steps: args.steps.into() })
}

fn ends(scenario: &Scenario) -> Option<(HostId, HostId, Span)> {
    let linux = |host: HostId| {
        let plan = scenario.host_plan(host);
        let is_box = scenario.boxes.iter().any(|(id, _)| *id == host);
        matches!(plan.platform(), Platform::Linux(_)) && !is_box
    };
    let opens = |app: &AppPlan| matches!(app, AppPlan::Client(_) | AppPlan::Pool(_));
    let listens = |host: HostId| scenario.apps.iter().any(|(its, app)| *its == host && !opens(app));
    let clients = scenario.apps.iter().filter(|(host, app)| opens(app) && linux(*host));
    let mut found = clients.flat_map(|(from, _)| {
        let links = scenario.links.iter().filter(|l| l.from == *from && l.to != *from);
        links.filter(|l| linux(l.to) && listens(l.to)).map(|l| (l.from, l.to, l.quality.delay))
    });
    found.next()
}

/// Name, kernel and sysctls: what a schedule's file says of a host, too.
fn setup(plan: &HostPlan, side: Side) -> Setup {
    let plain = Sysctl::new(plan.release);
    let changed = |name: &&str| plain.get(name) != plan.sysctl.get(name);
    let given = plan.sysctl.names().filter(changed);
    let given = given.filter_map(|n| Some((n.to_owned(), plan.sysctl.get(n)?.replace('\t', " "))));
    let mut setup = Setup::new(&plan.name, plan.release, side);
    setup.given = given.collect();
    setup
}
