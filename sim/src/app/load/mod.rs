//! Load generators: `wrk`, which asks as fast as its answers come, and one like `ab` to which
//! requests come at a rate.

mod ab;
mod tally;
mod wrk;

pub use ab::{Ab, AbPlan};
pub use tally::{Class, LoadTally};
pub use wrk::{Wrk, WrkPlan};

use finwait_model::flow::Endpoint;

/// Whom a load generator asks, and what the conversation is like. Segments carry lengths only, so
/// that what an HTTP header would say is known from the scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The address and port.
    pub to: Endpoint,
    /// Bytes of a request.
    pub request: u32,
    /// Bytes of an answer.
    pub response: u32,
    /// Which answer of a connection says `Connection: close`, if the server ever says so by itself.
    pub last_answer: Option<u32>,
}
