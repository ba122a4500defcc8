//! The sysctls that decide what a close does, by their full names, with each release's defaults
//! and ranges.

use alloc::string::String;
use core::fmt::Write as _;

use crate::release::Release;

pub mod about;

/// Why a sysctl could not be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SysctlError {
    /// No such name in that release.
    Unknown,
    /// It exists, but only to read.
    ReadOnly,
    /// Not a number, or not as many as it takes; says how many.
    NotNumbers(usize),
    /// Outside the range the kernel accepts: smallest, largest.
    Range(i64, i64),
}

/// One sysctl: its name and what the kernel accepts.
#[derive(Clone, Copy, Debug)]
pub struct Def {
    /// The full name, `net.ipv4.tcp_fin_timeout`.
    pub name: &'static str,
    /// Smallest accepted value, by release order.
    pub min: i64,
    /// Largest accepted value.
    pub max: i64,
    /// Default of 3.10, `None` if that release does not have it.
    pub v3_10: Option<i64>,
    /// Default of 6.18, `None` if that release does not have it.
    pub v6_18: Option<i64>,
}

const I32_MIN: i64 = i32::MIN as i64;
const I32_MAX: i64 = i32::MAX as i64;

macro_rules! sysctls {
    ($($field:ident $prefix:literal $min:expr, $max:expr; $old:expr, $new:expr;)*) => {
        /// The values in force on a host. Fields carry the last part of the sysctl's name, in its
        /// own unit. One that a release does not have holds 0 and cannot be set there.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "the kernel's names; DEFS has ranges and defaults")]
        pub struct Sysctl {
            release: Release,
            $(pub $field: i64,)*
            pub ip_local_port_range: (u16, u16),
            /// tcp_rmem: minimum, default, maximum in bytes.
            pub tcp_rmem: [i64; 3],
            /// tcp_wmem: minimum, default, maximum in bytes.
            pub tcp_wmem: [i64; 3],
            /// tcp_mem: low, pressure, high in pages.
            pub tcp_mem: [i64; 3],
        }

        /// Every sysctl that holds one number.
        pub const DEFS: &[Def] = &[$(Def {
            name: concat!($prefix, ".", stringify!($field)),
            min: $min, max: $max, v3_10: $old, v6_18: $new,
        },)*];

        impl Sysctl {
            fn scalars(release: Release) -> Self {
                let old = release == Release::V3_10;
                Self {
                    release,
                    $($field: { let d: Option<i64> = if old { $old } else { $new };
                        d.unwrap_or(0) },)*
                    ip_local_port_range: (32768, 60999),
                    tcp_rmem: if old { [4096, 87380, 6_291_456] } else { [4096, 131_072, 33_554_432] },
                    tcp_wmem: [4096, 16384, 4_194_304],
                    tcp_mem: if old { [190_000, 254_000, 381_000] } else { [284_000, 379_000, 568_000] },
                }
            }
            fn slot(&mut self, name: &str) -> Option<(&mut i64, &'static Def)> {
                let mut index = 0;
                $(if DEFS[index].name == name { return Some((&mut self.$field, &DEFS[index])); }
                  index += 1;)*
                let _ = index;
                None
            }
            fn value(&self, name: &str) -> Option<i64> {
                let mut index = 0;
                $(if DEFS[index].name == name { return Some(self.$field); }
                  index += 1;)*
                let _ = index;
                None
            }
        }
    };
}

sysctls! {
    tcp_max_tw_buckets "net.ipv4" I32_MIN, I32_MAX; Some(131_072), Some(131_072);
    tcp_max_orphans "net.ipv4" I32_MIN, I32_MAX; Some(131_072), Some(131_072);
    tcp_fin_timeout "net.ipv4" -1, 2_147_483; Some(60), Some(60);
    tcp_orphan_retries "net.ipv4" 0, 255; Some(0), Some(0);
    tcp_tw_reuse "net.ipv4" 0, 2; Some(0), Some(2);
    tcp_tw_reuse_delay "net.ipv4" 1, 60_000; None, Some(1000);
    tcp_tw_recycle "net.ipv4" 0, I32_MAX; Some(0), None;
    tcp_rfc1337 "net.ipv4" 0, 255; Some(0), Some(0);
    tcp_abort_on_overflow "net.ipv4" 0, 255; Some(0), Some(0);
    tcp_retries1 "net.ipv4" 0, 255; Some(3), Some(3);
    tcp_retries2 "net.ipv4" 0, 255; Some(15), Some(15);
    tcp_syn_retries "net.ipv4" 1, 127; Some(6), Some(6);
    tcp_syn_linear_timeouts "net.ipv4" 0, 127; None, Some(4);
    tcp_synack_retries "net.ipv4" 0, 255; Some(5), Some(5);
    tcp_keepalive_time "net.ipv4" 1, I32_MAX; Some(7200), Some(7200);
    tcp_keepalive_intvl "net.ipv4" 1, I32_MAX; Some(75), Some(75);
    tcp_keepalive_probes "net.ipv4" 0, 255; Some(9), Some(9);
    tcp_challenge_ack_limit "net.ipv4" I32_MIN, I32_MAX; Some(1000), Some(I32_MAX);
    tcp_invalid_ratelimit "net.ipv4" 0, I32_MAX; Some(500), Some(500);
    tcp_rto_min_us "net.ipv4" 1, I32_MAX; None, Some(200_000);
    tcp_rto_max_ms "net.ipv4" 1000, 120_000; None, Some(120_000);
    tcp_max_syn_backlog "net.ipv4" 0, I32_MAX; Some(1024), Some(2048);
    tcp_syncookies "net.ipv4" 0, 3; Some(1), Some(1);
    tcp_timestamps "net.ipv4" 0, 2; Some(1), Some(1);
    tcp_sack "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_dsack "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_window_scaling "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_early_retrans "net.ipv4" 0, 4; Some(3), Some(3);
    tcp_recovery "net.ipv4" 0, 255; None, Some(1);
    tcp_reordering "net.ipv4" 1, 300; Some(3), Some(3);
    tcp_pingpong_thresh "net.ipv4" 1, 255; None, Some(1);
    tcp_backlog_ack_defer "net.ipv4" 0, 1; None, Some(1);
    tcp_slow_start_after_idle "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_autocorking "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_moderate_rcvbuf "net.ipv4" 0, 1; Some(1), Some(1);
    tcp_adv_win_scale "net.ipv4" -31, 31; Some(1), Some(1);
    ip_autobind_reuse "net.ipv4" 0, 1; None, Some(0);
    ip_unprivileged_port_start "net.ipv4" 0, 65535; None, Some(1024);
    somaxconn "net.core" 0, I32_MAX; Some(128), Some(4096);
}

impl Sysctl {
    /// The release's defaults, on a host whose established hash has 262,144 chains (24 GB).
    pub fn new(release: Release) -> Self {
        Self::scalars(release)
    }
    /// Sets a sysctl by its full name. The text is what would be written into /proc/sys: one
    /// number, or several with white space between them.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SysctlError> {
        let triple = |slot: &mut [i64; 3]| {
            let v = numbers::<3>(text)?;
            if v.iter().any(|&n| n < 1) {
                return Err(SysctlError::Range(1, I32_MAX));
            }
            *slot = v;
            Ok(())
        };
        match name {
            "net.ipv4.ip_local_port_range" => {
                let [low, high] = numbers::<2>(text)?;
                if low < 1 || high > 65535 || low > high {
                    return Err(SysctlError::Range(1, 65535));
                }
                self.ip_local_port_range = (low as u16, high as u16);
                return Ok(());
            }
            "net.ipv4.tcp_rmem" => return triple(&mut self.tcp_rmem),
            "net.ipv4.tcp_wmem" => return triple(&mut self.tcp_wmem),
            "net.ipv4.tcp_mem" => return triple(&mut self.tcp_mem),
            _ => {}
        }
        let release = self.release;
        let (slot, def) = self.slot(name).ok_or(SysctlError::Unknown)?;
        if def.default_of(release).is_none() {
            return Err(SysctlError::Unknown);
        }
        let [value] = numbers::<1>(text)?;
        if value < def.min || value > def.max {
            return Err(SysctlError::Range(def.min, def.max));
        }
        *slot = value;
        Ok(())
    }
    /// The value by its full name, as `sysctl` prints it; `None` if this release has no such.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut out = String::new();
        let parts: &[i64] = match name {
            "net.ipv4.ip_local_port_range" => {
                let (low, high) = self.ip_local_port_range;
                &[low as i64, high as i64]
            }
            "net.ipv4.tcp_rmem" => &self.tcp_rmem,
            "net.ipv4.tcp_wmem" => &self.tcp_wmem,
            "net.ipv4.tcp_mem" => &self.tcp_mem,
            _ => {
                DEFS.iter().find(|d| d.name == name)?.default_of(self.release)?;
                &[self.value(name)?]
            }
        };
        for (i, n) in parts.iter().enumerate() {
            let tab = if i > 0 { "\t" } else { "" };
            write!(out, "{tab}{n}").ok()?;
        }
        Some(out)
    }
    /// Every name that this release has, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let release = self.release;
        let mut names: alloc::vec::Vec<_> = DEFS
            .iter()
            .filter(|d| d.default_of(release).is_some())
            .map(|d| d.name)
            .chain([
                "net.ipv4.ip_local_port_range",
                "net.ipv4.tcp_rmem",
                "net.ipv4.tcp_wmem",
                "net.ipv4.tcp_mem",
            ])
            .collect();
        names.sort_unstable();
        names.into_iter()
    }
}

impl Def {
    /// The default in that release; `None` if it does not exist there.
    pub const fn default_of(&self, release: Release) -> Option<i64> {
        match release {
            Release::V3_10 => self.v3_10,
            Release::V6_18 => self.v6_18,
        }
    }
}

fn numbers<const N: usize>(text: &str) -> Result<[i64; N], SysctlError> {
    let mut out = [0; N];
    let mut words = text.split_ascii_whitespace();
    for slot in &mut out {
        let word = words.next().ok_or(SysctlError::NotNumbers(N))?;
        *slot = word.parse().map_err(|_| SysctlError::NotNumbers(N))?;
    }
    if words.next().is_some() { Err(SysctlError::NotNumbers(N)) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_ranges_and_absent_names() {
        let mut new = Sysctl::new(Release::V6_18);
        assert_eq!(new.tcp_tw_reuse, 2);
        assert_eq!(new.set("net.ipv4.tcp_tw_reuse", "3"), Err(SysctlError::Range(0, 2)));
        assert_eq!(new.set("net.ipv4.tcp_tw_recycle", "1"), Err(SysctlError::Unknown));
        assert_eq!(new.set("net.ipv4.tcp_fin_timeout", "x"), Err(SysctlError::NotNumbers(1)));
        assert_eq!(new.set("net.ipv4.ip_local_port_range", "1000 2000"), Ok(()));
        assert_eq!(new.get("net.ipv4.ip_local_port_range").as_deref(), Some("1000\t2000"));
        let mut old = Sysctl::new(Release::V3_10);
        assert_eq!(old.set("net.ipv4.tcp_tw_recycle", "1"), Ok(()));
        assert_eq!(old.get("net.ipv4.tcp_rto_max_ms"), None);
        assert_eq!(old.somaxconn, 128);
    }
}
