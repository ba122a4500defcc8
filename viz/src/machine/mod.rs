//! TCP's state machine as Linux has it, with what a run did on each edge: how often, and because of
//! what. `count` reads a recording, `layout` knows where everything stands, `draw` draws.

mod count;
mod draw;
mod layout;

pub(crate) use count::Counter;
pub use count::{Counts, Edge, Node, count};
pub use draw::figure;
