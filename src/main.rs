//! finwait: what Linux will do with a closing TCP connection.

fn main() {}
