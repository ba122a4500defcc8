//! What `finwait live` says while it goes on: each RST as it leaves, with what made it inevitable.

use std::fmt::Write as _;

use serde_json::{Value, json};

use finwait_model::sink::Note;
use finwait_model::time::Instant;
use finwait_sim::because::{Explain, Explained};
use finwait_sim::capture::About;
use finwait_sim::scenario::Scenario;
use finwait_sim::watch::{Sent, Watch};
use finwait_sim::world::HostId;
use finwait_verify::tun::Place;

use super::seconds;

/// Watches, and remembers what is to be printed next.
#[derive(Debug)]
pub(super) struct Tell {
    about: About,
    real: HostId,
    explain: Explain,
    json: bool,
    news: String,
}

impl Tell {
    pub(super) fn new(scenario: &Scenario, real: HostId, json: bool) -> Self {
        let explain = Explain::new(scenario.hosts.len());
        Self { about: About::from(scenario), real, explain, json, news: String::new() }
    }
    /// Whole lines that have not been printed yet.
    pub(super) fn news(&mut self) -> String {
        core::mem::take(&mut self.news)
    }
    fn text(&mut self, host: HostId, explained: &Explained) {
        let flow = explained.example.reset.flow;
        let (from, name) =
            (&self.about.hosts[usize::from(host.0)].name, |addr| self.about.name_of(addr));
        let _ = write!(
            self.news,
            "{} s  RST {from}:{} > {}:{}  ",
            seconds(explained.example.at),
            flow.sport,
            name(flow.daddr),
            flow.dport
        );
        // Of a RST that comes from outside nothing is known but that it came.
        let _ = if host == self.real {
            writeln!(self.news, "from this machine")
        } else {
            writeln!(self.news, "{}", explained.comment(name))
        };
    }
    fn value(&self, host: HostId, explained: &Explained) -> Value {
        let (example, site) = (&explained.example, explained.cause.site());
        let flow = example.reset.flow;
        let seconds = |at: Instant| at.ns as f64 / 1e9;
        let mut rst = json!({
            "at_s": seconds(example.at),
            "host": self.about.hosts[usize::from(host.0)].name,
            "src": flow.source().to_string(),
            "dst": flow.destination().to_string(),
            "cause": site.name,
        });
        if host != self.real {
            rst["path"] = json!(site.path);
            rst["reason"] = json!(site.reset.map(|r| r.kernel_name()));
            rst["because"] = json!(explained.because.name());
            rst["earlier_s"] = json!(example.earlier().map(seconds));
            rst["story"] = json!(example.story(|addr| self.about.name_of(addr)));
        }
        json!({ "rst": rst })
    }
}

impl Watch for Tell {
    fn wants_notes(&self) -> bool {
        true
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        let Some(explained) = self.explain.explain(sent) else { return };
        if self.json {
            let value = self.value(sent.host, &explained);
            let _ = writeln!(self.news, "{value}");
        } else {
            self.text(sent.host, &explained);
        }
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.explain.noted(at, host, note);
    }
}

/// A run's JSON object as the last line.
pub(super) fn summary(object: &str) -> String {
    let value: Value = serde_json::from_str(object).unwrap_or_default();
    format!("{}\n", json!({ "summary": value }))
}

/// Where everything is, for whoever wants to talk to it.
pub(super) fn welcome(
    scenario: &Scenario,
    real: HostId,
    place: &Place,
    tun: &str,
    is_root: bool,
) -> String {
    let mut out = String::new();
    let own = scenario.host_plan(real);
    for host in scenario.hosts.iter().filter(|host| !host.is_real) {
        let _ = writeln!(out, "{} ({}) is {} behind {tun}", host.name, host.platform(), host.addr);
    }
    let _ = writeln!(out, "this machine is {}, {}, for {}", own.name, own.addr, scenario.duration);
    let _ = match place {
        Place::Fresh => {
            let (pid, user) =
                (std::process::id(), if is_root { "" } else { "-U --preserve-credentials " });
            writeln!(out, "to enter its namespace: nsenter -t {pid} {user}-n COMMAND")
        }
        Place::There(path) => writeln!(out, "in the namespace {}", path.display()),
    };
    out
}
