//! From a script, lowered by the script engine, to a [`Case`].

use std::collections::BTreeMap;

use finwait_model::flow::Addr;
use finwait_sim::script::ast::{Tcp, TcpOption, Time};
use finwait_sim::script::observe::Conn;
use finwait_sim::script::plan::{Act as Line, Call as CallLine, Op, Packet as PacketLine, Plan};

use crate::step::{Act, Call, Case, Packet, Step, Unreachable, When};
use crate::talk::{LOCAL, REMOTE};

/// How much longer than its time a segment is waited for.
const PATIENCE_NS: u64 = 60_000_000;
/// How long a segment that may come at any time is waited for.
const ANY_TIME_NS: u64 = 5_000_000_000;

/// Why a script cannot be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The line, from 1; 0 for the script as a whole.
    pub line: u32,
    /// What stands in the way.
    pub why: String,
}

/// Makes a script ready to be played on both arms.
pub fn case(name: &str, plan: &Plan) -> Result<Case, Refusal> {
    let s = &plan.settings;
    if (s.local, s.remote, s.mtu) != (LOCAL, REMOTE, 1500) {
        return refuse(0, "only the default addresses and MTU are verified");
    }
    let mut planner = Planner {
        case: Case { name: name.to_owned(), sysctls: plan.sysctls.clone(), ..Case::default() },
        numbers: BTreeMap::new(),
    };
    for (event, step) in plan.steps.iter().enumerate() {
        planner.step(event, step.pos.line, step.time, &step.act)?;
    }
    Ok(planner.case)
}

struct Planner {
    case: Case,
    numbers: BTreeMap<Conn, Numbers>,
}

/// Where a script's numbers of one connection begin.
#[derive(Clone, Copy, Default)]
struct Numbers {
    /// The peer's first SYN. SYNs stand in the script as they are on the wire, all else counts
    /// from here.
    peer_isn: Option<u32>,
    /// The host's SYN.
    host_isn: u32,
    /// The host's first timestamp.
    host_ts: Option<u32>,
}

impl Planner {
    fn step(&mut self, event: usize, line: u32, time: Time, act: &Line) -> Result<(), Refusal> {
        let mut when = match time {
            Time::Absolute(ns) | Time::AbsoluteRange(ns, _) => When::At(ns),
            Time::Relative(ns) | Time::RelativeRange(ns, _) => When::After(ns),
            Time::Any => When::After(0),
        };
        let acts = match act {
            Line::Inject(packet) => vec![self.inject(packet)],
            Line::Expect(packet) => {
                self.learn(packet);
                let patience_ns = match time {
                    Time::AbsoluteRange(from, to) | Time::RelativeRange(from, to) => {
                        to.saturating_sub(from) + PATIENCE_NS
                    }
                    Time::Any => ANY_TIME_NS,
                    Time::Absolute(_) | Time::Relative(_) => PATIENCE_NS,
                };
                vec![Act::Await { conn: packet.conn, patience_ns }]
            }
            Line::Icmp(u) if u.kind == 3 => {
                let (conn, seq, code, mtu) = (u.conn, u.seq, u.code, u.mtu);
                vec![Act::Icmp(Unreachable { conn, seq, code, mtu })]
            }
            Line::Icmp(_) => return refuse(line, "only ICMP destination unreachable is verified"),
            Line::Call(call) => calls(line, call)?,
            Line::Sysctl(set) => {
                let set = set.iter().cloned();
                set.map(|(name, value)| Act::Sysctl { name, value }).collect()
            }
            // What a script asserts is looked at in any case.
            Line::Code { .. } => vec![Act::Look],
        };
        for act in acts {
            self.case.steps.push(Step { event, when, act });
            when = When::After(0);
        }
        Ok(())
    }

    fn inject(&mut self, line: &PacketLine) -> Act {
        let tcp = &line.tcp;
        let numbers = self.numbers.entry(line.conn).or_default();
        let syn = tcp.flags.syn();
        if syn {
            numbers.peer_isn.get_or_insert(tcp.seq);
        }
        let numbers = *numbers;
        let base = if syn { 0 } else { numbers.peer_isn.unwrap_or(0) };
        let ack = tcp.ack.unwrap_or(0);
        Act::Inject(Packet {
            conn: line.conn,
            flags: tcp.flags,
            seq: tcp.seq.wrapping_add(base),
            len: tcp.len,
            ack: if syn { ack.wrapping_sub(numbers.host_isn) } else { ack },
            win: tcp.win.unwrap_or(0),
            options: options(tcp, numbers),
        })
    }

    fn learn(&mut self, line: &PacketLine) {
        let numbers = self.numbers.entry(line.conn).or_default();
        if line.tcp.flags.syn() {
            numbers.host_isn = line.tcp.seq;
        }
        let ts = line.tcp.options.iter().flatten().find_map(|option| match option {
            TcpOption::Ts { val, .. } => Some(*val),
            _ => None,
        });
        if let Some(ts) = ts {
            numbers.host_ts.get_or_insert(ts);
        }
    }
}

fn options(tcp: &Tcp, numbers: Numbers) -> Vec<TcpOption> {
    let mut options = tcp.options.clone().unwrap_or_default();
    options.retain(|o| !matches!(o, TcpOption::Nop | TcpOption::Eol));
    for option in &mut options {
        if let TcpOption::Ts { ecr, .. } = option
            && tcp.flags.ack()
        {
            *ecr = ecr.wrapping_sub(numbers.host_ts.unwrap_or(0));
        }
    }
    options
}

fn calls(line: u32, call: &CallLine) -> Result<Vec<Act>, Refusal> {
    let result = call.result.and_then(|r| i32::try_from(r).ok()).unwrap_or(-1);
    let number = |fd: i64| i32::try_from(fd).unwrap_or(-1);
    let non_block = |fd, on: bool| on.then_some(Call::NonBlock { fd, on });
    let mut then = None;
    let first = match &call.op {
        Op::Socket { nonblock } => {
            then = non_block(result, *nonblock);
            Call::Socket { fd: result }
        }
        Op::Bind { fd, addr, port } if *addr == LOCAL || *addr == Addr::ANY => {
            Call::Bind { fd: number(*fd), port: *port, any: *addr == Addr::ANY }
        }
        Op::Bind { .. } => return refuse(line, "bind() to a foreign address is not verified"),
        Op::Listen { fd, backlog } => Call::Listen { fd: number(*fd), backlog: *backlog },
        Op::Accept { fd, nonblock } => {
            then = non_block(result, *nonblock && result >= 0);
            Call::Accept { fd: number(*fd), new: result }
        }
        Op::Connect { fd, addr, conn } if *addr == REMOTE => {
            Call::Connect { fd: number(*fd), conn: *conn }
        }
        Op::Connect { .. } => return refuse(line, "connect() to another address is not verified"),
        Op::Disconnect { fd } => Call::Disconnect { fd: number(*fd) },
        Op::Send { dontwait: true, .. } | Op::Recv { dontwait: true, .. } => {
            return refuse(line, "MSG_DONTWAIT is not verified");
        }
        Op::Send { fd, len, more, .. } => Call::Send { fd: number(*fd), len: *len, more: *more },
        Op::Recv { fd, len, .. } => Call::Recv { fd: number(*fd), len: *len },
        Op::Shutdown { fd, how } => Call::Shutdown { fd: number(*fd), how: *how },
        Op::Close { fd } => Call::Close { fd: number(*fd) },
        Op::SetOpt { fd, opt } => Call::SetOpt { fd: number(*fd), opt: *opt },
        Op::GetOpt { fd, name, .. } => Call::GetOpt { fd: number(*fd), name: *name },
        Op::GetInfo { .. } | Op::GetFlags { .. } => return Ok(vec![Act::Look]),
        Op::SetFlags { fd, nonblock } => Call::NonBlock { fd: number(*fd), on: *nonblock },
        Op::Inq { fd, .. } => Call::Inq { fd: number(*fd) },
        Op::Outq { fd, .. } => Call::Outq { fd: number(*fd) },
        Op::Poll { fds, timeout_ns: Some(0) } if fds.len() == 1 => {
            Call::Poll { fd: number(fds[0].0) }
        }
        Op::Poll { .. } => return refuse(line, "only poll() of one descriptor without waiting"),
    };
    Ok([Some(first), then].into_iter().flatten().map(Act::Call).collect())
}

fn refuse<T>(line: u32, why: &str) -> Result<T, Refusal> {
    Err(Refusal { line, why: why.to_owned() })
}
