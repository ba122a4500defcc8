//! Linux's TCP close path as a deterministic, sans-IO state machine.
#![no_std]
#![deny(clippy::float_arithmetic)]
extern crate alloc;

pub mod behaviour;
pub mod cause;
pub mod counters;
pub mod deathrow;
pub mod errno;
pub mod flow;
pub mod kernel;
pub mod release;
pub mod segment;
pub mod seq;
pub mod sink;
pub mod site;
pub mod state;
pub mod sysctl;
pub mod time;
pub mod timer;
