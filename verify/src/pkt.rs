//! A case as a packetdrill script, with what the live kernel did as the expectation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use finwait_model::kernel::{How, OptName, SockOpt};
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::Conn;

use crate::seen::{Answered, Seen};
use crate::sockopt;
use crate::step::{Act, Call, Case, Packet};
use crate::talk::{LOCAL, REMOTE};

/// The script; `about` becomes its opening comment.
pub fn text(case: &Case, live: &Seen, about: &[String]) -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    // SYNs, and everything before the peer's first one, stand in a script as on the wire; all else
    // counts from that SYN.
    let mut synced = BTreeMap::new();
    for (index, step) in case.steps.iter().enumerate() {
        let Some(done) = live.steps.get(index) else { break };
        let answer = live.answers.iter().find(|a| a.step == index);
        let mut base = 0;
        if let Act::Inject(p) = &step.act {
            if p.flags.syn() {
                synced.entry(p.conn).or_insert((done.start_ns, p.seq));
            }
            base = match synced.get(&p.conn) {
                Some((_, first)) if !p.flags.syn() => 0_u32.wrapping_sub(*first),
                _ => case.peer_isn,
            };
        }
        if let Some(line) = line(&step.act, answer, base) {
            lines.push((answer.map_or(done.start_ns, |a| a.start_ns), line));
        }
    }
    for sent in &live.sent {
        let mut header = sent.header.clone();
        let since = synced.get(&header.conn).filter(|(since, _)| *since <= sent.at_ns);
        let base = match since {
            Some((_, first)) if !header.flags.syn() => 0_u32.wrapping_sub(*first),
            _ => case.peer_isn,
        };
        if header.flags.ack() {
            header.ack = header.ack.wrapping_add(base);
        }
        for option in &mut header.options {
            if let TcpOption::Sack(blocks) = option {
                for (left, right) in blocks {
                    *left = left.wrapping_add(base);
                    *right = right.wrapping_add(base);
                }
            }
        }
        lines.push((sent.at_ns, format!("{} {header}", ports('>', header.conn))));
    }
    lines.sort_by_key(|(at, _)| *at);
    let mut out = String::new();
    for line in about {
        // A script's header has lines with a colon that mean something: these are none.
        let _ = writeln!(out, "// | {line}");
    }
    if !case.sysctls.is_empty() {
        let set = case.sysctls.iter().map(|(n, v)| format!("{n}={}", v.replace(' ', ",")));
        let _ = writeln!(out, "`sysctl -q {}`", set.collect::<Vec<_>>().join(" "));
    }
    // A script begins at time 0.
    let mut last = lines.first().map_or(0, |(at, _)| *at);
    for (at, line) in lines {
        let gap = (at - last) / 1_000;
        last += gap * 1_000;
        let _ = writeln!(out, "+{}.{:06} {line}", gap / 1_000_000, gap % 1_000_000);
    }
    out
}

fn line(act: &Act, answer: Option<&Answered>, base: u32) -> Option<String> {
    Some(match act {
        Act::Inject(p) => packet(p, base),
        Act::Icmp(u) => {
            let code = match u.code {
                0 => "net_unreachable",
                2 => "protocol_unreachable",
                3 => "port_unreachable",
                4 => "frag_needed",
                _ => "host_unreachable",
            };
            let mtu = if u.code == 4 { format!(" mtu {}", u.mtu) } else { String::new() };
            let quoted = format!("[{}:{}(0)]", u.seq, u.seq);
            // The language names no ports here: it is about the connection that came last.
            format!("< icmp unreachable {code}{mtu} {quoted}")
        }
        Act::Sysctl { name, value } => format!("`sysctl -q {name}={value}`"),
        Act::Call(c) => call(c, answer),
        Act::Await { .. } | Act::Look => return None,
    })
}

/// Socket options by the names that scripts use.
const OPTIONS: [(OptName, &str); 19] = [
    (OptName::ReuseAddr, "SO_REUSEADDR"),
    (OptName::ReusePort, "SO_REUSEPORT"),
    (OptName::Error, "SO_ERROR"),
    (OptName::RcvBuf, "SO_RCVBUF"),
    (OptName::SndBuf, "SO_SNDBUF"),
    (OptName::KeepAlive, "SO_KEEPALIVE"),
    (OptName::RcvLowat, "SO_RCVLOWAT"),
    (OptName::NoDelay, "TCP_NODELAY"),
    (OptName::Cork, "TCP_CORK"),
    (OptName::QuickAck, "TCP_QUICKACK"),
    (OptName::Linger2, "TCP_LINGER2"),
    (OptName::DeferAccept, "TCP_DEFER_ACCEPT"),
    (OptName::UserTimeout, "TCP_USER_TIMEOUT"),
    (OptName::KeepIdle, "TCP_KEEPIDLE"),
    (OptName::KeepIntvl, "TCP_KEEPINTVL"),
    (OptName::KeepCnt, "TCP_KEEPCNT"),
    (OptName::MaxSeg, "TCP_MAXSEG"),
    (OptName::SynCnt, "TCP_SYNCNT"),
    (OptName::WindowClamp, "TCP_WINDOW_CLAMP"),
];

/// Which way and between which ports, the sender's first.
fn ports(direction: char, conn: Conn) -> String {
    let (from, to) =
        if direction == '<' { (conn.remote, conn.local) } else { (conn.local, conn.remote) };
    format!("{direction} {from} > {to}")
}

fn packet(p: &Packet, base: u32) -> String {
    let flags = if p.flags.0 == 0 { "-".to_owned() } else { p.flags.to_string() };
    let seq = p.seq.wrapping_add(base);
    let end = seq.wrapping_add(u32::from(p.len));
    let mut text = format!("{} {flags} {seq}:{end}({})", ports('<', p.conn), p.len);
    if p.flags.ack() {
        let _ = write!(text, " ack {}", p.ack);
    }
    let _ = write!(text, " win {}", p.win);
    if !p.options.is_empty() {
        let options: Vec<String> = p.options.iter().map(TcpOption::to_string).collect();
        let _ = write!(text, " <{}>", options.join(","));
    }
    text
}

fn call(c: &Call, answer: Option<&Answered>) -> String {
    let address = |addr, port| {
        format!(
            "{{sa_family = AF_INET, sin_port = htons({port}), sin_addr = inet_addr(\"{addr}\")}}, ..."
        )
    };
    let out = answer.and_then(|a| a.out).unwrap_or(0);
    let text = match c {
        Call::Socket { .. } => "socket(..., SOCK_STREAM, IPPROTO_TCP)".to_owned(),
        Call::Bind { fd, port, any } => {
            let addr = if *any { "0.0.0.0".to_owned() } else { LOCAL.to_string() };
            format!("bind({fd}, {})", address(addr, port))
        }
        Call::Listen { fd, backlog } => format!("listen({fd}, {backlog})"),
        Call::Accept { fd, .. } => format!("accept({fd}, ..., ...)"),
        Call::Connect { fd, conn } => {
            format!("connect({fd}, {})", address(REMOTE.to_string(), &conn.remote))
        }
        Call::Disconnect { fd } => format!("connect({fd}, {{sa_family = AF_UNSPEC}}, ...)"),
        Call::Send { fd, len, more } => {
            let flags = if *more { "MSG_MORE" } else { "0" };
            format!("send({fd}, ..., {len}, {flags})")
        }
        Call::Recv { fd, len } => format!("recv({fd}, ..., {len}, 0)"),
        Call::Shutdown { fd, how } => {
            let how = match how {
                How::Rd => "SHUT_RD",
                How::Wr => "SHUT_WR",
                How::RdWr => "SHUT_RDWR",
            };
            format!("shutdown({fd}, {how})")
        }
        Call::Close { fd } => format!("close({fd})"),
        Call::SetOpt { fd, opt } => option(*fd, *opt),
        Call::GetOpt { fd, name } => {
            let found = OPTIONS.iter().find(|(n, _)| n == name);
            let word = found.map_or("SO_ERROR", |(_, word)| word);
            format!("getsockopt({fd}, {}, {word}, [{out}], [4])", level(word))
        }
        Call::NonBlock { fd, on } => {
            let flags = if *on { "O_RDWR|O_NONBLOCK" } else { "O_RDWR" };
            format!("fcntl({fd}, F_SETFL, {flags})")
        }
        Call::Inq { fd } => format!("ioctl({fd}, SIOCINQ, [{out}])"),
        Call::Outq { fd } => format!("ioctl({fd}, SIOCOUTQ, [{out}])"),
        Call::Poll { fd } => {
            let asked = "POLLIN|POLLOUT|POLLRDHUP";
            let set = poll_bits(out);
            format!("poll([{{fd={fd}, events={asked}, revents={set}}}], 1, 0)")
        }
    };
    let blocked = answer.and_then(|a| Some((a.start_ns, a.end_ns?)));
    let blocked = blocked.filter(|(start, end)| end - start > 2_000_000);
    let until = blocked.map_or_else(String::new, |(start, end)| {
        let us = (end - start) / 1_000;
        format!("...{}.{:06} ", us / 1_000_000, us % 1_000_000)
    });
    match answer.map(|a| &a.value) {
        Some(Ok(value)) => format!("{until}{text} = {value}"),
        Some(Err(name)) => format!("{until}{text} = -1 {name}"),
        None => format!("{text} = 0"),
    }
}

fn option(fd: i32, opt: SockOpt) -> String {
    if let SockOpt::Linger(seconds) = opt {
        let (on, seconds) = (i32::from(seconds.is_some()), seconds.unwrap_or(0));
        return format!(
            "setsockopt({fd}, SOL_SOCKET, SO_LINGER, {{onoff={on}, linger={seconds}}}, 8)"
        );
    }
    let (level_number, number, bytes) = sockopt::encode(opt);
    let known = OPTIONS.iter().find(|(n, _)| sockopt::number(*n) == (level_number, number));
    let word = known.map_or("?", |(_, word)| word);
    let value = bytes.try_into().map_or(0, i32::from_ne_bytes);
    format!("setsockopt({fd}, {}, {word}, [{value}], 4)", level(word))
}

fn level(word: &str) -> &'static str {
    if word.starts_with("TCP_") { "SOL_TCP" } else { "SOL_SOCKET" }
}

fn poll_bits(bits: i64) -> String {
    let names = [
        (0x01, "POLLIN"),
        (0x04, "POLLOUT"),
        (0x08, "POLLERR"),
        (0x10, "POLLHUP"),
        (0x2000, "POLLRDHUP"),
    ];
    let set: Vec<&str> = names.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| *n).collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{generate, model, plan};

    /// The case as it is when its numbers are the wire's.
    fn on_wire(case: &Case) -> Vec<Act> {
        let shown = case.steps.iter().map(|s| s.act.clone());
        let shown = shown.filter(|a| {
            !matches!(
                a,
                Act::Look | Act::Icmp(_) | Act::Call(Call::Socket { .. } | Call::Accept { .. })
            )
        });
        let wire = |mut act: Act| {
            if let Act::Inject(p) = &mut act {
                p.seq = p.seq.wrapping_add(case.peer_isn);
            }
            act
        };
        shown.map(wire).collect()
    }

    /// Does a segment wrap? The language's numbers do not.
    fn wraps(case: &Case) -> bool {
        case.steps.iter().any(|s| match &s.act {
            Act::Inject(p) => p.seq.checked_add(p.len.into()).is_none(),
            _ => false,
        })
    }

    #[test]
    fn what_is_written_is_read_back() {
        for case in (0..50).map(|number| generate::case(5, number)).filter(|c| !wraps(c)) {
            let text = text(&case, &model::planned(&case), &["  kernel: a difference".to_owned()]);
            assert!(text.lines().any(|line| line.starts_with("+0.000000 ")), "{text}");
            let failed = |e: &dyn std::fmt::Debug| -> ! { panic!("{e:?}\n{text}") };
            let script = finwait_sim::script::parse(text.as_bytes());
            let script = script.unwrap_or_else(|e| failed(&e));
            let release = finwait_model::release::Release::V6_18;
            let plan = finwait_sim::script::lower::lower(&script, release, &|_| None);
            let plan = plan.unwrap_or_else(|e| failed(&e));
            let back = plan::case("back", &plan).unwrap_or_else(|e| failed(&e));
            assert_eq!(back.sysctls, case.sysctls);
            assert_eq!(on_wire(&back), on_wire(&case), "{text}");
        }
    }
}
