//! Hosts, links and applications around `finwait-model`, in virtual time.
//!
//! Read in this order: [`world`] (the loop), [`host`], [`link`], [`app`], then [`scenario`] (what
//! a person writes), [`run`] (what a run leaves behind) and [`because`] (why each RST was sent).
#![deny(clippy::float_arithmetic)]

mod agenda;
pub mod ages;
pub mod app;
pub mod because;
pub mod capacity;
pub mod capture;
pub mod check;
pub mod digest;
mod dues;
pub mod explore;
pub mod findings;
mod follow;
pub mod glossary;
mod hear;
pub mod host;
pub mod import;
pub mod latencies;
pub mod link;
pub mod live;
pub mod measure;
pub mod nat;
pub mod network;
mod pairs;
pub mod pcap;
pub mod peer;
pub mod question;
pub mod record;
pub mod recording;
pub mod rng;
pub mod run;
pub mod sample;
pub mod scenario;
pub mod script;
pub mod stack;
pub mod step;
pub mod text;
pub mod tune;
pub mod units;
pub mod view;
pub mod watch;
pub mod why;
pub mod wire;
pub mod world;
