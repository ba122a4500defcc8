//! System calls of a script as values: names, numbers of arguments, constants, structs.

use finwait_model::errno::Errno;
use finwait_model::flow::Addr;
use finwait_model::kernel::{How, OptName, Ready, SockOpt};

use super::ast::{Call as CallLine, Expr, ExprKind, Pos};
use super::diagnostic::ScriptError;
use super::lower::{File, Lowering, UnderTest, address};
use super::plan::{Call, Op};
use super::symbols::{self, OptionName, known, value};

const CALLS: &[&str] = &[
    "socket",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "read",
    "write",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "writev",
    "readv",
    "close",
    "shutdown",
    "fcntl",
    "ioctl",
    "poll",
    "setsockopt",
    "getsockopt",
];
const MSG_DONTWAIT: i64 = 0x40;
const MSG_NOSIGNAL: i64 = 0x4000;
const MSG_MORE: i64 = 0x8000;
const NONBLOCK: i64 = 0o4000;

/// An address argument.
enum Address {
    /// `...`
    Any,
    /// AF_UNSPEC.
    Unspec,
    Inet(Addr, u16),
}

impl Lowering<'_> {
    pub(super) fn call(&mut self, index: usize, line: &CallLine) -> Result<Call, ScriptError> {
        let result = value(&line.result)?;
        let errno = match &line.errno {
            None => None,
            Some(name) => Some(Errno::from_name(name).ok_or_else(|| {
                let message = format!("unknown error `{name}`");
                let names = Errno::ALL.iter().map(|e| e.name());
                ScriptError::syntax(line.pos, message, "expected a name as in ECONNRESET")
                    .did_you_mean(name, names)
            })?),
        };
        let op = self.op(index, line)?;
        self.follow(&op, result);
        let args: Vec<_> = line.args.iter().map(ToString::to_string).collect();
        let text = format!("{}({})", line.name, args.join(", "));
        Ok(Call { name: line.name.clone(), text, op, end: line.end, result, errno })
    }

    /// What a call changes about descriptors, as far as the text tells.
    fn follow(&mut self, op: &Op, result: Option<i64>) {
        let worked = result.is_none_or(|n| n >= 0);
        match (op, result) {
            (Op::Socket { .. }, Some(fd)) if fd >= 0 => {
                self.fds.insert(fd, File::default());
                self.under_test = UnderTest::File(fd);
            }
            (&Op::Bind { fd, port, .. }, _) if worked => {
                self.fds.entry(fd).or_default().bound = Some(port);
            }
            (&Op::Listen { fd, .. }, _) if worked => {
                self.fds.entry(fd).or_default().listens = true;
                self.under_test = UnderTest::File(fd);
            }
            (&Op::Accept { .. }, Some(fd)) if fd >= 0 => {
                let conn = match self.under_test {
                    UnderTest::Conn(conn) => Some(conn),
                    _ => None,
                };
                self.fds.insert(fd, File { conn, ..File::default() });
            }
            _ => {}
        }
    }

    fn op(&mut self, index: usize, line: &CallLine) -> Result<Op, ScriptError> {
        let args = Args { line };
        Ok(match line.name.as_str() {
            "socket" => socket(&args)?,
            "bind" => {
                args.count(3, 3)?;
                let default = (self.plan.settings.local, self.plan.settings.bind_port);
                match args.address(1)? {
                    Address::Any => Op::Bind { fd: args.fd()?, addr: default.0, port: default.1 },
                    Address::Inet(addr, port) => Op::Bind { fd: args.fd()?, addr, port },
                    Address::Unspec => {
                        let what = "bind() to AF_UNSPEC";
                        return Err(ScriptError::unsupported(args.pos(1), what));
                    }
                }
            }
            "listen" => {
                args.count(2, 2)?;
                let backlog = args.int(1)?;
                let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
                Op::Listen { fd: args.fd()?, backlog }
            }
            "accept" => {
                args.count(3, 3)?;
                Op::Accept { fd: args.fd()?, nonblock: false }
            }
            "accept4" => {
                args.count(4, 4)?;
                Op::Accept { fd: args.fd()?, nonblock: args.int(3)? & NONBLOCK != 0 }
            }
            "connect" => self.connect(index, &args)?,
            "read" | "write" | "send" | "recv" | "sendto" | "recvfrom" | "writev" | "readv" => {
                transfer(&args)?
            }
            "close" => {
                args.count(1, 1)?;
                Op::Close { fd: args.fd()? }
            }
            "shutdown" => shutdown(&args)?,
            "fcntl" => fcntl(&args)?,
            "ioctl" => ioctl(&args)?,
            "poll" => poll(&args)?,
            "setsockopt" => setsockopt(&args)?,
            "getsockopt" => getsockopt(&args)?,
            name => {
                let what = format!("the system call `{name}`");
                return Err(ScriptError::unsupported(line.pos, what)
                    .did_you_mean(name, CALLS.iter().copied()));
            }
        })
    }

    fn connect(&mut self, index: usize, args: &Args<'_>) -> Result<Op, ScriptError> {
        args.count(3, 3)?;
        let fd = args.fd()?;
        let settings = &self.plan.settings;
        let (addr, port) = match args.address(1)? {
            Address::Any => (settings.remote, settings.connect_port),
            Address::Unspec => return Ok(Op::Disconnect { fd }),
            Address::Inet(addr, port) => (addr, port),
        };
        Ok(Op::Connect { fd, addr, conn: self.connecting(index, fd, port) })
    }
}

/// The arguments of a call.
struct Args<'a> {
    line: &'a CallLine,
}

impl Args<'_> {
    fn pos(&self, index: usize) -> Pos {
        self.line.args.get(index).map_or(self.line.pos, |a| a.pos)
    }
    fn count(&self, least: usize, most: usize) -> Result<(), ScriptError> {
        let n = self.line.args.len();
        if (least..=most).contains(&n) {
            return Ok(());
        }
        let expected =
            if least == most { format!("{least}") } else { format!("{least} to {most}") };
        let message = format!("{}() takes {expected} arguments, not {n}", self.line.name);
        Err(ScriptError::syntax(self.line.pos, message, ""))
    }
    fn int(&self, index: usize) -> Result<i64, ScriptError> {
        known(&self.line.args[index])
    }
    fn fd(&self) -> Result<i64, ScriptError> {
        self.int(0)
    }
    fn wrong(&self, index: usize, expected: &str) -> ScriptError {
        let message = format!("bad argument {} of {}()", index + 1, self.line.name);
        ScriptError::syntax(self.pos(index), message, format!("expected {expected}"))
    }
    /// `[value]` or `...`.
    fn boxed(&self, index: usize) -> Result<Option<i64>, ScriptError> {
        match &self.line.args[index].kind {
            ExprKind::Ellipsis => Ok(None),
            ExprKind::List(items) if items.len() == 1 => value(&items[0]),
            _ => Err(self.wrong(index, "[number] or ...")),
        }
    }
    /// The value of `name=` in a struct.
    fn field(&self, item: &Expr, name: &str, index: usize) -> Result<Option<i64>, ScriptError> {
        match &field(item, name) {
            Some(expr) => value(expr),
            None => Err(self.wrong(index, &format!("a struct with {name}=…"))),
        }
    }
    /// `{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`
    fn address(&self, index: usize) -> Result<Address, ScriptError> {
        const FORM: &str =
            "... or {sa_family=AF_INET, sin_port=htons(N), sin_addr=inet_addr(\"A\")}";
        let expr = &self.line.args[index];
        if expr.kind == ExprKind::Ellipsis {
            return Ok(Address::Any);
        }
        let Some(family) = field(expr, "sa_family") else { return Err(self.wrong(index, FORM)) };
        match &family.kind {
            ExprKind::Word(w) if w == "AF_UNSPEC" => return Ok(Address::Unspec),
            ExprKind::Word(w) if w == "AF_INET6" => {
                return Err(ScriptError::unsupported(family.pos, "IPv6"));
            }
            ExprKind::Word(w) if w == "AF_INET" => {}
            _ => return Err(self.wrong(index, FORM)),
        }
        let port = match field(expr, "sin_port").map(|e| &e.kind) {
            Some(ExprKind::Apply(name, args)) if name == "htons" && args.len() == 1 => {
                u16::try_from(known(&args[0])?).map_err(|_| self.wrong(index, "a port to 65535"))?
            }
            _ => return Err(self.wrong(index, FORM)),
        };
        let addr = match field(expr, "sin_addr").map(|e| &e.kind) {
            Some(ExprKind::Apply(name, args)) if name == "inet_addr" && args.len() == 1 => {
                match &args[0].kind {
                    ExprKind::Str(text) => address(text),
                    _ => None,
                }
            }
            Some(ExprKind::Word(w)) if w == "INADDR_ANY" => Some(Addr::ANY),
            _ => None,
        };
        let addr = addr.ok_or_else(|| self.wrong(index, "sin_addr=inet_addr(\"1.2.3.4\")"))?;
        Ok(Address::Inet(addr, port))
    }
}

/// The value of `name=` in a struct.
fn field<'a>(item: &'a Expr, name: &str) -> Option<&'a Expr> {
    let ExprKind::Brace(items) = &item.kind else { return None };
    items.iter().find_map(|item| match &item.kind {
        ExprKind::Assign(left, right) if matches!(&left.kind, ExprKind::Word(w) if w == name) => {
            Some(&**right)
        }
        _ => None,
    })
}

fn socket(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(3, 3)?;
    if let Some(family) = value(&args.line.args[0])?
        && family != 2
    {
        let what = "a socket of another family than AF_INET";
        return Err(ScriptError::unsupported(args.pos(0), what));
    }
    let kind = args.int(1)?;
    if kind & 0xf != 1 {
        let what = "a socket of another type than SOCK_STREAM";
        return Err(ScriptError::unsupported(args.pos(1), what));
    }
    Ok(Op::Socket { nonblock: kind & NONBLOCK != 0 })
}

/// Flags that sends and receives take, or an error that names the one that they do not.
fn flags(args: &Args<'_>, index: usize, allowed: i64) -> Result<i64, ScriptError> {
    let Some(expr) = args.line.args.get(index) else { return Ok(0) };
    let flags = value(expr)?.unwrap_or(0);
    let foreign = flags & !(allowed | MSG_DONTWAIT | MSG_NOSIGNAL);
    if foreign == 0 {
        return Ok(flags);
    }
    let name = symbols::names()
        .find(|n| n.starts_with("MSG_") && symbols::number(n).is_some_and(|v| v & foreign != 0))
        .map_or_else(|| format!("{foreign:#x}"), str::to_owned);
    Err(ScriptError::unsupported(expr.pos, format!("the flag `{name}`")))
}

fn transfer(args: &Args<'_>) -> Result<Op, ScriptError> {
    let name = args.line.name.as_str();
    let (least, most) = match name {
        "send" | "recv" => (4, 4),
        "sendto" | "recvfrom" => (6, 6),
        _ => (3, 3),
    };
    args.count(least, most)?;
    let fd = args.fd()?;
    if let ExprKind::Int(_) | ExprKind::Hex(_) = args.line.args[1].kind {
        let error = ScriptError::unsupported(args.pos(1), "a pointer as buffer");
        return Err(error.help("the model moves lengths, not bytes: write ..."));
    }
    let len = if name.ends_with('v') && name != "recv" { vector_len(args)? } else { args.int(2)? };
    let len = u32::try_from(len).map_err(|_| args.wrong(2, "a length of 0 or more"))?;
    let sends = matches!(name, "write" | "send" | "sendto" | "writev");
    let flags = flags(args, 3, if sends { MSG_MORE } else { 0 })?;
    let dontwait = flags & MSG_DONTWAIT != 0;
    Ok(if sends {
        Op::Send { fd, len, more: flags & MSG_MORE != 0, dontwait }
    } else {
        Op::Recv { fd, len, dontwait }
    })
}

/// `[{..., 100}, {..., 200}], 2`
fn vector_len(args: &Args<'_>) -> Result<i64, ScriptError> {
    let form = "[{..., length}, …]";
    let ExprKind::List(items) = &args.line.args[1].kind else { return Err(args.wrong(1, form)) };
    let mut sum = 0i64;
    for item in items {
        match &item.kind {
            ExprKind::Brace(pair) if pair.len() == 2 => sum += known(&pair[1])?,
            _ => return Err(args.wrong(1, form)),
        }
    }
    if args.int(2)? != items.len() as i64 {
        return Err(args.wrong(2, &format!("{}, the length of the list", items.len())));
    }
    Ok(sum)
}

fn shutdown(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(2, 2)?;
    let how = match args.int(1)? {
        0 => How::Rd,
        1 => How::Wr,
        2 => How::RdWr,
        _ => return Err(args.wrong(1, "SHUT_RD, SHUT_WR or SHUT_RDWR")),
    };
    Ok(Op::Shutdown { fd: args.fd()?, how })
}

fn fcntl(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(2, 3)?;
    let fd = args.fd()?;
    match args.int(1)? {
        3 => Ok(Op::GetFlags { fd }),
        4 => {
            args.count(3, 3)?;
            Ok(Op::SetFlags { fd, nonblock: args.int(2)? & NONBLOCK != 0 })
        }
        _ => Err(ScriptError::unsupported(args.pos(1), "this command of fcntl()")),
    }
}

fn ioctl(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(3, 3)?;
    let fd = args.fd()?;
    match &args.line.args[1].kind {
        ExprKind::Word(w) if w == "SIOCINQ" || w == "FIONREAD" => {
            Ok(Op::Inq { fd, value: args.boxed(2)? })
        }
        ExprKind::Word(w) if w == "SIOCOUTQ" || w == "TIOCOUTQ" => {
            Ok(Op::Outq { fd, value: args.boxed(2)? })
        }
        kind => {
            let pos = args.pos(1);
            let error = ScriptError::unsupported(pos, format!("ioctl(`{}`)", args.line.args[1]));
            Err(match kind {
                ExprKind::Word(w) => error.did_you_mean(w, ["SIOCINQ", "SIOCOUTQ"]),
                _ => error,
            })
        }
    }
}

fn poll(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(3, 3)?;
    let form = "[{fd=3, events=POLLIN, revents=POLLIN}]";
    let ExprKind::List(items) = &args.line.args[0].kind else { return Err(args.wrong(0, form)) };
    let bits = |n: i64| Ready(u16::try_from(n).unwrap_or(0));
    let mut fds = Vec::new();
    for item in items {
        let Some(fd) = args.field(item, "fd", 0)? else { return Err(args.wrong(0, form)) };
        let Some(events) = args.field(item, "events", 0)? else { return Err(args.wrong(0, form)) };
        let revents = match field(item, "revents") {
            Some(expr) => value(expr)?,
            None => Some(0),
        };
        fds.push((fd, bits(events), revents.map(bits)));
    }
    if args.int(1)? != items.len() as i64 {
        return Err(args.wrong(1, &format!("{}, the length of the list", items.len())));
    }
    let timeout = args.int(2)?;
    let timeout_ns = u64::try_from(timeout).ok().map(|ms| ms.saturating_mul(1_000_000));
    Ok(Op::Poll { fds, timeout_ns })
}

fn setsockopt(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(5, 5)?;
    let fd = args.fd()?;
    let opt = match symbols::option(&args.line.args[1], &args.line.args[2])? {
        OptionName::Linger => {
            let item = &args.line.args[3];
            let onoff = args.field(item, "onoff", 3)?.unwrap_or(0);
            let seconds = args.field(item, "linger", 3)?.unwrap_or(0);
            let seconds = u32::try_from(seconds).map_err(|_| args.wrong(3, "0 seconds or more"))?;
            SockOpt::Linger((onoff != 0).then_some(seconds))
        }
        OptionName::Info => {
            return Err(ScriptError::unsupported(args.pos(2), "setting TCP_INFO"));
        }
        OptionName::Integer(name) => {
            let value = args.boxed(3)?.ok_or_else(|| args.wrong(3, "[number]"))?;
            let value = i32::try_from(value).map_err(|_| args.wrong(3, "a number of 32 bits"))?;
            set(name, value).ok_or_else(|| {
                ScriptError::unsupported(args.pos(2), format!("setting `{}`", args.line.args[2]))
            })?
        }
    };
    Ok(Op::SetOpt { fd, opt })
}

fn set(name: OptName, value: i32) -> Option<SockOpt> {
    let on = value != 0;
    let bits = value.cast_unsigned();
    Some(match name {
        OptName::Error => return None,
        OptName::ReuseAddr => SockOpt::ReuseAddr(on),
        OptName::ReusePort => SockOpt::ReusePort(on),
        OptName::RcvBuf => SockOpt::RcvBuf(bits),
        OptName::SndBuf => SockOpt::SndBuf(bits),
        OptName::KeepAlive => SockOpt::KeepAlive(on),
        OptName::RcvLowat => SockOpt::RcvLowat(bits),
        OptName::NoDelay => SockOpt::NoDelay(on),
        OptName::Cork => SockOpt::Cork(on),
        OptName::QuickAck => SockOpt::QuickAck(value),
        OptName::Linger2 => SockOpt::Linger2(value),
        OptName::DeferAccept => SockOpt::DeferAccept(value),
        OptName::UserTimeout => SockOpt::UserTimeout(bits),
        OptName::KeepIdle => SockOpt::KeepIdle(value),
        OptName::KeepIntvl => SockOpt::KeepIntvl(value),
        OptName::KeepCnt => SockOpt::KeepCnt(value),
        OptName::MaxSeg => SockOpt::MaxSeg(value),
        OptName::SynCnt => SockOpt::SynCnt(value),
        OptName::WindowClamp => SockOpt::WindowClamp(value),
    })
}

fn getsockopt(args: &Args<'_>) -> Result<Op, ScriptError> {
    args.count(5, 5)?;
    let fd = args.fd()?;
    match symbols::option(&args.line.args[1], &args.line.args[2])? {
        OptionName::Linger => Err(ScriptError::unsupported(args.pos(2), "asking for SO_LINGER")),
        OptionName::Info => Ok(Op::GetInfo { fd }),
        OptionName::Integer(name) => Ok(Op::GetOpt { fd, name, value: args.boxed(3)? }),
    }
}
