//! The same script on the live kernel and on the model.
#![cfg(target_os = "linux")]

pub mod check;
pub mod clock;
pub mod diag;
pub mod diff;
pub mod generate;
pub mod guard;
pub mod ladder;
pub mod live;
pub mod model;
pub mod netns;
pub mod pkt;
pub mod plan;
pub mod pool;
pub mod procfs;
pub mod real;
pub mod rng;
pub mod seen;
pub mod session;
pub mod shrink;
pub mod sockopt;
pub mod step;
pub mod sys;
pub mod talk;
pub mod tap;
pub mod wire;
