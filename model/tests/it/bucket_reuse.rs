//! Whether connect() and bind() may have what a bucket holds: sections 1.9 and 7.4 of the fact
//! sheet, C6 to C8 of its companion.

use std::collections::VecDeque;

use finwait_model::counters::Mib;
use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Config, Kernel, SockOpt};
use finwait_model::release::Release;
use finwait_model::sink::Cx;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::Span;

use crate::pair::Out;
use crate::solo::{PEER, Solo};
use crate::text_table::check;

/// A host with one ephemeral port whose last connection to the peer is a bucket now.
struct Case {
    release: Release,
    stamps: bool,
    /// FIN_WAIT2 instead of TIME_WAIT.
    fin_wait2: bool,
    /// Was the port bound, and is it to be bound again?
    bound: bool,
    reuse_addr: [bool; 2],
}

impl Case {
    fn bucket(&self, sets: &[(&str, &str)]) -> Solo {
        let mut all = vec![("ip_local_port_range", "50000 50000")];
        all.extend_from_slice(sets);
        let mut solo = Solo::new(self.release, &all);
        solo.timestamps = self.stamps;
        let fd = solo.k.socket();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::ReuseAddr(self.reuse_addr[0]), cx).unwrap());
        if self.bound {
            solo.k.bind(fd, Endpoint::new(Addr::ANY, 50000)).unwrap();
        }
        solo.call(|k, cx| k.connect(fd, PEER, cx));
        solo.syn_ack();
        assert_eq!(solo.close(fd), "F. 1:1 ack 1");
        if self.fin_wait2 {
            solo.rx(". 1 0 ack 2");
            assert_eq!(solo.state(), "FIN-WAIT-2");
        } else {
            solo.rx("F. 1 0 ack 2");
            assert_eq!(solo.state(), "TIME-WAIT");
        }
        solo
    }

    /// connect() to the same peer: the SYN relative to the old connection, or the error.
    fn again(&self, solo: &mut Solo) -> String {
        let fd = solo.k.socket();
        solo.call(|k, cx| k.setsockopt(fd, SockOpt::ReuseAddr(self.reuse_addr[1]), cx).unwrap());
        if self.bound
            && let Err(error) = solo.k.bind(fd, Endpoint::new(Addr::ANY, 50000))
        {
            return format!("bind {error:?}");
        }
        let old = solo.iss();
        let (answer, sent) = solo.on(|k, cx| k.connect(fd, PEER, cx));
        match answer {
            Err(Errno::EINPROGRESS) => {
                let (syn, _) = sent[0];
                let ecr = syn.options.ts.map_or(0, |t| t.ecr);
                let seen = if ecr == 0 { "" } else { " ecr" };
                format!("+{}{seen}", syn.seq.0.wrapping_sub(old.wrapping_add(2)))
            }
            Err(error) => format!("{error:?}"),
            Ok(()) => "connected".into(),
        }
    }
}

/// `wait` in milliseconds after the bucket was made; `+65537` is the new ISN behind the bucket's
/// snd_nxt, and `ecr` that the SYN echoes the bucket's timestamp.
const CONNECT: &str = "
stamps state      port  reuse wait   outcome
# without timestamps never
no     TIME-WAIT  auto  1     30000  EADDRNOTAVAIL
no     TIME-WAIT  bound 1     30000  EADDRNOTAVAIL
# a port of connect()'s own: the sysctl and the age
yes    TIME-WAIT  auto  0     30000  EADDRNOTAVAIL
yes    TIME-WAIT  auto  1     900    EADDRNOTAVAIL
yes    TIME-WAIT  auto  1     3000   +65537 ecr
yes    FIN-WAIT-2 auto  1     30000  3.10: +65537 ecr  6.18: EADDRNOTAVAIL
# a port that was bound: at once, whatever the sysctl and the state
yes    TIME-WAIT  bound 0     10     +65537 ecr
yes    TIME-WAIT  bound 1     10     +65537 ecr
yes    FIN-WAIT-2 bound 0     10     +65537 ecr
";

#[test]
fn connect_takes_a_bucket() {
    check(CONNECT, |release, row| {
        let case = Case {
            release,
            stamps: row.get("stamps") == "yes",
            fin_wait2: row.get("state") == "FIN-WAIT-2",
            bound: row.get("port") == "bound",
            reuse_addr: [true; 2],
        };
        let mut solo = case.bucket(&[("tcp_tw_reuse", row.get("reuse"))]);
        solo.wait(Span::millis(row.number("wait").unwrap() as u64));
        let outcome = case.again(&mut solo);
        let taken = u64::from(outcome.starts_with('+'));
        assert_eq!(solo.mib(Mib::TWRecycled), taken);
        assert_eq!(u64::from(solo.k.sockstat().tw), 1 - taken);
        outcome
    });
}

/// 6.18: milliseconds, strictly more than tcp_tw_reuse_delay; 3.10: more than one whole second.
#[test]
fn the_age_at_which_a_bucket_is_reused() {
    let case = |release| Case {
        release,
        stamps: true,
        fin_wait2: false,
        bound: false,
        reuse_addr: [false; 2],
    };
    for (delay, wait, taken) in
        [("1000", 1000, false), ("1000", 1001, true), ("100", 90, false), ("100", 200, true)]
    {
        let case = case(Release::V6_18);
        let sets = [("tcp_tw_reuse", "1"), ("tcp_tw_reuse_delay", delay)];
        let mut solo = case.bucket(&sets);
        solo.wait(Span::millis(wait));
        assert_eq!(case.again(&mut solo).starts_with('+'), taken, "{delay}: {wait} ms");
    }
    for (wait, taken) in [(900, false), (1900, false), (2000, true)] {
        let case = case(Release::V3_10);
        let mut solo = case.bucket(&[("tcp_tw_reuse", "1")]);
        solo.wait(Span::millis(wait));
        assert_eq!(case.again(&mut solo).starts_with('+'), taken, "{wait} ms");
    }
}

/// A host that talks to itself: what it sends arrives there.
fn to_itself<T>(solo: &mut Solo, call: impl FnOnce(&mut Kernel, &mut Cx<'_, Out>) -> T) -> T {
    let (answer, sent) = solo.on(call);
    let mut under_way = VecDeque::from(sent);
    while let Some((segment, _)) = under_way.pop_front() {
        under_way.extend(solo.on(|k, cx| k.rx(&segment, cx)).1);
    }
    answer
}

/// Within 127.0.0.0/8 it lets connect() take the bucket as 1 does for all; 0 does not even there.
#[test]
fn tw_reuse_on_loopback() {
    let server = Endpoint::new(Addr::v4(127, 0, 0, 1), 80);
    for (reuse, outcome) in
        [(0, Err(Errno::EADDRNOTAVAIL)), (1, Err(Errno::EINPROGRESS)), (2, Err(Errno::EINPROGRESS))]
    {
        let mut solo = Solo::new(Release::V6_18, &[]);
        let mut sysctl = Sysctl::new(Release::V6_18);
        sysctl.set("net.ipv4.ip_local_port_range", "50000 50000").unwrap();
        sysctl.set("net.ipv4.tcp_tw_reuse", &reuse.to_string()).unwrap();
        let (clock, addrs) = (solo.k.clock(), vec![server.addr]);
        let release = Release::V6_18;
        solo.k = Kernel::new(&Config { release, clock, sysctl, addrs, mtu: 65535, seed: 7 });
        let listener = solo.k.socket();
        solo.k.bind(listener, server).unwrap();
        solo.on(|k, cx| k.listen(listener, 5, cx)).0.unwrap();
        let client = solo.k.socket();
        let connected = to_itself(&mut solo, |k, cx| k.connect(client, server, cx));
        assert_eq!(connected, Err(Errno::EINPROGRESS));
        let child = solo.on(|k, cx| k.accept(listener, cx)).0.unwrap();
        for fd in [client, child] {
            to_itself(&mut solo, |k, cx| k.close(fd, cx)).unwrap();
        }
        assert_eq!(solo.k.sockstat().tw, 1);
        solo.wait(Span::secs(3));
        let again = solo.k.socket();
        assert_eq!(solo.on(|k, cx| k.connect(again, server, cx)).0, outcome, "{reuse}");
    }
}

/// The default of 6.18, 2, is for loopback addresses only.
#[test]
fn tw_reuse_2_is_for_loopback() {
    let case = Case {
        release: Release::V6_18,
        stamps: true,
        fin_wait2: false,
        bound: false,
        reuse_addr: [false; 2],
    };
    let mut solo = case.bucket(&[]);
    solo.wait(Span::secs(30));
    assert_eq!(case.again(&mut solo), "EADDRNOTAVAIL");
}

/// 1.9: bind() to a port that a bucket holds needs SO_REUSEADDR on both.
#[test]
fn bind_against_a_bucket() {
    for release in Release::ALL {
        for fin_wait2 in [false, true] {
            for (reuse_addr, works) in [
                ([false, false], false),
                ([true, false], false),
                ([false, true], false),
                ([true, true], true),
            ] {
                let case = Case { release, stamps: true, fin_wait2, bound: true, reuse_addr };
                let mut solo = case.bucket(&[]);
                let outcome = case.again(&mut solo);
                let want = if works { "+65537 ecr" } else { "bind EADDRINUSE" };
                assert_eq!(outcome, want, "{release} {reuse_addr:?}");
            }
        }
    }
}

/// 5.7: a refused bucket holds no port.
#[test]
fn a_refused_bucket_frees_its_port() {
    for release in Release::ALL {
        let sets = [("tcp_max_tw_buckets", "0"), ("ip_local_port_range", "50000 50000")];
        let mut solo = Solo::new(release, &sets);
        for _ in 0..3 {
            let (fd, syn) = solo.connect();
            assert_eq!(syn, "S 0:0");
            solo.syn_ack();
            solo.close(fd);
            solo.rx(". 1 0 ack 2");
            assert_eq!(solo.state(), "gone");
        }
        assert_eq!(solo.mib(Mib::TCPTimeWaitOverflow), 3);
    }
}
