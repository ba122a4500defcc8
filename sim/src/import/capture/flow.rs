//! One connection as a capture shows it, segment by segment.

use finwait_model::flow::Endpoint;

use crate::pcap::read::TcpPacket;

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// Who sent the SYN, or is taken for it.
    pub(super) client: Endpoint,
    /// Who got it.
    pub(super) server: Endpoint,
    /// On which interface it was met first: what others show of it are copies.
    pub(super) place: u64,
    /// When the SYN, the SYN-ACK and the ACK of it passed.
    pub(super) syn: Option<u64>,
    pub(super) syn_ack: Option<u64>,
    pub(super) established: Option<u64>,
    /// The SYN's sequence number, to tell a second one from a new connection.
    isn: u32,
    /// How often the SYN was sent.
    pub(super) syns: u32,
    /// What each side sent.
    pub(super) from_client: Half,
    pub(super) from_server: Half,
    /// Who sent data last.
    speaker: Option<Side>,
    /// How often the client spoke after the server, or at first.
    pub(super) turns: u64,
    /// When the first request was complete, when its answer began and was complete.
    pub(super) asked: Option<u64>,
    pub(super) answer_began: Option<u64>,
    pub(super) answered: Option<u64>,
    /// Did the server speak first?
    pub(super) greeted: bool,
    /// The first RST.
    pub(super) rst: Option<Rst>,
    /// Has it been counted as one of its service?
    pub(super) counted: bool,
    /// When its last segment passed.
    pub(super) last: u64,
    /// Since somebody looked last; for the table's choice whom to give up.
    pub(super) touched: bool,
}

/// One direction of a connection.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Half {
    /// What the next byte's sequence number will be.
    next: Option<u32>,
    /// Bytes before that which have not been seen: lost, or overtaken.
    missing: u32,
    /// The kind of its last segment.
    last_kind: Option<Kind>,
    /// Bytes of payload.
    pub(super) bytes: u64,
    /// Of these, after the other side's FIN.
    pub(super) parting: u64,
    /// When the first of those passed.
    pub(super) parting_began: Option<u64>,
    /// Segments, and those among them that were sent again.
    pub(super) segments: u64,
    pub(super) again: u64,
    /// When its FIN passed.
    pub(super) fin: Option<u64>,
    /// The number that acknowledges it.
    fin_end: u32,
    /// When that was acknowledged; and whether by a segment without a FIN of the other side.
    pub(super) fin_acked: Option<(u64, bool)>,
    /// Do its segments carry timestamps, as its SYN or SYN-ACK says?
    pub(super) stamped: Option<bool>,
    /// Its MSS.
    pub(super) mss: Option<u16>,
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Who sent the SYN.
    Client,
    /// Who got it.
    Server,
}

/// What a segment is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// SYN.
    Syn,
    /// SYN and ACK.
    SynAck,
    /// Bytes without FIN.
    Data,
    /// FIN, with or without bytes.
    Fin,
    /// Only an ACK.
    Ack,
}

/// A RST, and what it came after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rst {
    /// When it passed.
    pub(super) at: u64,
    /// Who sent it.
    pub(super) by: Side,
    /// What the other side had sent last.
    pub(super) after: Option<Kind>,
    /// Had the sender sent its own FIN before?
    pub(super) own_fin: bool,
    /// Was everything over: both FINs through?
    pub(super) late: bool,
}

impl Flow {
    pub(super) fn new(at: u64, place: u64, packet: &TcpPacket) -> Self {
        let (source, destination) = (packet.flow.source(), packet.flow.destination());
        let opens = packet.flags.syn() && !packet.flags.ack();
        let accepts = packet.flags.syn() && packet.flags.ack();
        // In the middle of a connection the service is the lower port, as a rule.
        let from_client = opens || !accepts && source.port >= destination.port;
        let (client, server) =
            if from_client { (source, destination) } else { (destination, source) };
        Self {
            client,
            server,
            place,
            syn: None,
            syn_ack: None,
            established: None,
            isn: packet.seq,
            syns: 0,
            from_client: Half::default(),
            from_server: Half::default(),
            speaker: None,
            turns: 0,
            asked: None,
            answer_began: None,
            answered: None,
            greeted: false,
            rst: None,
            counted: false,
            last: at,
            touched: true,
        }
    }
    /// Does this SYN begin another connection with the same ends?
    pub(super) fn is_followed_by(&self, packet: &TcpPacket) -> bool {
        packet.flags.syn() && !packet.flags.ack() && (self.syn.is_none() || self.isn != packet.seq)
    }
    /// Both FINs are acknowledged, or there was a RST.
    pub(super) const fn is_over(&self) -> bool {
        self.rst.is_some()
            || self.from_client.fin_acked.is_some() && self.from_server.fin_acked.is_some()
    }
    /// Who closed first, if anybody did.
    pub(super) fn first_closer(&self) -> Option<Side> {
        match (self.from_client.fin, self.from_server.fin) {
            (Some(client), Some(server)) if server < client => Some(Side::Server),
            (None, Some(_)) => Some(Side::Server),
            (Some(_), _) => Some(Side::Client),
            (None, None) => None,
        }
    }
    /// What this segment does; true if it is one that the server's application must answer.
    pub(super) fn take(&mut self, at: u64, packet: &TcpPacket) -> Step {
        self.last = at;
        self.touched = true;
        let side = if packet.flow.source() == self.client { Side::Client } else { Side::Server };
        let flags = packet.flags;
        if flags.rst() {
            self.reset(at, side);
            return Step::Nothing;
        }
        if flags.syn() {
            self.syn(at, side, packet);
        } else if side == Side::Client && self.syn_ack.is_some() && self.established.is_none() {
            self.established = Some(at);
        }
        let over = self.other(side).fin.is_some();
        let half = self.half(side);
        let new = half.take(at, packet, over);
        if flags.ack() {
            self.other(side).acked(at, packet.ack, !flags.fin());
        }
        if new.bytes > 0 {
            self.data(at, side);
        }
        match (side, new.bytes > 0 || new.fin) {
            (Side::Client, true) => Step::Asks,
            (Side::Server, true) => Step::Answers,
            (_, false) => Step::Nothing,
        }
    }
    const fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }
    const fn other(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.from_server,
            Side::Server => &mut self.from_client,
        }
    }
    fn syn(&mut self, at: u64, side: Side, packet: &TcpPacket) {
        if side == Side::Client && !packet.flags.ack() {
            self.syns = self.syns.saturating_add(1);
            self.syn.get_or_insert(at);
        } else if packet.flags.ack() {
            self.syn_ack.get_or_insert(at);
        }
        let half = self.half(side);
        half.stamped = half.stamped.or(packet.stamped);
        half.mss = half.mss.or(packet.mss);
    }
    fn reset(&mut self, at: u64, by: Side) {
        if self.rst.is_none() {
            let late = self.from_client.fin_acked.is_some() && self.from_server.fin_acked.is_some();
            let own_fin = self.half(by).fin.is_some();
            self.rst = Some(Rst { at, by, after: self.other(by).last_kind, own_fin, late });
        }
    }
    /// New bytes: questions and answers take turns.
    fn data(&mut self, at: u64, side: Side) {
        match side {
            Side::Client => {
                if self.speaker != Some(Side::Client) {
                    self.turns += 1;
                }
                if self.answer_began.is_none() {
                    self.asked = Some(at);
                }
            }
            // What comes after the client's FIN is no answer.
            Side::Server => {
                self.greeted |= self.speaker.is_none();
                if self.turns <= 1 && self.from_client.fin.is_none() {
                    self.answer_began.get_or_insert(at);
                    self.answered = Some(at);
                }
            }
        }
        self.speaker = Some(side);
    }
}

/// What a segment means to the server's application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// It has something to read: bytes, or the end of file.
    Asks,
    /// It has written or closed.
    Answers,
}

/// What is new in a segment.
#[derive(Clone, Copy, Default)]
struct New {
    bytes: u32,
    fin: bool,
}

impl Half {
    fn take(&mut self, at: u64, packet: &TcpPacket, other_is_over: bool) -> New {
        let flags = packet.flags;
        self.segments += 1;
        self.last_kind = Some(match (flags.syn(), flags.ack(), flags.fin(), packet.len) {
            (true, false, ..) => Kind::Syn,
            (true, true, ..) => Kind::SynAck,
            (false, _, true, _) => Kind::Fin,
            (false, _, false, 0) => Kind::Ack,
            (false, _, false, _) => Kind::Data,
        });
        // A bare ACK says nothing new of its own direction: it may have overtaken what did, or be
        // the probe of a keepalive, which lies before what was sent last.
        if packet.len == 0 && !flags.fin() && !flags.syn() {
            return New::default();
        }
        let first = packet.seq.wrapping_add(u32::from(flags.syn()));
        let end = first.wrapping_add(packet.len);
        let next = *self.next.get_or_insert(first);
        let skipped = first.wrapping_sub(next).cast_signed();
        if skipped > 0 {
            self.missing = self.missing.saturating_add(skipped.cast_unsigned());
        }
        let ahead = end.wrapping_sub(next);
        let is_ahead = ahead.cast_signed() > 0;
        let mut new = New { bytes: 0, fin: flags.fin() && self.fin.is_none() };
        if is_ahead {
            new.bytes = ahead.min(packet.len);
            self.next = Some(end);
        } else if packet.len > 0 && packet.len <= self.missing {
            // It fills a hole: overtaken, or lost and sent again.
            self.missing -= packet.len;
            new.bytes = packet.len;
        } else if !new.fin && (!flags.syn() || self.segments != 1) {
            self.again += 1;
        }
        self.bytes += u64::from(new.bytes);
        if other_is_over && new.bytes > 0 {
            self.parting += u64::from(new.bytes);
            self.parting_began.get_or_insert(at);
        }
        if new.fin {
            self.fin = Some(at);
            self.fin_end = end.wrapping_add(1);
        }
        new
    }
    /// The other side acknowledges up to there.
    fn acked(&mut self, at: u64, ack: u32, alone: bool) {
        if self.fin.is_some() && self.fin_acked.is_none() {
            let beyond = ack.wrapping_sub(self.fin_end);
            if beyond.cast_signed() >= 0 {
                self.fin_acked = Some((at, alone));
            }
        }
    }
}
