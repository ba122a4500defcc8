//! This machine, or a copy of another one's /proc: what there is to read of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Span;
use finwait_sim::import::Facts;
use finwait_sim::import::text::Kind;
use finwait_sim::import::text::release::read_uptime;

use crate::failure::Failure;

/// How long to wait between two looks.
const WAIT: Span = Span::secs(10);

/// Reads the counters, waits, and reads everything. A copy of /proc is looked at once, because
/// nothing in it changes.
pub(super) fn look(proc: &Path, wait: Option<Span>, facts: &mut Facts) -> Result<(), Failure> {
    let is_this = proc == Path::new("/proc");
    if !is_this && wait.is_some() {
        return Err(Failure::Input(
            "error: a copy of /proc does not change\n  = help: expected --for without --proc, or --proc without --for"
                .to_owned(),
        ));
    }
    let machine = Machine { proc };
    if is_this {
        let wait = wait.unwrap_or(WAIT);
        let before = machine.uptime();
        machine.counters("at first", facts)?;
        thread::sleep(Duration::from_nanos(wait.ns));
        machine.counters(&format!("{wait} later"), facts)?;
        // What has really passed; a busy machine wakes late.
        let passed =
            before.zip(machine.uptime()).map(|(b, a)| Span::nanos(a.ns.saturating_sub(b.ns)));
        facts.between = Some(passed.filter(|passed| *passed > Span::ZERO).unwrap_or(wait));
    } else {
        machine.counters("", facts)?;
    }
    machine.sysctls(facts)?;
    facts.uptime = machine.uptime();
    machine.text(Kind::Sockstat, "net/sockstat", "", facts)?;
    machine.text(Kind::ProcTcp, "net/tcp", "", facts)?;
    // Absent where IPv6 is switched off.
    if machine.read("net/tcp6").is_ok() {
        machine.text(Kind::ProcTcp, "net/tcp6", "", facts)?;
    }
    Ok(())
}

struct Machine<'a> {
    proc: &'a Path,
}

impl Machine<'_> {
    fn read(&self, name: &str) -> io::Result<String> {
        fs::read(self.proc.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
    /// One file of it, which must be there.
    fn text(&self, kind: Kind, name: &str, when: &str, facts: &mut Facts) -> Result<(), Failure> {
        let path = self.proc.join(name).display().to_string();
        let text = self
            .read(name)
            .map_err(|error| Failure::Input(format!("error: cannot read {path}: {error}")))?;
        let source = if when.is_empty() { path.clone() } else { format!("{path} {when}") };
        facts.add(kind, &source, &text).map_err(|error| match error.span {
            Some(_) => Failure::in_text(&path, &text, &error),
            None => super::inputs::plain(&error),
        })
    }
    fn counters(&self, when: &str, facts: &mut Facts) -> Result<(), Failure> {
        self.text(Kind::Mib, "net/snmp", when, facts)?;
        self.text(Kind::Mib, "net/netstat", when, facts)
    }
    fn uptime(&self) -> Option<Span> {
        read_uptime(&self.read("uptime").ok()?).ok()
    }
    /// The sysctls that any release has and finwait models, and the others of TCP.
    fn sysctls(&self, facts: &mut Facts) -> Result<(), Failure> {
        let mut names: BTreeSet<String> =
            ["kernel.osrelease", "kernel.hostname"].map(str::to_owned).into();
        for release in Release::ALL {
            names.extend(Sysctl::new(release).names().map(str::to_owned));
        }
        let folder = self.proc.join("sys/net/ipv4");
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("tcp_") {
                names.insert(format!("net.ipv4.{name}"));
            }
        }
        let mut text = String::new();
        for name in names {
            // Some can only be written, others are of another release, or need root.
            if let Ok(value) = self.read(&format!("sys/{}", name.replace('.', "/")))
                && let value = value.trim()
                && !value.contains('\n')
            {
                text += &format!("{name} = {value}\n");
            }
        }
        if text.is_empty() {
            let path = self.proc.join("sys").display().to_string();
            return Err(Failure::Input(format!("error: {path} has no sysctl that can be read")));
        }
        let source = self.proc.join("sys").display().to_string();
        facts
            .add(Kind::Sysctl, &source, &text)
            .map_err(|error| Failure::in_text(&source, &text, &error))
    }
}
