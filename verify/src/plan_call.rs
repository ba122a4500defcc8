//! A script's system call as a [`Call`].

use finwait_model::kernel::{How, OptName, SockOpt};
use finwait_sim::script::ast::{Call as Line, Expr, ExprKind};
use finwait_sim::script::observe::Conn;

use crate::plan::{Refusal, refuse};
use crate::step::Call;

/// The call; `port` is the one that `...` in place of an address stands for.
pub fn call(line: &Line, port: u16) -> Result<Call, Refusal> {
    let l = Reader { line: line.pos.line, args: &line.args };
    let result = number(&line.result).unwrap_or(-1) as i32;
    let fd = if line.name == "socket" || line.name == "poll" { 0 } else { l.int(0)? as i32 };
    Ok(match line.name.as_str() {
        "socket" => Call::Socket { fd: result },
        "bind" => {
            let (addr, port) = l.address(1, port);
            Call::Bind { fd, port, any: addr.as_deref() == Some("0.0.0.0") }
        }
        "listen" => Call::Listen { fd, backlog: l.int(1)? as i32 },
        "accept" | "accept4" => Call::Accept { fd, new: result },
        "connect" if l.args.get(1).is_some_and(unspecified) => Call::Disconnect { fd },
        "connect" => {
            let (_, remote) = l.address(1, port);
            Call::Connect { fd, conn: Conn { local: 0, remote } }
        }
        "write" | "send" | "sendto" | "writev" => {
            let more = l.args.get(3).is_some_and(|f| has_word(f, "MSG_MORE"));
            Call::Send { fd, len: l.int(2)? as u32, more }
        }
        "read" | "recv" | "recvfrom" | "readv" => Call::Recv { fd, len: l.int(2)? as u32 },
        "shutdown" => {
            let how = match l.int(1)? {
                0 => How::Rd,
                1 => How::Wr,
                _ => How::RdWr,
            };
            Call::Shutdown { fd, how }
        }
        "close" => Call::Close { fd },
        "fcntl" => {
            let on = l.args.get(2).is_some_and(|f| has_word(f, "O_NONBLOCK"));
            Call::NonBlock { fd, on }
        }
        "ioctl" => match l.word(1)? {
            "SIOCINQ" | "FIONREAD" => Call::Inq { fd },
            "SIOCOUTQ" | "TIOCOUTQ" => Call::Outq { fd },
            other => return refuse(l.line, &format!("ioctl {other} is not verified")),
        },
        "poll" => l.poll()?,
        "setsockopt" => Call::SetOpt { fd, opt: l.option()? },
        "getsockopt" => Call::GetOpt { fd, name: l.name()? },
        other => return refuse(l.line, &format!("`{other}` is not verified")),
    })
}

struct Reader<'a> {
    line: u32,
    args: &'a [Expr],
}

impl Reader<'_> {
    fn arg(&self, at: usize) -> Result<&Expr, Refusal> {
        self.args.get(at).map_or_else(|| refuse(self.line, "an argument is missing"), Ok)
    }
    fn int(&self, at: usize) -> Result<i64, Refusal> {
        let value = number(self.arg(at)?);
        value.map_or_else(|| refuse(self.line, &format!("argument {} is no number", at + 1)), Ok)
    }
    fn word(&self, at: usize) -> Result<&str, Refusal> {
        match &self.arg(at)?.kind {
            ExprKind::Word(w) => Ok(w),
            _ => refuse(self.line, &format!("argument {} is no name", at + 1)),
        }
    }
    /// Address and port of a `{sa_family = AF_INET, …}`.
    fn address(&self, at: usize, port: u16) -> (Option<String>, u16) {
        let (mut addr, mut port) = (None, port);
        if let Some(ExprKind::Brace(items)) = self.args.get(at).map(|e| &e.kind) {
            for item in items {
                let ExprKind::Assign(_, value) = &item.kind else { continue };
                let ExprKind::Apply(function, args) = &value.kind else { continue };
                match (function.as_str(), args.first().map(|a| &a.kind)) {
                    ("htons", Some(ExprKind::Int(n))) => port = *n as u16,
                    ("inet_addr", Some(ExprKind::Str(text))) => addr = Some(text.clone()),
                    _ => {}
                }
            }
        }
        (addr, port)
    }
    fn poll(&self) -> Result<Call, Refusal> {
        if self.int(2)? != 0 {
            return refuse(self.line, "only poll() with timeout 0 is verified");
        }
        let fd = self.args.first().and_then(|list| field(list, "fd"));
        fd.map_or_else(
            || refuse(self.line, "poll() of one descriptor is verified"),
            |fd| Ok(Call::Poll { fd: fd as i32 }),
        )
    }
    fn option(&self) -> Result<SockOpt, Refusal> {
        use OptName as N;
        let value = self.arg(3)?;
        if self.word(2)? == "SO_LINGER" {
            let on = field(value, "onoff").unwrap_or(0) != 0;
            let seconds = field(value, "linger").unwrap_or(0);
            return Ok(SockOpt::Linger(on.then_some(seconds as u32)));
        }
        let n = number(value).map_or_else(|| refuse(self.line, "an integer is wanted"), Ok)? as i32;
        Ok(match self.name()? {
            N::ReuseAddr => SockOpt::ReuseAddr(n != 0),
            N::ReusePort => SockOpt::ReusePort(n != 0),
            N::RcvBuf => SockOpt::RcvBuf(n as u32),
            N::SndBuf => SockOpt::SndBuf(n as u32),
            N::KeepAlive => SockOpt::KeepAlive(n != 0),
            N::RcvLowat => SockOpt::RcvLowat(n as u32),
            N::NoDelay => SockOpt::NoDelay(n != 0),
            N::Cork => SockOpt::Cork(n != 0),
            N::QuickAck => SockOpt::QuickAck(n),
            N::Linger2 => SockOpt::Linger2(n),
            N::DeferAccept => SockOpt::DeferAccept(n),
            N::UserTimeout => SockOpt::UserTimeout(n as u32),
            N::KeepIdle => SockOpt::KeepIdle(n),
            N::KeepIntvl => SockOpt::KeepIntvl(n),
            N::KeepCnt => SockOpt::KeepCnt(n),
            N::MaxSeg => SockOpt::MaxSeg(n),
            N::SynCnt => SockOpt::SynCnt(n),
            N::WindowClamp => SockOpt::WindowClamp(n),
            N::Error => return refuse(self.line, "SO_ERROR cannot be set"),
        })
    }
    fn name(&self) -> Result<OptName, Refusal> {
        let word = self.word(2)?;
        let found = OPTIONS.iter().find(|(_, name)| *name == word);
        found.map_or_else(
            || refuse(self.line, &format!("socket option {word} is not verified")),
            |(option, _)| Ok(*option),
        )
    }
}

/// Socket options by the names that scripts use.
pub const OPTIONS: [(OptName, &str); 19] = [
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

fn number(e: &Expr) -> Option<i64> {
    match &e.kind {
        ExprKind::Int(n) => Some(*n),
        ExprKind::Hex(n) => i64::try_from(*n).ok(),
        ExprKind::List(items) => items.first().and_then(number),
        ExprKind::Word(w) => match w.as_str() {
            "SHUT_RD" => Some(0),
            "SHUT_WR" => Some(1),
            "SHUT_RDWR" => Some(2),
            _ => None,
        },
        _ => None,
    }
}

/// The value of `name=…` (or `l_name=…`) somewhere in braces or brackets.
fn field(e: &Expr, name: &str) -> Option<i64> {
    match &e.kind {
        ExprKind::List(items) | ExprKind::Brace(items) => items.iter().find_map(|i| field(i, name)),
        ExprKind::Assign(left, right) => match &left.kind {
            ExprKind::Word(w) if w.trim_start_matches("l_") == name => number(right),
            _ => None,
        },
        _ => None,
    }
}

/// `{sa_family = AF_UNSPEC}`.
fn unspecified(e: &Expr) -> bool {
    let ExprKind::Brace(items) = &e.kind else { return false };
    items.iter().any(|i| match &i.kind {
        ExprKind::Assign(_, right) => has_word(right, "AF_UNSPEC"),
        _ => false,
    })
}

fn has_word(e: &Expr, word: &str) -> bool {
    match &e.kind {
        ExprKind::Word(w) => w == word,
        ExprKind::Or(a, b) => has_word(a, word) || has_word(b, word),
        _ => false,
    }
}
