//! The exercises: what they are, how an answer is checked, what a person has done of them.
//!
//! `library.rs` has them, `spec.rs` is what their `exercise.toml` says, `check/` has one file for each
//! kind, `desk.rs` is the folder that a person works in, `rust.rs` what exercises in Rust need.

pub(crate) mod check;
pub(crate) mod desk;
pub(crate) mod library;
pub(crate) mod rust;
pub(crate) mod spec;
