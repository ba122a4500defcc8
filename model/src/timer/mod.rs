//! The host's timers: how an expiry is rounded, and the queue of what is pending.

pub mod queue;
pub mod wheel;
