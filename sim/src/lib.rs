//! Hosts, links and applications around the model, in virtual time.

pub mod pcap;
pub mod script;
pub mod wire;
