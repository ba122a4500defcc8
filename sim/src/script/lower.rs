//! From what a script says to what is to be done: [`Script`] to [`Plan`].
//!
//! packetdrill tests one connection at a time and calls it the socket under test. A packet line
//! without ports belongs to that one; one with ports to the connection it names.

use std::collections::BTreeMap;

use finwait_model::errno::Errno;
use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::segment::Flags;
use finwait_model::sysctl::{DEFS, Sysctl, SysctlError};

use super::ast::{
    Action, Body, Code, Cond, Direction, Event, Icmp, OptionLine, Packet as PacketLine, Pos,
    Script, Shell, Statement, Tcp,
};
use super::diagnostic::ScriptError;
use super::eval;
use super::observe::Conn;
use super::plan::{Act, Packet, Plan, Settings, Step, Unreachable};
use super::shell;

/// Ports that the script does not name are called by numbers from here on.
pub const FIRST_UNNAMED_PORT: u16 = 50_000;

/// Options of packetdrill's that change nothing here.
const HARMLESS: &[&str] = &[
    "netmask_ip",
    "gateway_ip",
    "speed",
    "verbose",
    "debug",
    "dry_run",
    "code_command",
    "code_format",
    "code_sockopt",
    "mss",
    "define",
    "tcp_ts_ecr_scaled",
    "send_omit_free",
];
const KNOWN: &[&str] = &[
    "ip_version",
    "bind_port",
    "connect_port",
    "remote_ip",
    "local_ip",
    "mtu",
    "init_scripts",
    "tolerance_usecs",
    "tolerance_percent",
    "tcp_ts_tick_usecs",
    "strict_segments",
];

/// Makes a script ready for a release. `read` gives the text of a file that the script names.
pub fn lower(
    script: &Script,
    release: Release,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, ScriptError> {
    let mut lowering = Lowering {
        plan: Plan {
            settings: Settings::new(release),
            sysctls: Vec::new(),
            steps: Vec::new(),
            warnings: Vec::new(),
        },
        read,
        fds: BTreeMap::new(),
        under_test: UnderTest::Nothing,
        unnamed: FIRST_UNNAMED_PORT,
        events: &script.events,
        variables: Vec::new(),
        warned: Vec::new(),
        called: Vec::new(),
    };
    for option in &script.options {
        lowering.option(option)?;
    }
    if let Some(init) = &script.init {
        let sysctls = lowering.shell(init)?;
        lowering.plan.sysctls.extend(sysctls);
    }
    for (index, event) in script.events.iter().enumerate() {
        let act = lowering.act(index, event)?;
        lowering.plan.steps.push(Step { pos: event.pos, time: event.time, act });
    }
    Ok(lowering.plan)
}

/// A descriptor as far as the text tells.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct File {
    pub(super) bound: Option<u16>,
    pub(super) listens: bool,
    pub(super) conn: Option<Conn>,
}

/// packetdrill's socket under test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UnderTest {
    Nothing,
    File(i64),
    Conn(Conn),
}

pub(super) struct Lowering<'a> {
    pub(super) plan: Plan,
    read: &'a dyn Fn(&str) -> Option<String>,
    pub(super) fds: BTreeMap<i64, File>,
    pub(super) under_test: UnderTest,
    unnamed: u16,
    events: &'a [Event],
    /// Names that blocks have assigned so far.
    variables: Vec<String>,
    warned: Vec<String>,
    /// Connections that connect() has begun and whose SYN the script has named.
    called: Vec<Conn>,
}

impl Lowering<'_> {
    fn warn(&mut self, pos: Pos, text: String) {
        if !self.warned.contains(&text) {
            self.warned.push(text.clone());
            self.plan.warnings.push((pos, text));
        }
    }

    fn option(&mut self, option: &OptionLine) -> Result<(), ScriptError> {
        let pos = option.pos;
        let name = option.name.as_str();
        let text = option.value.as_deref().unwrap_or("");
        let bad = |expected: &str| {
            let message = format!("bad value `{text}` of --{name}");
            ScriptError::syntax(pos, message, format!("expected {expected}"))
        };
        let port = || text.parse::<u16>().map_err(|_| bad("a port, 1 to 65535"));
        let settings = &mut self.plan.settings;
        match name {
            "ip_version" if text == "ipv4" => {}
            "ip_version" => {
                return Err(ScriptError::unsupported(pos, format!("--ip_version={text}"))
                    .help("finwait plays IPv4 scripts only"));
            }
            "bind_port" => settings.bind_port = port()?,
            "connect_port" => settings.connect_port = port()?,
            "remote_ip" => settings.remote = address(text).ok_or_else(|| ip_error(pos, text))?,
            "local_ip" => settings.local = address(text).ok_or_else(|| ip_error(pos, text))?,
            "mtu" => {
                let mtu = text.parse().ok().filter(|m| (68..=65_535).contains(m));
                settings.mtu = mtu.ok_or_else(|| bad("68 to 65535"))?;
            }
            "tolerance_usecs" => {
                let us: Option<u64> = text.parse().ok().filter(|n| (1..=1_000_000_000).contains(n));
                settings.tolerance_ns = us.ok_or_else(|| bad("microseconds, more than 0"))? * 1000;
            }
            "tolerance_percent" => {
                let hundredths = percent(text).ok_or_else(|| bad("0 to 100"))?;
                settings.tolerance_ratio = hundredths;
            }
            "tcp_ts_tick_usecs" => {
                let us: Option<u64> = text.parse().ok().filter(|n| *n <= 1_000_000);
                settings.ts_tick_ns = us.ok_or_else(|| bad("microseconds, 0 to 1000000"))? * 1000;
            }
            "strict_segments" => settings.strict_segments = true,
            "init_scripts" => {
                for path in text.trim_matches('"').split(',') {
                    let shell = Shell { pos, text: path.to_owned() };
                    let sysctls = self.shell(&shell)?;
                    self.plan.sysctls.extend(sysctls);
                }
            }
            "wire_client" | "wire_server" | "wire_server_ip" | "wire_server_at"
            | "wire_server_port" | "wire_client_dev" | "wire_server_dev" | "so_filename"
            | "so_flags" | "is_anyip" | "non_fatal" | "psp_udp_port" => {
                return Err(ScriptError::unsupported(pos, format!("the option `--{name}`")));
            }
            name if HARMLESS.contains(&name) => {}
            _ => {
                let message = format!("unknown option `--{name}`");
                let known = KNOWN.iter().chain(HARMLESS).copied();
                return Err(ScriptError::syntax(pos, message, "").did_you_mean(name, known));
            }
        }
        Ok(())
    }

    /// The sysctls of a backtick line that this release has; warns about the rest of it.
    fn shell(&mut self, line: &Shell) -> Result<Vec<(String, String)>, ScriptError> {
        let commands = shell::commands(line, self.read)?;
        if !commands.ignored.is_empty() {
            let quoted: Vec<_> = commands.ignored.iter().map(|(_, c)| format!("`{c}`")).collect();
            self.warn(line.pos, format!("not run: {}", quoted.join(", ")));
        }
        let mut foreign = Vec::new();
        let release = self.plan.settings.release;
        let mut scratch = Sysctl::new(release);
        let mut taken = Vec::new();
        for (pos, name, value) in commands.sysctls {
            match scratch.set(&name, &value) {
                Ok(()) => taken.push((name, value)),
                Err(SysctlError::Unknown) if DEFS.iter().all(|d| d.name != name) => {
                    foreign.push(name);
                }
                Err(error) => return Err(sysctl_error(pos, release, &name, &value, &error)),
            }
        }
        if !foreign.is_empty() {
            self.warn(line.pos, format!("not modelled: {}", foreign.join(", ")));
        }
        Ok(taken)
    }

    fn act(&mut self, index: usize, event: &Event) -> Result<Act, ScriptError> {
        match &event.action {
            Action::Packet(packet) => self.packet(packet),
            Action::Shell(shell) => Ok(Act::Sysctl(self.shell(shell)?)),
            Action::Call(call) => Ok(Act::Call(self.call(index, call)?)),
            Action::Code(code) => self.code(code),
        }
    }

    fn packet(&mut self, line: &PacketLine) -> Result<Act, ScriptError> {
        if let Some(ip) = &line.ip
            && ip.text != "noecn"
        {
            let what = format!("`[{}]` in the IP header", ip.text);
            return Err(ScriptError::unsupported(ip.pos, what));
        }
        match &line.body {
            Body::Udp(_) => Err(ScriptError::unsupported(line.pos, "UDP")),
            Body::Icmp(icmp) if line.direction == Direction::Out => {
                let what = format!("`icmp {}` that the host sends", icmp.kind);
                Err(ScriptError::unsupported(line.pos, what))
            }
            Body::Icmp(icmp) => self.icmp(line.pos, icmp),
            Body::Tcp(tcp) => {
                refuse_foreign(line.pos, tcp)?;
                let conn = self.conn_of(line, tcp)?;
                let packet = Packet { conn, tcp: tcp.clone() };
                Ok(match line.direction {
                    Direction::In => Act::Inject(packet),
                    Direction::Out => Act::Expect(packet),
                })
            }
        }
    }

    /// The connection that a packet line is about.
    fn conn_of(&mut self, line: &PacketLine, tcp: &Tcp) -> Result<Conn, ScriptError> {
        if let Some((source, destination)) = line.ports {
            let conn = match line.direction {
                Direction::In => Conn { local: destination, remote: source },
                Direction::Out => Conn { local: source, remote: destination },
            };
            self.under_test = UnderTest::Conn(conn);
            return Ok(conn);
        }
        let conn = match self.under_test {
            UnderTest::Conn(conn) => Some(conn),
            UnderTest::File(fd) => self.fds.get(&fd).and_then(|f| f.conn),
            UnderTest::Nothing => None,
        };
        if let Some(conn) = conn {
            return Ok(conn);
        }
        if line.direction == Direction::Out {
            let message = "no matching socket for script packet";
            let mut error = ScriptError::syntax(line.pos, message, "");
            if tcp.flags.syn() && !tcp.flags.ack() {
                error = error.help("the host sends a SYN only for a connect() before it");
            }
            return Err(error);
        }
        let local = match self.under_test {
            UnderTest::File(fd) => self.fds.get(&fd).and_then(|f| f.bound),
            _ => None,
        };
        let local = local.unwrap_or(self.plan.settings.bind_port);
        let conn = Conn { local, remote: self.unnamed_port() };
        self.under_test = UnderTest::Conn(conn);
        Ok(conn)
    }

    fn unnamed_port(&mut self) -> u16 {
        let port = self.unnamed;
        self.unnamed = self.unnamed.saturating_add(1);
        port
    }

    /// What the script calls the connection that connect() at `index` begins: by its bound port,
    /// by the next SYN that the script expects to that port, or else by a number of our own.
    pub(super) fn connecting(&mut self, index: usize, fd: i64, remote: u16) -> Conn {
        let file = self.fds.get(&fd).copied().unwrap_or_default();
        let named = self.events[index..].iter().find_map(|event| match &event.action {
            Action::Packet(PacketLine {
                direction: Direction::Out,
                ports: Some((source, destination)),
                body: Body::Tcp(tcp),
                ..
            }) if tcp.flags.syn() && !tcp.flags.ack() && *destination == remote => {
                let conn = Conn { local: *source, remote };
                (!self.called.contains(&conn)).then_some(conn)
            }
            _ => None,
        });
        let bound = file.bound.filter(|&p| p != 0).map(|local| Conn { local, remote });
        let conn = match bound.or(named).or(file.conn) {
            Some(conn) => conn,
            None => Conn { local: self.unnamed_port(), remote },
        };
        self.called.push(conn);
        self.fds.entry(fd).or_default().conn = Some(conn);
        self.under_test = UnderTest::File(fd);
        conn
    }

    fn icmp(&mut self, pos: Pos, icmp: &Icmp) -> Result<Act, ScriptError> {
        let conn = match self.under_test {
            UnderTest::Conn(conn) => Some(conn),
            UnderTest::File(fd) => self.fds.get(&fd).and_then(|f| f.conn),
            UnderTest::Nothing => None,
        };
        let Some(conn) = conn else {
            return Err(ScriptError::syntax(pos, "no matching socket for script packet", ""));
        };
        let code = icmp.code.as_deref().unwrap_or("");
        let (kind, number, error, hard) = icmp_meaning(&icmp.kind, code).ok_or_else(|| {
            let what = format!("`icmp {} {code}`", icmp.kind);
            ScriptError::unsupported(pos, what.trim_end().to_owned())
        })?;
        let mtu = icmp.mtu.and_then(|m| u16::try_from(m).ok()).unwrap_or(0);
        if number == 4 && kind == 3 {
            return Err(ScriptError::unsupported(pos, "path MTU discovery (`frag_needed`)"));
        }
        let seq = icmp.echoed.map_or(0, |(seq, _)| seq);
        let text = icmp.to_string();
        Ok(Act::Icmp(Unreachable { conn, seq, kind, code: number, mtu, error, hard, text }))
    }

    fn code(&mut self, code: &Code) -> Result<Act, ScriptError> {
        for statement in &code.statements {
            match statement {
                Statement::Assert { condition, message, .. } => {
                    self.names(condition)?;
                    message.iter().try_for_each(|m| self.names(m))?;
                }
                Statement::Print { values, .. } => {
                    values.iter().try_for_each(|value| self.names(value))?;
                }
                Statement::Assign { name, value, .. } => {
                    self.names(value)?;
                    self.variables.push(name.clone());
                }
            }
        }
        let (fd, conn) = match self.under_test {
            UnderTest::File(fd) => (Some(fd), None),
            UnderTest::Conn(conn) => (None, Some(conn)),
            UnderTest::Nothing => (None, None),
        };
        Ok(Act::Code { fd, conn, statements: code.statements.clone() })
    }

    /// Every name in a condition must mean something.
    fn names(&self, cond: &Cond) -> Result<(), ScriptError> {
        match cond {
            Cond::Int(_) | Cond::Text(_) => Ok(()),
            Cond::Name(pos, name) => {
                if eval::constant(name).is_some()
                    || eval::is_field(name)
                    || self.variables.contains(name)
                {
                    return Ok(());
                }
                let what = format!("`{name}` in a %{{ }}% block");
                let known = eval::names();
                Err(ScriptError::unsupported(*pos, what).did_you_mean(name, known))
            }
            Cond::Unary(_, value) => self.names(value),
            Cond::Binary(_, left, right) => {
                self.names(left)?;
                self.names(right)
            }
            Cond::Tuple(values) => values.iter().try_for_each(|value| self.names(value)),
        }
    }
}

/// What the model does not have and would otherwise leave out unseen.
fn refuse_foreign(pos: Pos, tcp: &Tcp) -> Result<(), ScriptError> {
    use super::ast::TcpOption;
    if tcp.flags.syn() && tcp.flags.has(Flags::ECE) {
        return Err(ScriptError::unsupported(pos, "a SYN that negotiates ECN"));
    }
    let foreign = tcp.options.iter().flatten().find_map(|option| match option {
        TcpOption::FastOpen(_) | TcpOption::FastOpenExp(_) => Some("TCP Fast Open"),
        TcpOption::Md5(_) => Some("the MD5 signature option"),
        _ => None,
    });
    match foreign {
        Some(what) => Err(ScriptError::unsupported(pos, what)),
        None => Ok(()),
    }
}

/// Type, code, what it means to a socket, and whether it is hard. `[icmp_err_convert]`
fn icmp_meaning(kind: &str, code: &str) -> Option<(u8, u8, Errno, bool)> {
    Some(match (kind, code) {
        ("unreachable", "net_unreachable") => (3, 0, Errno::ENETUNREACH, false),
        ("unreachable", "host_unreachable") => (3, 1, Errno::EHOSTUNREACH, false),
        ("unreachable", "protocol_unreachable") => (3, 2, Errno::ENOPROTOOPT, true),
        ("unreachable", "port_unreachable" | "port") => (3, 3, Errno::ECONNREFUSED, true),
        ("unreachable", "frag_needed") => (3, 4, Errno::EMSGSIZE, false),
        ("unreachable", "source_route_failed") => (3, 5, Errno::EOPNOTSUPP, false),
        ("unreachable", "net_unknown") => (3, 6, Errno::ENETUNREACH, true),
        ("unreachable", "host_unknown") => (3, 7, Errno::EHOSTDOWN, true),
        ("unreachable", "net_prohibited" | "net_admin_prohibited") => {
            (3, 9, Errno::ENETUNREACH, true)
        }
        ("unreachable", "host_prohibited" | "host_admin_prohibited") => {
            (3, 10, Errno::EHOSTUNREACH, true)
        }
        ("unreachable", "packet_filtered" | "admin_prohibited") => {
            (3, 13, Errno::EHOSTUNREACH, true)
        }
        ("time_exceeded", _) => (11, 0, Errno::EHOSTUNREACH, false),
        _ => return None,
    })
}

/// `1.2.3.4`
pub(super) fn address(text: &str) -> Option<Addr> {
    let text = text.trim_matches('"');
    let octets: Vec<u8> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d] = octets.try_into().ok()?;
    Some(Addr::v4(a, b, c, d))
}

fn ip_error(pos: Pos, text: &str) -> ScriptError {
    if text.contains(':') {
        let what = format!("the IPv6 address {text}");
        return ScriptError::unsupported(pos, what).help("finwait plays IPv4 scripts only");
    }
    ScriptError::syntax(pos, format!("bad address `{text}`"), "expected an IPv4 address")
}

/// `12.5` as 1250.
fn percent(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) || whole > 100 {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(2);
    let hundredths = digits.fold(0, |sum, d| sum * 10 + u64::from(d - b'0'));
    Some(whole * 100 + hundredths).filter(|&p| p <= 10_000)
}

/// Why a sysctl cannot be set, at its place in the script.
pub fn sysctl_error(
    pos: Pos,
    release: Release,
    name: &str,
    value: &str,
    error: &SysctlError,
) -> ScriptError {
    match error {
        SysctlError::Unknown => {
            let message = format!("Linux {release} has no sysctl {name}");
            let known = Sysctl::new(release);
            ScriptError::syntax(pos, message, "").did_you_mean(name, known.names())
        }
        SysctlError::ReadOnly => {
            ScriptError::syntax(pos, format!("the sysctl {name} can only be read"), "")
        }
        SysctlError::NotNumbers(n) => ScriptError::syntax(
            pos,
            format!("bad value `{value}` of {name}"),
            format!("expected {n} whole number{}", if *n == 1 { "" } else { "s" }),
        ),
        SysctlError::Range(min, max) => ScriptError::syntax(
            pos,
            format!("{name}={value} is out of range"),
            format!("from {min} to {max}"),
        ),
    }
}
