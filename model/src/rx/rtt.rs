//! Round-trip time and the RTO that follows. `[tcp_rtt_estimator]`, `[tcp_set_rto]` (RFC 6298)

use crate::kernel::Kernel;
use crate::table::slab::SockId;
use crate::time::Instant;

impl Kernel {
    /// A sample from the ACK of something sent once, else from the echoed timestamp. True if
    /// there was one. `[tcp_ack_update_rtt]`
    pub(crate) fn update_rtt(
        &mut self,
        id: SockId,
        acked: bool,
        sample_us: Option<u64>,
        now: Instant,
    ) -> bool {
        let sk = &self.socks[id];
        let by_stamp = || {
            let usable = acked && sk.saw_tstamp && sk.rcv_tsecr != 0;
            let clock_ms = self.timestamp(0, now);
            usable
                .then(|| clock_ms.wrapping_sub(sk.rcv_tsecr))
                .filter(|&ms| ms < 0x8000_0000 / 1000)
                .map(|ms| u64::from(ms.max(1)) * 1000)
        };
        let Some(us) = sample_us.or_else(by_stamp) else { return false };
        let us = us.clamp(1, 0x7fff_ffff) as u32;
        let rto_min_us = self.rto_min_us() as u32;
        let sk = &mut self.socks[id];
        sk.min_rtt_us = sk.min_rtt_us.min(us);
        self.estimate_rtt(id, us, rto_min_us);
        let max = self.rto_max();
        let sk = &mut self.socks[id];
        let rto_us = u64::from(sk.srtt_us >> 3) + u64::from(sk.rttvar_us);
        sk.rto = self.clock.from_micros(rto_us).min(max).0 as u32;
        sk.backoff = 0;
        true
    }

    fn estimate_rtt(&mut self, id: SockId, us: u32, rto_min_us: u32) {
        let sk = &mut self.socks[id];
        if sk.srtt_us == 0 {
            sk.srtt_us = (us << 3).max(1);
            sk.mdev_us = us << 1;
            sk.rttvar_us = sk.mdev_us.max(rto_min_us);
            sk.mdev_max_us = sk.rttvar_us;
            sk.rtt_seq = sk.snd_nxt;
            return;
        }
        let mut error = i64::from(us) - i64::from(sk.srtt_us >> 3);
        sk.srtt_us = (i64::from(sk.srtt_us) + error).max(1) as u32;
        if error < 0 {
            // A falling RTT must not blow the variance up.
            error = -error - i64::from(sk.mdev_us >> 2);
            if error > 0 {
                error >>= 3;
            }
        } else {
            error -= i64::from(sk.mdev_us >> 2);
        }
        sk.mdev_us = (i64::from(sk.mdev_us) + error).max(0) as u32;
        if sk.mdev_us > sk.mdev_max_us {
            sk.mdev_max_us = sk.mdev_us;
            sk.rttvar_us = sk.rttvar_us.max(sk.mdev_max_us);
        }
        if sk.snd_una.after(sk.rtt_seq) {
            if sk.mdev_max_us < sk.rttvar_us {
                sk.rttvar_us -= (sk.rttvar_us - sk.mdev_max_us) >> 2;
            }
            sk.rtt_seq = sk.snd_nxt;
            sk.mdev_max_us = rto_min_us;
        }
    }
}
