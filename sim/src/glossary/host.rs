//! What is about a host: sysctls, states, and what differs between releases.

use finwait_model::behaviour::Row;
use finwait_model::release::Release;
use finwait_model::state::TcpState;
use finwait_model::sysctl::about::{About, short};
use finwait_model::sysctl::{DEFS, Sysctl};

use super::{Body, Entry, Kind, Line, MYTHS, witness};

/// A setting.
pub(super) fn sysctl(about: &About) -> Entry {
    let defaults = Release::ALL.iter().map(|&release| {
        let value = Sysctl::new(release).get(about.name);
        let text = value.map_or_else(|| "does not have it".to_owned(), |v| v.replace('\t', " "));
        Line { name: release.name().to_owned(), text }
    });
    let range = DEFS.iter().find(|d| d.name == about.name);
    let range = range.map_or_else(String::new, |d| format!("{} to {}", d.min, d.max));
    let myths = MYTHS.iter().filter(|m| m.about.contains(&short(about.name)));
    let myths = myths.map(|m| Line { name: m.name.to_owned(), text: m.claim.to_owned() });
    let myths: Vec<Line> = myths.collect();
    let is_set = witness::words("sysctl", about.name, "set").next().is_some();
    let mut entry = Entry::new(Kind::Sysctl, about.name, about.does)
        .alias(short(about.name))
        .text("not", "beware", about.not);
    if !myths.is_empty() {
        entry = entry.section("myths", "myths", Body::Table(myths));
    }
    entry
        .text("unit", "unit", about.unit)
        .section("default", "default", Body::Table(defaults.collect()))
        .text("range", "range", range)
        .text("scope", "scope", about.scope.text())
        .names("functions", "read by", about.at.iter().copied())
        .names("causes", "decides", witness::words("sysctl", about.name, "causes"))
        .names("counters", "counters", witness::words("sysctl", about.name, "counters"))
        // A script that sets it shows it better than one that only depends on it.
        .scripts("sysctl", if is_set { "set" } else { "scripts" })
        .scenarios("sysctl")
}

/// A TCP state.
pub(super) fn state(state: TcpState) -> Entry {
    let (about, kernel) = (state.about(), state.kernel_name());
    let bare = kernel.strip_prefix("TCP_").unwrap_or(kernel);
    let name = if state == TcpState::NewSynRecv { bare } else { state.ss_name() };
    let numbers = format!("{kernel}, {:02X} in /proc/net/tcp", state as u8);
    let numbers = match state {
        TcpState::NewSynRecv => format!("{kernel}; /proc/net/tcp shows it as 03"),
        TcpState::TimeWait => format!("{numbers}; a bucket in FIN-WAIT-2 is 05 there"),
        _ => numbers,
    };
    let mut entry = Entry::new(Kind::State, name, about.waits)
        .alias(kernel)
        .alias(bare)
        .alias(format!("{state:?}"))
        .alias(state.ss_name());
    if state == TcpState::FinWait1 || state == TcpState::FinWait2 {
        entry = entry.alias(bare.replace("WAIT", "WAIT_"));
    }
    entry
        .text("bound", "how long", about.bound)
        .text("shown", "ss shows", about.shown)
        .text("kernel", "kernel", numbers)
        .text("ends", "ends", about.ends)
        .names("functions", "handled in", about.at.iter().copied())
        .names("counters", "counters", about.counters.iter().copied())
        .names("sysctls", "sysctls", about.sysctls.iter().copied())
        .scripts_of_state(kernel)
}

impl Entry {
    /// The witnesses know states by the kernel's name.
    fn scripts_of_state(self, kernel: &str) -> Self {
        let lines = witness::scripts("state", kernel, "scripts");
        if lines.is_empty() {
            return self;
        }
        self.section("scripts", "scripts", Body::Table(lines))
    }
}

/// A difference between releases.
pub(super) fn behaviour(row: &Row) -> Entry {
    let yes = |b: bool, release: Release| {
        let text = if b { "so" } else { "not so" };
        Line { name: release.name().to_owned(), text: text.to_owned() }
    };
    let releases = vec![yes(row.v3_10, Release::V3_10), yes(row.v6_18, Release::V6_18)];
    let scripts = witness::words("behaviour", row.name, "scripts");
    let mut lines = Vec::new();
    for script in scripts {
        lines.push(witness::script(script));
        // The same events on 3.10, where that is a script of its own.
        let twin = witness::script(&format!("{script}.3.10"));
        if twin.text.len() > 1 {
            lines.push(twin);
        }
    }
    let mut entry = Entry::new(Kind::Behaviour, row.name, row.effect)
        .section("releases", "releases", Body::Table(releases))
        .text("changed", "changed in", row.changed);
    if !lines.is_empty() {
        entry = entry.section("scripts", "scripts", Body::Table(lines));
    }
    entry
}
