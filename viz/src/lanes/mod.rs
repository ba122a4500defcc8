//! Swim lanes: one connection or some tens, both ends of each as bars of states, segments as arrows
//! between them, timers and calls as marks, along an axis of time that is not to scale.

mod axis;
mod draw;
mod labels;
mod lane;

pub use draw::{Zero, figure};
