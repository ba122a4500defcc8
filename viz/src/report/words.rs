//! The run in words and tables, the same on the page and in Markdown.

use std::fmt::Write as _;

use finwait_model::counters::Mib;
use finwait_model::state::TcpState;
use finwait_sim::because::Group;
use finwait_sim::findings::{self, Typical};
use finwait_sim::run::HostOutcome;
use finwait_sim::sample::Sample;
use finwait_sim::text::{grouped, millis, seconds};

use super::facts::Facts;
use super::markup::{Block, Table, code, plain};
use super::verdict::counted;
use super::{Other, Report};

/// What happened.
pub(super) fn story(report: &Report) -> Vec<Block> {
    let facts = &report.facts;
    let mut out = Vec::new();
    if !facts.about.trim().is_empty() {
        out.push(Block::Para(plain(&facts.about.split_whitespace().collect::<Vec<_>>().join(" "))));
    }
    out.push(Block::Table(hosts(facts)));
    for (n, host) in facts.hosts.iter().enumerate() {
        if let Some(refusal) = facts.refusals[n] {
            out.push(Block::Para(format!(
                "At t={} s {} held {} of {} timewait buckets, and for the first time one was refused; \
                 until the end {}: the sockets that should have become buckets were destroyed, and \
                 whatever their peers still sent met no socket.",
                refusal.at,
                code(&host.name),
                grouped(u64::from(refusal.count)),
                grouped(u64::try_from(refusal.limit).unwrap_or(0)),
                counted(host.counter(Mib::TCPTimeWaitOverflow), "was refused", "were refused"),
            )));
        }
    }
    if let Some(host) = findings::hero(&facts.hosts) {
        out.extend(sockstat(host).map(Block::Pre));
        out.extend(waits(host, report.counter()).map(Block::Table));
        out.extend(findings::death_row(host).map(Block::Para));
    }
    out.extend(failed(facts).map(Block::Table));
    out
}

fn hosts(facts: &Facts) -> Table {
    let head = [
        ("Host", false),
        ("Linux", false),
        ("Address", false),
        ("RSTs sent", true),
        ("Buckets, most", true),
        ("`tcp_max_tw_buckets`", true),
        ("Buckets refused", true),
        ("Orphans, most", true),
        ("`tcp_max_orphans`", true),
    ];
    let mut table = Table::new("", &head);
    for host in &facts.hosts {
        let limit = |n: i64| grouped(u64::try_from(n).unwrap_or(0));
        table.rows.push(vec![
            code(&host.name),
            host.platform.kernel().or_else(|| host.platform.stack()).unwrap_or_default().to_owned(),
            host.addr.to_string(),
            grouped(host.counter(Mib::OutRsts)),
            grouped(u64::from(host.peak.tw)),
            limit(host.sysctl.tcp_max_tw_buckets),
            grouped(host.counter(Mib::TCPTimeWaitOverflow)),
            grouped(u64::from(host.peak.orphan)),
            limit(host.sysctl.tcp_max_orphans),
        ]);
    }
    table
}

/// /proc/net/sockstat as somebody would have seen it on a host whose table is full.
fn sockstat(host: &HostOutcome) -> Option<String> {
    let sample = findings::nearly_full(host)?;
    let stat = sample.sockstat;
    Some(format!(
        "{}$ cat /proc/net/sockstat        # t = {} s: the table nearly full\n\
         TCP: inuse {} orphan {} tw {} alloc {}",
        host.name,
        seconds(sample.at.ns, 1),
        stat.inuse,
        stat.orphan,
        stat.tw,
        stat.alloc
    ))
}

/// FIN-WAIT-1 and FIN-WAIT-2 before the first refusal, after it, and in the counter-run.
fn waits(host: &HostOutcome, counter: Option<&Other>) -> Option<Table> {
    let refusal = findings::first_refusal(host).filter(|_| host.peak.tw >= 10)?;
    let head = [
        ("", false),
        ("FIN-WAIT-1, mean", true),
        ("most", true),
        ("FIN-WAIT-2, mean", true),
        ("most", true),
        ("TIME-WAIT, mean", true),
        ("most", true),
    ];
    let caption = format!(
        "{} on {}",
        counted(host.series.len() as u64, "sample", "samples"),
        code(&host.name)
    );
    let mut table = Table::new(&caption, &head);
    let mut row = |label: String, samples: Vec<&Sample>| {
        let mut cells = vec![label];
        for state in [TcpState::FinWait1, TcpState::FinWait2, TcpState::TimeWait] {
            let Typical { tenths, most } = findings::typical(&samples, state);
            cells.push(format!("{}.{}", grouped(tenths / 10), tenths % 10));
            cells.push(grouped(u64::from(most)));
        }
        table.rows.push(cells);
    };
    let until = format!("until the first refusal at {} s", seconds(refusal.ns, 1));
    row(until, host.series.iter().filter(|s| s.at < refusal).collect());
    let full = |s: &&Sample| s.at >= refusal && findings::is_full(host, s);
    row(
        "since then, while the table is full".to_owned(),
        host.series.iter().filter(full).collect(),
    );
    if let Some(other) = counter.and_then(|c| c.hosts.iter().find(|h| h.name == host.name)) {
        let since = other.series.iter().filter(|s| s.at >= refusal).collect();
        row("since then, in the counter-run".to_owned(), since);
    }
    Some(table)
}

fn failed(facts: &Facts) -> Option<Table> {
    if facts.failed.is_empty() {
        return None;
    }
    let head = [
        ("Host", false),
        ("Call", false),
        ("Answer", false),
        ("Times", true),
        ("First at, s", true),
    ];
    let mut table = Table::new("System calls that failed", &head);
    for failed in &facts.failed {
        table.rows.push(vec![
            code(facts.name(failed.host)),
            code(&format!("{}()", failed.call)),
            code(failed.errno.name()),
            grouped(failed.count),
            failed.first.to_string(),
        ]);
    }
    Some(table)
}

/// Why RSTs were sent, by cause.
pub(super) fn causes(facts: &Facts) -> Vec<Block> {
    let head = [
        ("RSTs", true),
        ("Host", false),
        ("Cause", false),
        ("`sk_rst_reason`", false),
        ("Call path", false),
        ("Because", false),
        ("Later by, ms", true),
    ];
    let mut table = Table::new("", &head);
    let mut examples = Vec::new();
    for group in facts.hosts.iter().flat_map(|h| &h.rst) {
        let site = group.cause.site();
        table.rows.push(vec![
            grouped(group.count),
            code(facts.name(group.host)),
            code(site.name),
            code(site.reset.map_or("none", |r| r.kernel_name())),
            site.path.iter().map(|f| code(f)).collect::<Vec<_>>().join(" → "),
            group.because.text().to_owned(),
            waited(group),
        ]);
        if let Some(example) = group.examples.first() {
            let name = |addr| {
                let host = facts.hosts.iter().find(|h| h.addr == addr);
                host.map_or_else(|| addr.to_string(), |h| h.name.clone())
            };
            examples.push(format!(
                "{}, the first: {}",
                code(site.name),
                plain(&example.story(name))
            ));
        }
    }
    if table.rows.is_empty() {
        return vec![Block::Para("No RST was sent.".to_owned())];
    }
    vec![Block::Table(table), Block::List(examples)]
}

/// How long the earlier event and the RST lie apart in the whole group.
fn waited(group: &Group) -> String {
    let (least, most) = (millis(group.shortest.ns), millis(group.longest.ns));
    match group.longest.ns {
        0 => "0".to_owned(),
        _ if least == most => least,
        _ => format!("{least} to {most}"),
    }
}

/// The run beside the others.
pub(super) fn comparison(report: &Report) -> Vec<Block> {
    if report.others.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    if let Some(counter) = report.counter() {
        let settings: Vec<(String, String)> = counter
            .settings
            .iter()
            .filter_map(|s| {
                let host = counter.hosts.iter().find(|h| {
                    s.strip_prefix(h.name.as_str()).is_some_and(|rest| rest.starts_with('.'))
                })?;
                Some((host.name.clone(), s[host.name.len() + 1..].to_owned()))
            })
            .collect();
        out.push(Block::Para(plain(&findings::counter_run(&settings, &counter.hosts))));
    }
    let head = [
        ("Run", false),
        ("Host", false),
        ("RSTs sent", true),
        ("Buckets, most", true),
        ("Buckets refused", true),
        ("FIN-WAIT-1, most", true),
        ("FIN-WAIT-2, most", true),
        ("Orphans, most", true),
    ];
    let mut table = Table::new("", &head);
    let mut add = |name: &str, hosts: &[HostOutcome]| {
        for host in hosts {
            let peak = host.peak;
            let mut row = vec![plain(name), code(&host.name), grouped(host.counter(Mib::OutRsts))];
            row.push(grouped(u64::from(peak.tw)));
            row.push(grouped(host.counter(Mib::TCPTimeWaitOverflow)));
            row.extend([peak.fin_wait1, peak.fin_wait2, peak.orphan].map(|n| grouped(n.into())));
            table.rows.push(row);
        }
    };
    add(&report.facts.header.scenario, &report.facts.hosts);
    report.others.iter().for_each(|other| add(&other.name, &other.hosts));
    out.push(Block::Table(table));
    out
}

/// How the run can be had again, and what a report leaves out.
pub(super) fn made(report: &Report) -> Vec<Block> {
    let facts = &report.facts;
    let header = &facts.header;
    let totals = facts.end.totals();
    let mut text = format!(
        "finwait {} ran {} with seed {} for {}",
        header.finwait,
        code(&header.scenario),
        header.seed,
        facts.until().since(finwait_model::time::Instant::ZERO)
    );
    if let Some(totals) = totals {
        let _ = write!(
            text,
            ": {} and {}, digest {}. The same scenario and seed give the same bytes on every machine.",
            counted(totals.segments, "segment", "segments"),
            counted(totals.lifecycles, "lifecycle", "lifecycles"),
            code(&totals.digest)
        );
    } else {
        text.push('.');
    }
    let mut out = vec![Block::Para(text)];
    for other in &report.others {
        let mut line = plain(&other.name);
        if !other.settings.is_empty() {
            let _ = write!(line, ": {}", code(&other.settings.join(", ")));
        }
        let _ = write!(line, "; seed {}, {}", other.seed, other.simulated);
        if let Some(digest) = &other.digest {
            let _ = write!(line, ", digest {}", code(digest));
        }
        out.push(Block::Para(line + "."));
    }
    out.push(Block::Pre(commands(report)));
    if !header.toml.is_empty() {
        out.push(Block::Pre(header.toml.clone()));
    }
    out
}

fn commands(report: &Report) -> String {
    let run = &report.recording;
    let mut text = format!(
        "finwait ss {run} --at {}s -tano          # any table at any instant\n",
        seconds(report.facts.until().ns, 1)
    );
    if !report.facts.resets.is_empty() {
        text += &format!(
            "finwait explain {run} --rst 1             # any RST back to its first cause\n\
             finwait tcpdump {run} -nn 'tcp[tcpflags] & tcp-rst != 0' --why\n"
        );
    }
    text
}
