//! The same script on the live kernel and on the model.
#![cfg(target_os = "linux")]

pub mod clock;
pub mod diag;
pub mod live;
pub mod netns;
pub mod procfs;
pub mod real;
pub mod seen;
pub mod sockopt;
pub mod step;
pub mod sys;
pub mod talk;
pub mod wire;
