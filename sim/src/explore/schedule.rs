//! A schedule: two hosts, what their programs do, and what the network does with each segment.

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Clock, Span};

/// Which host: 0 opens the connections, 1 listens.
pub type Side = usize;

/// The most connections that a schedule may have.
pub const MOST_CONNS: u8 = 3;

/// Everything that decides how a run goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// The hosts: who opens connections, and who listens.
    pub hosts: [Setup; 2],
    /// How long a segment travels.
    pub delay: Span,
    /// The backlog that the listener asks for.
    pub backlog: u8,
    /// What the programs do, in order.
    pub steps: Vec<Step>,
    /// What the network does with certain segments; all others arrive after `delay`.
    pub fates: Vec<Fated>,
}

/// A host before anything happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Its name.
    pub name: String,
    /// What kernel it runs.
    pub release: Release,
    /// Its tick, and how long it has been up.
    pub clock: Clock,
    /// Its address.
    pub addr: Addr,
    /// The MTU of its interface, bytes.
    pub mtu: u16,
    /// Sysctls that were given and are not to be varied: full name and value.
    pub given: Vec<(String, String)>,
    /// Sysctls that the search has chosen.
    pub sysctl: Vec<(String, String)>,
    /// What its program does by itself.
    pub habits: Habits,
}

/// What a program does, or does not do, by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Habits {
    /// It does not read what comes; else it reads at once.
    pub leaves_unread: bool,
    /// It does not accept connections; else it accepts at once. Only for who listens.
    pub never_accepts: bool,
}

/// A program does something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// How long after the step before.
    pub after: Span,
    /// On which host.
    pub side: Side,
    /// With which connection, counted from 0 in the order of the schedule's `connect`s.
    pub conn: u8,
    /// What.
    pub act: Act,
}

/// What a program does with a connection. What cannot be done then is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// socket() and connect(); the kernel chooses the port.
    Connect,
    /// The same from the port of the connection before, bound with SO_REUSEADDR.
    Reconnect,
    /// accept(), for a program that does not accept by itself.
    Accept,
    /// send() of so many bytes.
    Send(u32),
    /// recv() of everything that is there, for a program that does not read by itself.
    Recv,
    /// shutdown(SHUT_WR).
    ShutWr,
    /// shutdown(SHUT_RD).
    ShutRd,
    /// shutdown(SHUT_RDWR).
    ShutRdWr,
    /// close().
    Close,
    /// setsockopt(SO_LINGER, on, 0 s).
    LingerZero,
    /// setsockopt(TCP_LINGER2) in seconds.
    Linger2(i32),
    /// The process ends: the kernel closes every descriptor of its.
    Exit,
    /// close() of the listener.
    CloseListener,
}

/// What becomes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fated {
    /// Who sends it.
    pub side: Side,
    /// Which of all that this host sends, from 1.
    pub nth: u16,
    /// What becomes of it.
    pub fate: Fate,
}

/// What the network does with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives so much later; what is sent behind it may overtake it.
    Late(Span),
    /// It arrives in time, and once more so much later.
    Twice(Span),
}

impl Setup {
    /// A host with that name and kernel and nothing else said.
    pub fn new(name: &str, release: Release, side: Side) -> Self {
        Self {
            name: name.to_owned(),
            release,
            clock: Clock::new(release.default_hz(), 1_000_000_000_000),
            addr: Addr::v4(10, 0, 0, 1 + side as u8),
            mtu: 1500,
            given: Vec::new(),
            sysctl: Vec::new(),
            habits: Habits::default(),
        }
    }
    /// Its sysctls when the run begins. A value that this release does not take is left out: the
    /// search tries each on every release.
    pub fn sysctls(&self) -> Sysctl {
        let mut sysctl = Sysctl::new(self.release);
        for (name, value) in self.given.iter().chain(&self.sysctl) {
            let _ = sysctl.set(name, value);
        }
        sysctl
    }
}

impl Schedule {
    /// How many connections are opened.
    pub fn conns(&self) -> usize {
        let opens = |step: &&Step| matches!(step.act, Act::Connect | Act::Reconnect);
        self.steps.iter().filter(opens).count()
    }
    /// Is a port used again?
    pub fn reuses_a_port(&self) -> bool {
        self.steps.iter().any(|step| step.act == Act::Reconnect)
    }
    /// How large it is.
    pub fn size(&self) -> Size {
        Size {
            steps: self.steps.len(),
            fates: self.fates.len(),
            conns: self.conns(),
            sysctls: self.hosts.iter().map(|h| h.sysctl.len()).sum(),
        }
    }
}

/// How large a schedule is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Things that programs do.
    pub steps: usize,
    /// Segments that the network treats in its own way.
    pub fates: usize,
    /// Connections.
    pub conns: usize,
    /// Sysctls that the search has chosen.
    pub sysctls: usize,
}
