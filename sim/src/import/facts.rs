//! All that is known of a machine, from whatever text or capture.

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::time::Span;

use super::capture::Capture;
use super::text::counters::{self, Counters};
use super::text::release::{self, Nearest, Uname};
use super::text::sockstat::{self, SocketCounts};
use super::text::ss::{self, Sockets};
use super::text::sysctl::{self, Given};
use super::text::{Kind, proc_tcp};
use crate::scenario::Error;

/// What is known, and where it stood.
#[derive(Debug, Default)]
pub struct Facts {
    /// Names of what was read, in order.
    pub sources: Vec<String>,
    /// Sysctls, each with its source.
    pub sysctls: Vec<(Given, String)>,
    /// The kernel.
    pub uname: Option<(Uname, String)>,
    /// Counters at one moment, or at two.
    pub snapshots: Vec<Snapshot>,
    /// How much time lies between the two.
    pub between: Option<Span>,
    /// How long the machine has been up.
    pub uptime: Option<Span>,
    /// Its sockets.
    pub sockets: Option<(Sockets, String)>,
    /// How many it has.
    pub counts: Option<(SocketCounts, String)>,
    /// What went over the wire.
    pub capture: Option<(Capture, String)>,
}

/// Counters at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The counters.
    pub counters: Counters,
    /// Where they stood.
    pub source: String,
}

impl Facts {
    /// Takes over what a text says.
    pub fn add(&mut self, kind: Kind, source: &str, text: &str) -> Result<(), Error> {
        match kind {
            Kind::Sysctl => {
                let given = sysctl::read(text)?;
                self.sysctls.extend(given.into_iter().map(|g| (g, source.to_owned())));
            }
            Kind::Nstat | Kind::Netstat | Kind::Mib => {
                self.snapshot(counters::read(kind, text)?, source)?;
            }
            Kind::Ss => self.add_sockets(ss::read(text)?, source),
            Kind::ProcTcp => self.add_sockets(proc_tcp::read(text)?, source),
            Kind::Sockstat => self.counts = Some((sockstat::read(text)?, source.to_owned())),
            Kind::SsSummary => self.add_summary(sockstat::read_summary(text)?, source),
            Kind::Uname => self.uname = Some((release::read(text)?, source.to_owned())),
            Kind::Uptime => self.uptime = Some(release::read_uptime(text)?),
        }
        self.named(source);
        Ok(())
    }
    /// Takes over a capture.
    pub fn add_capture(&mut self, capture: Capture, source: &str) {
        self.capture = Some((capture, source.to_owned()));
        self.named(source);
    }
    fn named(&mut self, source: &str) {
        if !self.sources.iter().any(|known| known == source) {
            self.sources.push(source.to_owned());
        }
    }
    fn add_sockets(&mut self, sockets: Sockets, source: &str) {
        match &mut self.sockets {
            // /proc/net/tcp6 beside /proc/net/tcp.
            Some((known, name)) => {
                known.rows.extend(sockets.rows);
                known.ipv6 += sockets.ipv6;
                known.others += sockets.others;
                *name = format!("{name}, {source}");
            }
            None => self.sockets = Some((sockets, source.to_owned())),
        }
    }
    /// `ss -s` knows less than sockstat of most things.
    fn add_summary(&mut self, summary: SocketCounts, source: &str) {
        match &mut self.counts {
            Some((known, _)) => known.established = summary.established,
            None => self.counts = Some((summary, source.to_owned())),
        }
    }
    /// A text with counters belongs to the first moment of which nothing like it is known:
    /// /proc/net/snmp and /proc/net/netstat are two halves of one.
    fn snapshot(&mut self, new: Counters, source: &str) -> Result<(), Error> {
        let tcp = |counters: &Counters| -> Vec<String> {
            let names = counters.iter().map(|(name, _)| name.to_owned());
            names.filter(|name| name.starts_with("Tcp")).collect()
        };
        if tcp(&new).is_empty() {
            return Err(Error {
                span: None,
                message: format!("{source} has no counters of TCP"),
                expected: "expected the groups Tcp or TcpExt, which nstat and netstat -s show"
                    .to_owned(),
                help: None,
            });
        }
        let half = self
            .snapshots
            .iter_mut()
            .find(|snapshot| tcp(&new).iter().all(|name| snapshot.counters.get(name).is_none()));
        match half {
            Some(snapshot) => {
                snapshot.counters.merge(new);
                snapshot.source = format!("{}, {source}", snapshot.source);
            }
            None => self.snapshots.push(Snapshot { counters: new, source: source.to_owned() }),
        }
        if self.snapshots.len() > 2 {
            return Err(Error {
                span: None,
                message: format!("{source} is a third snapshot of the counters"),
                expected: "expected two of them at most".to_owned(),
                help: None,
            });
        }
        Ok(())
    }
    /// Is what was given consistent? To be asked once all has been added.
    pub fn check(&self) -> Result<(), Error> {
        let [first, second] = self.snapshots.as_slice() else { return Ok(()) };
        let wrong = |message: String, expected: &str| {
            Err(Error { span: None, message, expected: expected.to_owned(), help: None })
        };
        if let Some((name, before, now)) = second.counters.fallen(&first.counters) {
            let message = format!(
                "{name} has fallen from {before} ({}) to {now} ({})",
                first.source, second.source
            );
            return wrong(
                message,
                "expected the earlier snapshot first, and absolute counters (nstat -a)",
            );
        }
        match self.between {
            None => wrong(
                format!(
                    "{} and {} are two snapshots, but how far apart?",
                    first.source, second.source
                ),
                "expected the time between them, such as --between 10s",
            ),
            Some(_) => Ok(()),
        }
    }
    /// A sysctl's value and where it stood; the last one holds.
    pub fn sysctl(&self, name: &str) -> Option<(&str, &str)> {
        let found = self.sysctls.iter().rev().find(|(given, _)| given.name == name);
        found.map(|(given, source)| (given.value.as_str(), source.as_str()))
    }
    /// The kernel, and where that stood: `uname`, or else `kernel.osrelease`, or else what a capture
    /// says of the host with that address.
    pub fn kernel(&self, own: Option<Addr>) -> Option<(Uname, String)> {
        if let Some((uname, source)) = &self.uname {
            return Some((uname.clone(), source.clone()));
        }
        if let Some((value, source)) = self.sysctl("kernel.osrelease")
            && let Ok(uname) = release::read(value)
        {
            return Some((uname, format!("kernel.osrelease in {source}")));
        }
        let (capture, source) = self.capture.as_ref()?;
        let of_own = own.and_then(|own| capture.systems.get(&Some(own)));
        let uname = of_system(of_own.or_else(|| capture.systems.get(&None))?)?;
        Some((uname, format!("if_os in {source}")))
    }
    /// The modelled release; the newest if nothing is known of the machine's kernel.
    pub fn release(&self, own: Option<Addr>) -> (Release, Option<(Nearest, String)>) {
        match self.kernel(own) {
            Some((uname, source)) => {
                let nearest = release::nearest(&uname);
                (nearest.release, Some((nearest, source)))
            }
            None => (Release::V6_18, None),
        }
    }
    /// The machine's name, if anything says it.
    pub fn host_name(&self) -> Option<&str> {
        let by_uname = self.uname.as_ref().and_then(|(uname, _)| uname.host.as_deref());
        by_uname.or_else(|| self.sysctl("kernel.hostname").map(|(value, _)| value))
    }
    /// How much a counter has risen, and in what time: between two snapshots, or since the boot.
    pub fn risen(&self, name: &str) -> Option<(u64, Span)> {
        match (self.snapshots.as_slice(), self.between, self.uptime) {
            ([first, second], Some(between), _) => {
                let now = second.counters.get(name)?;
                Some((now.saturating_sub(first.counters.get(name).unwrap_or(0)), between))
            }
            ([only], _, Some(uptime)) => Some((only.counters.get(name)?, uptime)),
            _ => None,
        }
    }
    /// "between nstat-1.txt and nstat-2.txt", "since the boot, by nstat.txt".
    pub fn risen_in(&self) -> String {
        match self.snapshots.as_slice() {
            [first, second] => format!("between {} and {}", first.source, second.source),
            [only] => format!("since the boot, by {}", only.source),
            _ => String::new(),
        }
    }
}

/// The kernel that `Linux 5.15.0-91-generic` names.
pub(super) fn of_system(text: &str) -> Option<Uname> {
    release::read(text.strip_prefix("Linux ")?.split_whitespace().next()?).ok()
}
