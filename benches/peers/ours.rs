//! finwait, with a table of timewait buckets that has filled up.

use finwait_model::time::Span;
use finwait_sim::watch::Count;

use crate::Row;
use crate::world::{Shape, bytes, cpu_ms};

pub(crate) fn row(live: u64, lifecycles: u64) -> Row {
    let name = format!("finwait, {live} live buckets");
    match run(live, lifecycles) {
        Ok((done, cpu_ms, note)) => Row { name, outcome: Ok((done, cpu_ms)), note },
        Err(error) => Row { name, outcome: Err(error), note: String::new() },
    }
}

fn run(live: u64, lifecycles: u64) -> Result<(u64, u64, String), String> {
    let shape = Shape::live(live);
    let mut world = shape.filled()?;
    let (before, cpu) = (world.lifecycles(), cpu_ms());
    world.run_until(world.now() + Span::secs(lifecycles.div_ceil(shape.rate)), &mut Count);
    let (done, cpu) = (world.lifecycles() - before, cpu_ms() - cpu);
    let each = bytes(&world) as f64 / live as f64;
    Ok((done, cpu, format!("{each:.0} bytes a bucket, digest {}", world.digest())))
}
