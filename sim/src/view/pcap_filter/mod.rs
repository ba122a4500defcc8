//! Filters in the syntax of pcap-filter(7), as far as it speaks of TCP over IPv4.
//!
//! `parser` follows the grammar of libpcap to the letter where people would notice: `and` and `or`
//! bind alike and from the left, a bare `81` takes over the qualifiers of what stands before it, and
//! a packet that is too short for a `tcp[60]` is rejected whatever stands around it. What simulated
//! hosts do not speak (`udp`, `arp`) selects nothing; what needs more than an IP header (`ether`,
//! `vlan`) is an error.

mod arith;
mod eval;
mod lexer;
mod parser;
mod qualifier;

use finwait_model::flow::Addr;

use crate::capture::Direction;
use crate::scenario::Error;
use eval::Expr;

/// A filter that has been understood.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// Nothing selects everything.
    expr: Option<Expr>,
}

impl Filter {
    /// Reads a filter. `hosts` are names that stand for addresses, as those of a scenario.
    pub fn parse(text: &str, hosts: &[(&str, Addr)]) -> Result<Self, Error> {
        let tokens = lexer::tokens(text)?;
        let expr = parser::parse(text, &tokens, hosts)?;
        Ok(Self { expr })
    }
    /// Does it select a packet, that begins with its IPv4 header and passes that way?
    pub fn matches(&self, packet: &[u8], direction: Direction) -> bool {
        let Some(expr) = &self.expr else { return true };
        // A packet that a load runs out of is rejected altogether.
        expr.eval(packet, direction).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
