//! How the cost of a lifecycle grows, as a table for a figure: a line for each point.

use crate::world::{Measured, Shape};

/// Prints `series,x,live,lifecycles,ns,digest`: by live buckets, by the rate, by the number of
/// hosts.
pub(crate) fn growth(lifecycles: u64) -> Result<(), String> {
    println!("series,x,live,lifecycles,ns,digest");
    for live in [1_000, 10_000, 31_000, 100_000, 310_000, 1_000_000, 3_100_000, 10_000_000] {
        point("live buckets", live, Shape::live(live).measured(lifecycles)?);
    }
    for rate in [100, 1_000, 10_000, 100_000, 1_000_000] {
        // A minute of a million a second would be 60 million buckets: the table begins empty.
        let shape = Shape { rate, ..Shape::live(0) };
        let wanted = lifecycles.min(rate * 1_000);
        point("connections/s", rate, Measured::of(shape.world()?, rate, wanted));
    }
    for hosts in [2, 5, 20, 50, 100, 200] {
        let shape = Shape { clients: hosts - 1, ..Shape::live(100_000) };
        point("hosts", hosts, shape.measured(lifecycles)?);
    }
    Ok(())
}

/// Nanoseconds of processor time for each lifecycle.
pub(crate) fn ns_each(measured: &Measured) -> f64 {
    measured.cpu_ms as f64 * 1e6 / measured.lifecycles.max(1) as f64
}

fn point(series: &str, x: u64, measured: Measured) {
    let Measured { world, live, lifecycles, .. } = &measured;
    println!("{series},{x},{live},{lifecycles},{:.0},{}", ns_each(&measured), world.digest());
}
