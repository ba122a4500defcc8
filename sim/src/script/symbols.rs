//! Names of constants in scripts, with Linux's numbers, and values of simple expressions.

use finwait_model::errno::Errno;
use finwait_model::kernel::OptName;

use super::ast::{Expr, ExprKind};
use super::diagnostic::ScriptError;

/// Constants that can be or-ed together or stand alone.
const NUMBERS: &[(&str, i64)] = &[
    ("O_RDONLY", 0),
    ("O_WRONLY", 1),
    ("O_RDWR", 2),
    ("O_NONBLOCK", 0o4000),
    ("POLLIN", 0x001),
    ("POLLPRI", 0x002),
    ("POLLOUT", 0x004),
    ("POLLERR", 0x008),
    ("POLLHUP", 0x010),
    ("POLLNVAL", 0x020),
    ("POLLRDNORM", 0x040),
    ("POLLWRNORM", 0x100),
    ("POLLRDHUP", 0x2000),
    ("MSG_OOB", 0x1),
    ("MSG_PEEK", 0x2),
    ("MSG_TRUNC", 0x20),
    ("MSG_DONTWAIT", 0x40),
    ("MSG_EOR", 0x80),
    ("MSG_WAITALL", 0x100),
    ("MSG_ERRQUEUE", 0x2000),
    ("MSG_NOSIGNAL", 0x4000),
    ("MSG_MORE", 0x8000),
    ("MSG_ZEROCOPY", 0x400_0000),
    ("MSG_FASTOPEN", 0x2000_0000),
    ("SOCK_STREAM", 1),
    ("SOCK_DGRAM", 2),
    ("SOCK_NONBLOCK", 0o4000),
    ("SOCK_CLOEXEC", 0o200_0000),
    ("AF_UNSPEC", 0),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("PF_INET", 2),
    ("PF_INET6", 10),
    ("IPPROTO_IP", 0),
    ("IPPROTO_TCP", 6),
    ("IPPROTO_UDP", 17),
    ("SOL_IP", 0),
    ("SOL_SOCKET", 1),
    ("SOL_TCP", 6),
    ("SOL_IPV6", 41),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("SOMAXCONN", 4096),
];

/// A constant's number.
pub(super) fn number(name: &str) -> Option<i64> {
    let errno = || Errno::from_name(name).map(|e| i64::from(e.number()));
    NUMBERS.iter().find(|(n, _)| *n == name).map(|&(_, v)| v).or_else(errno)
}

/// The names of the constants.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NUMBERS.iter().map(|&(n, _)| n)
}

/// The value of a number, a constant, or several or-ed together; `None` for `...`.
pub(super) fn value(expr: &Expr) -> Result<Option<i64>, ScriptError> {
    match &expr.kind {
        ExprKind::Ellipsis => Ok(None),
        ExprKind::Int(n) => Ok(Some(*n)),
        ExprKind::Hex(n) => Ok(Some(n.cast_signed())),
        ExprKind::Word(name) => match number(name) {
            Some(n) => Ok(Some(n)),
            None => {
                let error = ScriptError::unsupported(expr.pos, format!("the constant `{name}`"));
                Err(error.did_you_mean(name, names()))
            }
        },
        ExprKind::Or(left, right) => {
            Ok(value(left)?.zip(value(right)?).map(|(left, right)| left | right))
        }
        _ => Err(ScriptError::syntax(
            expr.pos,
            format!("`{expr}` is no number"),
            "expected a number or a constant",
        )),
    }
}

/// The value, which must be there.
pub(super) fn known(expr: &Expr) -> Result<i64, ScriptError> {
    value(expr)?.ok_or_else(|| {
        ScriptError::syntax(expr.pos, "`...` says nothing here", "expected a number")
    })
}

/// A socket option of the script's, by level and name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OptionName {
    /// SO_LINGER, whose value is a struct.
    Linger,
    /// TCP_INFO, which can only be asked for.
    Info,
    /// One whose value is an integer.
    Integer(OptName),
}

const OPTIONS: &[(&str, &str, OptionName)] = &[
    ("SOL_SOCKET", "SO_LINGER", OptionName::Linger),
    ("SOL_TCP", "TCP_INFO", OptionName::Info),
    ("SOL_SOCKET", "SO_REUSEADDR", OptionName::Integer(OptName::ReuseAddr)),
    ("SOL_SOCKET", "SO_REUSEPORT", OptionName::Integer(OptName::ReusePort)),
    ("SOL_SOCKET", "SO_ERROR", OptionName::Integer(OptName::Error)),
    ("SOL_SOCKET", "SO_RCVBUF", OptionName::Integer(OptName::RcvBuf)),
    ("SOL_SOCKET", "SO_SNDBUF", OptionName::Integer(OptName::SndBuf)),
    ("SOL_SOCKET", "SO_KEEPALIVE", OptionName::Integer(OptName::KeepAlive)),
    ("SOL_SOCKET", "SO_RCVLOWAT", OptionName::Integer(OptName::RcvLowat)),
    ("SOL_TCP", "TCP_NODELAY", OptionName::Integer(OptName::NoDelay)),
    ("SOL_TCP", "TCP_CORK", OptionName::Integer(OptName::Cork)),
    ("SOL_TCP", "TCP_QUICKACK", OptionName::Integer(OptName::QuickAck)),
    ("SOL_TCP", "TCP_LINGER2", OptionName::Integer(OptName::Linger2)),
    ("SOL_TCP", "TCP_DEFER_ACCEPT", OptionName::Integer(OptName::DeferAccept)),
    ("SOL_TCP", "TCP_USER_TIMEOUT", OptionName::Integer(OptName::UserTimeout)),
    ("SOL_TCP", "TCP_KEEPIDLE", OptionName::Integer(OptName::KeepIdle)),
    ("SOL_TCP", "TCP_KEEPINTVL", OptionName::Integer(OptName::KeepIntvl)),
    ("SOL_TCP", "TCP_KEEPCNT", OptionName::Integer(OptName::KeepCnt)),
    ("SOL_TCP", "TCP_MAXSEG", OptionName::Integer(OptName::MaxSeg)),
    ("SOL_TCP", "TCP_SYNCNT", OptionName::Integer(OptName::SynCnt)),
    ("SOL_TCP", "TCP_WINDOW_CLAMP", OptionName::Integer(OptName::WindowClamp)),
];

/// The option that the script names.
pub(super) fn option(level: &Expr, name: &Expr) -> Result<OptionName, ScriptError> {
    let ExprKind::Word(word) = &name.kind else {
        return Err(ScriptError::syntax(
            name.pos,
            format!("`{name}` is no socket option"),
            "expected a name, as in SO_LINGER",
        ));
    };
    let Some(&(right_level, _, option)) = OPTIONS.iter().find(|(_, n, _)| n == word) else {
        let error = ScriptError::unsupported(name.pos, format!("the socket option `{word}`"));
        return Err(error.did_you_mean(word, OPTIONS.iter().map(|&(_, n, _)| n)));
    };
    if known(level)? != number(right_level).unwrap_or(-1) {
        let message = format!("`{word}` is not an option of `{level}`");
        return Err(ScriptError::syntax(level.pos, message, format!("expected {right_level}")));
    }
    Ok(option)
}
