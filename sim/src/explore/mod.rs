//! The search for trouble: small schedules of two hosts, and properties that they may violate.
//!
//! A [`Schedule`] says which programs do what when, which segments are lost, late or doubled, and
//! which sysctls are what; a [`Stage`] plays it on two kernels in virtual time, always the same way.
//! A [`Property`] looks at every moment of that and says where it does not hold. Read in this order:
//! [`schedule`] and [`text`] (what is played, and how it is written), [`stage`] (how), `program` (its
//! system calls), [`expr`] and [`property`] (what is asked), [`judge`] (the two together),
//! [`smaller`] (the smallest schedule that still shows it), [`matter`] (which sysctls it needs),
//! [`pkt`] (one host's side as a packetdrill script), and [`every`] (not some schedules but all of a
//! small scope).

pub mod every;
pub mod expr;
pub mod judge;
pub mod matter;
mod parse;
pub mod pkt;
mod program;
pub mod property;
pub mod record;
pub mod schedule;
pub mod smaller;
pub mod stage;
pub mod text;

pub use judge::{Ending, Kind, Violation, play};
pub use property::Property;
pub use schedule::{Act, Fate, Fated, Habits, Schedule, Setup, Step};
pub use stage::Stage;
