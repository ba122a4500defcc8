//! From a [`Script`] back to text that parses to the same script, and that packetdrill reads.

use std::fmt::{self, Write as _};

use finwait_model::segment::Flags;

use super::ast::{
    Action, BinaryOp, Body, Call, Code, Cond, Direction, Event, Expr, ExprKind, Icmp, OptionLine,
    Packet, Script, Shell, Statement, Tcp, Time, UnaryOp,
};

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.about {
            writeln!(f, "//{}{line}", if line.is_empty() { "" } else { " " })?;
        }
        if let Some(kernel) = self.kernel {
            writeln!(f, "// kernel: {kernel}")?;
        }
        for option in &self.options {
            writeln!(f, "{option}")?;
        }
        if let Some(init) = &self.init {
            writeln!(f, "{init}")?;
        }
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))?;
        match &self.cleanup {
            Some(cleanup) => writeln!(f, "{cleanup}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for OptionLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "--{}={value}", self.name),
            None => write!(f, "--{}", self.name),
        }
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

/// Seconds with as many decimals as are needed.
fn seconds(ns: u64) -> String {
    let mut text = format!("{}", ns / 1_000_000_000);
    let micros = ns % 1_000_000_000 / 1_000;
    if micros > 0 {
        let _ = write!(text, ".{micros:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// `+0.1`, `0.1~0.2`, …
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absolute(t) => f.write_str(&seconds(t)),
            Self::Relative(t) => write!(f, "+{}", seconds(t)),
            Self::AbsoluteRange(from, to) => write!(f, "{}~{}", seconds(from), seconds(to)),
            Self::RelativeRange(from, to) => write!(f, "+{}~+{}", seconds(from), seconds(to)),
            Self::Any => f.write_str("*"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.time)?;
        match &self.action {
            Action::Packet(packet) => write!(f, " {packet}"),
            Action::Shell(shell) => write!(f, " {shell}"),
            Action::Code(code) => write!(f, " {code}"),
            Action::Call(call) => {
                if let Some(end) = call.end {
                    write!(f, "...{}", seconds(end))?;
                }
                write!(f, " {call}")
            }
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.direction == Direction::In { "<" } else { ">" })?;
        if let Some(ip) = &self.ip {
            write!(f, " [{}]", ip.text)?;
        }
        let ports = |f: &mut fmt::Formatter<'_>| match self.ports {
            Some((source, destination)) => write!(f, " {source} > {destination}"),
            None => Ok(()),
        };
        match &self.body {
            Body::Tcp(tcp) => {
                ports(f)?;
                write!(f, " {tcp}")
            }
            Body::Icmp(icmp) => write!(f, " {icmp}"),
            Body::Udp(len) => {
                f.write_str(" udp")?;
                ports(f)?;
                write!(f, " ({len})")
            }
        }
    }
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flags == Flags::NONE {
            f.write_str("-")?;
        } else {
            write!(f, "{}", self.flags)?;
        }
        let end = self.seq.wrapping_add(u32::from(self.len));
        write!(f, " {}:{end}({})", self.seq, self.len)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(win) = self.win {
            write!(f, " win {win}")?;
        }
        if let Some(urg) = self.urg {
            write!(f, " urg {urg}")?;
        }
        match &self.options {
            None => f.write_str(" <...>"),
            Some(options) if options.is_empty() => Ok(()),
            Some(options) => {
                let words: Vec<_> = options.iter().map(ToString::to_string).collect();
                write!(f, " <{}>", words.join(","))
            }
        }
    }
}

impl fmt::Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "icmp {}", self.kind)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        match self.echoed {
            Some((seq, len)) => write!(f, " [{seq}:{}({len})]", seq.wrapping_add(len.into())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}) = {}", self.name, list(&self.args), self.result)?;
        if let Some(errno) = &self.errno {
            write!(f, " {errno}")?;
        }
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Ellipsis => f.write_str("..."),
            ExprKind::Int(n) => write!(f, "{n}"),
            ExprKind::Hex(n) => write!(f, "{n:#x}"),
            ExprKind::Word(word) => f.write_str(word),
            ExprKind::Str(text) => write!(f, "\"{text}\""),
            ExprKind::StrPrefix(text) => write!(f, "\"{text}\"..."),
            ExprKind::Apply(name, args) => write!(f, "{name}({})", list(args)),
            ExprKind::Or(left, right) => write!(f, "{left}|{right}"),
            ExprKind::Assign(left, right) => write!(f, "{left}={right}"),
            ExprKind::List(items) => write!(f, "[{}]", list(items)),
            ExprKind::Brace(items) => write!(f, "{{{}}}", list(items)),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.statements.iter().map(ToString::to_string).collect();
        write!(f, "%{{ {} }}%", words.join("; "))
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assert { condition, message: None, .. } => write!(f, "assert {condition}"),
            Self::Assert { condition, message: Some(message), .. } => {
                write!(f, "assert {condition}, {message}")
            }
            Self::Print { values, .. } => write!(f, "print({})", conditions(values)),
            Self::Assign { name, op, value, .. } => {
                let op = op.map_or("", BinaryOp::symbol);
                write!(f, "{name} {op}= {value}")
            }
        }
    }
}

fn conditions(values: &[Cond]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Every operation in parentheses, so that precedence need not be thought of.
impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Name(_, name) => f.write_str(name),
            Self::Text(text) if text.contains('\'') => write!(f, "\"{text}\""),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Unary(UnaryOp::Not, value) => write!(f, "(not {value})"),
            Self::Unary(UnaryOp::Minus, value) => write!(f, "(-{value})"),
            Self::Unary(UnaryOp::Invert, value) => write!(f, "(~{value})"),
            Self::Binary(op, left, right) => write!(f, "({left} {} {right})", op.symbol()),
            Self::Tuple(values) if values.len() == 1 => write!(f, "({},)", values[0]),
            Self::Tuple(values) => write!(f, "({})", conditions(values)),
        }
    }
}

impl BinaryOp {
    /// As Python writes it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
            Self::Shl => "<<",
            Self::Shr => ">>",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
        }
    }
}
