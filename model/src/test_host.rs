//! The host that the unit tests begin with.

use alloc::vec::Vec;

use crate::kernel::Config;
use crate::release::Release;
use crate::sysctl::Sysctl;
use crate::time::Clock;

/// A host of that release with its own sysctls, a thousand ticks a second, up for 1,000 s.
pub(crate) fn config(release: Release) -> Config {
    Config {
        release,
        clock: Clock::new(1000, 1_000_000_000_000),
        sysctl: Sysctl::new(release),
        addrs: Vec::new(),
        mtu: 1500,
        seed: 1,
    }
}
