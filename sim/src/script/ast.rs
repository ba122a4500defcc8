//! What a packetdrill script says, as values. IPv4 and TCP are modelled; the rest of the language
//! is parsed as far as it can be named in a refusal.

use std::fmt;

use finwait_model::release::Release;
use finwait_model::segment::Flags;

/// Where something stands in the script, both counted from one. Equal to every other position, so
/// that two scripts are equal if they say the same, however they are laid out.
#[derive(Clone, Copy, Default, Debug)]
pub struct Pos {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset of the beginning.
    pub start: u32,
    /// Byte offset behind the end.
    pub end: u32,
}

impl PartialEq for Pos {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}
impl Eq for Pos {}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A whole script.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Script {
    /// The comment lines at the very top, without `//`; what the script shows and why.
    pub about: Vec<String>,
    /// From a comment line `// kernel: 3.10`: the release that the script describes.
    pub kernel: Option<Release>,
    /// `--name=value` lines.
    pub options: Vec<OptionLine>,
    /// The backtick command before the first event, which has no time.
    pub init: Option<Shell>,
    /// The events, in order.
    pub events: Vec<Event>,
    /// The backtick command behind the last event, which has no time.
    pub cleanup: Option<Shell>,
}

/// `--tolerance_usecs=10000`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionLine {
    /// Where it stands.
    pub pos: Pos,
    /// The name without the two dashes.
    pub name: String,
    /// The value, if it has one.
    pub value: Option<String>,
}

/// One event: when, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Where its time stands.
    pub pos: Pos,
    /// When.
    pub time: Time,
    /// What.
    pub action: Action,
}

/// When an event happens. All times are nanoseconds, in whole microseconds as packetdrill reads
/// them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// `0.1`: since the script began.
    Absolute(u64),
    /// `+0.1`: since the event before.
    Relative(u64),
    /// `0.1~0.2`: a window since the script began; only for outbound packets.
    AbsoluteRange(u64, u64),
    /// `+0.1~+0.2`: a window since the event before; only for outbound packets.
    RelativeRange(u64, u64),
    /// `*`: at any time; only for outbound packets.
    Any,
}

/// What happens in an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// A packet to inject or to expect.
    Packet(Packet),
    /// A system call to make.
    Call(Call),
    /// A backtick line.
    Shell(Shell),
    /// A `%{ … }%` block.
    Code(Code),
}

/// Which way a packet goes, seen from the host under test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// `<`: to the host.
    In,
    /// `>`: from the host.
    Out,
}

/// A packet line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Where the direction sign stands.
    pub pos: Pos,
    /// Which way it goes.
    pub direction: Direction,
    /// `[ect0]`, `(tos 0x10)`, `(ttl 64)`: text between the brackets.
    pub ip: Option<IpInfo>,
    /// `35000 > 8080`: source and destination port as the script names them.
    pub ports: Option<(u16, u16)>,
    /// The rest.
    pub body: Body,
}

/// IP header notes, kept as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IpInfo {
    /// Where it stands.
    pub pos: Pos,
    /// The words between the brackets, separated by single blanks.
    pub text: String,
}

/// What a packet carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A TCP segment.
    Tcp(Tcp),
    /// An ICMP message.
    Icmp(Icmp),
    /// `udp (1000)`: payload bytes.
    Udp(u16),
}

/// A TCP segment as the script writes it; numbers are the script's, relative or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tcp {
    /// Flags.
    pub flags: Flags,
    /// Sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub len: u16,
    /// Acknowledgement number.
    pub ack: Option<u32>,
    /// Window field.
    pub win: Option<u16>,
    /// Urgent pointer.
    pub urg: Option<u16>,
    /// Options; `None` is `<...>`, "any".
    pub options: Option<Vec<TcpOption>>,
}

/// One TCP option, in the script's numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TcpOption {
    /// `nop`.
    Nop,
    /// `eol`.
    Eol,
    /// `mss 1460`, bytes.
    Mss(u16),
    /// `wscale 7`.
    Wscale(u8),
    /// `sackOK`.
    SackOk,
    /// `sack 1:1001 2001:3001`.
    Sack(Vec<(u32, u32)>),
    /// `TS val 100 ecr 0`.
    Ts {
        /// The sender's clock.
        val: u32,
        /// The echo.
        ecr: u32,
    },
    /// `FO 0123abcd`: a fast-open cookie in hex, empty for a request.
    FastOpen(String),
    /// `FOEXP …`: the same under the experimental number.
    FastOpenExp(String),
    /// `md5 …` in hex.
    Md5(String),
}

/// `icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Icmp {
    /// `unreachable`, `time_exceeded`, …
    pub kind: String,
    /// `host_unreachable`, `port_unreachable`, `frag_needed`, …
    pub code: Option<String>,
    /// Next-hop MTU.
    pub mtu: Option<i64>,
    /// Echo id.
    pub id: Option<i64>,
    /// Sequence number and payload of the TCP segment that it quotes.
    pub echoed: Option<(u32, u16)>,
}

/// A system call with its expected answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Where its name stands.
    pub pos: Pos,
    /// `...0.1`: it blocks until then. In nanoseconds, absolute if the event's time is absolute,
    /// else since the event before.
    pub end: Option<u64>,
    /// The name.
    pub name: String,
    /// The arguments.
    pub args: Vec<Expr>,
    /// What it returns.
    pub result: Expr,
    /// The error it fails with: `EAGAIN`.
    pub errno: Option<String>,
    /// The words in parentheses behind it, which mean nothing: `(Resource temporarily unavailable)`.
    pub note: Option<String>,
}

/// An expression in a system call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expr {
    /// Where it stands.
    pub pos: Pos,
    /// What it is.
    pub kind: ExprKind,
}

/// The forms of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExprKind {
    /// `...`: whatever suits.
    Ellipsis,
    /// `-1`.
    Int(i64),
    /// `0x10`.
    Hex(u64),
    /// `SOCK_STREAM`.
    Word(String),
    /// `"text"`, escapes as written; several in a row are one.
    Str(String),
    /// `"text"...`.
    StrPrefix(String),
    /// `htons(8080)`.
    Apply(String, Vec<Expr>),
    /// `a | b`.
    Or(Box<Expr>, Box<Expr>),
    /// `name = value` or `name(args) = value`.
    Assign(Box<Expr>, Box<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a, b}`.
    Brace(Vec<Expr>),
}

/// A backtick line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shell {
    /// Where the text begins.
    pub pos: Pos,
    /// The text between the backticks.
    pub text: String,
}

/// A `%{ … }%` block; Python in packetdrill, of which the assertions are understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// Where the text begins.
    pub pos: Pos,
    /// The statements.
    pub statements: Vec<Statement>,
}

/// A statement of a `%{ … }%` block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Statement {
    /// `assert condition[, message]`.
    Assert {
        /// Where it stands.
        pos: Pos,
        /// What must be true (not zero).
        condition: Cond,
        /// What else to print if it is not.
        message: Option<Cond>,
    },
    /// `print a, b` or `print(a, b)`.
    Print {
        /// Where it stands.
        pos: Pos,
        /// What to print.
        values: Vec<Cond>,
    },
    /// `name = value`: a variable that later blocks can read.
    Assign {
        /// Where it stands.
        pos: Pos,
        /// The variable.
        name: String,
        /// What is added to it, subtracted from it, or (`None`) put in its place.
        op: Option<BinaryOp>,
        /// The value.
        value: Cond,
    },
}

/// An expression over integers in a `%{ … }%` block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cond {
    /// A number.
    Int(i64),
    /// A field of `struct tcp_info` or one of its constants.
    Name(Pos, String),
    /// A text (only useful in messages).
    Text(String),
    /// `not x`, `-x`.
    Unary(UnaryOp, Box<Self>),
    /// `a == b`, `a and b`, `a + b`, …
    Binary(BinaryOp, Box<Self>, Box<Self>),
    /// `(a, b)`.
    Tuple(Vec<Self>),
}

/// Operators with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "Python's operators")]
pub enum UnaryOp {
    Not,
    Minus,
    Invert,
}

/// Operators with two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "Python's operators")]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    BitOr,
    BitXor,
    BitAnd,
    Shl,
    Shr,
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
}
