//! What a server's port looks like over all its connections.

use std::collections::BTreeMap;

use finwait_model::flow::{Addr, Endpoint};

use super::flow::{Flow, Kind, Rst, Side, Step};
use super::spread::Spread;

/// So many clients of a service are told apart.
const MOST_CLIENTS: usize = 1024;

/// A port that connections are made to.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it is; the lowest port if several have been joined.
    pub server: Endpoint,
    /// The highest port.
    pub last_port: u16,
    /// Whose connections, and how many.
    pub clients: BTreeMap<Addr, u64>,
    /// Connections of further clients.
    pub more_clients: u64,
    /// Connections whose SYN was seen and answered.
    pub opened: u64,
    /// When the first and the last of these was begun, nanoseconds since 1970.
    pub first_syn: u64,
    /// The last one.
    pub last_syn: u64,
    /// Nanoseconds between two of them.
    pub gaps: Spread,
    /// From the SYN to the SYN-ACK.
    pub to_server: Spread,
    /// From the SYN-ACK to its ACK.
    pub to_client: Spread,
    /// Both: a round trip between the two hosts.
    pub round_trip: Spread,
    /// Bytes that clients sent, and servers.
    pub request: Spread,
    /// Bytes of the server.
    pub answer: Spread,
    /// From the request to the beginning of the answer.
    pub service: Spread,
    /// From the answer to the client's FIN, where that came first.
    pub hold: Spread,
    /// From the client's FIN to the server's, or to what it still sends before that.
    pub close_after: Spread,
    /// From the answer to the server's FIN, where that came first.
    pub idle: Spread,
    /// From the server's FIN to the client's.
    pub follows: Spread,
    /// Bytes that the server sent after the client's FIN.
    pub parting: Spread,
    /// How often client and server took turns.
    pub turns: Spread,
    /// How connections ended.
    pub endings: Endings,
    /// First FINs that were acknowledged without a FIN: their senders passed through FIN-WAIT-2.
    pub acked_alone: u64,
    /// From that ACK to the second FIN.
    pub fin_wait_2: Spread,
    /// Connections in which the server spoke first.
    pub greeted: u64,
    /// Segments.
    pub segments: u64,
    /// Segments that had been sent before.
    pub again: u64,
    /// RSTs: by whom, after what, with the own FIN sent before.
    pub rsts: BTreeMap<(Side, Option<Kind>, bool), u64>,
    /// RSTs that came when all was over.
    pub late_rsts: u64,
    /// SYNs with and without timestamps, SYN-ACKs with and without.
    pub stamps: [[u64; 2]; 2],
    /// The MSS of SYNs and SYN-ACKs.
    pub mss: [Spread; 2],
    /// How long a port had something to read or to close until it did something.
    pub waits: Spread,
    /// How many ports were joined.
    pub ports: u64,
    pending: Option<u64>,
}

/// How connections ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Endings {
    /// The client sent the first FIN.
    pub client_first: u64,
    /// The server did.
    pub server_first: u64,
    /// The client sent a RST and no FIN.
    pub client_reset: u64,
    /// The server did.
    pub server_reset: u64,
    /// They had not ended when the capture did.
    pub open: u64,
}

impl Endings {
    /// Those that had ended.
    pub const fn closed(&self) -> u64 {
        self.client_first + self.server_first + self.client_reset + self.server_reset
    }
    const fn merge(&mut self, other: &Self) {
        self.client_first += other.client_first;
        self.server_first += other.server_first;
        self.client_reset += other.client_reset;
        self.server_reset += other.server_reset;
        self.open += other.open;
    }
}

impl Service {
    pub(super) fn new(server: Endpoint) -> Self {
        Self {
            server,
            last_port: server.port,
            clients: BTreeMap::new(),
            more_clients: 0,
            opened: 0,
            first_syn: u64::MAX,
            last_syn: 0,
            gaps: Spread::default(),
            to_server: Spread::default(),
            to_client: Spread::default(),
            round_trip: Spread::default(),
            request: Spread::default(),
            answer: Spread::default(),
            service: Spread::default(),
            hold: Spread::default(),
            close_after: Spread::default(),
            idle: Spread::default(),
            follows: Spread::default(),
            parting: Spread::default(),
            turns: Spread::default(),
            endings: Endings::default(),
            acked_alone: 0,
            fin_wait_2: Spread::default(),
            greeted: 0,
            segments: 0,
            again: 0,
            rsts: BTreeMap::new(),
            late_rsts: 0,
            stamps: [[0; 2]; 2],
            mss: [Spread::default(), Spread::default()],
            waits: Spread::default(),
            ports: 1,
            pending: None,
        }
    }
    /// A connection to it has been accepted.
    pub(super) fn opens(&mut self, client: Addr, syn: u64) {
        self.opened += 1;
        if let Some(count) = self.clients.get_mut(&client) {
            *count += 1;
        } else if self.clients.len() < MOST_CLIENTS {
            self.clients.insert(client, 1);
        } else {
            self.more_clients += 1;
        }
        if self.first_syn != u64::MAX {
            self.gaps.add(syn.abs_diff(self.last_syn));
        }
        self.first_syn = self.first_syn.min(syn);
        self.last_syn = self.last_syn.max(syn);
    }
    /// Something that its application must react to, or a reaction.
    pub(super) fn steps(&mut self, at: u64, step: Step) {
        match step {
            Step::Asks => {
                self.pending.get_or_insert(at);
            }
            Step::Answers => {
                if let Some(since) = self.pending.take() {
                    self.waits.add(at.saturating_sub(since));
                }
            }
            Step::Nothing => {}
        }
    }
    /// A connection is over, or the capture is.
    pub(super) fn closes(&mut self, flow: &Flow) {
        let (client, server) = (&flow.from_client, &flow.from_server);
        for (place, half) in [client, server].into_iter().enumerate() {
            self.segments += half.segments;
            self.again += half.again;
            if let Some(stamped) = half.stamped {
                self.stamps[place][usize::from(stamped)] += 1;
            }
            if let Some(mss) = half.mss {
                self.mss[place].add(u64::from(mss));
            }
        }
        self.handshake(flow);
        self.reset(flow.rst);
        self.ending(flow);
        if flow.is_over() || client.bytes + server.bytes > 0 {
            self.request.add(client.bytes);
            self.answer.add(server.bytes - server.parting);
            self.turns.add(flow.turns);
            self.greeted += u64::from(flow.greeted);
        }
        if let (Some(asked), Some(began)) = (flow.asked, flow.answer_began) {
            self.service.add(began.saturating_sub(asked));
        }
    }
    fn handshake(&mut self, flow: &Flow) {
        let (Some(syn), Some(syn_ack)) = (flow.syn, flow.syn_ack) else { return };
        if flow.syns > 1 {
            return;
        }
        self.to_server.add(syn_ack.saturating_sub(syn));
        if let Some(established) = flow.established {
            self.to_client.add(established.saturating_sub(syn_ack));
            self.round_trip.add(established.saturating_sub(syn));
        }
    }
    fn reset(&mut self, rst: Option<Rst>) {
        match rst {
            Some(Rst { late: true, .. }) => self.late_rsts += 1,
            Some(rst) => *self.rsts.entry((rst.by, rst.after, rst.own_fin)).or_default() += 1,
            None => {}
        }
    }
    fn ending(&mut self, flow: &Flow) {
        let (client, server) = (&flow.from_client, &flow.from_server);
        let since = |later: Option<u64>, earlier: Option<u64>| {
            later.zip(earlier).map(|(later, earlier)| later.saturating_sub(earlier))
        };
        let add = |spread: &mut Spread, value: Option<u64>| {
            if let Some(value) = value {
                spread.add(value);
            }
        };
        let talked = flow.answered.or(flow.asked).or(flow.established);
        let (first, second) = match flow.first_closer() {
            Some(Side::Client) => {
                self.endings.client_first += 1;
                add(&mut self.hold, since(client.fin, talked));
                // With something to say in between a server waits before that, and once more.
                let reacted = server.parting_began.or(server.fin);
                add(&mut self.close_after, since(reacted, client.fin));
                self.parting.add(server.parting);
                (client, server)
            }
            Some(Side::Server) => {
                self.endings.server_first += 1;
                add(&mut self.idle, since(server.fin, talked));
                add(&mut self.follows, since(client.fin, server.fin));
                (server, client)
            }
            None => {
                match flow.rst {
                    Some(rst) if rst.by == Side::Client => {
                        self.endings.client_reset += 1;
                        add(&mut self.hold, since(Some(rst.at), talked));
                    }
                    Some(_) => self.endings.server_reset += 1,
                    None => self.endings.open += 1,
                }
                return;
            }
        };
        if let Some((acked, true)) = first.fin_acked {
            self.acked_alone += 1;
            add(&mut self.fin_wait_2, since(second.fin, Some(acked)));
        }
    }
    /// Takes over what another port of the same server looks like.
    pub(super) fn join(&mut self, other: &Self) {
        self.last_port = other.last_port;
        self.ports += other.ports;
        for (client, n) in &other.clients {
            *self.clients.entry(*client).or_default() += n;
        }
        self.more_clients += other.more_clients;
        self.opened += other.opened;
        self.first_syn = self.first_syn.min(other.first_syn);
        self.last_syn = self.last_syn.max(other.last_syn);
        self.endings.merge(&other.endings);
        self.acked_alone += other.acked_alone;
        self.greeted += other.greeted;
        self.segments += other.segments;
        self.again += other.again;
        self.late_rsts += other.late_rsts;
        for (kind, n) in &other.rsts {
            *self.rsts.entry(*kind).or_default() += n;
        }
        for (mine, theirs) in self.stamps.iter_mut().flatten().zip(other.stamps.iter().flatten()) {
            *mine += theirs;
        }
        let theirs = other.spreads();
        for (mine, theirs) in self.spreads_mut().into_iter().zip(theirs) {
            mine.merge(theirs);
        }
    }
    const fn spreads(&self) -> [&Spread; 17] {
        [
            &self.gaps,
            &self.to_server,
            &self.to_client,
            &self.round_trip,
            &self.request,
            &self.answer,
            &self.service,
            &self.hold,
            &self.close_after,
            &self.idle,
            &self.follows,
            &self.parting,
            &self.turns,
            &self.fin_wait_2,
            &self.mss[0],
            &self.mss[1],
            &self.waits,
        ]
    }
    const fn spreads_mut(&mut self) -> [&mut Spread; 17] {
        let [mss_0, mss_1] = &mut self.mss;
        [
            &mut self.gaps,
            &mut self.to_server,
            &mut self.to_client,
            &mut self.round_trip,
            &mut self.request,
            &mut self.answer,
            &mut self.service,
            &mut self.hold,
            &mut self.close_after,
            &mut self.idle,
            &mut self.follows,
            &mut self.parting,
            &mut self.turns,
            &mut self.fin_wait_2,
            mss_0,
            mss_1,
            &mut self.waits,
        ]
    }
}
