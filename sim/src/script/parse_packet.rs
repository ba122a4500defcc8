//! Packet lines: `< S 0:0(0) win 1000 <mss 1460>`, `> R 2:2(0)`, `< icmp unreachable …`.

use finwait_model::segment::Flags;

use super::ast::{Body, Direction, Icmp, IpInfo, Packet, Tcp, TcpOption};
use super::diagnostic::ScriptError;
use super::lexer::Kind;
use super::parser::Parser;

const OPTIONS: [&str; 11] =
    ["nop", "eol", "mss", "wscale", "sackOK", "sack", "TS", "FO", "FOEXP", "md5", "ECN"];
/// A TCP header has room for this many bytes of options.
const OPTION_BYTES: usize = 40;

impl Parser {
    /// A packet, from its direction sign on.
    pub(super) fn packet(&mut self) -> Result<Packet, ScriptError> {
        let token = self.next();
        let direction = if token.kind == Kind::Punct('<') { Direction::In } else { Direction::Out };
        if let Kind::Word(word) = &self.peek().kind
            && matches!(word.as_str(), "ipv4" | "ipv6" | "gre" | "GREv0" | "mpls")
        {
            let what = format!("encapsulation in `{word}`");
            return Err(ScriptError::unsupported(self.pos(), what));
        }
        let ip = self.ip_info()?;
        let (ports, body) = match &self.peek().kind {
            Kind::Word(word) if word == "icmp" => (None, Body::Icmp(self.icmp()?)),
            Kind::Word(word) if word == "udp" => {
                self.next();
                let ports = self.ports()?;
                self.expect('(', "before the payload's length")?;
                let len = self.number_u16("payload length")?;
                self.expect(')', "behind the payload's length")?;
                (ports, Body::Udp(len))
            }
            Kind::Word(word) if word == "encap" => {
                return Err(ScriptError::unsupported(self.pos(), "`encap`"));
            }
            _ => (self.ports()?, Body::Tcp(self.tcp(direction)?)),
        };
        Ok(Packet { pos: token.pos, direction, ip, ports, body })
    }

    /// `[ect0]`, `(tos 0x10)`.
    fn ip_info(&mut self) -> Result<Option<IpInfo>, ScriptError> {
        let close = match self.peek().kind {
            Kind::Punct('[') => ']',
            Kind::Punct('(') => ')',
            _ => return Ok(None),
        };
        let pos = self.next().pos;
        let mut words: Vec<String> = Vec::new();
        while !self.eat(close) {
            let word = match &self.peek().kind {
                Kind::Word(w) => w.clone(),
                Kind::Int(n) => n.to_string(),
                Kind::Hex(n) => format!("{n:#x}"),
                Kind::Punct(',') => ",".to_owned(),
                _ => return Err(self.unexpected(format!("expected `{close}`"))),
            };
            words.push(word);
            self.next();
        }
        if words.is_empty() {
            return Err(ScriptError::syntax(pos, "empty brackets", "expected ect0, tos 0x10, …"));
        }
        Ok(Some(IpInfo { pos, text: words.join(" ") }))
    }

    /// `35000 > 8080`
    fn ports(&mut self) -> Result<Option<(u16, u16)>, ScriptError> {
        if !matches!(self.peek().kind, Kind::Int(_)) {
            return Ok(None);
        }
        let source = self.number_u16("source port")?;
        self.expect('>', "between the ports")?;
        Ok(Some((source, self.number_u16("destination port")?)))
    }

    fn tcp(&mut self, direction: Direction) -> Result<Tcp, ScriptError> {
        let flags = self.flags()?;
        let (seq, len) = self.sequence()?;
        let ack = if self.eat_word("ack") { Some(self.number_u32("ack")?) } else { None };
        let win = if self.eat_word("win") { Some(self.number_u16("window")?) } else { None };
        let urg =
            if self.eat_word("urg") { Some(self.number_u16("urgent pointer")?) } else { None };
        if let Kind::Word(word) = &self.peek().kind {
            let error = self.unexpected("expected `ack`, `win`, `urg`, options or the next event");
            return Err(error.did_you_mean(word, ["ack", "win", "urg"]));
        }
        let options = if self.is('<') { self.options(direction)? } else { Some(Vec::new()) };
        Ok(Tcp { flags, seq, len, ack, win, urg, options })
    }

    fn flags(&mut self) -> Result<Flags, ScriptError> {
        const EXPECTED: &str = "expected flags: letters of SFRPEWU and `.`, or `-` for none";
        if self.eat('-') {
            return Ok(Flags::NONE);
        }
        if self.eat('.') {
            return Ok(Flags::ACK);
        }
        let token = self.peek().clone();
        let Kind::Word(word) = &token.kind else {
            if let Kind::Float(_) = token.kind {
                return Err(ScriptError::unsupported(token.pos, "an AccECN count in the flags"));
            }
            return Err(self.unexpected(EXPECTED));
        };
        let mut flags = Flags::NONE;
        for letter in word.chars() {
            let flag = match letter {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                'E' => Flags::ECE,
                'W' | 'C' => Flags::CWR,
                'U' => Flags::URG,
                'A' => {
                    return Err(ScriptError::unsupported(token.pos, "the AccECN flag `A`"));
                }
                _ => {
                    let message = format!("unknown flag `{letter}`");
                    return Err(ScriptError::syntax(token.pos, message, EXPECTED));
                }
            };
            if flags.has(flag) {
                let message = format!("flag `{letter}` twice");
                return Err(ScriptError::syntax(token.pos, message, EXPECTED));
            }
            flags |= flag;
        }
        self.next();
        if let Kind::Float(_) = self.peek().kind {
            return Err(ScriptError::unsupported(self.pos(), "an AccECN count in the flags"));
        }
        Ok(if self.eat('.') { flags | Flags::ACK } else { flags })
    }

    /// `1:1001(1000)`
    pub(super) fn sequence(&mut self) -> Result<(u32, u16), ScriptError> {
        let pos = self.pos();
        if !matches!(self.peek().kind, Kind::Int(_)) {
            return Err(self.unexpected("expected sequence numbers, as in 1:1001(1000)"));
        }
        let start = self.number_u32("sequence number")?;
        self.expect(':', "between the sequence numbers")?;
        let end = self.number_u32("sequence number")?;
        self.expect('(', "before the payload's length")?;
        let len = self.number_u16("payload length")?;
        self.expect(')', "behind the payload's length")?;
        if start.checked_add(u32::from(len)) != Some(end) {
            let message = format!("{start}:{end} is not {len} bytes long");
            let by_end = i64::from(end) - i64::from(start);
            let error = ScriptError::syntax(pos, message, "");
            return Err(match start.checked_add(u32::from(len)) {
                Some(right) if by_end >= 0 && by_end <= i64::from(u16::MAX) => {
                    error.help(format!("write {start}:{end}({by_end}) or {start}:{right}({len})"))
                }
                Some(right) => error.help(format!("write {start}:{right}({len})")),
                None => error,
            });
        }
        Ok((start, len))
    }

    /// `<mss 1460,nop,wscale 7>` or `<...>`.
    fn options(&mut self, direction: Direction) -> Result<Option<Vec<TcpOption>>, ScriptError> {
        let pos = self.next().pos;
        if self.peek().kind == Kind::Ellipsis {
            if direction == Direction::In {
                let message = "`<...>` is only for packets that the host sends";
                return Err(ScriptError::syntax(self.pos(), message, "expected TCP options"));
            }
            self.next();
            self.expect('>', "behind `...`")?;
            return Ok(None);
        }
        let mut options = Vec::new();
        loop {
            options.push(self.option()?);
            if !self.eat(',') {
                break;
            }
        }
        self.expect('>', &format!("to close the `<` at column {}", pos.column))?;
        if options.iter().map(TcpOption::wire_len).sum::<usize>() > OPTION_BYTES {
            let message = "too many TCP options";
            return Err(ScriptError::syntax(pos, message, "a header has room for 40 bytes"));
        }
        Ok(Some(options))
    }

    fn option(&mut self) -> Result<TcpOption, ScriptError> {
        let token = self.peek().clone();
        let Kind::Word(word) = &token.kind else {
            return Err(self.unexpected("expected a TCP option"));
        };
        self.next();
        Ok(match word.as_str() {
            "nop" => TcpOption::Nop,
            "eol" => TcpOption::Eol,
            "mss" => TcpOption::Mss(self.number_u16("mss")?),
            "wscale" => {
                let shift = self.number("window scale", u64::from(u8::MAX))?;
                TcpOption::Wscale(u8::try_from(shift).unwrap_or(u8::MAX))
            }
            "sackOK" => TcpOption::SackOk,
            "sack" => TcpOption::Sack(self.sack_blocks()?),
            "TS" => self.timestamp()?,
            "FO" => TcpOption::FastOpen(self.hex_blob()),
            "FOEXP" => TcpOption::FastOpenExp(self.hex_blob()),
            "md5" => TcpOption::Md5(self.hex_blob()),
            "ECN" => return Err(ScriptError::unsupported(token.pos, "the AccECN option")),
            _ => {
                let message = format!("unknown TCP option `{word}`");
                let expected = "expected one of mss, wscale, sackOK, sack, TS, nop, eol, FO, md5";
                let error = ScriptError::syntax(token.pos, message, expected);
                return Err(error.did_you_mean(word, OPTIONS));
            }
        })
    }

    fn sack_blocks(&mut self) -> Result<Vec<(u32, u32)>, ScriptError> {
        let mut blocks = Vec::new();
        loop {
            let left = self.number_u32("left edge")?;
            self.expect(':', "between the edges of a SACK block")?;
            blocks.push((left, self.number_u32("right edge")?));
            if !matches!(self.peek().kind, Kind::Int(_)) {
                return Ok(blocks);
            }
        }
    }

    fn timestamp(&mut self) -> Result<TcpOption, ScriptError> {
        for word in ["val", "ecr"] {
            let ahead = if word == "val" { 0 } else { 2 };
            if !matches!(&self.peek_at(ahead).kind, Kind::Word(w) if w == word) {
                self.at += ahead;
                return Err(self.unexpected(format!("expected `{word}`: TS val 100 ecr 0")));
            }
        }
        self.next();
        let val = self.number_u32("val")?;
        self.next();
        Ok(TcpOption::Ts { val, ecr: self.number_u32("ecr")? })
    }

    /// Hex digits, which may have been cut as a word or as a number.
    fn hex_blob(&mut self) -> String {
        let text = match &self.peek().kind {
            Kind::Word(w) => w.clone(),
            Kind::Int(n) if *n >= 0 => n.to_string(),
            _ => return String::new(),
        };
        self.next();
        text
    }

    fn icmp(&mut self) -> Result<Icmp, ScriptError> {
        self.next();
        let word = |parser: &Self| match &parser.peek().kind {
            Kind::Word(w) if w != "mtu" && w != "id" => Some(w.clone()),
            _ => None,
        };
        let Some(kind) = word(self) else {
            return Err(self.unexpected("expected an ICMP type, as in icmp unreachable"));
        };
        self.next();
        let code = word(self);
        if code.is_some() {
            self.next();
        }
        let max = u64::from(u32::MAX);
        let mtu = if self.eat_word("mtu") { Some(self.number("mtu", max)?) } else { None };
        let id = if self.eat_word("id") { Some(self.number("id", max)?) } else { None };
        let mut echoed = None;
        if self.is('[') {
            if matches!(&self.peek_at(1).kind, Kind::Word(_)) {
                let what = "an ICMP message about something else than TCP";
                return Err(ScriptError::unsupported(self.peek_at(1).pos, what));
            }
            self.next();
            echoed = Some(self.sequence()?);
            self.expect(']', "behind the quoted segment")?;
        }
        let signed = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok());
        Ok(Icmp { kind, code, mtu: signed(mtu), id: signed(id), echoed })
    }
}

impl TcpOption {
    /// Bytes on the wire.
    pub fn wire_len(&self) -> usize {
        match self {
            Self::Nop | Self::Eol => 1,
            Self::Mss(_) => 4,
            Self::Wscale(_) => 3,
            Self::SackOk => 2,
            Self::Sack(blocks) => 2 + 8 * blocks.len(),
            Self::Ts { .. } => 10,
            Self::FastOpen(cookie) => 2 + cookie.len() / 2,
            Self::FastOpenExp(cookie) => 4 + cookie.len() / 2,
            Self::Md5(_) => 18,
        }
    }
}
