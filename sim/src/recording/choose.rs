//! Which connections are recorded: `web:*->redis:6379/1000`, those that end in a RST, or all.

use core::ops::{Range, RangeInclusive};

use finwait_model::flow::{Addr, Endpoint, FourTuple};

use crate::scenario::{Error, Scenario, nearest};

/// Which connections are recorded.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Choice {
    /// All of them, and whatever else happens.
    #[default]
    Everything,
    /// Those between certain ends.
    Flows(Flows),
    /// Those that end in a RST, whole. What may still end in one is held in memory until then,
    /// but no more than so many bytes.
    Resets(usize),
}

impl Choice {
    /// Is nothing left out?
    pub const fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }
    /// As the header tells it; `None` if nothing is left out.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::Everything => None,
            Self::Flows(flows) => Some(format!("--record-flows {}", flows.text)),
            Self::Resets(_) => Some("--record-rst".to_owned()),
        }
    }
    /// Is what happens to that connection gathered?
    #[inline]
    pub(super) fn takes(&self, flow: FourTuple) -> bool {
        match self {
            Self::Everything | Self::Resets(_) => true,
            Self::Flows(flows) => flows.take(flow),
        }
    }
}

/// Connections between two ends, or one in so many of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flows {
    text: String,
    ends: [End; 2],
    one_in: u32,
}

/// One end: a host and its ports.
#[derive(Clone, PartialEq, Eq, Debug)]
struct End {
    /// `None`: any.
    addr: Option<Addr>,
    ports: RangeInclusive<u16>,
}

impl End {
    fn has(&self, end: Endpoint) -> bool {
        self.addr.is_none_or(|addr| addr == end.addr) && self.ports.contains(&end.port)
    }
}

impl Flows {
    /// Reads `END->END` or `END->END/N`. An END is `HOST:PORT`, `HOST:LOW-HIGH` or `HOST:*`, and
    /// HOST may be `*`. Spans of errors count within `text`.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, Error> {
        let Some(arrow) = text.find("->") else {
            return Err(Error::new(
                0..text.len(),
                "no two ends".to_owned(),
                "expected END->END, such as web:*->redis:6379".to_owned(),
            ));
        };
        let right = arrow + 2..text.len();
        let slash = text[right.clone()].find('/').map(|at| right.start + at);
        let right = right.start..slash.unwrap_or(right.end);
        let ends = [end(text, 0..arrow, scenario)?, end(text, right, scenario)?];
        let one_in = match slash {
            None => 1,
            Some(slash) => one_in(text, slash + 1..text.len())?,
        };
        Ok(Self { text: text.to_owned(), ends, one_in })
    }
    /// The segments of a connection go both ways, so its ends may stand in either order.
    fn take(&self, flow: FourTuple) -> bool {
        let (a, b) = (flow.source(), flow.destination());
        let [left, right] = &self.ends;
        let between = (left.has(a) && right.has(b)) || (left.has(b) && right.has(a));
        between && a.port != 0 && b.port != 0 && lot(flow).is_multiple_of(self.one_in)
    }
}

/// A number that both directions of a connection share and that nothing else about it tells.
fn lot(flow: FourTuple) -> u32 {
    let (a, b) = (flow.source(), flow.destination());
    let (lo, hi) = if a <= b { (a, b) } else { (b, a) };
    let word = |end: Endpoint| u64::from(end.addr.0) << 16 | u64::from(end.port);
    let mixed = (word(lo) ^ word(hi).rotate_left(29)).wrapping_mul(0x9e37_79b1_85eb_ca87);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (mixed >> 32) as u32
}

fn end(text: &str, span: Range<usize>, scenario: &Scenario) -> Result<End, Error> {
    let part = &text[span.clone()];
    let Some(colon) = part.rfind(':') else {
        return Err(Error::new(
            span,
            format!("{part:?} is no end of a connection"),
            "expected HOST:PORT, HOST:LOW-HIGH or HOST:*".to_owned(),
        ));
    };
    let (host, port) = (part[..colon].trim(), part[colon + 1..].trim());
    let addr = if host == "*" {
        None
    } else {
        let Some(id) = scenario.host(host) else {
            let names = || scenario.hosts.iter().map(|h| h.name.as_str());
            let all: Vec<&str> = names().collect();
            let error = Error::new(
                span.start..span.start + colon,
                format!("no host is called {host:?}"),
                format!("expected {} or *", all.join(", ")),
            );
            let near = nearest(host, names()).map(|name| format!("did you mean `{name}`?"));
            return Err(error.with_help(near));
        };
        Some(scenario.host_plan(id).addr)
    };
    let span = span.start + colon + 1..span.end;
    let ports = if port == "*" {
        1..=u16::MAX
    } else {
        let (low, high) = port.split_once('-').unwrap_or((port, port));
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if 0 < low && low <= high => low..=high,
            _ => {
                return Err(Error::new(
                    span,
                    format!("{port:?} is no port"),
                    "expected 1 to 65535, two of them with a - between, or *".to_owned(),
                ));
            }
        }
    };
    Ok(End { addr, ports })
}

fn one_in(text: &str, span: Range<usize>) -> Result<u32, Error> {
    match text[span.clone()].trim().parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Error::new(
            span.clone(),
            format!("{:?} is no number of connections", &text[span]),
            "expected N to record one in N connections, such as 1000".to_owned(),
        )),
    }
}
