//! Linux's TCP close path as a deterministic, sans-IO state machine.
//!
//! One [`kernel::Kernel`] is one host's TCP. Segments, system calls and the clock come in
//! through its methods; segments and notes leave through a [`sink::Sink`]. Nothing else happens:
//! no clock is read, no memory is shared, the same calls give the same bytes.
//!
//! # Follow one segment
//!
//! | read | for |
//! |---|---|
//! | `rx/mod.rs` | a segment arrives: whom is it for |
//! | `rx/listen.rs`, `rx/request.rs`, `rx/syn_sent.rs` | a connection is opened |
//! | `rx/established.rs`, `rx/validate.rs`, `rx/ack.rs`, `rx/data.rs` | it carries something |
//! | `sys/close.rs`, `tx/fin.rs` | the program closes it |
//! | `rx/closing.rs`, `rx/fin.rs` | the FINs cross |
//! | `life.rs` | the socket becomes a bucket, or nothing |
//! | `rx/timewait.rs`, `deathrow.rs` | what the bucket does, and when it goes |
//! | `tx/` | what leaves, and with which [`cause::Cause`] |
//! | `timer/` | what time does |
//!
//! Wherever the kernel decides, a pure function decides here (`judge…`), and the caller acts.
//! What differs between releases is named in [`behaviour::Behaviour`] and asked by name.
//!
//! # What is not modelled
//!
//! Congestion control beyond slow start, RTO, fast retransmit and a plain RACK; ECN; MPTCP, TCP-AO
//! and MD5; offloads; TCP Fast Open; IPv6; pacing; memory accounting (buffers are plain byte
//! limits, so windows under heavy unread load and `TCPAbortOnMemory` by memory differ); the
//! socket lock (system calls are atomic, so no backlog and no `DelayedACKLocked`). The
//! consequences are in `docs/limits.md`.
#![no_std]
#![deny(clippy::float_arithmetic, clippy::wildcard_enum_match_arm)]
extern crate alloc;

pub mod api;
pub mod behaviour;
mod canon;
pub mod cause;
pub mod counters;
pub mod deathrow;
pub mod drop_reason;
pub mod errno;
pub mod flow;
pub mod kernel;
mod life;
mod memory;
pub mod pair;
pub mod release;
mod request;
pub mod rst_reason;
mod rx;
mod secrets;
pub mod segment;
pub mod seq;
pub mod sink;
pub mod site;
mod skb;
mod sock;
pub mod state;
mod sys;
pub mod sysctl;
mod table;
#[cfg(test)]
mod test_host;
#[cfg(test)]
mod text_table;
pub mod time;
pub mod timer;
pub mod timewait;
pub mod track;
mod tx;
mod view;
