//! How the cost of a lifecycle grows, as a table for a figure: a line for each point.

use crate::world::{Measured, Shape, live_buckets, pass};

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

/// How much slower larger tables are. The machine itself is faster at one minute than at the next, so
/// each table has many short turns, one after the other, and the ratio of a turn is that to the turn of
/// the smallest table just before it; their median counts.
pub(crate) fn size(lifecycles: u64) -> Result<(), String> {
    const TURNS: u64 = 15;
    let shapes = [131_072, 1_000_000, 10_000_000].map(Shape::live);
    let mut worlds = Vec::new();
    for shape in shapes {
        worlds.push(shape.filled()?);
    }
    let mut turns: Vec<[f64; 3]> = Vec::new();
    for _ in 0..TURNS {
        let mut each = [0.0; 3];
        for ((shape, world), each) in shapes.iter().zip(&mut worlds).zip(&mut each) {
            let (done, cpu_ns) = pass(world, shape.rate, lifecycles / TURNS);
            *each = cpu_ns as f64 / done.max(1) as f64;
        }
        turns.push(each);
    }
    for (n, world) in worlds.iter().enumerate() {
        let mut speeds: Vec<f64> = turns.iter().map(|turn| turn[0] / turn[n]).collect();
        let mut each: Vec<f64> = turns.iter().map(|turn| turn[n]).collect();
        speeds.sort_by(f64::total_cmp);
        each.sort_by(f64::total_cmp);
        let middle = speeds.len() / 2;
        println!(
            "{} live buckets: {:.0} ns each, {:.2} times as fast as the smallest table ({:.2} to {:.2}); digest {}",
            live_buckets(world),
            each[middle],
            speeds[middle],
            speeds[0],
            speeds[speeds.len() - 1],
            world.digest()
        );
    }
    Ok(())
}

/// Nanoseconds of processor time for each lifecycle.
pub(crate) fn ns_each(measured: &Measured) -> f64 {
    measured.cpu_ns as f64 / measured.lifecycles.max(1) as f64
}

fn point(series: &str, x: u64, measured: Measured) {
    let Measured { world, live, lifecycles, .. } = &measured;
    println!("{series},{x},{live},{lifecycles},{:.0},{}", ns_each(&measured), world.digest());
}
