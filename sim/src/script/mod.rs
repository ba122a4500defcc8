//! packetdrill's script language, and the runner that plays a script on the model.
//!
//! Read in this order: [`ast`] (what a script says); `lexer`, `parser`, `print`, [`diagnostic`]
//! (from text and back); [`plan`] and [`lower`] (what is to be done); [`talk`] (relative numbers,
//! translated at the edge); [`runner`] (time, packets) and `calls` (system calls); `compare` (is it
//! what was expected); [`observe`] and [`report`] (what is left behind); [`export`] (a connection
//! of a run as a script).

pub mod ast;
mod calls;
mod compare;
pub mod diagnostic;
mod eval;
pub mod export;
mod lexer;
pub mod lower;
mod lower_call;
mod notes;
pub mod observe;
mod parse_call;
mod parse_code;
mod parse_packet;
mod parser;
pub mod plan;
mod print;
pub mod report;
pub mod runner;
mod shell;
mod sink;
pub mod stir;
mod symbols;
pub mod talk;

pub use lexer::MAX_BYTES;
pub use parser::{MAX_EVENTS, parse};
