//! Pictures of real runs: what they show is what the recordings say.

mod connections;
#[path = "../../../sim/tests/it/golden.rs"]
mod golden;
mod perfetto;
mod report;
mod stage;
mod tables;
