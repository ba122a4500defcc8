//! A segment meets a bucket in TIME-WAIT; somebody listens on the port. `[tcp_timewait_state_process]`

use finwait_learn::rust::{Bucket, Segment, Verdict};

/// What the bucket does with it.
pub fn judge(bucket: &Bucket, segment: &Segment) -> Verdict {
    let flags = segment.flags;
    let exact = segment.seq == bucket.rcv_nxt && !bucket.ts_older;
    if exact && flags.rst() {
        return Verdict::Die;
    }
    if exact && segment.end_seq() == segment.seq {
        return Verdict::Restart;
    }
    let only_syn = flags.syn() && !flags.rst() && !flags.ack();
    if only_syn && !bucket.ts_older && (segment.seq.after(bucket.rcv_nxt) || bucket.ts_newer) {
        return Verdict::Reopen;
    }
    if flags.rst() { Verdict::Drop } else { Verdict::Ack }
}
