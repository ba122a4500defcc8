//! Qualifiers (`tcp src port`) and what they make of a name or a number.

use core::ops::Range;

use finwait_model::flow::Addr;

use super::eval::{Ends, Expr};
use super::lexer::{Kind, Token};
use crate::scenario::{Error, nearest};

/// What stands before a name or a number and says how it is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Qualifier {
    pub(super) protocol: Option<String>,
    pub(super) ends: Option<Ends>,
    pub(super) kind: What,
    /// Where it stands.
    pub(super) span: Range<usize>,
}

/// What the name or number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Host,
    Net,
    Port,
    PortRange,
    Protocol,
}

/// Ports with names, as far as people filter for them.
const SERVICES: [(&str, u16); 14] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("imap2", 143),
    ("https", 443),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("redis", 6379),
    ("http-alt", 8080),
    ("memcached", 11211),
];

const TCP: u32 = 6;

/// A network's first address and its mask.
struct Net(u32, u32);

impl Qualifier {
    /// The question that a single word asks. `mask` is what stands behind a net, as a mask and its
    /// place.
    pub(super) fn question(
        &self,
        token: &Token,
        mask: Option<(u32, Range<usize>)>,
        hosts: &[(&str, Addr)],
    ) -> Result<Expr, Error> {
        let wrong = |message: String, expected: &str| {
            Err(Error::new(token.span.clone(), message, expected.to_owned()))
        };
        if let Some((_, place)) = mask.as_ref().filter(|_| self.kind != What::Net) {
            let expected = "expected `net` before an address with a mask".to_owned();
            return Err(Error::new(place.clone(), "only a net has a mask".to_owned(), expected));
        }
        let ends = self.ends.unwrap_or(Ends::Either);
        match self.kind {
            What::Host | What::Net => {
                let here = self.speaks(&["ip"], &["arp", "rarp", "ip6"])?;
                let Net(mut net, mut width) = self.net(token, hosts)?;
                if let Some((mask, place)) = mask {
                    width = mask;
                    if net & !mask != 0 {
                        return Err(Error::new(
                            token.span.start..place.end,
                            "the address has bits outside of its mask".to_owned(),
                            format!("expected {} there", Addr(net & mask)),
                        ));
                    }
                }
                net &= width;
                Ok(if here { Expr::Address(ends, net, width) } else { Expr::Always(false) })
            }
            What::Port | What::PortRange => {
                let here = self.speaks(&["tcp"], &["udp", "sctp"])?;
                let (low, high) = match &token.kind {
                    Kind::Number(n) => (port(*n, token)?, port(*n, token)?),
                    Kind::Word(name) | Kind::Escaped(name) => self.ports(name, token)?,
                    _ => return wrong("that is no port".to_owned(), "expected 0 to 65535"),
                };
                let (low, high) = (low.min(high), low.max(high));
                Ok(if here { Expr::Port(ends, low, high) } else { Expr::Always(false) })
            }
            What::Protocol => {
                let here = self.speaks(&["ip"], &["ip6"])?;
                match &token.kind {
                    Kind::Number(n) => Ok(Expr::Always(here && *n == TCP)),
                    Kind::Escaped(name) | Kind::Word(name) if name == "tcp" => {
                        Ok(Expr::Always(here))
                    }
                    Kind::Escaped(name) if ["udp", "icmp", "sctp"].contains(&name.as_str()) => {
                        Ok(Expr::Always(false))
                    }
                    _ => wrong(
                        "that is no protocol's number or name".to_owned(),
                        "expected a number such as 6, or \\tcp",
                    ),
                }
            }
        }
    }
    /// May the protocol stand before it, and does any simulated host speak it?
    fn speaks(&self, spoken: &[&str], others: &[&str]) -> Result<bool, Error> {
        let Some(protocol) = self.protocol.as_deref() else { return Ok(true) };
        if spoken.contains(&protocol) || others.contains(&protocol) {
            return Ok(spoken.contains(&protocol));
        }
        Err(Error::new(
            self.span.clone(),
            format!("{protocol} has nothing of that kind"),
            format!("expected {} or no protocol before it", spoken.join(" or ")),
        ))
    }
    fn net(&self, token: &Token, hosts: &[(&str, Addr)]) -> Result<Net, Error> {
        match &token.kind {
            // What is short is the beginning of an address.
            Kind::Dotted(parts) => Ok(short(parts)),
            Kind::Number(n) if self.kind == What::Net && *n < 256 => Ok(short(&[*n as u8])),
            Kind::Number(n) => Ok(Net(*n, u32::MAX)),
            Kind::Word(name) | Kind::Escaped(name) => {
                let found = hosts.iter().find(|(host, _)| host == name);
                if let (Some((_, addr)), What::Host) = (found, self.kind) {
                    return Ok(Net(addr.0, u32::MAX));
                }
                let names: Vec<&str> = hosts.iter().map(|(host, _)| *host).collect();
                let help = nearest(name, names.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                let expected = match self.kind {
                    What::Net => "expected a net such as 10.0.0.0/24".to_owned(),
                    _ => format!("expected an address or one of {}", names.join(", ")),
                };
                let message = format!("{name} is no address");
                Err(Error::new(token.span.clone(), message, expected).with_help(help))
            }
            _ => Err(Error::new(
                token.span.clone(),
                "that is no address".to_owned(),
                "expected an address such as 10.0.0.1".to_owned(),
            )),
        }
    }
    fn ports(&self, name: &str, token: &Token) -> Result<(u16, u16), Error> {
        let service = |name: &str| {
            let number = name.parse().ok();
            number.or_else(|| SERVICES.iter().find(|(n, _)| *n == name).map(|(_, port)| *port))
        };
        if let Some(port) = service(name) {
            return Ok((port, port));
        }
        if self.kind == What::PortRange
            && let Some((low, high)) = name.split_once('-')
            && let (Some(low), Some(high)) = (service(low), service(high))
        {
            return Ok((low, high));
        }
        let (what, expected) = match self.kind {
            What::PortRange => ("range of ports", "expected LOW-HIGH, each 0 to 65535"),
            _ => ("port", "expected 0 to 65535, or the name of a service"),
        };
        let help = nearest(name, SERVICES.iter().map(|(name, _)| *name))
            .map(|near| format!("did you mean `{near}`?"));
        let message = format!("{name} is no {what}");
        Err(Error::new(token.span.clone(), message, expected.to_owned()).with_help(help))
    }
}

fn port(number: u32, token: &Token) -> Result<u16, Error> {
    u16::try_from(number).map_err(|_| {
        let expected = "expected 0 to 65535".to_owned();
        Error::new(token.span.clone(), format!("{number} is no port"), expected)
    })
}

/// The beginning of an address and the mask of what it says.
fn short(parts: &[u8]) -> Net {
    let missing = 8 * (4 - parts.len().clamp(1, 4)) as u32;
    let value = parts.iter().fold(0, |value, part| value << 8 | u32::from(*part));
    Net(value << missing, u32::MAX << missing)
}
