//! A segment back to its first cause, for a terminal and as JSON; and call paths as folded stacks.

use std::fmt::Write as _;

use serde_json::{Value, json};

use finwait_model::flow::Endpoint;
use finwait_sim::recording::Recording;
use finwait_sim::why::{Chain, Link, Stack};
use finwait_sim::world::HostId;

use super::text::wrapped;
use crate::ink;

/// The widest line.
const WIDTH: usize = 96;
/// Where what is said of a link begins.
const INDENT: usize = 8;

/// Chains one after the other.
pub(crate) fn text(rec: &Recording, chains: &[Chain]) -> String {
    let texts: Vec<String> = chains.iter().map(|chain| one(rec, chain)).collect();
    texts.join("\n")
}

fn one(rec: &Recording, chain: &Chain) -> String {
    let flow = chain.segment.flow;
    let shouts = ink::stdout() && chain.segment.flags.rst();
    let style = ink::if_wanted(shouts, ink::BAD);
    let mut out = format!(
        "{style}{} from {} to {}, {}",
        if chain.segment.flags.rst() { "RST".to_owned() } else { chain.segment.to_string() },
        end(rec, flow.source()),
        end(rec, flow.destination()),
        chain.cause.name(),
    );
    if let Some(because) = chain.because {
        let _ = write!(out, ", {}", because.name());
    }
    let _ = write!(out, "{style:#}\n\n");
    for (place, link) in chain.links.iter().enumerate() {
        tell(&mut out, rec, place, link);
    }
    out
}

fn tell(out: &mut String, rec: &Recording, place: usize, link: &Link) {
    let _ = writeln!(out, "{:>4}  t={} s  {}", place + 1, link.at, host(rec, link.host));
    let mut block = |label: &str, text: &str| {
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        for line in wrapped(&format!("{label}{text}"), WIDTH - INDENT) {
            let _ = writeln!(out, "{:INDENT$}{line}", "");
        }
    };
    block("", &link.text);
    if !link.functions.is_empty() {
        block("in", &link.functions.join(" → "));
    }
    for decided in &link.decided {
        block("decided by", &format!("{} = {}", decided.sysctl, decided.value));
    }
    for averted in &link.averted {
        block("averted by", averted);
    }
    if link.causes.is_empty() {
        block("", "a first cause");
    } else {
        let causes: Vec<String> = link.causes.iter().map(|c| (c + 1).to_string()).collect();
        block("because of", &causes.join(" and "));
    }
}

fn host(rec: &Recording, id: HostId) -> &str {
    &rec.hosts()[usize::from(id.0)].name
}

fn end(rec: &Recording, end: Endpoint) -> String {
    let name = rec.hosts().iter().find(|h| h.addr == end.addr);
    name.map_or_else(|| end.to_string(), |host| format!("{}:{}", host.name, end.port))
}

/// The same as one object.
pub(crate) fn json(rec: &Recording, chains: &[Chain]) -> String {
    let chains: Vec<Value> = chains
        .iter()
        .map(|chain| {
            let flow = chain.segment.flow;
            json!({
                "from": end(rec, flow.source()),
                "to": end(rec, flow.destination()),
                "segment": chain.segment.to_string(),
                "cause": chain.cause.name(),
                "because": chain.because.map(|because| because.name()),
                "sk_rst_reason": chain.cause.site().reset.map(|r| r.kernel_name()),
                "links": chain.links.iter().map(|link| link_json(rec, link)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "chains": chains }).to_string() + "\n"
}

fn link_json(rec: &Recording, link: &Link) -> Value {
    let decided: serde_json::Map<String, Value> =
        link.decided.iter().map(|d| (d.sysctl.to_owned(), json!(d.value))).collect();
    json!({
        "at_s": link.at.ns as f64 / 1e9,
        "host": host(rec, link.host),
        "event": link.event,
        "text": link.text,
        "functions": link.functions,
        "sysctl": decided,
        "averted_by": link.averted,
        "causes": link.causes,
    })
}

/// Folded stacks, a line each; below the host's name where it is not clear whose they are.
pub(crate) fn stacks(rec: &Recording, stacks: &[Stack], named: bool) -> String {
    let mut out = String::new();
    for stack in stacks {
        if named {
            let _ = write!(out, "{};", host(rec, stack.host));
        }
        let _ = writeln!(out, "{} {}", stack.frames().join(";"), stack.count);
    }
    out
}

/// The same as one object.
pub(crate) fn stacks_json(rec: &Recording, stacks: &[Stack]) -> String {
    let stacks: Vec<Value> = stacks
        .iter()
        .map(|stack| {
            json!({
                "host": host(rec, stack.host),
                "cause": stack.cause.name(),
                "frames": stack.frames(),
                "count": stack.count,
            })
        })
        .collect();
    json!({ "stacks": stacks }).to_string() + "\n"
}
