//! A scenario out of a real machine.
//!
//! [`text`] reads what Linux's tools print, [`capture`] what went over the wire; [`Facts`] is all that is
//! then known, [`infer`] makes an [`Imported`] of it, and that writes itself as TOML or JSON. Nothing
//! here does I/O of its own: texts come as text, a capture as something that can be read.

pub mod capture;
mod document;
mod facts;
mod from_capture;
mod from_counters;
mod infer;
mod numbers;
mod streams;
pub mod text;
mod traffic;

pub use document::{Basis, Entry, Imported, LeftOut, Section, Seen};
pub use facts::{Facts, Snapshot};
pub use infer::{Wishes, infer};
