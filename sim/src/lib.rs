//! Hosts, links and applications around the model, in virtual time.

pub mod script;
