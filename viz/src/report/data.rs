//! What the page's script gets: numbers as JSON.

use serde::Serialize;

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::kernel::{Object, SockStat};
use finwait_model::segment::Segment;
use finwait_model::seq::Seq;
use finwait_model::state::TcpState;
use finwait_sim::run::HostOutcome;
use finwait_sim::view::ss;
use finwait_sim::why::{Chain, Link};

use super::facts::{Conn, Facts, Look, Passing, Stand, Step};
use super::series::{Deltas, Series};
use super::{Report, pick};

/// RSTs that the page lists; of more, so many evenly.
const RESETS: usize = 20_000;

#[derive(Serialize)]
struct Data<'a> {
    run: &'a str,
    recording: &'a str,
    until_us: u64,
    hosts: Vec<Host<'a>>,
    others: Vec<OtherRun<'a>>,
    kinds: Vec<Kind<'a>>,
    resets: Resets,
    conns: Vec<ConnData>,
    looks: Looks,
}

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    kernel: &'static str,
    addr: String,
    tcp_max_tw_buckets: i64,
    tcp_max_orphans: i64,
    series: Series,
}

#[derive(Serialize)]
struct OtherRun<'a> {
    name: &'a str,
    settings: &'a [String],
    hosts: Vec<(&'a str, i64, Series)>,
}

/// RSTs of one host with one cause and one earlier event.
#[derive(Serialize)]
struct Kind<'a> {
    host: u16,
    cause: &'static str,
    reason: &'static str,
    path: &'static [&'static str],
    why: &'static str,
    because: &'static str,
    count: u64,
    #[serde(skip)]
    group: &'a finwait_sim::because::Group,
}

/// RSTs in columns.
#[derive(Serialize)]
struct Resets {
    /// All that there are; the columns may hold fewer.
    count: usize,
    number: Deltas,
    at_ns: Deltas,
    kind: Vec<usize>,
    port: Vec<u16>,
    to: Vec<usize>,
    to_port: Vec<u16>,
    /// Microseconds behind the earlier event; -1 if there is none.
    wait_us: Vec<i64>,
    /// Names of the hosts that `to` means.
    names: Vec<String>,
}

#[derive(Serialize)]
struct ConnData {
    ends: [String; 2],
    hosts: [Option<u16>; 2],
    /// The RST for whose sake it is here, by number.
    reset: Option<usize>,
    kind: Option<usize>,
    ladder: String,
    chain: Vec<LinkData>,
    at_ns: u64,
    steps: Vec<StepData>,
    left_out: usize,
}

#[derive(Serialize)]
struct LinkData {
    at: String,
    host: u16,
    text: String,
    #[serde(rename = "in")]
    functions: Vec<&'static str>,
    decided: Vec<String>,
    averted: Vec<String>,
    causes: Vec<usize>,
}

#[derive(Serialize)]
struct StepData {
    /// Nanoseconds since the connection's first step.
    t: u64,
    /// Which end: 0 opened the connection.
    end: usize,
    /// What happened, and the kernel functions.
    told: Vec<(String, String)>,
    segs: Vec<SegmentData>,
    /// State and whether it is a bucket.
    ends: [Option<(&'static str, bool)>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counters: Vec<(&'static str, i64)>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    shared: bool,
    /// inuse, orphan, tw, alloc of both ends' hosts.
    stat: [[u32; 4]; 2],
}

#[derive(Serialize)]
struct SegmentData {
    /// Did it leave here?
    out: bool,
    text: String,
    rst: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// When it arrives, nanoseconds since the connection's first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
}

/// Tables at some instants.
#[derive(Serialize)]
struct Looks {
    states: Vec<&'static str>,
    objects: [&'static str; 4],
    addrs: Vec<String>,
    at: Vec<LookData>,
}

#[derive(Serialize)]
struct LookData {
    at_us: u64,
    tables: Vec<TableData>,
}

#[derive(Serialize)]
struct TableData {
    count: u64,
    sockets_left_out: u64,
    buckets_left_out: u64,
    rows: Vec<RowData>,
}

/// State, object, Recv-Q, Send-Q, local address and port, peer address and port, timer.
type RowData = (usize, usize, u32, u32, usize, u16, usize, u16, String);

/// The JSON; `<` stands in it only as an escape, so that it can lie in a page.
pub(super) fn json(report: &Report) -> String {
    let facts = &report.facts;
    let kinds = kinds(facts);
    let data = Data {
        run: &facts.header.scenario,
        recording: &report.recording,
        until_us: facts.until().ns / 1000,
        hosts: facts.hosts.iter().map(host).collect(),
        others: report.others.iter().map(other).collect(),
        resets: resets(facts, &kinds),
        conns: facts
            .conns
            .iter()
            .filter(|c| !c.steps.is_empty())
            .map(|c| conn(facts, &kinds, c))
            .collect(),
        looks: looks(facts),
        kinds,
    };
    let Ok(text) = serde_json::to_string(&data) else {
        unreachable!("invariant: names and numbers can always be written as JSON")
    };
    text.replace('<', "\\u003c")
}

fn host(host: &HostOutcome) -> Host<'_> {
    Host {
        name: &host.name,
        kernel: host.platform.kernel().or_else(|| host.platform.stack()).unwrap_or_default(),
        addr: host.addr.to_string(),
        tcp_max_tw_buckets: host.sysctl.tcp_max_tw_buckets,
        tcp_max_orphans: host.sysctl.tcp_max_orphans,
        series: Series::of(host),
    }
}

fn other(other: &super::Other) -> OtherRun<'_> {
    let each = |h| {
        let host: &HostOutcome = h;
        (host.name.as_str(), host.sysctl.tcp_max_tw_buckets, Series::of(host))
    };
    OtherRun {
        name: &other.name,
        settings: &other.settings,
        hosts: other.hosts.iter().map(each).collect(),
    }
}

fn kinds(facts: &Facts) -> Vec<Kind<'_>> {
    let groups = facts.hosts.iter().flat_map(|h| &h.rst);
    let kind = |group| {
        let group: &finwait_sim::because::Group = group;
        let site = group.cause.site();
        Kind {
            host: group.host.0,
            cause: site.name,
            reason: site.reset.map_or("none", |r| r.kernel_name()),
            path: site.path,
            why: group.because.text(),
            because: group.because.name(),
            count: group.count,
            group,
        }
    };
    groups.map(kind).collect()
}

fn kind_of(kinds: &[Kind<'_>], reset: &super::Reset) -> Option<usize> {
    kinds.iter().position(|k| {
        let group = k.group;
        (group.host, group.cause, group.because) == (reset.host, reset.cause, reset.because)
    })
}

fn name(facts: &Facts, end: Endpoint) -> String {
    let host = facts.hosts.iter().find(|h| h.addr == end.addr);
    host.map_or_else(|| end.to_string(), |h| format!("{}:{}", h.name, end.port))
}

fn resets(facts: &Facts, kinds: &[Kind<'_>]) -> Resets {
    let places = pick::even(facts.resets.len(), RESETS);
    let all: Vec<&super::Reset> = places.iter().map(|&n| &facts.resets[n]).collect();
    let mut names = Vec::new();
    let to = all.iter().map(|reset| {
        let host = facts.hosts.iter().find(|h| h.addr == reset.flow.daddr);
        number_of(&mut names, host.map_or_else(|| reset.flow.daddr.to_string(), |h| h.name.clone()))
    });
    let to = to.collect();
    Resets {
        count: facts.resets.len(),
        number: Deltas::of(places.iter().map(|&n| n as u64 + 1)),
        at_ns: Deltas::of(all.iter().map(|r| r.at.ns)),
        kind: all.iter().map(|r| kind_of(kinds, r).unwrap_or(0)).collect(),
        port: all.iter().map(|r| r.flow.sport).collect(),
        to,
        to_port: all.iter().map(|r| r.flow.dport).collect(),
        wait_us: all.iter().map(|r| r.wait.map_or(-1, |w| (w.ns / 1000).cast_signed())).collect(),
        names,
    }
}

/// The place of a thing in a list that grows with it.
fn number_of<T: PartialEq>(list: &mut Vec<T>, thing: T) -> usize {
    if let Some(place) = list.iter().position(|t| *t == thing) {
        return place;
    }
    list.push(thing);
    list.len() - 1
}

fn conn(facts: &Facts, kinds: &[Kind<'_>], conn: &Conn) -> ConnData {
    let first = conn.steps.first().map_or(0, |s| s.at.ns);
    let beginnings = beginnings(conn);
    ConnData {
        ends: [name(facts, conn.flow.source()), name(facts, conn.flow.destination())],
        hosts: conn.ends.map(|end| end.map(|id| id.0)),
        reset: conn.reset.map(|n| n + 1),
        kind: conn.reset.and_then(|n| kind_of(kinds, &facts.resets[n])),
        ladder: conn.ladder(),
        chain: conn.chain.as_ref().map_or_else(Vec::new, chain),
        at_ns: first,
        steps: conn.steps.iter().map(|s| step(conn, s, first, beginnings)).collect(),
        left_out: conn.left_out,
    }
}

fn chain(chain: &Chain) -> Vec<LinkData> {
    let link = |link: &Link| LinkData {
        at: link.at.to_string(),
        host: link.host.0,
        text: link.text.clone(),
        functions: link.functions.clone(),
        decided: link.decided.iter().map(|d| format!("{} = {}", d.sysctl, d.value)).collect(),
        averted: link.averted.clone(),
        causes: link.causes.clone(),
    };
    chain.links.iter().map(link).collect()
}

/// The first sequence number of either end: what all others are counted from.
fn beginnings(conn: &Conn) -> [Option<Seq>; 2] {
    let mut found = [None; 2];
    for Passing { segment, .. } in conn.steps.iter().flat_map(|s| &s.segments) {
        let end = usize::from(segment.flow != conn.flow);
        // Where there was no SYN they are counted from the first segment that is seen.
        found[end].get_or_insert(segment.seq);
    }
    found
}

fn step(conn: &Conn, step: &Step, first: u64, beginnings: [Option<Seq>; 2]) -> StepData {
    let end = match step.segments.first() {
        // On loopback both ends are on one host; then a segment knows whose it is.
        Some(p) => {
            let sender = usize::from(p.segment.flow != conn.flow);
            if p.sent.is_some() { sender } else { 1 - sender }
        }
        None => usize::from(conn.ends[0] != Some(step.host)),
    };
    let told = step.told.iter().map(|l| (l.text.clone(), l.functions.join(" → ")));
    let segment = |p: &Passing| SegmentData {
        out: p.sent.is_some(),
        text: segment_text(conn.flow, &p.segment, beginnings),
        rst: p.segment.flags.rst(),
        cause: p.sent.map(|cause| cause.name()),
        to: p.arrives.map(|at| at.ns.saturating_sub(first)),
    };
    StepData {
        t: step.at.ns.saturating_sub(first),
        end,
        told: told.collect(),
        segs: step.segments.iter().map(segment).collect(),
        ends: step.ends.map(|e| e.map(|Stand { state, bucket }| (state.ss_name(), bucket))),
        refused: step.refused.map(TcpState::ss_name),
        counters: step.counters.iter().map(|(mib, by)| (mib.nstat_name(), *by)).collect(),
        shared: step.shared,
        stat: step.sockstat.map(|SockStat { inuse, orphan, tw, alloc }| [inuse, orphan, tw, alloc]),
    }
}

/// `F. seq 61 ack 201`, counted from both ends' first numbers.
fn segment_text(flow: FourTuple, segment: &Segment, beginnings: [Option<Seq>; 2]) -> String {
    let end = usize::from(segment.flow != flow);
    let since = |seq: Seq, first: Option<Seq>| seq.0.wrapping_sub(first.unwrap_or(Seq(0)).0);
    let mut text = format!("{} seq {}", segment.flags, since(segment.seq, beginnings[end]));
    if segment.flags.ack() {
        text += &format!(" ack {}", since(segment.ack, beginnings[1 - end]));
    }
    if segment.len > 0 {
        text += &format!(" len {}", segment.len);
    }
    text
}

fn looks(facts: &Facts) -> Looks {
    let (mut states, mut addrs) = (Vec::new(), Vec::new());
    let at = facts.looks.iter().map(|look| look_data(look, &mut states, &mut addrs)).collect();
    Looks { states, objects: ["listener", "request", "socket", "bucket"], addrs, at }
}

fn look_data(look: &Look, states: &mut Vec<&'static str>, addrs: &mut Vec<String>) -> LookData {
    let tables = look.tables.iter().map(|table| {
        let rows = table.rows.iter().map(|row| {
            let object = match row.object {
                Object::Listener => 0,
                Object::Request => 1,
                Object::Sock => 2,
                Object::Bucket => 3,
            };
            (
                number_of(states, row.state.ss_name()),
                object,
                row.rx_queue,
                row.tx_queue,
                number_of(addrs, row.local.addr.to_string()),
                row.local.port,
                number_of(addrs, row.remote.addr.to_string()),
                row.remote.port,
                row.timer.map_or_else(String::new, |t| ss::timer_text(&t)),
            )
        });
        TableData {
            count: table.count,
            sockets_left_out: table.sockets_left_out,
            buckets_left_out: table.buckets_left_out,
            rows: rows.collect(),
        }
    });
    LookData { at_us: look.at.ns / 1000, tables: tables.collect() }
}
