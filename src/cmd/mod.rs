//! One file for each command.

mod extract;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod verify;
