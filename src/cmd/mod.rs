//! One file for each command.

pub(crate) mod ask;
pub(crate) mod card;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod explore;
pub(crate) mod export;
mod extract;
pub(crate) mod import;
pub(crate) mod learn;
pub(crate) mod live;
pub(crate) mod merge;
pub(crate) mod plot;
mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sweep;
pub(crate) mod tcpdump;
pub(crate) mod tune;
pub(crate) mod verify;
pub(crate) mod view;
pub(crate) mod why;
