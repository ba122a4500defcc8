//! Random schedules of two hosts, as `finwait explore` draws them: what must hold of all of them,
//! whatever happens. Nothing is lost and nothing comes from nowhere; what is counted has happened; and
//! it happens the same again.

use std::collections::BTreeMap;

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::release::Release;
use finwait_model::sink::{Note, SockEnd};
use finwait_model::time::Span;
use finwait_sim::explore::record::digest;
use finwait_sim::explore::schedule::Fate;
use finwait_sim::explore::stage::{Did, Moment};
use finwait_sim::explore::{Act, Habits, Schedule, Setup, Stage, Step, text};
use finwait_sim::watch::Count;
use proptest::prelude::*;

#[path = "../../../src/cmd/explore/generate.rs"]
pub(crate) mod generate;

pub(crate) fn base() -> generate::Base {
    generate::Base {
        hosts: [Setup::new("web", Release::V6_18, 0), Setup::new("redis", Release::V6_18, 1)],
        releases: [Release::ALL.to_vec(), Release::ALL.to_vec()],
        delay: Span::millis(10),
        steps: 16,
    }
}

/// What happened on a host, by what was seen of it.
#[derive(Default, Debug)]
struct Seen {
    sent: BTreeMap<Cause, u64>,
    resets: u64,
    born: u64,
    died: u64,
    refused: u64,
    orphaned: u64,
    to_bucket: u64,
}

impl Seen {
    fn take(&mut self, moment: &Moment) {
        for did in &moment.did {
            match did {
                Did::Sent(segment, cause) => {
                    *self.sent.entry(*cause).or_default() += 1;
                    self.resets += u64::from(segment.flags.rst());
                    assert_eq!(segment.flags.rst(), cause.is_reset(), "{cause:?}: {segment}");
                }
                Did::Noted(Note::BucketBorn { .. }) => self.born += 1,
                Did::Noted(Note::BucketDied { .. }) => self.died += 1,
                Did::Noted(Note::BucketRefused { .. }) => self.refused += 1,
                Did::Noted(Note::Orphaned { .. }) => self.orphaned += 1,
                Did::Noted(Note::Destroyed { why: SockEnd::ToBucket, .. }) => self.to_bucket += 1,
                Did::Noted(_) => {}
            }
        }
    }
}

/// The schedule, and behind it both programs end: then everything must go.
fn that_ends(mut schedule: Schedule) -> Schedule {
    for side in 0..2 {
        let after = Span::millis(100);
        schedule.steps.push(Step { after, side, conn: 0, act: Act::Exit });
        // Who is not there to accept leaves connections that nobody closes.
        schedule.hosts[side].habits =
            Habits { never_accepts: false, ..schedule.hosts[side].habits };
    }
    schedule
}

/// Does the program of that host shut what it reads? Then it need not read everything.
fn shut(schedule: &Schedule, side: usize) -> bool {
    let shuts = |step: &Step| matches!(step.act, Act::ShutRd | Act::ShutRdWr);
    schedule.steps.iter().any(|step| step.side == side && shuts(step))
}

/// With tcp_syncookies = 2 a segment of the handshake or of data that comes a second time, when its
/// connection is over, carries a cookie that is still good: a second socket is made for the same
/// ports, and what is sent again is read again. `[cookie_v4_check]`
fn cookies_remember_nothing(schedule: &Schedule) -> bool {
    let always = ("net.ipv4.tcp_syncookies".to_owned(), "2".to_owned());
    schedule.hosts.iter().any(|host| host.sysctl.contains(&always))
        && schedule.fates.iter().any(|fated| matches!(fated.fate, Fate::Twice(_)))
}

fn walk(schedule: &Schedule) {
    let mut stage = Stage::new(schedule, &mut Count);
    let mut seen = [Seen::default(), Seen::default()];
    seen[1].take(stage.moment());
    while stage.step(&mut Count) {
        let moment = stage.moment();
        if moment.last {
            break;
        }
        seen[moment.side].take(moment);
        for (side, seen) in seen.iter().enumerate() {
            let kernel = stage.kernel(side);
            kernel.check();
            let stat = kernel.sockstat();
            assert_eq!(seen.born - seen.died, u64::from(stat.tw), "buckets are born and die");
            let limit = kernel.sysctl().get("net.ipv4.tcp_max_tw_buckets").expect("it is there");
            assert!(i64::from(stat.tw) <= limit.parse::<i64>().expect("a number"), "the limit");
        }
        for conn in stage.conns() {
            for side in 0..2 {
                let (own, peer) = (&conn.ends[side], &conn.ends[1 - side]);
                assert!(
                    own.read <= peer.sent || cookies_remember_nothing(schedule),
                    "nobody reads what was not sent"
                );
                assert!(
                    !own.fin_acked || own.fin_end.is_some(),
                    "no ACK of a FIN that was not sent"
                );
            }
        }
    }
    for (side, seen) in seen.iter().enumerate() {
        let kernel = stage.kernel(side);
        let counters = kernel.counters();
        for cause in Cause::all() {
            let sent = seen.sent.get(&cause).copied().unwrap_or(0);
            assert_eq!(counters.sent(cause), sent, "{} on host {side}", cause.name());
        }
        assert_eq!(counters.get(Mib::OutRsts), seen.resets, "RSTs on host {side}");
        assert_eq!(counters.get(Mib::TCPTimeWaitOverflow), seen.refused, "refusals on host {side}");
        assert_eq!(seen.to_bucket, seen.born, "each bucket came of a socket");
        let stat = kernel.sockstat();
        assert_eq!((stat.inuse, stat.orphan, stat.tw, stat.alloc), (0, 0, 0, 0), "all gone");
        assert_eq!(counters.get(Mib::CurrEstab), 0);
        assert!(kernel.rows(stage.now()).is_empty());
    }
    // What a FIN followed was read by whoever reads everything and was not broken.
    for (number, conn) in stage.conns().iter().enumerate() {
        for side in 0..2 {
            let (own, peer) = (&conn.ends[side], &conn.ends[1 - side]);
            if own.eof && own.broken.is_none() && !schedule.hosts[side].habits.leaves_unread {
                assert!(
                    shut(schedule, side) || own.read == peer.sent,
                    "bytes of connection {number}, host {side}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn what_goes_in_comes_out(schedule in generate::schedule(&base())) {
        walk(&that_ends(schedule));
    }

    #[test]
    fn a_schedule_goes_the_same_way_again(schedule in generate::schedule(&base())) {
        prop_assert_eq!(digest(&schedule), digest(&schedule));
        // Also if it has been a file meanwhile.
        let file = text::written(&schedule, "no-rst", &[]);
        let again = text::parse(&file).expect("it reads").schedule;
        prop_assert_eq!(digest(&again), digest(&schedule));
    }
}
