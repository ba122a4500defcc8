//! A segment meets a bucket in FIN-WAIT-2. `[tcp_timewait_state_process]`

use finwait_learn::rust::{Bucket, Segment, Verdict, in_window};

/// What the bucket does with it.
pub fn judge(bucket: &Bucket, segment: &Segment) -> Verdict {
    let end = segment.end_seq();
    if !in_window(segment.seq, end, bucket.rcv_nxt, bucket.window_end) {
        return Verdict::Ack;
    }
    // What about RSTs, SYNs, what brings nothing new, and the FIN? Sequence numbers wrap: compare
    // them with `before` and `after`.
    todo!()
}
