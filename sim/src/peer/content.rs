//! Which bytes a connection carries. The model knows only how many there are; here each byte is a
//! function of its place in the stream, so that one that is lost, doubled or moved shows.

/// The byte at that place of a stream, counted from the first one behind the SYN.
pub(super) const fn byte(place: u32) -> u8 {
    // The upper bits of a multiplicative hash: neighbours and places 2^k apart differ.
    (place.wrapping_mul(0x9e37_79b1) >> 24) as u8
}

/// Fills a buffer with the stream from that place on.
pub(super) fn fill(buffer: &mut [u8], place: u32) {
    for (n, slot) in buffer.iter_mut().enumerate() {
        *slot = byte(place.wrapping_add(n as u32));
    }
}

/// How many bytes were looked at, and how many were not what belongs there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Content {
    /// Bytes that smoltcp gave to its application.
    pub received: u64,
    /// Bytes that smoltcp put on the wire, again ones counted again.
    pub sent: u64,
    /// Those of both that were wrong.
    pub wrong: u64,
}

impl Content {
    /// How many bytes of a buffer are not the stream's from that place on.
    pub(super) fn wrong_in(buffer: &[u8], place: u32) -> u64 {
        let at = |n: usize| byte(place.wrapping_add(n as u32));
        buffer.iter().enumerate().filter(|(n, have)| at(*n) != **have).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_slips_is_noticed() {
        let mut stream = vec![0; 10_000];
        fill(&mut stream, 7);
        assert_eq!(Content::wrong_in(&stream, 7), 0);
        for slip in [1_u32, 2, 536, 1448, 1460, 4096, 65_536, 1 << 24] {
            let wrong = Content::wrong_in(&stream, 7 + slip);
            assert!(wrong > 5_000, "slipped by {slip}: {wrong} of 10,000 differ");
        }
    }
}
