//! The engine and its scenarios, as a user sees them.

mod bad_scenarios;
mod determinism;
mod golden;
mod incident;
mod scenarios;
mod stage;
