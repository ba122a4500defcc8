//! finwait, with a table of timewait buckets that has filled up.

use crate::Row;
use crate::world::{Shape, bytes};

pub(crate) fn row(live: u64, lifecycles: u64, in_full: bool) -> Row {
    let how = if in_full { "each in full, " } else { "" };
    let name = format!("finwait, {how}{live} live buckets");
    match run(Shape { in_full, ..Shape::live(live) }, lifecycles) {
        Ok((done, cpu_ms, note)) => Row { name, outcome: Ok((done, cpu_ms)), note },
        Err(error) => Row { name, outcome: Err(error), note: String::new() },
    }
}

fn run(shape: Shape, lifecycles: u64) -> Result<(u64, u64, String), String> {
    let measured = shape.measured(lifecycles)?;
    let each = bytes(&measured.world) as f64 / measured.live as f64;
    let note = format!("{each:.0} bytes a bucket, digest {}", measured.world.digest());
    Ok((measured.lifecycles, measured.cpu_ns / 1_000_000, note))
}
