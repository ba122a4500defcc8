//! What a filter asks of a packet.

use super::arith::Arith;
use crate::capture::Direction;

/// A question with answer yes or no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expr {
    /// Questions joined from the left, each by `and` (true) or `or`.
    Chain(Box<Self>, Vec<(bool, Self)>),
    Not(Box<Self>),
    /// Yes or no to every packet: all of them are TCP over IPv4.
    Always(bool),
    /// An address within a net; a host's has 32 bits.
    Address(Ends, u32, u32),
    /// A port within a range with both ends.
    Port(Ends, u16, u16),
    /// Two numbers compared.
    Compare(Comparison, Arith, Arith),
    /// Does the packet pass the interface that way?
    Passes(Direction),
}

/// Which end of a packet is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ends {
    Source,
    Destination,
    Either,
    Both,
}

/// How two numbers are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Ends {
    fn ask(self, source: bool, destination: bool) -> bool {
        match self {
            Self::Source => source,
            Self::Destination => destination,
            Self::Either => source || destination,
            Self::Both => source && destination,
        }
    }
}

impl Comparison {
    /// The comparison with that sign.
    pub(super) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "=" | "==" => Self::Equal,
            "!=" => Self::NotEqual,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }
    const fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::GreaterOrEqual => a >= b,
            Self::Greater => a > b,
        }
    }
}

impl Expr {
    /// The answer; `None` if the packet is too short for the question.
    pub(super) fn eval(&self, packet: &[u8], direction: Direction) -> Option<bool> {
        match self {
            Self::Chain(first, rest) => {
                let mut answer = first.eval(packet, direction)?;
                for (and, next) in rest {
                    // What cannot change the answer is not asked.
                    if answer == *and {
                        answer = next.eval(packet, direction)?;
                    }
                }
                Some(answer)
            }
            Self::Not(of) => Some(!of.eval(packet, direction)?),
            Self::Always(answer) => Some(*answer),
            Self::Address(ends, net, mask) => {
                let in_net = |at| Some(word(packet, at)? & mask == *net);
                Some(ends.ask(in_net(12)?, in_net(16)?))
            }
            Self::Port(ends, low, high) => {
                let tcp = usize::from(packet.first()? & 15) * 4;
                let in_range = |at| Some((low..=high).contains(&&half(packet, at)?));
                Some(ends.ask(in_range(tcp)?, in_range(tcp + 2)?))
            }
            Self::Compare(comparison, a, b) => {
                Some(comparison.holds(a.eval(packet)?, b.eval(packet)?))
            }
            Self::Passes(way) => Some(*way == direction),
        }
    }
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
fn half(packet: &[u8], at: usize) -> Option<u16> {
    packet.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}
