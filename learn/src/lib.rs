//! Exercises on TCP's close: what a learner writes, held against the model of Linux.
//!
//! | read | for |
//! |---|---|
//! | [`lab`] | one real kernel and a peer that says what we want |
//! | [`subject`] | what a learner decides about: a bucket, a host without a socket, a full table |
//! | [`expr`], [`rules`] | `fin and seq == rcv_nxt -> ack`: a decision without a compiler |
//! | [`exam`] | decisions against the kernel's, the simplest wrong one told as a ladder |
//! | [`laws`], [`trace`] | `never rst implies sends_rst`: what must hold of every decision, of every conversation |
//! | [`mutant`] | kernels that are wrong on purpose, which a law should catch |
//! | [`rust`] | the same for who writes Rust |
//!
//! Nothing here knows a right answer by heart: whatever a learner is told, the model of
//! [`finwait_model`] has just done.

mod error;
pub mod exam;
pub mod expr;
pub mod lab;
pub mod laws;
pub mod mutant;
pub mod rules;
pub mod rust;
pub mod subject;
mod text;
pub mod trace;

pub use error::Mistake;
