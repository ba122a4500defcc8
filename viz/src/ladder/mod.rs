//! Sequence ladders: two ends, time downwards, arrows between them. As text for terminals and test
//! failures, and as a figure.
//!
//! `rows` brings a story into rows that both draw: what happens at either end, and the arrow.

mod draw;
mod ink;
mod rows;
mod sheet;
mod text;

pub use draw::{Panel, figure};
pub use ink::Ink;
pub use text::{text, text_in};
