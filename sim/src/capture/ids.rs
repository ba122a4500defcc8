//! The identification field of IP headers, as Linux fills it for TCP.
//!
//! Everything that TCP sends has DF set. A full socket counts its packets from a random number
//! (`inet_id`), retransmissions too. Whoever has no full socket behind it sends 0: a listener's
//! SYN-ACK, the ACKs of half-open requests and of timewait buckets, and RSTs in answer to a segment
//! (`[ip_select_ident]`, `[ip_build_and_send_pkt]`, `[ip_send_unicast_reply]`).

use finwait_model::cause::Cause;
use finwait_model::flow::FourTuple;

use crate::watch::Sent;

/// How many sockets share a set, and how many sets there are: 65,536 sockets in all. One that is
/// crowded out goes on from another random number.
const WAYS: usize = 4;
const SETS: usize = 1 << 14;

/// What full sockets count.
#[derive(Debug)]
pub(super) struct Ids {
    sets: Vec<[(FourTuple, u16); WAYS]>,
    turns: Vec<u8>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { sets: vec![[(FourTuple::default(), 0); WAYS]; SETS], turns: vec![0; SETS] }
    }
}

impl Ids {
    /// The number of a segment that leaves now. Must see every segment of its host.
    pub(super) fn next(&mut self, sent: &Sent<'_>) -> u16 {
        let flow = sent.segment.flow;
        let set_index = spread(flow) as usize % SETS;
        let set = &mut self.sets[set_index];
        let known = set.iter().position(|(f, _)| *f == flow);
        if !from_full_socket(sent.cause) {
            // Here the ports' next socket begins, with a number of its own.
            if let (Cause::SynAck | Cause::SynAckCookie, Some(way)) = (sent.cause, known) {
                set[way].0 = FourTuple::default();
            }
            return 0;
        }
        let known = known.filter(|_| sent.cause != Cause::SynOnConnect);
        let way = known.unwrap_or_else(|| {
            let way = usize::from(self.turns[set_index]) % WAYS;
            self.turns[set_index] = self.turns[set_index].wrapping_add(1);
            set[way] = (flow, start(sent));
            way
        });
        let id = set[way].1;
        set[way].1 = id.wrapping_add(1);
        id
    }
}

/// A socket's first number: chance in the kernel, here drawn from what is unique to the socket.
fn start(sent: &Sent<'_>) -> u16 {
    let mixed =
        (sent.at.ns ^ u64::from(sent.segment.seq.0) << 20 ^ u64::from(spread(sent.segment.flow)))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as u16
}

/// A flow as a number. Part of what a capture's bytes are made of, so it never changes.
const fn spread(flow: FourTuple) -> u32 {
    let mixed = (flow.saddr.0 ^ flow.daddr.0).wrapping_mul(0x9e37_79b1);
    let (low, high) = if flow.sport < flow.dport {
        (flow.sport as u32, flow.dport as u32)
    } else {
        (flow.dport as u32, flow.sport as u32)
    };
    let high = high >> 1 | (high & 1) << 15;
    (mixed ^ (mixed >> 15)) ^ high ^ low.wrapping_mul(0x9e37_79b1)
}

/// Does a full socket's own output path send it?
fn from_full_socket(cause: Cause) -> bool {
    match cause {
        Cause::SynAck
        | Cause::SynAckTimer
        | Cause::SynAckAgain
        | Cause::SynAckCookie
        | Cause::AckRequest
        | Cause::TwAckFinWait2
        | Cause::TwAckOfFin
        | Cause::TwAckTimeWait
        // smoltcp numbers no packets.
        | Cause::OtherTcp
        | Cause::RstOtherTcp => false,
        _ => !cause.is_reset() || cause.site().path.last() != Some(&"tcp_v4_send_reset"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Fate;
    use crate::world::HostId;
    use finwait_model::segment::Segment;
    use finwait_model::time::Instant;

    fn next(ids: &mut Ids, port: u16, cause: Cause, ns: u64) -> u16 {
        let flow = FourTuple { sport: port, dport: 80, ..FourTuple::default() };
        let segment = Segment { flow, ..Segment::default() };
        ids.next(&Sent {
            at: Instant { ns },
            host: HostId(0),
            segment: &segment,
            cause,
            answers: None,
            fate: Fate::Lost,
        })
    }

    #[test]
    fn a_socket_counts_and_whoever_has_none_sends_zero() {
        let ids = &mut Ids::default();
        let syn = next(ids, 1, Cause::SynOnConnect, 0);
        assert_eq!(next(ids, 1, Cause::Data, 1), syn.wrapping_add(1));
        assert_eq!(next(ids, 1, Cause::RstNoSocket, 2), 0);
        assert_eq!(next(ids, 1, Cause::RstLingerZero, 3), syn.wrapping_add(2));
        assert_ne!(next(ids, 2, Cause::SynOnConnect, 4), syn.wrapping_add(3), "a start of its own");
        assert_eq!(next(ids, 3, Cause::SynAck, 5), 0);
        assert_eq!(next(ids, 3, Cause::TwAckOfFin, 6), 0);
        let again = next(ids, 1, Cause::SynOnConnect, 7);
        assert_ne!(again, syn.wrapping_add(3), "the same ports, another socket");
    }

    #[test]
    fn every_answer_without_a_socket_is_known_by_its_path() {
        for cause in Cause::all().filter(|c| c.is_of_linux()) {
            let path = cause.site().path;
            let last = path.last().expect("every site has a path");
            let without = [
                "tcp_v4_send_reset",
                "tcp_v4_timewait_ack",
                "tcp_v4_reqsk_send_ack",
                "tcp_v4_send_synack",
                "tcp_rtx_synack",
                "inet_rtx_syn_ack",
                "cookie_init_sequence",
            ];
            assert_eq!(from_full_socket(cause), !without.contains(last), "{}", cause.name());
        }
    }
}
