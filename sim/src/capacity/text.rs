//! A card in words: all of it, or the lines that a run prints.

use std::fmt::Write as _;

use finwait_model::time::Span;

use super::{Card, HostCard, PerSecond, megabytes};
use crate::text::{grouped, seconds, wrapped};

/// Columns of the name of a row.
const NAME: usize = 11;
/// How wide the text is.
const WIDTH: usize = 98;

impl Card {
    /// Everything, host by host.
    pub fn text(&self) -> String {
        let mut out = format!("{}: what its hosts can carry\n", self.scenario);
        for host in &self.hosts {
            let _ = writeln!(out, "\n{} (Linux {}, HZ={})", host.name, host.release, host.hz);
            for (name, text) in host.rows() {
                for (number, line) in wrapped(&text, WIDTH - NAME - 2).iter().enumerate() {
                    let name = if number == 0 { name } else { "" };
                    let _ = writeln!(out, "  {name:<NAME$}{line}");
                }
            }
        }
        out
    }
    /// What an engineer wants to see under a run: a sentence for each host that is asked for anything
    /// that can run out.
    pub fn short(&self) -> String {
        let mut out = String::new();
        for host in self.hosts.iter().filter(|host| !host.is_idle()) {
            let text = format!("Capacity of {}: {}.", host.name, host.sentence());
            for line in wrapped(&text, WIDTH) {
                let _ = writeln!(out, "{line}");
            }
        }
        out
    }
}

impl HostCard {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![("closes/s", self.closes_row())];
        if self.is_idle() {
            return rows;
        }
        if !self.load.connects.is_empty() {
            rows.push(("connects/s", self.connects_row()));
        }
        rows.push(("orphans", self.orphans_row()));
        rows.push(("memory", self.memory_row()));
        if let Some(first) = self.first() {
            rows.push(("first", first));
        }
        rows
    }
    /// `131,072 buckets carry 1,161 closes/s (each is held up to 112.8 s), asked for 2,500 (215 %); …`
    fn sentence(&self) -> String {
        let mut parts = Vec::new();
        if self.load.closes > PerSecond::default() {
            let asked = self.asked(self.load.closes, self.buckets.carries);
            parts.push(match (self.buckets.limit, self.buckets.carries) {
                (Some(0), _) => format!("no bucket is allowed, {} closes/s asked", self.load.closes),
                (Some(limit), Some(carries)) => format!(
                    "{} buckets carry {carries} closes/s (each is held up to {} s), asked for {asked}",
                    grouped(limit),
                    tenths(self.slot_held()),
                ),
                _ => format!("any number of buckets, asked for {asked} closes/s"),
            });
        }
        if let Some((_, rate)) = self.busiest() {
            let ports = &self.ports;
            let each = match self.load.connects.len() {
                1 => "its destination".to_owned(),
                several => format!("each of {} destinations", grouped(several as u64)),
            };
            parts.push(format!(
                "{} ports carry {} connects/s to {each}, asked for {}",
                grouped(ports.count),
                ports.carries,
                self.asked(rate, Some(ports.carries)),
            ));
        }
        parts.join("; ")
    }
    fn asked(&self, rate: PerSecond, carries: Option<PerSecond>) -> String {
        let about = if self.load.is_estimate { "about " } else { "" };
        match carries {
            Some(carries) => format!("{about}{rate} ({})", share(rate, carries)),
            None => format!("{about}{rate}"),
        }
    }
    /// How long a slot is held at the scenario's rate.
    fn slot_held(&self) -> Span {
        self.buckets.before + self.buckets.held.at(self.regime())
    }
    /// The rate that decides how the cells of 3.10 turn: what is asked for, or what is carried.
    fn regime(&self) -> PerSecond {
        let carries = self.buckets.carries.unwrap_or_default();
        if self.load.closes > PerSecond::default() { self.load.closes } else { carries }
    }
    fn closes_row(&self) -> String {
        let (Some(limit), Some(carries)) = (self.buckets.limit, self.buckets.carries) else {
            return "net.ipv4.tcp_max_tw_buckets is negative: no limit.".to_owned();
        };
        let mut out = format!(
            "{carries} before TcpExtTCPTimeWaitOverflow rises: {} slots \
             (net.ipv4.tcp_max_tw_buckets), each held for up to {} s",
            grouped(limit),
            tenths(self.slot_held()),
        );
        match self.buckets.held.quota {
            Some(quota) => {
                let held = self.buckets.held;
                let _ = write!(
                    out,
                    " (eight cells of 7.5 s; above {quota}/s a cell costs two of them: {} s instead of \
                     {} s, plus the wait for the peer's FIN).",
                    tenths(held.heavy),
                    tenths(held.light),
                );
            }
            None => {
                out.push_str(" (TIME-WAIT, its timer's rounding, the wait for the peer's FIN).")
            }
        }
        if self.load.closes > PerSecond::default() {
            let asked = self.asked(self.load.closes, Some(carries));
            let _ = write!(out, " Here {asked}: ");
            out += &self.closes_outlook(limit, carries);
        }
        out
    }
    fn closes_outlook(&self, limit: u64, carries: PerSecond) -> String {
        match self.full_after() {
            Some(after) => format!("the table is full after about {} s.", tenths(after)),
            None if self.load.closes <= carries => {
                let room = headroom(self.load.closes, carries);
                format!("{room}.")
            }
            None if self.load.closes_in_all <= limit => format!(
                "too many if it went on, but the run has only {} closes.",
                grouped(self.load.closes_in_all)
            ),
            None => format!(
                "too many, but ports run out first: {} four-tuples cannot fill the table.",
                grouped(self.four_tuples())
            ),
        }
    }
    fn connects_row(&self) -> String {
        let ports = &self.ports;
        let mut out = format!(
            "{} to one destination before EADDRNOTAVAIL: {} ports ({}-{}), each held for up to {} s",
            ports.carries,
            grouped(ports.count),
            ports.range.0,
            ports.range.1,
            tenths(ports.held),
        );
        out.push_str(match (ports.reuses, self.load.keeps_port) {
            (true, _) => ", then its bucket is taken over (tcp_tw_reuse).",
            (false, true) => ".",
            (false, false) => ": the other side closes first and keeps the bucket.",
        });
        if let Some(with) = ports.with_reuse.filter(|_| !ports.reuses) {
            let _ = write!(out, " With tcp_tw_reuse = 1: {with}.");
        }
        if let Some((_, rate)) = self.busiest() {
            let number = self.load.connects.len();
            let each = match number {
                1 => "its one destination".to_owned(),
                _ => format!("the busiest of {} destinations", grouped(number as u64)),
            };
            let room = headroom(rate, ports.carries);
            let _ =
                write!(out, " Here {} to {each}: {room}.", self.asked(rate, Some(ports.carries)));
        }
        out
    }
    fn orphans_row(&self) -> String {
        let Some(limit) = self.orphans.limit else {
            return "net.ipv4.tcp_max_orphans is negative: no limit.".to_owned();
        };
        let mut out = format!(
            "{} at a time (net.ipv4.tcp_max_orphans), then a close is a RST. At its own timers an \
             orphan that has sent nothing for {} s, or has retransmitted long enough, counts double \
             ({}), and double again after an ICMP error ({}).",
            grouped(limit),
            seconds(self.orphans.silence.ns, 0),
            grouped(limit / 2),
            grouped(limit / 4),
        );
        let here = self.load.closes.in_span(self.orphans.held);
        if self.load.closes > PerSecond::default() {
            let _ = write!(
                out,
                " Here about {} at a time: a close waits {} for the ACK of its FIN{}.",
                grouped(here),
                short(self.load.fin_acked),
                if self.orphans.held > self.load.fin_acked {
                    ", and as a full socket for what tcp_fin_timeout has beyond 60 s"
                } else {
                    ""
                },
            );
        }
        out
    }
    fn memory_row(&self) -> String {
        let sizes = self.sizes;
        let full = |limit: Option<u64>, bytes: u64| match limit {
            Some(limit) => megabytes(limit.saturating_mul(bytes)),
            None => "no bound".to_owned(),
        };
        let here = self.load.closes.in_span(self.slot_held());
        let here = here.min(self.load.closes_in_all).min(self.buckets.limit.unwrap_or(u64::MAX));
        format!(
            "{} bytes for a bucket, {} for a full table, {} for the {} buckets of these rates; {} bytes \
             for a socket without what it queues, {} for all the orphans that may be; {} for the ports.",
            sizes.bucket,
            full(self.buckets.limit, sizes.bucket),
            megabytes(here.saturating_mul(sizes.bucket)),
            grouped(here),
            grouped(sizes.socket),
            full(self.orphans.limit, sizes.socket),
            megabytes(self.ports.count * sizes.port),
        )
    }
    /// What gives way first when everything is asked for more often.
    fn first(&self) -> Option<String> {
        let (_, rate) = self.busiest().filter(|_| self.load.keeps_port)?;
        let carries = self.buckets.carries?;
        let buckets = self.load.closes.percent_of(carries);
        let ports = rate.percent_of(self.ports.carries);
        Some(if ports > buckets {
            "as rates grow, ports run out before buckets do: connect() fails with EADDRNOTAVAIL."
                .to_owned()
        } else {
            "as rates grow, buckets run out before ports do: closes are refused one, and late FINs meet \
             RSTs."
                .to_owned()
        })
    }
}

/// `215 %`.
fn share(rate: PerSecond, carries: PerSecond) -> String {
    if carries == PerSecond::default() {
        "none is carried".to_owned()
    } else {
        format!("{} %", rate.percent_of(carries))
    }
}

/// How near that comes, in words.
fn headroom(rate: PerSecond, carries: PerSecond) -> &'static str {
    match rate.percent_of(carries) {
        0..10 => "far from the limit",
        10..50 => "room for twice as much",
        50..80 => "room, but not for twice as much",
        80..=100 => "near the limit",
        _ => "too many",
    }
}

fn tenths(span: Span) -> String {
    seconds(span.ns, 1)
}

/// A short time with its unit: `100us`, `1.2ms`.
fn short(span: Span) -> String {
    let unit = if span.ns >= 1_000_000 { 100_000 } else { 1_000 };
    Span::nanos(span.ns / unit * unit).to_string()
}
