//! A segment meets a bucket in TIME-WAIT; somebody listens on the port. `[tcp_timewait_state_process]`

use finwait_learn::rust::{Bucket, Segment, Verdict};

/// What the bucket does with it.
pub fn judge(bucket: &Bucket, segment: &Segment) -> Verdict {
    let flags = segment.flags;
    if segment.seq == bucket.rcv_nxt && flags.rst() && !bucket.ts_older {
        // What does a RST do that fits exactly? And what an empty segment, a new SYN, another RST?
        todo!()
    }
    Verdict::Ack
}
