//! Which sysctls a violation needs: each is set to something else, and the schedule played again.

use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;

use super::judge::{Kind, play_all};
use super::property::Property;
use super::schedule::{Schedule, Side};

/// A sysctl of a schedule, and what comes of it without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matter {
    /// Whose.
    pub side: Side,
    /// The full name.
    pub name: String,
    /// Its value in the schedule.
    pub value: String,
    /// The release's own value.
    pub default: String,
    /// Is there no violation of this kind with the release's own value?
    pub vanishes: bool,
    /// Values that were tried as well, with whether there is none with them.
    pub others: Vec<(String, bool)>,
}

/// What was found of a schedule's sysctls and kernels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matters {
    /// Every sysctl that the schedule sets.
    pub sysctls: Vec<Matter>,
    /// Of each host: does the same happen with the other release?
    pub releases: [(Release, bool); 2],
}

/// Tries each.
pub fn matters(schedule: &Schedule, property: &Property, kind: Kind) -> Matters {
    let shows = |s: &Schedule| play_all(s, property).iter().any(|v| v.kind == kind);
    let mut sysctls = Vec::new();
    for side in 0..2 {
        let plain = Sysctl::new(schedule.hosts[side].release);
        for (n, (name, value)) in schedule.hosts[side].sysctl.iter().enumerate() {
            let default = plain.get(name).unwrap_or_default();
            let without = |other: &str| {
                let mut schedule = schedule.clone();
                schedule.hosts[side].sysctl[n].1 = other.to_owned();
                !shows(&schedule)
            };
            let others = near(value).filter(|other| {
                *other != default
                    && Sysctl::new(schedule.hosts[side].release).set(name, other).is_ok()
            });
            let others = others.map(|other| (other.clone(), without(&other))).collect();
            let vanishes = without(&default);
            let (name, value) = (name.clone(), value.clone());
            sysctls.push(Matter { side, name, value, default, vanishes, others });
        }
    }
    let releases = [0, 1].map(|side| {
        let other = match schedule.hosts[side].release {
            Release::V3_10 => Release::V6_18,
            Release::V6_18 => Release::V3_10,
        };
        let mut schedule = schedule.clone();
        schedule.hosts[side].release = other;
        schedule.hosts[side].clock.hz = other.default_hz();
        (other, shows(&schedule))
    });
    Matters { sysctls, releases }
}

/// The whole numbers beside a value.
fn near(value: &str) -> impl Iterator<Item = String> {
    let number = value.parse::<i64>().ok();
    number.into_iter().flat_map(|n| [n - 1, n + 1]).map(|n| n.to_string())
}
