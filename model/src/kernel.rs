//! One host's TCP: the tables, and the public entry points. Each is a few lines; the story of a
//! segment begins in `rx`, that of a system call in `sys`.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

pub use crate::api::*;
use crate::behaviour::Behaviour;
use crate::counters::Counters;
use crate::deathrow::{DeathRow, Design};
use crate::flow::Addr;
use crate::release::Release;
use crate::secrets::Secrets;
use crate::segment::Segment;
use crate::sink::{Cx, Sink};
use crate::skb::Skbs;
use crate::sock::Sock;
use crate::sysctl::Sysctl;
use crate::table::bind::BindTable;
use crate::table::buckets::Buckets;
use crate::table::ehash::Ehash;
use crate::table::listen::Listener;
use crate::table::slab::{ListenId, ReqId, Slab, SockId};
use crate::table::taken::Taken;
use crate::time::{Clock, Instant, Jiffies};
use crate::timer::queue::TimerQueue;
use crate::timer::wheel::Rounding;

/// One host's TCP. Time and output come from outside through [`Cx`].
#[derive(Debug)]
pub struct Kernel {
    pub(crate) release: Release,
    pub(crate) behaviour: Behaviour,
    pub(crate) clock: Clock,
    pub(crate) sysctl: Sysctl,
    pub(crate) counters: Counters,
    pub(crate) secrets: Secrets,
    pub(crate) addrs: Vec<Addr>,
    pub(crate) mtu: u16,
    /// 40 ms in jiffies. `[TCP_ATO_MIN]`
    pub(crate) ato_min: u32,

    pub(crate) socks: Slab<SockId, Sock>,
    pub(crate) skbs: Skbs,
    pub(crate) requests: Slab<ReqId, crate::request::Request>,
    pub(crate) buckets: Buckets,
    pub(crate) listeners: Slab<ListenId, Listener>,
    /// Listeners by port, newest first among equals.
    pub(crate) listening: Vec<(u16, Addr, ListenId)>,
    pub(crate) ehash: Ehash,
    /// Does anybody ask whose a segment is? See [`crate::pair`].
    pub(crate) looks_up: bool,
    pub(crate) bind: BindTable,
    pub(crate) taken: Taken,

    pub(crate) timers: TimerQueue,
    pub(crate) request_timers: TimerQueue,
    pub(crate) listen_timers: TimerQueue,
    pub(crate) deathrow: DeathRow,

    pub(crate) orphans: u32,
    /// 6.18: the count that the limit is tested against, and when it was taken.
    pub(crate) orphan_cache: (u32, Jiffies),
    pub(crate) inuse: u32,
    /// Sockets that are not in the table, because somebody else knows what they do. See
    /// [`crate::pair`].
    pub(crate) elsewhere: u32,
    pub(crate) state_counts: [u32; 13],
    pub(crate) challenge_second: Option<u64>,
    pub(crate) challenge_budget: i64,
    /// `[table_perturb]` (6.18) as far as it was touched, and 3.10's one `hint`.
    pub(crate) perturb: BTreeMap<u16, u32>,
    pub(crate) port_hint: u32,
    /// 3.10 with tcp_tw_recycle: the last timestamp of each peer address, and when (seconds).
    pub(crate) peer_stamps: BTreeMap<Addr, (u32, u64)>,
    pub(crate) wakes: VecDeque<SockId>,
    /// Sockets that ended during this call: their slots are freed when it returns.
    pub(crate) ended: Vec<SockId>,
    /// Blocking close() calls whose wait is over.
    pub(crate) lingered: Vec<SockId>,
    pub(crate) closed_fds: VecDeque<Fd>,
}

impl Kernel {
    /// A host that has just booted.
    pub fn new(config: &Config) -> Self {
        let behaviour = Behaviour::of(config.release);
        let rounding = if behaviour.bucket_timer_uses_wheel_granules {
            Rounding::Wheel
        } else {
            Rounding::Exact
        };
        let design = if behaviour.bucket_has_own_timer { Design::PerBucket } else { Design::Cells };
        Self {
            release: config.release,
            behaviour,
            clock: config.clock,
            sysctl: config.sysctl.clone(),
            counters: Counters::default(),
            secrets: Secrets::new(config.seed),
            addrs: config.addrs.clone(),
            mtu: config.mtu,
            ato_min: config.clock.from_millis(40).0 as u32,
            socks: Slab::new(),
            skbs: Slab::new(),
            requests: Slab::new(),
            buckets: Buckets::new(),
            listeners: Slab::new(),
            listening: Vec::new(),
            ehash: Ehash::new(),
            looks_up: true,
            bind: BindTable::new(behaviour.port_returns_to_connect),
            taken: Taken::default(),
            timers: TimerQueue::new(rounding),
            request_timers: TimerQueue::new(rounding),
            listen_timers: TimerQueue::new(rounding),
            deathrow: DeathRow::new(design, config.clock.hz),
            orphans: 0,
            orphan_cache: (0, Jiffies(0)),
            inuse: 0,
            elsewhere: 0,
            state_counts: [0; 13],
            challenge_second: None,
            challenge_budget: 0,
            perturb: BTreeMap::new(),
            port_hint: 0,
            peer_stamps: BTreeMap::new(),
            wakes: VecDeque::new(),
            ended: Vec::new(),
            lingered: Vec::new(),
            closed_fds: VecDeque::new(),
        }
    }

    /// A segment arrives. `[tcp_v4_rcv]`
    pub fn rx(&mut self, segment: &Segment, cx: &mut Cx<'_, impl Sink>) {
        self.receive(segment, cx);
        self.settle(cx);
    }

    /// An ICMP error arrives. `[tcp_v4_err]`
    pub fn icmp(&mut self, icmp: &Icmp, cx: &mut Cx<'_, impl Sink>) {
        self.receive_icmp(icmp, cx);
        self.settle(cx);
    }

    /// What a call leaves to be done when the segment or system call is through: blocking
    /// close() calls go on, ended sockets give their slots back.
    #[inline(always)]
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_, impl Sink>) {
        if !self.lingered.is_empty() || !self.ended.is_empty() {
            self.settle_some(cx);
        }
    }
    fn settle_some(&mut self, cx: &mut Cx<'_, impl Sink>) {
        while let Some(id) = self.lingered.pop() {
            self.linger_over(id, cx);
        }
        while let Some(id) = self.ended.pop() {
            self.socks.remove(id);
        }
    }

    /// Counters by nstat name and segments by cause.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
    /// The release it runs.
    pub const fn release(&self) -> Release {
        self.release
    }
    /// Its tick.
    pub const fn clock(&self) -> Clock {
        self.clock
    }
    /// Another secret: every initial sequence number that it draws from now on is larger by so much
    /// (modulo 2^32). Nothing but sequence numbers may depend on that. `[net_secret]`
    pub const fn shift_isn(&mut self, by: u32) {
        self.secrets.isn_shift = by;
    }
    /// Its own addresses.
    pub fn addrs(&self) -> &[Addr] {
        &self.addrs
    }
    /// The sysctls in force.
    pub const fn sysctl(&self) -> &Sysctl {
        &self.sysctl
    }
    /// The sysctls, to be changed while the host runs.
    pub const fn sysctl_mut(&mut self) -> &mut Sysctl {
        &mut self.sysctl
    }
    /// When the next bucket dies, if one lives.
    pub fn next_bucket_death(&self) -> Option<Instant> {
        self.deathrow.next_death().map(|j| self.clock.instant(j))
    }
    /// Bytes that the tables hold.
    pub fn bytes(&self) -> usize {
        self.socks.bytes()
            + self.skbs.bytes()
            + self.requests.bytes()
            + self.buckets.bytes()
            + self.ehash.bytes()
            + self.bind.bytes()
            + self.taken.bytes()
            + self.deathrow.bytes()
            + self.timers.bytes()
            + self.request_timers.bytes()
    }
}
