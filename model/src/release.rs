//! The kernel releases that finwait knows.

use core::fmt;

/// A kernel release. What differs between them is named in [`crate::behaviour::Behaviour`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Release {
    /// 3.10.0 as in RHEL 7 (builds 693 and later).
    V3_10,
    /// Linux 6.18.
    V6_18,
}

impl Release {
    /// Every release, oldest first.
    pub const ALL: [Self; 2] = [Self::V3_10, Self::V6_18];

    /// The name in scenarios and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_10 => "3.10",
            Self::V6_18 => "6.18",
        }
    }
    /// The release with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
    /// Ticks per second unless the host says otherwise (`CONFIG_HZ`).
    pub const fn default_hz(self) -> u32 {
        match self {
            Self::V3_10 => 1000,
            Self::V6_18 => 250,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
