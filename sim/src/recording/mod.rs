//! Recorded runs: everything that happened, in a file that later commands read by time.
//!
//! [`Recorder`] watches a run and writes; [`Recording`] reads. `docs/recording.md` describes the
//! file byte for byte. Read in this order: [`Event`] (what is told), `step` (how it is gathered),
//! `codec` (how it becomes small), `block` (how it lies in the file), `recorder`, `reader`.

#[cfg(test)]
mod again;
mod block;
mod choose;
mod codec;
mod columns;
mod coming;
mod conns;
mod damage;
mod event;
mod header;
mod hold;
#[cfg(test)]
mod hostile;
mod keyframe;
mod lookup;
mod reader;
mod recorder;
mod samples;
mod shape;
mod shapes;
mod step;
mod told;
mod window;

pub use choose::{Choice, Flows};
pub use damage::{Damage, Error};
pub use event::{Event, SockStatChange, What, same_connection};
pub use header::{End, Header, HostInfo, Totals};
pub use reader::{Events, Filter, Recording, Source};
pub use recorder::Recorder;

/// The version of the format.
pub const VERSION: u32 = 1;
