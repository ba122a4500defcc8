//! Stories of two hosts and of one, on the model alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate alloc;

mod ack_timing;
mod active_opens;
mod bucket_lifetimes;
mod bucket_reuse;
mod close_stories;
mod counter_matrix;
mod decision_tables;
mod generated_docs;
mod golden;
mod golden_traces;
mod loss_and_windows;
mod orphans;
mod out_of_order;
mod pair;
mod passive_opens;
mod port_search;
mod probes;
mod random_segments;
mod random_walk;
mod rarer_options;
mod release_differences;
mod releases;
mod retransmission;
mod schedule;
mod sending;
mod seq_laws;
mod shutdown_stories;
mod solo;
mod strays;
mod tables_prop;
#[path = "../../src/text_table.rs"]
#[allow(dead_code, reason = "shared with the unit tests")]
mod text_table;
mod timewait_stories;
mod trace;
mod witness;
use finwait_model::{release, segment};
