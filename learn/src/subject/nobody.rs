//! A segment that belongs to no connection: what does the host answer? `[tcp_v4_rcv]`

use finwait_model::release::Release;
use finwait_model::segment::Flags;
use finwait_model::time::Span;

use super::{Seen, Subject, Verdict};
use crate::expr::{Word, number, truth};
use crate::lab::{Lab, Say, What};

const WORDS: &[Word] = &[
    truth("syn", "the SYN flag"),
    truth("fin", "the FIN flag"),
    truth("rst", "the RST flag"),
    truth("ack", "the ACK flag"),
    number("len", "bytes of payload"),
    truth("listening", "somebody listens on the port"),
];

const VERDICTS: &[Verdict] = &[
    Verdict { name: "drop", does: "is silent", leaves: "" },
    Verdict {
        name: "rst",
        does: "answers with a RST that begins where it acknowledges",
        leaves: "RST",
    },
    Verdict {
        name: "rst-ack",
        does: "answers with a RST of sequence number 0 that acknowledges it",
        leaves: "RST ACK",
    },
    Verdict { name: "syn-ack", does: "answers with a SYN ACK", leaves: "SYN ACK" },
];

pub(super) const NOBODY: Subject = Subject {
    name: "nobody",
    about: "a segment arrives, and there is no connection that it belongs to",
    words: WORDS,
    verdicts: VERDICTS,
    decides_segment: true,
    sizes: &[2, FLAGS.len(), 2],
    values,
    observe,
};

const FLAGS: [Flags; 10] = [
    Flags::FIN.with(Flags::ACK),
    Flags::ACK,
    Flags::SYN,
    Flags::RST,
    Flags::RST.with(Flags::ACK),
    Flags::PSH.with(Flags::ACK),
    Flags::SYN.with(Flags::ACK),
    Flags::FIN,
    Flags::PSH,
    Flags::NONE,
];

fn values(pick: &[usize]) -> Option<Vec<i64>> {
    let flags = FLAGS[pick[1]];
    let [syn, fin] = [flags.syn(), flags.fin()].map(i64::from);
    let [rst, ack] = [flags.rst(), flags.ack()].map(i64::from);
    Some(vec![syn, fin, rst, ack, 10 * pick[2] as i64, pick[0] as i64])
}

fn observe(pick: &[usize]) -> Seen {
    let mut lab = Lab::new(Release::V6_18, &[], false);
    if pick[0] == 1 {
        lab.listen();
    }
    lab.wait(Span::secs(1));
    let before = lab.rungs().len();
    lab.hears(Say { flags: FLAGS[pick[1]], seq: 1001, len: 10 * pick[2] as u16, ack: 2, ts: None });
    let sent = lab.rungs()[before..].iter().find_map(|r| match &r.what {
        What::Out(segment, cause) => Some((*segment, *cause)),
        _ => None,
    });
    let verdict = match sent {
        None => "drop",
        Some((s, _)) if s.flags.syn() => "syn-ack",
        Some((s, _)) if s.flags.ack() => "rst-ack",
        Some(_) => "rst",
    };
    let (why, path) = match sent {
        Some((_, cause)) => (cause.site().why.to_owned(), cause.site().path.join(" → ")),
        None if FLAGS[pick[1]].rst() => (
            "A RST is never answered: two hosts without a socket would reset one another for ever."
                .to_owned(),
            "tcp_v4_rcv → tcp_v4_send_reset".to_owned(),
        ),
        None => (
            "A listener takes SYNs, and resets what has an ACK; the rest means nothing to it."
                .to_owned(),
            "tcp_v4_rcv → tcp_v4_do_rcv → tcp_rcv_state_process".to_owned(),
        ),
    };
    Seen { verdict, why, path, lab, before }
}
