//! Local ports: the search for a free one, and who may have which.
//! `[__inet_hash_connect]`, `[inet_csk_get_port]`

use super::ehash::{Entry, Object};
use super::slab::{SockId, TwId};
use crate::counters::Mib;
use crate::errno::Errno;
use crate::flow::{Addr, Endpoint, FourTuple};
use crate::kernel::Kernel;
use crate::sink::{BucketEnd, Cx, Sink};
use crate::state::TcpState;
use crate::time::Instant;
use crate::timewait::TimeWait;

/// A port that connect() may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) port: u16,
    /// The bucket that must go for it.
    pub(crate) bucket: Option<TwId>,
    /// How far from where the search began.
    tries: u32,
    /// 6.18: the slot of `table_perturb` that belongs to the destination, and what it holds.
    slot: Option<(u16, u32)>,
}

impl Kernel {
    /// Gives a connecting socket its port and puts it into the established hash. A reusable
    /// bucket in its place is returned, already gone from the tables. `[inet_hash_connect]`
    pub(crate) fn hash_connect(
        &mut self,
        id: SockId,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Result<Option<TimeWait>, Errno> {
        if self.socks[id].has_port {
            let flow = self.socks[id].flow;
            let bucket = self.check_established(flow, true, cx.now)?;
            return Ok(self.take_place(id, bucket, cx));
        }
        let flow = self.socks[id].flow;
        let found = self.search_port(flow, cx.now)?;
        self.move_search_on(&found);
        Ok(self.take_port(id, found.port, found.bucket, cx))
    }

    /// A free port towards that destination. Nothing is changed but the count of ports looked at;
    /// whoever takes it moves the search on.
    pub(crate) fn search_port(&mut self, flow: FourTuple, now: Instant) -> Result<Found, Errno> {
        let (low, high) = self.sysctl.ip_local_port_range;
        let span = u32::from(high) - u32::from(low) + 1;
        let flow = FourTuple { sport: 0, ..flow };
        if self.behaviour.splits_ports_by_parity {
            self.search_by_parity(flow, low, span, now)
        } else {
            self.search_in_turn(flow, low, span, now)
        }
    }

    /// The next search begins behind that port.
    pub(crate) fn move_search_on(&mut self, found: &Found) {
        let Some((slot, perturb)) = found.slot else {
            self.port_hint = self.port_hint.wrapping_add((found.tries + 2) & !1);
            return;
        };
        let step = 2 * self.secrets.below(8);
        self.perturb.insert(slot, perturb.wrapping_add(found.tries.max(step) + 2));
    }

    /// 6.18: ports of the range's parity first, from an offset of this destination's own.
    fn search_by_parity(
        &mut self,
        flow: FourTuple,
        low: u16,
        span: u32,
        now: Instant,
    ) -> Result<Found, Errno> {
        let span = if span > 1 { span & !1 } else { span };
        let key = self.secrets.of_flow(flow, 1);
        let slot = key as u16;
        let start = self.secrets.of_flow(FourTuple::default(), 2 + u64::from(slot)) as u32;
        let perturb = self.perturb.get(&slot).copied().unwrap_or(start);
        let offset = (u64::from(perturb).wrapping_add(key >> 32) % u64::from(span)) as u32 & !1;
        for offset in [offset, offset + 1] {
            let mut i = 0;
            while i < span {
                let port = low + ((offset + i) % span) as u16;
                if let Some(bucket) = self.try_port(flow, port, now) {
                    return Ok(Found { port, bucket, tries: i, slot: Some((slot, perturb)) });
                }
                i += 2;
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// 3.10: all ports in turn, from a hash plus one counter of the host's.
    fn search_in_turn(
        &mut self,
        flow: FourTuple,
        low: u16,
        span: u32,
        now: Instant,
    ) -> Result<Found, Errno> {
        let hash = self.secrets.of_flow(flow, 1) as u32;
        let offset = self.port_hint.wrapping_add(hash) & !1;
        for i in 0..span {
            let port = low + (offset.wrapping_add(i) % span) as u16;
            if let Some(bucket) = self.try_port(flow, port, now) {
                return Ok(Found { port, bucket, tries: i, slot: None });
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// May one connect from this port? The inner option is a bucket that must go for it.
    fn try_port(&mut self, flow: FourTuple, port: u16, now: Instant) -> Option<Option<TwId>> {
        self.counters.ports_tried += 1;
        if self.bind.is_bound(port) {
            return None;
        }
        let taken = self.taken.has(flow, port);
        let flow = FourTuple { sport: port, ..flow };
        let loopback = flow.saddr.is_loopback() || flow.daddr.is_loopback();
        if taken && !self.reuses_buckets(loopback) {
            return None;
        }
        // A port with an explicit owner is bound, so nobody else is here but connections of connect()'s
        // search, and requests that have outlived their listener.
        if !taken && (self.requests.len() == 0 || self.bind.get(port).owners == 0) {
            debug_assert!(
                !self.looks_up || self.find_connected(flow).is_none(),
                "nobody has that port"
            );
            return Some(None);
        }
        self.check_established(flow, false, now).ok()
    }

    fn take_port(
        &mut self,
        id: SockId,
        port: u16,
        bucket: Option<TwId>,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Option<TimeWait> {
        self.bind.add(port, false);
        let sk = &mut self.socks[id];
        sk.flow.sport = port;
        sk.has_port = true;
        sk.port_explicit = false;
        self.take_place(id, bucket, cx)
    }

    /// The socket enters the hash; the bucket that stood there leaves it.
    fn take_place(
        &mut self,
        id: SockId,
        bucket: Option<TwId>,
        cx: &mut Cx<'_, impl Sink>,
    ) -> Option<TimeWait> {
        let old = bucket.map(|tw| {
            let copy = self.buckets[tw];
            self.counters.inc(Mib::TWRecycled);
            self.bury(tw, BucketEnd::Recycled, cx);
            copy
        });
        self.hash(Entry::sock(id));
        self.socks[id].hashed = true;
        self.inuse += 1;
        old
    }

    /// Is the four-tuple free, or held by a bucket that may be reused? `[__inet_check_established]`
    pub(crate) fn check_established(
        &self,
        flow: FourTuple,
        bound: bool,
        now: Instant,
    ) -> Result<Option<TwId>, Errno> {
        match self.find_connected(flow) {
            None => Ok(None),
            Some(Object::Bucket(tw)) if self.bucket_reusable(tw, bound, now) => Ok(Some(tw)),
            Some(_) => Err(Errno::EADDRNOTAVAIL),
        }
    }

    /// May connect() take the place of any bucket at all? 2 (6.18) is for loopback alone.
    pub(crate) const fn reuses_buckets(&self, loopback: bool) -> bool {
        let reuse = self.sysctl.tcp_tw_reuse;
        reuse == 1 || (reuse != 0 && (loopback || !self.behaviour.tw_reuse_by_milliseconds))
    }

    /// May connect() take the bucket's place? `[tcp_twsk_unique]`
    fn bucket_reusable(&self, tw: TwId, bound: bool, now: Instant) -> bool {
        let tw = &self.buckets[tw];
        if tw.ts_recent_stamp == 0 {
            return false;
        }
        if bound {
            return true;
        }
        let loopback = tw.flow.saddr.is_loopback() || tw.flow.daddr.is_loopback();
        let allowed = self.reuses_buckets(loopback);
        if !self.behaviour.tw_reuse_by_milliseconds {
            let age = self.clock.seconds(now).saturating_sub(u64::from(tw.ts_recent_stamp));
            return allowed && age > 1;
        }
        allowed
            && tw.substate == TcpState::TimeWait
            && self.millis_since(tw.entry_ms, now) > self.sysctl.tcp_tw_reuse_delay as u64
    }

    /// bind(): takes a port, or finds one. `[inet_csk_get_port]`
    pub(crate) fn bind_port(&mut self, id: SockId, local: Endpoint) -> Result<u16, Errno> {
        if local.port != 0 {
            if self.bind_conflicts(id, local, false) {
                return Err(Errno::EADDRINUSE);
            }
            self.bind.add(local.port, true);
            return Ok(local.port);
        }
        let (low, high) = self.sysctl.ip_local_port_range;
        let span = u32::from(high) - u32::from(low) + 1;
        // [inet_csk_find_open_port]: the parity that connect() leaves for last comes first.
        let start = self.secrets.below(span) & !1 | 1;
        for turn in 0..2u32 {
            for i in (0..span).step_by(2) {
                let port = low + ((start + turn + i) % span) as u16;
                if self.bind.get(port).owners == 0
                    || !self.bind_conflicts(id, Endpoint::new(local.addr, port), true)
                {
                    self.bind.add(port, true);
                    return Ok(port);
                }
            }
        }
        Err(Errno::EADDRINUSE)
    }

    /// Does an owner of the port stand in the way? `[inet_csk_bind_conflict]`
    pub(crate) fn bind_conflicts(&self, id: SockId, local: Endpoint, strict: bool) -> bool {
        let port = self.bind.get(local.port);
        if port.owners == 0 {
            return false;
        }
        let me = &self.socks[id].opt;
        let conflicts = |addr: Addr, reuse: bool, reuse_port: bool, listens: bool| {
            let overlap = addr == local.addr || addr == Addr::ANY || local.addr == Addr::ANY;
            let both_reuse = me.reuse_addr && reuse && !listens && !strict;
            overlap && !both_reuse && !(me.reuse_port && reuse_port)
        };
        let by_sock = self.socks.iter().any(|(other, sk)| {
            other != id
                && sk.has_port
                && sk.flow.sport == local.port
                && conflicts(
                    sk.flow.saddr,
                    sk.opt.reuse_addr,
                    sk.opt.reuse_port,
                    sk.state == TcpState::Listen,
                )
        });
        by_sock
            || self.buckets.iter().any(|(_, tw)| {
                tw.flow.sport == local.port
                    && conflicts(
                        tw.flow.saddr,
                        tw.owner & TimeWait::REUSE_ADDR != 0,
                        tw.owner & TimeWait::REUSE_PORT != 0,
                        false,
                    )
            })
    }

    /// A socket lets go of its port. `[inet_put_port]`
    pub(crate) fn put_port(&mut self, id: SockId) {
        let sk = &mut self.socks[id];
        if sk.has_port {
            sk.has_port = false;
            let (port, explicit) = (sk.flow.sport, sk.port_explicit);
            self.bind.drop_owner(port, explicit);
        }
    }
}
