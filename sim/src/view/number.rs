//! Numbers that a real kernel takes from memory or from counters, and finwait from addresses: the
//! same for a connection at every instant.

use finwait_model::flow::Endpoint;

/// FNV-1a over a salt, ends and a number.
pub(super) fn fnv(salt: u8, ends: &[Endpoint], more: u32) -> u32 {
    let mut hash: u32 = 0x811c_9dc5;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    take(&[salt]);
    for end in ends {
        take(&end.addr.0.to_be_bytes());
        take(&end.port.to_be_bytes());
    }
    take(&more.to_be_bytes());
    hash
}
