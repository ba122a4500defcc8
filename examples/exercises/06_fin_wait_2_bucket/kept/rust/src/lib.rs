//! A segment meets a bucket in FIN-WAIT-2. `[tcp_timewait_state_process]`

use finwait_learn::rust::{Bucket, Segment, Verdict, in_window};

/// What the bucket does with it.
pub fn judge(bucket: &Bucket, segment: &Segment) -> Verdict {
    let end = segment.end_seq();
    let flags = segment.flags;
    if !in_window(segment.seq, end, bucket.rcv_nxt, bucket.window_end) {
        return Verdict::Ack;
    }
    if flags.rst() {
        return Verdict::Die;
    }
    if flags.syn() && !segment.seq.before(bucket.rcv_nxt) {
        return Verdict::Rst;
    }
    if !flags.ack() || !end.after(bucket.rcv_nxt) || end == segment.seq {
        return Verdict::Drop;
    }
    if flags.fin() && end == bucket.rcv_nxt + 1 { Verdict::TimeWait } else { Verdict::Rst }
}
