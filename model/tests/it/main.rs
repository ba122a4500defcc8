//! Stories of two hosts and of one, on the model alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate alloc;

mod close_stories;
mod decision_tables;
mod golden;
mod pair;
mod random_walk;
mod solo;
#[path = "../../src/text_table.rs"]
#[allow(dead_code, reason = "shared with the unit tests")]
mod text_table;
mod timewait_stories;
use finwait_model::{release, segment};
