//! What the kernel's objects weigh: the size of their slot in its slab cache.
//!
//! Of 6.18 measured (`/proc/slabinfo` of a 6.18.44 on x86-64): `TCP` 2,368 bytes, `tw_sock_TCP` 256
//! (an object of 248), `tcp_bind_bucket` and `tcp_bind2_bucket` 128 each. Of 3.10 as commonly seen on
//! RHEL 7 and other kernels of its time: `TCP` 1,984, `tw_sock_TCP` 256 (a structure of 168 bytes),
//! `tcp_bind_bucket` 64. Buffers come on top of a socket, not of a bucket.

use finwait_model::release::Release;

/// Bytes of slab memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// A timewait bucket.
    pub bucket: u64,
    /// A full socket, without what it has queued.
    pub socket: u64,
    /// A local port that is in use.
    pub port: u64,
}

impl Sizes {
    /// In that release.
    pub const fn of(release: Release) -> Self {
        match release {
            Release::V3_10 => Self { bucket: 256, socket: 1_984, port: 64 },
            Release::V6_18 => Self { bucket: 256, socket: 2_368, port: 256 },
        }
    }
}

/// Bytes as people read them: `33.6 MB`, `512 bytes`.
pub fn megabytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..10_000 => return format!("{} bytes", crate::text::grouped(bytes)),
        10_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let (whole, tenths) = (bytes / unit, bytes % unit / (unit / 10));
    if whole >= 100 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") }
}
