//! From the TOML to a [`Scenario`]: every name is resolved and every value checked here.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use finwait_model::flow::{Addr, Endpoint};
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Span};

use super::error::Error;
use super::set::{self, Setting};
use super::{AppPlan, HostPlan, LinkPlan, Scenario, boxes, load, meets, pool, question, redis};
use super::{schema, script, texts, web};
use crate::app::{ClientPlan, CloseHow, Delay, Pace, Restart, ServerPlan};
use crate::link::Quality;
use crate::units;
use crate::world::HostId;

/// How long a host has been up when the run begins, unless it says otherwise.
const UPTIME: Span = Span::secs(3600);
/// How many connections a closed loop may keep open; far more than there are ports.
const MOST_WORKERS: u32 = 1_000_000;
/// How many applications there may be; each port of a `redis` counts.
const MOST_APPS: usize = 60_000;
/// What a request and an answer weigh unless the application says otherwise.
pub(super) const MESSAGE_BYTES: u32 = 100;

pub(super) fn scenario(text: &str, name: &str) -> Result<Scenario, Error> {
    let mut root = DeTable::parse(text)?;
    let span = root.span();
    let apps = root.get_mut().remove("apps");
    let rest = Spanned::new(span.clone(), DeValue::Table(root.into_inner()));
    let top = schema::Top::deserialize(ValueDeserializer::from(rest))?;
    let mut scenario = Scenario {
        name: top.name.unwrap_or_else(|| name.to_owned()),
        about: top.about,
        duration: at_least_1ns(&top.duration, "duration")?,
        seed: top.seed,
        sample: match &top.sample {
            Some(sample) => at_least_1ns(sample, "sample")?,
            None => Span::millis(100),
        },
        hosts: hosts(top.hosts)?,
        links: Vec::new(),
        quality: Quality::default(),
        texts: Vec::new(),
        apps: Vec::new(),
        boxes: Vec::new(),
        counter: Vec::new(),
        expect: question::located(top.expect, text),
        cases: question::cases(top.cases, text)?,
        question: None,
    };
    scenario.question = match top.question {
        Some(written) => Some(question::question(written, &scenario, text)?),
        None => None,
    };
    for (key, value) in top.counter_run {
        let (host, sysctl) = Setting::split_key(key.get_ref(), key.span(), &scenario)?;
        let plan = scenario.host_plan(host);
        set::has_sysctls(plan, key.span())?;
        let value_span = value.span();
        let value = value.into_inner().0;
        set::set(&mut plan.sysctl.clone(), plan.release, sysctl, &value)
            .map_err(|e| e.at(key.span(), value_span))?;
        scenario.counter.push(Setting { host, sysctl: sysctl.to_owned(), value });
    }
    let Some(apps) = apps else {
        return Err(missing_apps(span));
    };
    let written = read_apps(apps, text, &mut scenario)?;
    scenario.boxes = boxes::boxes(top.boxes, &scenario)?;
    meets::meet(&written, &mut scenario)?;
    scenario.quality = general(&top.links)?;
    scenario.links = links(&top.links, &scenario)?;
    Ok(scenario)
}

fn missing_apps(span: Range<usize>) -> Error {
    let expected = "expected at least one [[apps]] with kind, host, …".to_owned();
    Error::new(span.start..span.start, "nothing runs on the hosts".to_owned(), expected)
}

pub(super) fn at_least_1ns(
    span: &Spanned<schema::Written<Span>>,
    what: &str,
) -> Result<Span, Error> {
    let value = span.get_ref().0;
    if value == Span::ZERO {
        let message = format!("the {what} is zero");
        return Err(Error::new(span.span(), message, "expected at least \"1ns\"".to_owned()));
    }
    Ok(value)
}

/// The hosts, in the order of the file: that is the order of their addresses and turns.
fn hosts(map: BTreeMap<Spanned<String>, schema::Host>) -> Result<Vec<HostPlan>, Error> {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut plans: Vec<HostPlan> = Vec::with_capacity(entries.len());
    for (index, (name, host)) in entries.into_iter().enumerate() {
        let plan = one_host(index, &name, host)?;
        if let Some(other) = plans.iter().find(|h| h.addr == plan.addr) {
            let message = format!("{} and {} have the same address", other.name, plan.name);
            let expected = format!("expected another address than {}", plan.addr);
            return Err(Error::new(name.span(), message, expected));
        }
        plans.push(plan);
    }
    Ok(plans)
}

fn one_host(index: usize, name: &Spanned<String>, host: schema::Host) -> Result<HostPlan, Error> {
    let smoltcp = super::smoltcp::plan(name, &host)?;
    // Without Linux there is an idle one, of which nobody hears.
    let release = host.kernel.as_ref().map_or(Release::V6_18, |k| k.get_ref().0);
    let hz = match &host.hz {
        Some(hz) if ![100, 250, 300, 1000].contains(hz.get_ref()) => {
            let message = format!("no Linux ticks {} times a second", hz.get_ref());
            return Err(Error::new(
                hz.span(),
                message,
                "expected 100, 250, 300 or 1000".to_owned(),
            ));
        }
        Some(hz) => *hz.get_ref(),
        None => release.default_hz(),
    };
    let mtu = match &host.mtu {
        Some(mtu) if *mtu.get_ref() < 576 => {
            let message = format!("an MTU of {} bytes is too small", mtu.get_ref());
            return Err(Error::new(mtu.span(), message, "expected 576 to 65535".to_owned()));
        }
        Some(mtu) => *mtu.get_ref(),
        None => 1500,
    };
    let last = u8::try_from(index + 1).unwrap_or(0);
    if last == 0 || last == 255 {
        let expected = "expected at most 254".to_owned();
        return Err(Error::new(name.span(), "too many hosts".to_owned(), expected));
    }
    let addr = host.addr.map_or_else(|| Addr::v4(10, 0, 0, last), |a| a.into_inner().0);
    let mut sysctl = Sysctl::new(release);
    sysctls(host.sysctl, &mut sysctl, release)?;
    let uptime_ns = host.uptime.map_or(UPTIME, |u| u.get_ref().0).ns;
    let clock = Clock::new(hz, uptime_ns);
    Ok(HostPlan {
        name: name.get_ref().clone(),
        release,
        clock,
        addr,
        mtu,
        sysctl,
        smoltcp,
        is_real: false,
    })
}

fn sysctls(
    map: BTreeMap<Spanned<String>, Spanned<schema::Value>>,
    sysctl: &mut Sysctl,
    release: Release,
) -> Result<(), Error> {
    for (name, value) in map {
        let spans = (name.span(), value.span());
        set::set(sysctl, release, name.get_ref(), &value.into_inner().0)
            .map_err(|e| e.at(spans.0, spans.1))?;
    }
    Ok(())
}

/// Reads the applications; answers where each stands in the file.
fn read_apps(
    apps: Spanned<DeValue<'_>>,
    text: &str,
    scenario: &mut Scenario,
) -> Result<Vec<Range<usize>>, Error> {
    let span = apps.span();
    let DeValue::Array(list) = apps.into_inner() else {
        let expected = "expected [[apps]], once for each application".to_owned();
        return Err(Error::new(span, "apps is not a list".to_owned(), expected));
    };
    let (mut taken, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut written = Vec::new();
    for app in list {
        let span = app.span();
        let DeValue::Table(mut table) = app.into_inner() else {
            let expected = "expected a table with kind, host, …".to_owned();
            return Err(Error::new(span, "an application is a table".to_owned(), expected));
        };
        called(table.remove("name"), &mut names)?;
        let kind = table.remove("kind");
        let name = kind.as_ref().and_then(|k| k.get_ref().as_str());
        let rest =
            ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(table.clone())));
        let known = match name {
            Some("client" | "server" | "redis") => {
                simple(name.unwrap_or_default(), rest, &span, &mut taken, scenario)?;
                true
            }
            Some(name) => web(name, rest, (&span, text), &mut taken, scenario)?,
            None => false,
        };
        if !known {
            let at = kind.as_ref().map_or(span, Spanned::span);
            let message = "unknown kind of application".to_owned();
            let expected = "expected kind = \"client\", \"server\", \"redis\", \"openresty\", \"wrk\", \
                            \"ab\", \"nginx\" or \"scripted\"";
            return Err(Error::new(at, message, expected.to_owned()));
        }
        written.resize(scenario.apps.len(), span);
    }
    if scenario.apps.len() > MOST_APPS {
        let expected = format!("expected at most {MOST_APPS}, each port of a redis counting");
        return Err(Error::new(span, "too many applications".to_owned(), expected));
    }
    if scenario.apps.is_empty() { Err(missing_apps(span)) } else { Ok(written) }
}

/// Ports that somebody listens on.
type Taken = BTreeSet<(HostId, u16)>;

/// Reads a client, a server or a redis.
fn simple(
    kind: &str,
    rest: ValueDeserializer<'_>,
    span: &Range<usize>,
    taken: &mut Taken,
    scenario: &mut Scenario,
) -> Result<(), Error> {
    match kind {
        "client" => {
            let app = schema::Client::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            let text = app.request.clone();
            let plan = client(app, span, scenario)?;
            let ports = ports_of(&plan.targets);
            scenario.texts.extend(texts::text(text, host, ports, false));
            scenario.apps.push((host, AppPlan::Client(plan)));
        }
        "server" => {
            let app = schema::Server::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            claim(host, &app.port, taken)?;
            let plan = server(&app)?;
            let text = app.response.clone();
            scenario.texts.extend(texts::text(text, host, plan.ports, true));
            scenario.apps.push((host, AppPlan::Server(plan)));
        }
        _ => {
            let app = schema::Redis::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            claim(host, &app.port, taken)?;
            scenario.apps.extend(redis::redis(&app)?.map(|plan| (host, AppPlan::Redis(plan))));
        }
    }
    Ok(())
}

/// Reads a web server, what loads one, or a script; says whether it was one of them.
fn web(
    kind: &str,
    rest: ValueDeserializer<'_>,
    (span, text): (&Range<usize>, &str),
    taken: &mut Taken,
    scenario: &mut Scenario,
) -> Result<bool, Error> {
    let (host, plan) = match kind {
        "openresty" => {
            let app = schema::OpenResty::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            if let Some(listen) = &app.listen {
                claim(host, &listen.get_ref().port, taken)?;
            }
            (host, AppPlan::Pool(pool::pool(app, span, scenario)?))
        }
        "wrk" => {
            let app = schema::Wrk::deserialize(rest)?;
            (find_host(&app.host, scenario)?, AppPlan::Wrk(load::wrk(&app, scenario)?))
        }
        "ab" => {
            let app = schema::Ab::deserialize(rest)?;
            (find_host(&app.host, scenario)?, AppPlan::Ab(load::ab(&app, scenario)?))
        }
        "nginx" => {
            let app = schema::Nginx::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            claim(host, &app.listen.get_ref().port, taken)?;
            (host, AppPlan::Nginx(web::nginx(&app, scenario)?))
        }
        "scripted" => {
            let app = schema::Scripted::deserialize(rest)?;
            let host = find_host(&app.host, scenario)?;
            if let Some(port) = &app.port {
                claim(host, port, taken)?;
            }
            (host, AppPlan::Scripted(script::scripted(&app, text, scenario)?))
        }
        _ => return Ok(false),
    };
    scenario.apps.push((host, plan));
    Ok(true)
}

/// The name of an application, by which it can be changed from outside.
fn called(name: Option<Spanned<DeValue<'_>>>, names: &mut BTreeSet<String>) -> Result<(), Error> {
    let Some(name) = name else { return Ok(()) };
    let wrong = |message: String, expected: &str| {
        Err(Error::new(name.span(), message, expected.to_owned()))
    };
    let Some(text) = name.get_ref().as_str() else {
        return wrong("the name of an application is text".to_owned(), "expected name = \"pool\"");
    };
    if text.is_empty() || text.contains(['.', '=']) || text.parse::<u64>().is_ok() {
        let expected = "expected a name without points that is no number";
        return wrong(format!("{text:?} is no name for an application"), expected);
    }
    if !names.insert(text.to_owned()) {
        return wrong(format!("another application is called {text:?}"), "expected another name");
    }
    Ok(())
}

pub(super) fn find_host(name: &Spanned<String>, scenario: &Scenario) -> Result<HostId, Error> {
    host_called(name.get_ref(), name.span(), scenario)
}

pub(super) fn host_called(
    name: &str,
    span: Range<usize>,
    scenario: &Scenario,
) -> Result<HostId, Error> {
    scenario.host(name).ok_or_else(|| {
        let names: Vec<&str> = scenario.hosts.iter().map(|h| h.name.as_str()).collect();
        let help = super::nearest(name, names.iter().copied());
        let help = help.map(|n| format!("did you mean {n:?}?"));
        let expected = format!("expected one of the hosts {}", names.join(", "));
        Error::new(span, format!("no host is called {name:?}"), expected).with_help(help)
    })
}

/// Two servers cannot listen on one port.
fn claim(host: HostId, ports: &Spanned<schema::Ports>, taken: &mut Taken) -> Result<(), Error> {
    let schema::Ports(low, high) = *ports.get_ref();
    for port in low..=high {
        if !taken.insert((host, port)) {
            let message = format!("another application listens on port {port} already");
            return Err(Error::new(ports.span(), message, "expected a free port".to_owned()));
        }
    }
    Ok(())
}

fn client(
    app: schema::Client,
    span: &Range<usize>,
    scenario: &Scenario,
) -> Result<ClientPlan, Error> {
    let pace = match (&app.rate, &app.workers) {
        (Some(rate), None) => Pace::Open { rate: rate.get_ref().0, scattered: app.scattered },
        (None, Some(workers)) if !(1..=MOST_WORKERS).contains(workers.get_ref()) => {
            let message = format!("{} workers", workers.get_ref());
            let expected = format!("expected 1 to {MOST_WORKERS}");
            return Err(Error::new(workers.span(), message, expected));
        }
        (None, Some(workers)) => Pace::Closed {
            workers: *workers.get_ref(),
            think: app.think.as_ref().map_or_else(Delay::default, |t| t.get_ref().0),
        },
        (both_or_none, workers) => {
            let at = workers.as_ref().map_or_else(|| span.clone(), Spanned::span);
            let message = if both_or_none.is_some() {
                "a client has a rate or workers, not both"
            } else {
                "a client needs a pace"
            };
            let expected = "expected rate = \"100/s\" or workers = 10".to_owned();
            return Err(Error::new(at, message.to_owned(), expected));
        }
    };
    if let (Pace::Open { .. }, Some(think)) = (pace, &app.think) {
        let message = "only workers think".to_owned();
        let expected = "expected workers = 10 with it instead of a rate".to_owned();
        return Err(Error::new(think.span(), message, expected));
    }
    let close: CloseHow = app.close.map_or_else(Default::default, |c| c.0);
    if let (Some(patience), true) = (&app.patience, close != CloseHow::Shutdown) {
        let message = "only who shuts down waits for the peer's end of file".to_owned();
        let expected = "expected close = \"shutdown\" with it".to_owned();
        return Err(Error::new(patience.span(), message, expected));
    }
    Ok(ClientPlan {
        targets: targets(&app.to, scenario)?,
        pace,
        start: app.start.map_or(Span::ZERO, |s| s.0),
        count: app.count,
        request: texts::length(app.request.as_ref(), app.request_bytes, "request")?,
        response: app.response_bytes.unwrap_or(MESSAGE_BYTES),
        hold: app.hold.map_or_else(Delay::default, |h| h.0),
        close,
        patience: app.patience.map(|p| p.get_ref().0),
    })
}

/// `redis:6379` or `redis:6379-6394`.
pub(super) fn targets(to: &Spanned<String>, scenario: &Scenario) -> Result<Vec<Endpoint>, Error> {
    let span = to.span();
    let Some((name, ports)) = to.get_ref().rsplit_once(':') else {
        let message = format!("{:?} names no port", to.get_ref());
        let expected = "expected HOST:PORT such as \"redis:6379\" or \"redis:6379-6394\"";
        return Err(Error::new(span, message, expected.to_owned()));
    };
    let host = host_called(name, span.clone(), scenario)?;
    let (low, high) = units::ports(ports)
        .map_err(|e| Error::new(span, format!("{ports:?} is no port or range of ports"), e))?;
    let addr = scenario.host_plan(host).addr;
    Ok((low..=high).map(|port| Endpoint::new(addr, port)).collect())
}

fn server(app: &schema::Server) -> Result<ServerPlan, Error> {
    let schema::Ports(low, high) = *app.port.get_ref();
    let close_after = app.close_after.map_or_else(|| Some(Delay::default()), |after| after.0.0);
    Ok(ServerPlan {
        ports: (low, high),
        backlog: i32::from(app.backlog.unwrap_or(4096)),
        request: app.request_bytes.unwrap_or(MESSAGE_BYTES),
        response: texts::length(app.response.as_ref(), app.response_bytes, "response")?,
        service: app.service.map_or_else(Delay::default, |d| d.0),
        close_after: close_after.unwrap_or_default(),
        never_closes: close_after.is_none(),
        closes_first: app.closes_first,
        parting: app.parting_bytes,
        reads: app.reads,
        reuse_addr: app.reuse_addr,
        retry: match &app.retry {
            Some(retry) => at_least_1ns(retry, "pause before the next bind()")?,
            None => Span::secs(1),
        },
        restart: restart(app)?,
    })
}

fn restart(app: &schema::Server) -> Result<Option<Restart>, Error> {
    let every = match &app.restart_every {
        Some(every) => Some(at_least_1ns(every, "time between restarts")?),
        None => None,
    };
    let first = app.restart_at.as_ref().map(|at| at.get_ref().0).or(every);
    let down = app.restart_takes.map_or(Span::ZERO, |d| d.0);
    Ok(first.map(|first| Restart { first, every, down }))
}

/// The lowest and the highest port of some targets.
fn ports_of(targets: &[Endpoint]) -> (u16, u16) {
    let ports = || targets.iter().map(|target| target.port);
    (ports().min().unwrap_or(0), ports().max().unwrap_or(0))
}

/// What a link is like unless something else is said of it.
fn general(written: &schema::Links) -> Result<Quality, Error> {
    let general = schema::Link {
        from: Spanned::new(0..0, String::new()),
        to: Spanned::new(0..0, String::new()),
        one_way: false,
        delay: written.delay.clone(),
        jitter: written.jitter,
        loss: written.loss,
        duplicate: written.duplicate,
        reorder: written.reorder,
        reorder_by: written.reorder_by,
    };
    quality(&general, Quality::default())
}

/// A link each way for every pair of hosts that talk: idle ones would only narrow the windows.
fn links(written: &schema::Links, scenario: &Scenario) -> Result<Vec<LinkPlan>, Error> {
    let general = scenario.quality;
    let mut plans: Vec<LinkPlan> = Vec::new();
    for (host, app) in &scenario.apps {
        // Most have all their targets on one host.
        let mut targets: Vec<Endpoint> = Vec::new();
        for to in Scenario::targets_of(app) {
            if !targets.iter().any(|known| known.addr == to.addr) {
                targets.push(*to);
            }
        }
        let talks = targets.into_iter().flat_map(|to| scenario.talks(*host, to));
        for (from, to) in talks.flat_map(|(a, b)| [(a, b), (b, a)]) {
            if !plans.iter().any(|l| (l.from, l.to) == (from, to)) {
                plans.push(LinkPlan { from, to, quality: general });
            }
        }
    }
    for link in &written.between {
        let (from, to) = (find_host(&link.from, scenario)?, find_host(&link.to, scenario)?);
        let mut used = false;
        for plan in &mut plans {
            let there = (plan.from, plan.to) == (from, to);
            let back = (plan.from, plan.to) == (to, from) && !link.one_way;
            if there || back {
                plan.quality = quality(link, plan.quality)?;
                used = true;
            }
        }
        if !used {
            let message = format!("{} and {} do not talk", link.from.get_ref(), link.to.get_ref());
            let expected = "expected two hosts that a client connects".to_owned();
            return Err(Error::new(link.from.span(), message, expected));
        }
    }
    Ok(plans)
}

fn quality(link: &schema::Link, base: Quality) -> Result<Quality, Error> {
    Ok(Quality {
        delay: match &link.delay {
            Some(delay) => at_least_1ns(delay, "delay of a link")?,
            None => base.delay,
        },
        jitter: link.jitter.map_or(base.jitter, |j| j.0),
        loss: link.loss.map_or(base.loss, |r| r.0),
        duplicate: link.duplicate.map_or(base.duplicate, |r| r.0),
        reorder: link.reorder.map_or(base.reorder, |r| r.0),
        reorder_by: link.reorder_by.map_or(base.reorder_by, |s| s.0),
    })
}
