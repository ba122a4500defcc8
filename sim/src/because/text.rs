//! A RST with its reason, told in sentences: for the story of a run and for comments in captures.

use std::fmt::Write as _;

use finwait_model::flow::Addr;
use finwait_model::segment::Segment;
use finwait_model::state::TcpState;

use super::{Example, Explained, Fatal};
use crate::text::{grouped, millis, seconds};

impl Explained {
    /// Cause, call path, reason, and the earlier event, in one line. `name` knows the hosts.
    pub fn comment(&self, name: impl Fn(Addr) -> String) -> String {
        let site = self.cause.site();
        let reason = site.reset.map_or("none", |r| r.kernel_name());
        format!(
            "{}, sk_rst_reason {reason}: {}. Because {}. {}",
            site.name,
            site.path.join(" → "),
            self.because.text(),
            self.example.story(name)
        )
    }
}

impl Example {
    /// "t=41.204 s: ACK of our FIN in FIN-WAIT-1, …; 43.0 ms later the FIN from …". `name` knows
    /// the hosts.
    pub fn story(&self, name: impl Fn(Addr) -> String) -> String {
        let mut text = String::new();
        if let Some((at, fatal)) = self.past.and_then(|p| p.fatal) {
            let _ = write!(text, "t={at} s: {}", fatal_text(fatal));
        } else if let Some((at, state)) = self.past.and_then(|p| p.orphaned) {
            let _ = write!(text, "t={at} s: close() in {state}");
        }
        if text.is_empty() {
            let _ = write!(text, "t={} s: ", self.at);
        } else if let Some(earlier) = self.earlier() {
            let _ = write!(text, "; {} ms later ", millis(self.at.since(earlier).ns));
        }
        let _ = match &self.answers {
            Some(segment) => write!(
                text,
                "{} from {}:{} arrives and is answered with a RST.",
                words(segment),
                name(segment.flow.saddr),
                segment.flow.sport
            ),
            None => {
                let to = self.reset.flow;
                write!(text, "a RST leaves for {}:{}.", name(to.daddr), to.dport)
            }
        };
        text
    }
}

fn fatal_text(fatal: Fatal) -> String {
    match fatal {
        Fatal::BucketRefused { substate, count, limit, next_expiry } => {
            let call = match substate {
                TcpState::FinWait2 => "ACK of our FIN in FIN-WAIT-1, tcp_time_wait(FIN_WAIT2)",
                _ => "the peer's FIN, tcp_time_wait(TIME_WAIT)",
            };
            let oldest = match next_expiry {
                Some(at) => format!(", the next ones leave at {} s", seconds(at.ns, 3)),
                None => String::new(),
            };
            format!(
                "{call} refused with {} of {} buckets{oldest}; socket destroyed",
                grouped(u64::from(count)),
                grouped(u64::try_from(limit).unwrap_or(0))
            )
        }
        Fatal::BucketStands(state) => format!("a bucket in {state} takes the socket's place"),
        Fatal::BucketDied(state, how) => format!("the bucket in {state} goes ({how:?})"),
        Fatal::Destroyed(state, why) => format!("the socket in {state} is destroyed ({why:?})"),
        Fatal::RequestDied(why) => format!("the half-open request goes ({why:?})"),
    }
}

/// What a segment is, in a word or two.
pub(crate) const fn words(segment: &Segment) -> &'static str {
    let flags = segment.flags;
    match (flags.syn(), flags.fin(), segment.len > 0) {
        (true, _, _) if flags.ack() => "the SYN-ACK",
        (true, _, _) => "the SYN",
        (false, true, true) => "data with a FIN",
        (false, true, false) => "the FIN",
        (false, false, true) => "data",
        (false, false, false) => "an ACK",
    }
}
