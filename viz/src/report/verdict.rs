//! What there is to say first: how many RSTs, what they come down to, and what would avert them.

use finwait_model::counters::Mib;
use finwait_model::time::Instant;
use finwait_sim::because::{Because, Group};
use finwait_sim::run::HostOutcome;
use finwait_sim::text::{grouped, seconds};

use super::Report;
use super::facts::Facts;
use super::markup::{code, plain};

/// The verdict: one line, and a few sentences that carry it. Names stand between backticks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// "13,390 RSTs: …".
    pub headline: String,
    /// Who sent them, why, and what was checked.
    pub lead: Vec<String>,
}

/// Kinds of RST that the lead speaks of.
const KINDS: usize = 3;

/// The verdict on a run.
pub(super) fn of(report: &Report) -> Verdict {
    let facts = &report.facts;
    let mut verdict = match facts.reset_count() {
        0 => quiet(facts),
        count => resets(report, count),
    };
    verdict.lead.extend(reservations(facts));
    verdict
}

/// A number of things.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

fn resets(report: &Report, count: u64) -> Verdict {
    let facts = &report.facts;
    let mut groups: Vec<&Group> = facts.hosts.iter().flat_map(|h| &h.rst).collect();
    groups.sort_by_key(|g| (core::cmp::Reverse(g.count), g.host, g.cause, g.because));
    let mut headline = counted(count, "RST", "RSTs");
    let Some(top) = groups.first() else {
        // None of them was recorded.
        return Verdict { headline: headline + ".", lead: Vec::new() };
    };
    if top.count < count {
        headline += &format!(", {} of them", grouped(top.count));
    }
    headline += &format!(": {}", first_cause(facts, top));
    let avert = avert(report);
    headline.extend(avert.iter().map(|(short, _)| format!("; {short}")));
    headline.push('.');
    let mut lead = vec![when(facts)];
    // The headline has said it already where it is one reason, and not a limit.
    if groups.len() > 1 || refused(top.because) {
        lead.extend(groups.iter().take(KINDS).map(|group| because(facts, group, count)));
    }
    let rest: u64 = groups.iter().skip(KINDS).map(|g| g.count).sum();
    if rest > 0 {
        lead.push(format!("{} of other kinds: see the table of causes.", grouped(rest)));
    }
    lead.extend(avert.map(|(_, long)| long));
    Verdict { headline, lead }
}

/// Was a bucket refused?
const fn refused(because: Because) -> bool {
    matches!(because, Because::FinWait2Refused | Because::TimeWaitRefused)
}

/// What the RSTs of a group come down to.
fn first_cause(facts: &Facts, group: &Group) -> String {
    let refusal = facts.refusals[usize::from(group.host.0)];
    match (refused(group.because), refusal) {
        (true, Some(refusal)) => {
            if refusal.limit <= 0 {
                return "`tcp_max_tw_buckets` leaves no room for a single bucket".to_owned();
            }
            format!(
                "`tcp_max_tw_buckets` reached at t={} s",
                seconds(refusal.at.ns + 50_000_000, 1)
            )
        }
        _ => group.because.text().to_owned(),
    }
}

fn because(facts: &Facts, group: &Group, count: u64) -> String {
    let whose = if group.count == count {
        "Each of them was sent because".to_owned()
    } else {
        let name = code(facts.name(group.host));
        format!("{} that {name} sent: because", counted(group.count, "RST", "RSTs"))
    };
    format!("{whose} {}.", group.because.text())
}

/// Who sent RSTs to whom, and when.
fn when(facts: &Facts) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for reset in &facts.resets {
        let to = facts.hosts.iter().find(|h| h.addr == reset.flow.daddr);
        let to = to.map_or_else(|| reset.flow.daddr.to_string(), |h| h.name.clone());
        let pair = (facts.name(reset.host).to_owned(), to);
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    let pairs: Vec<String> =
        pairs.iter().map(|(from, to)| format!("{} to {}", code(from), code(to))).collect();
    let at = |at: Instant| seconds(at.ns, 3);
    match facts.resets.as_slice() {
        [] => String::new(),
        [one] => format!("From {}, at t={} s.", pairs.join(", "), at(one.at)),
        [first, .., last] => format!(
            "From {}, between t={} s and t={} s, at most {} within a second.",
            pairs.join(", "),
            at(first.at),
            at(last.at),
            grouped(most_in_a_second(facts) as u64)
        ),
    }
}

/// The most RSTs within any second.
fn most_in_a_second(facts: &Facts) -> usize {
    let (mut first, mut most) = (0, 0);
    for (n, reset) in facts.resets.iter().enumerate() {
        while reset.at.since(facts.resets[first].at).ns >= 1_000_000_000 {
            first += 1;
        }
        most = most.max(n + 1 - first);
    }
    most
}

/// What would avert them, in short and at length.
fn avert(report: &Report) -> Option<(String, String)> {
    let counter = report.counter()?;
    let settings = plain(&counter.settings.join(", "));
    let left = counter.reset_count();
    if left > 0 {
        let short = format!("{} leaves {}", code(&settings), grouped(left));
        let long = format!(
            "In the counter-run with {} there are {} all the same.",
            code(&settings),
            counted(left, "RST", "RSTs")
        );
        return Some((short, long));
    }
    let Some(checked) = report.checked.as_ref().filter(|c| c.resets == 0) else {
        let long = format!("In the counter-run with {} there is none.", code(&settings));
        return Some((format!("{} averts them", code(&settings)), long));
    };
    let limits: Vec<String> = checked.limits.iter().map(|(_, n)| grouped(*n)).collect();
    let each: Vec<String> = checked
        .limits
        .iter()
        .map(|(host, n)| format!("`tcp_max_tw_buckets` = {} on {}", grouped(*n), code(host)))
        .collect();
    let mut long = format!(
        "With {} the counter-run sends none, and at its samples it holds no more than {} buckets; run \
         once more with {}, it sends none either",
        code(&settings),
        limits.join(" and "),
        each.join(" and ")
    );
    if checked.refusals > 0 {
        long += &format!(
            " ({} refused there between two samples, and no segment comes for them)",
            counted(checked.refusals, "bucket is", "buckets are")
        );
    }
    Some((format!("{} would avert them", limits.join(" and ")), long + "."))
}

/// A run without a RST.
fn quiet(facts: &Facts) -> Verdict {
    let refused: u64 = facts.hosts.iter().map(|h| h.counter(Mib::TCPTimeWaitOverflow)).sum();
    if refused > 0 {
        let at = facts.refusals.iter().flatten().map(|r| r.at).min();
        let at = at.map(|at| format!(" from t={} s on", seconds(at.ns, 1))).unwrap_or_default();
        let headline = format!(
            "No RST, but {} refused{at}: `tcp_max_tw_buckets` reached.",
            counted(refused, "timewait bucket was", "timewait buckets were")
        );
        let lead = "No segment came for a connection whose bucket was missing.".to_owned();
        return Verdict { headline, lead: vec![lead] };
    }
    if let Some(worst) = facts.failed.iter().max_by_key(|f| (f.count, core::cmp::Reverse(f.first)))
    {
        let headline = format!(
            "No RST, but {} of {} failed with `{}`.",
            counted(worst.count, "call", "calls"),
            code(&format!("{}()", worst.call)),
            worst.errno
        );
        let lead = format!("On {}, first at t={} s.", code(facts.name(worst.host)), worst.first);
        return Verdict { headline, lead: vec![lead] };
    }
    let troubled = |mib: Mib| facts.hosts.iter().map(|h| h.counter(mib)).sum::<u64>();
    let lost = troubled(Mib::ListenOverflows) + troubled(Mib::TCPAbortOnTimeout);
    if lost > 0 {
        let headline = format!(
            "No RST, but {}.",
            counted(
                lost,
                "connection was dropped or timed out",
                "connections were dropped or timed out"
            )
        );
        let lead = "See `TcpExtListenOverflows` and `TcpExtTCPAbortOnTimeout`.".to_owned();
        return Verdict { headline, lead: vec![lead] };
    }
    let lead = match facts.hosts.iter().max_by_key(|h| h.peak.tw) {
        Some(host) if host.peak.tw > 0 => vec![room(host)],
        _ => Vec::new(),
    };
    let headline = "No RST, no bucket refused, no system call failed.".to_owned();
    Verdict { headline, lead }
}

fn room(host: &HostOutcome) -> String {
    format!(
        "{} held at most {} at a sample; `tcp_max_tw_buckets` is {} there.",
        code(&host.name),
        counted(u64::from(host.peak.tw), "timewait bucket", "timewait buckets"),
        grouped(u64::try_from(host.sysctl.tcp_max_tw_buckets).unwrap_or(0))
    )
}

/// What a reader must know of a run that is not whole.
fn reservations(facts: &Facts) -> Vec<String> {
    use finwait_sim::recording::End;
    let until = seconds(facts.until().ns, 1);
    let mut out = Vec::new();
    match &facts.end {
        End::Complete(_) => {}
        End::Interrupted(_) => out.push(format!(
            "The run was interrupted: {until} s of {} were simulated.",
            facts.header.duration
        )),
        End::Cut(_) => out.push(format!(
            "The recording was not finished: it ends at t={until} s of {}.",
            facts.header.duration
        )),
    }
    if let Some(filter) = &facts.header.filter {
        out.push(format!(
            "Only some connections were recorded ({}): {} of {}, and what follows knows no others. \
             Counters and samples are those of all.",
            code(filter),
            grouped(facts.resets.len() as u64),
            counted(facts.reset_count(), "RST", "RSTs")
        ));
    }
    out
}
