//! Stories of two hosts and of one, on the model alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod close_stories;
mod pair;
mod random_walk;
mod timewait_stories;
