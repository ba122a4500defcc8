//! One file for each command.

pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod verify;
