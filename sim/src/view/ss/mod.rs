//! `ss`: the sockets of a host, as iproute2 6.1 prints them where its output is not a terminal.
//!
//! Real `ss` shows sockets in the order of the kernel's hash chains, which depends on a secret;
//! here listeners come first and all else goes by addresses. Ports are always numbers (`-n`).

mod columns;
mod filter;
mod states;
mod summary;
#[cfg(test)]
mod tests;
mod timer;

use finwait_model::flow::Endpoint;
use finwait_model::kernel::{Object, Row};
use finwait_model::release::Release;
use finwait_model::state::TcpState;

use super::HostView;
use super::number::fnv;
use crate::scenario::Error;
use columns::{Cells, Table};
use filter::Expr;
use states::States;

pub use summary::summary;
pub use timer::{text as timer_text, time_left};

/// The flags of `ss` that are about TCP over IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags {
    /// `-a`: also listeners, requests and buckets in TIME-WAIT.
    pub all: bool,
    /// `-l`: listeners only.
    pub listening: bool,
    /// `-o`: the timer.
    pub timers: bool,
    /// `-e`: the timer, inode, cookie, control group and which directions are shut.
    pub extended: bool,
    /// `-H`: no headline.
    pub no_header: bool,
    /// `-t`: only TCP, so that no column has to say it.
    pub tcp: bool,
}

/// What is to be shown, and how.
#[derive(Clone, Debug)]
pub struct Query {
    flags: Flags,
    states: States,
    expr: Option<Expr>,
}

impl Query {
    /// Understands flags and the filter behind them; the place of an error is one in `filter`.
    pub fn new(flags: Flags, filter: &str) -> Result<Self, Error> {
        let selection = filter::parse(filter)?;
        let by_flags = if flags.all {
            States::ALL
        } else if flags.listening {
            States::LISTENING
        } else {
            States::OPEN
        };
        // Whoever names states gets these, whatever the flags say.
        let states = selection.states.unwrap_or(by_flags);
        Ok(Self { flags, states, expr: selection.expr })
    }

    /// The rows that it selects, in the order in which they are shown.
    pub fn select<'a>(&self, view: &'a HostView) -> Vec<&'a Row> {
        let wanted = |row: &&Row| {
            self.states.admit(row, view.release) && self.expr.as_ref().is_none_or(|e| e.holds(row))
        };
        let mut rows: Vec<&Row> = view.rows.iter().filter(wanted).collect();
        rows.sort_by_key(|row| (row.object != Object::Listener, row.local, row.remote));
        rows
    }

    /// The text.
    pub fn text(&self, view: &HostView) -> String {
        let lines = self.select(view).into_iter().map(|row| self.cells(row, view.release));
        let table = Table {
            netid: !self.flags.tcp,
            state: !self.states.is_one(),
            header: !self.flags.no_header,
            lines: lines.collect(),
        };
        table.render()
    }

    fn cells(&self, row: &Row, release: Release) -> Cells {
        let port = |end: Endpoint| match end.port {
            0 => "*".to_owned(),
            port => port.to_string(),
        };
        let mut details = String::new();
        if self.flags.timers || self.flags.extended {
            details.extend(row.timer.map(|t| format!(" {}", timer::text(&t))));
        }
        if self.flags.extended {
            details += &extended(row, release);
        }
        [
            "tcp".to_owned(),
            row.state.ss_name().to_owned(),
            // Six wide even without a headline.
            format!("{:<6}", row.rx_queue),
            format!("{:<6}", row.tx_queue),
            format!("{}:", row.local.addr),
            port(row.local),
            format!("{}:", row.remote.addr),
            port(row.remote),
            details,
        ]
    }
}

/// What `-e` adds. The model has neither inodes nor cookies: both are numbers made from the
/// socket's addresses, the same at every instant.
fn extended(row: &Row, release: Release) -> String {
    let has_file = !row.orphan && matches!(row.object, Object::Sock | Object::Listener);
    let inode = if has_file { 100_000 + number(row, 1) % 900_000 } else { 0 };
    let mut out = format!(" ino:{inode} sk:{:x}", number(row, 2));
    if matches!(row.object, Object::Sock | Object::Listener) {
        if release != Release::V3_10 {
            out += " cgroup:/";
        }
        let closing = matches!(row.state, TcpState::Closing | TcpState::LastAck);
        let fin_wait = matches!(row.state, TcpState::FinWait1 | TcpState::FinWait2);
        // An orphan was closed, which shuts both.
        let receive = row.state == TcpState::CloseWait || closing || fin_wait && row.orphan;
        let send = closing || fin_wait;
        out += match (receive, send) {
            (false, false) => " <->",
            (true, false) => " -->",
            (false, true) => " <--",
            (true, true) => " ---",
        };
    }
    out
}

/// A number for the socket.
fn number(row: &Row, salt: u8) -> u32 {
    fnv(salt, &[row.local, row.remote], row.object as u32)
}
