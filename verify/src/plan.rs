//! From a script to a [`Case`]: arguments evaluated, connections named, nothing left to interpret.

use std::collections::BTreeMap;

use finwait_sim::script::ast::{
    Action, Body, Code, Direction, Event, Packet as Line, Script, Shell, Tcp, Time,
};
use finwait_sim::script::observe::Conn;

use crate::plan_call;
use crate::step::{Act, Call, Case, Packet, Step, Unreachable, When};

/// The host's port where a script names none, as packetdrill has it.
pub const HOST_PORT: u16 = 8080;
/// The peer's port where a script names none.
pub const PEER_PORT: u16 = 35000;
/// How much longer than its time a segment is waited for.
const PATIENCE_NS: u64 = 60_000_000;
/// How long a segment that may come at any time is waited for.
const ANY_TIME_NS: u64 = 5_000_000_000;

/// Why a script cannot be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The line, from 1.
    pub line: u32,
    /// What stands in the way.
    pub why: String,
}

/// Makes a script ready to be played.
pub fn case(name: &str, script: &Script) -> Result<Case, Refusal> {
    let mut plan = Plan {
        case: Case { name: name.to_owned(), peer_isn: 1, ..Case::default() },
        conn: Conn { local: HOST_PORT, remote: PEER_PORT },
        bound: BTreeMap::new(),
    };
    for option in &script.options {
        if option.name == "ip_version" && option.value.as_deref() != Some("ipv4") {
            return refuse(option.pos.line, "only IPv4 is verified");
        }
    }
    if let Some(shell) = &script.init {
        plan.case.sysctls = sysctls(shell)?;
    }
    for (index, event) in script.events.iter().enumerate() {
        plan.event(index, event)?;
    }
    Ok(plan.case)
}

struct Plan {
    case: Case,
    /// The connection that a packet without ports belongs to.
    conn: Conn,
    /// Ports that descriptors were bound to.
    bound: BTreeMap<i32, u16>,
}

impl Plan {
    fn event(&mut self, index: usize, event: &Event) -> Result<(), Refusal> {
        let mut when = match event.time {
            Time::Absolute(ns) | Time::AbsoluteRange(ns, _) => When::At(ns),
            Time::Relative(ns) | Time::RelativeRange(ns, _) => When::After(ns),
            Time::Any => When::After(0),
        };
        let acts = match &event.action {
            Action::Packet(line) => vec![self.packet(event, line)?],
            Action::Call(call) => {
                let mut act = plan_call::call(call, HOST_PORT)?;
                match &mut act {
                    Call::Bind { fd, port, .. } => drop(self.bound.insert(*fd, *port)),
                    Call::Connect { fd, conn } => {
                        conn.local = self.bound.get(fd).copied().unwrap_or(0);
                        self.conn = *conn;
                    }
                    _ => {}
                }
                vec![Act::Call(act)]
            }
            Action::Shell(shell) => {
                let set = sysctls(shell)?.into_iter();
                set.map(|(name, value)| Act::Sysctl { name, value }).collect()
            }
            // What a script asserts is looked at in any case.
            Action::Code(Code { .. }) => vec![Act::Look],
        };
        for act in acts {
            self.case.steps.push(Step { event: index, when, act });
            when = When::After(0);
        }
        Ok(())
    }

    fn packet(&mut self, event: &Event, line: &Line) -> Result<Act, Refusal> {
        let inbound = line.direction == Direction::In;
        if let Some((from, to)) = line.ports {
            let (remote, local) = if inbound { (from, to) } else { (to, from) };
            self.conn = Conn { local, remote };
        }
        let conn = self.conn;
        if !inbound {
            let patience_ns = match event.time {
                Time::AbsoluteRange(from, to) | Time::RelativeRange(from, to) => {
                    to.saturating_sub(from) + PATIENCE_NS
                }
                Time::Any => ANY_TIME_NS,
                Time::Absolute(_) | Time::Relative(_) => PATIENCE_NS,
            };
            return Ok(Act::Await { conn, patience_ns });
        }
        match &line.body {
            Body::Tcp(tcp) => Ok(Act::Inject(segment(conn, tcp))),
            Body::Icmp(icmp) => {
                let code = match icmp.code.as_deref() {
                    Some("net_unreachable") => 0,
                    Some("host_unreachable") => 1,
                    Some("protocol_unreachable") => 2,
                    Some("port_unreachable") => 3,
                    Some("frag_needed") => 4,
                    _ => {
                        return refuse(
                            line.pos.line,
                            "only ICMP destination unreachable is verified",
                        );
                    }
                };
                let (seq, _) = icmp.echoed.unwrap_or((0, 0));
                let mtu = icmp.mtu.and_then(|m| u16::try_from(m).ok()).unwrap_or(0);
                Ok(Act::Icmp(Unreachable { conn, seq, code, mtu }))
            }
            Body::Udp(_) => refuse(line.pos.line, "UDP is not verified"),
        }
    }
}

fn segment(conn: Conn, tcp: &Tcp) -> Packet {
    Packet {
        conn,
        flags: tcp.flags,
        seq: tcp.seq,
        len: tcp.len,
        ack: tcp.ack.unwrap_or(0),
        win: tcp.win.unwrap_or(0),
        options: tcp.options.clone().unwrap_or_default(),
    }
}

/// The sysctls of a backtick line: `sysctl -q NAME=VALUE …`, any number of commands.
fn sysctls(shell: &Shell) -> Result<Vec<(String, String)>, Refusal> {
    let mut out = Vec::new();
    for command in shell.text.split([';', '\n']).flat_map(|c| c.split("&&")) {
        let mut words = command.split_ascii_whitespace();
        match words.next() {
            Some("sysctl") => {}
            // packetdrill's own defaults script sets what a fresh namespace has anyway.
            None | Some("../common/defaults.sh" | "./defaults.sh") => continue,
            Some(other) => return refuse(shell.pos.line, &format!("cannot run `{other}`")),
        }
        for word in words.filter(|w| !w.starts_with('-')) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let value = value.trim_matches(['"', '\'']);
            out.push((name.to_owned(), value.replace(',', " ")));
        }
    }
    Ok(out)
}

/// A [`Refusal`] as an error.
pub(crate) fn refuse<T>(line: u32, why: &str) -> Result<T, Refusal> {
    Err(Refusal { line, why: why.to_owned() })
}
