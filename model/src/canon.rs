//! What decides how a host goes on, as text: for model checkers, which must know a state that they
//! have seen before.
//!
//! On 3.10 the time when a bucket dies is decided by the cell that it lies in and by where the
//! hands of the death row stand, and not by the expiry that `ss` shows; so these are written, too.
//!
//! What only tells how a host came to be as it is stays out: counters, and places in tables that are
//! free again. What a host is made of is the same in every state of a search: release, sysctls,
//! secrets, clock. Times are absolute, so states are told apart by when they are, too.

use core::fmt::{Result, Write};

use crate::kernel::Kernel;
use crate::table::slab::Id as _;
use crate::timer::{Kind, timer_id};

impl Kernel {
    /// Writes it.
    pub fn write_state(&self, out: &mut impl Write) -> Result {
        for (id, sk) in self.socks.iter() {
            write!(out, "{id:?} {sk:?} {:?}", self.bind.get(sk.flow.sport))?;
            for kind in Kind::ALL {
                write!(out, " {:?}", self.timers.expires(timer_id(id, kind)))?;
            }
        }
        for (id, skb) in self.skbs.iter() {
            write!(out, " {id:?} {skb:?}")?;
        }
        for (id, request) in self.requests.iter() {
            write!(out, " {id:?} {request:?} {:?}", self.request_timers.expires(id.index()))?;
        }
        for (id, bucket) in self.buckets.iter() {
            write!(
                out,
                " {id:?} {bucket:?} {:?}",
                self.deathrow.expires(&self.buckets, id.index())
            )?;
        }
        self.deathrow.write_state(out)?;
        for (id, listener) in self.listeners.iter() {
            write!(out, " {id:?} {listener:?} {:?}", self.listen_timers.expires(id.index()))?;
        }
        write!(out, " {:?} {:?} {:?}", self.listening, self.next_timer(), self.orphan_cache)?;
        write!(out, " {:?} {}", self.challenge_second, self.challenge_budget)?;
        write!(out, " {:?} {} {:?}", self.perturb, self.port_hint, self.peer_stamps)?;
        write!(out, " {:?} {:?} {:?}", self.wakes, self.lingered, self.closed_fds)
    }
}
