//! The search for an ephemeral port: C2, C3, C4 and A7 of the companion sheet.

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Fd, SockOpt};
use finwait_model::release::Release;

use crate::solo::{PEER, Solo};

fn connect(solo: &mut Solo, peer_port: u16) -> Result<u16, Errno> {
    let fd = solo.k.socket();
    connect_from(solo, fd, peer_port)
}
fn connect_from(solo: &mut Solo, fd: Fd, peer_port: u16) -> Result<u16, Errno> {
    let to = Endpoint::new(PEER.addr, peer_port);
    match solo.on(|k, cx| k.connect(fd, to, cx)).0 {
        Err(Errno::EINPROGRESS) => Ok(solo.k.flow(fd).unwrap().sport),
        Err(error) => Err(error),
        Ok(()) => panic!("nobody answered"),
    }
}

/// Twenty ports: ten of the range's parity, ten of the other, then none; another destination has
/// the same twenty to itself.
#[test]
fn c2_ports_by_parity() {
    let mut solo = Solo::new(Release::V6_18, &[("ip_local_port_range", "50000 50019")]);
    for peer in [1000, 2000] {
        let ports: Vec<u16> = (0..20).map(|_| connect(&mut solo, peer).unwrap()).collect();
        assert!(ports[..10].iter().all(|p| p % 2 == 0), "{ports:?}");
        assert!(ports[10..].iter().all(|p| p % 2 == 1), "{ports:?}");
        let mut sorted = ports.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (50000..50020).collect::<Vec<_>>());
        assert_eq!(connect(&mut solo, peer), Err(Errno::EADDRNOTAVAIL));
    }
}

/// While ports are free, successive ones for one destination are 2 to 16 apart.
#[test]
fn c2_steps_between_ports() {
    let mut solo = Solo::new(Release::V6_18, &[]);
    let ports: Vec<i32> = (0..200).map(|_| connect(&mut solo, 1000).unwrap().into()).collect();
    let span = 60_999 - 32_768 + 1;
    let mut gaps: Vec<i32> = ports.windows(2).map(|w| (w[1] - w[0]).rem_euclid(span)).collect();
    assert!(gaps.iter().all(|g| (2..=16).contains(g) && g % 2 == 0), "{gaps:?}");
    gaps.sort_unstable();
    gaps.dedup();
    assert_eq!(gaps.len(), 8, "every step occurs");
}

/// 3.10 takes all ports in turn, from one counter for all destinations.
#[test]
fn c3_ports_in_turn() {
    let mut solo = Solo::new(Release::V3_10, &[]);
    let ports: Vec<i32> = (0..50).map(|_| connect(&mut solo, 1000).unwrap().into()).collect();
    let span = 60_999 - 32_768 + 1;
    for w in ports.windows(2) {
        assert_eq!((w[1] - w[0]).rem_euclid(span), 2, "{ports:?}");
    }
    let mut solo = Solo::new(Release::V3_10, &[("ip_local_port_range", "50000 50009")]);
    let mut ports: Vec<u16> = (0..10).map(|_| connect(&mut solo, 1000).unwrap()).collect();
    ports.sort_unstable();
    assert_eq!(ports, (50000..50010).collect::<Vec<_>>());
    assert_eq!(connect(&mut solo, 1000), Err(Errno::EADDRNOTAVAIL));
}

/// The same seed finds the same ports, another one others.
#[test]
fn the_search_is_seeded() {
    for release in Release::ALL {
        let run = || {
            let mut solo = Solo::new(release, &[]);
            (0..20).map(|_| connect(&mut solo, 1000).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}

/// A port that bind() took is passed by, whatever the addresses; free again when its owner goes.
#[test]
fn c2_bound_ports_are_passed_by() {
    for release in Release::ALL {
        let mut solo = Solo::new(release, &[("ip_local_port_range", "50000 50000")]);
        let bound = solo.k.socket();
        solo.k.bind(bound, Endpoint::new(Addr::ANY, 50000)).unwrap();
        assert_eq!(connect(&mut solo, 1000), Err(Errno::EADDRNOTAVAIL), "{release}");
        solo.close(bound);
        assert_eq!(connect(&mut solo, 1000), Ok(50000), "{release}");
        // Another destination shares it; bind() does not get it.
        assert_eq!(connect(&mut solo, 2000), Ok(50000), "{release}");
        let late = solo.k.socket();
        let local = Endpoint::new(Addr::ANY, 50000);
        assert_eq!(solo.k.bind(late, local), Err(Errno::EADDRINUSE));
        assert_eq!(solo.k.bind(late, Endpoint::new(Addr::ANY, 0)), Err(Errno::EADDRINUSE));
    }
}

/// A7: when bind()'s owner leaves a port that connect() shares, 6.18 gives it back to connect();
/// 3.10 only when the last owner leaves.
#[test]
fn a7_a_port_returns_to_connect() {
    for (release, returns) in [(Release::V3_10, false), (Release::V6_18, true)] {
        let mut solo = Solo::new(release, &[("ip_local_port_range", "50000 50000")]);
        let reuse = |solo: &mut Solo| {
            let fd = solo.k.socket();
            solo.call(|k, cx| k.setsockopt(fd, SockOpt::ReuseAddr(true), cx).unwrap());
            fd
        };
        let connected = reuse(&mut solo);
        assert_eq!(connect_from(&mut solo, connected, 1000), Ok(50000));
        let bound = reuse(&mut solo);
        solo.k.bind(bound, Endpoint::new(Addr::ANY, 50000)).unwrap();
        assert_eq!(connect(&mut solo, 2000), Err(Errno::EADDRNOTAVAIL), "{release}");
        solo.close(bound);
        assert_eq!(connect(&mut solo, 2000).is_ok(), returns, "{release}");
    }
}

/// bind(0): 6.18 looks at the parity first that connect() takes last.
#[test]
fn c4_bind_to_any_port() {
    let mut solo = Solo::new(Release::V6_18, &[("ip_local_port_range", "50000 50019")]);
    let mut ports = Vec::new();
    for _ in 0..20 {
        let fd = solo.k.socket();
        solo.k.bind(fd, Endpoint::new(Addr::ANY, 0)).unwrap();
        ports.push(solo.k.flow(fd).unwrap().sport);
    }
    assert!(ports[..10].iter().all(|p| p % 2 == 1), "{ports:?}");
    assert!(ports[10..].iter().all(|p| p % 2 == 0), "{ports:?}");
    let fd = solo.k.socket();
    let any = Endpoint::new(Addr::ANY, 0);
    assert_eq!(solo.k.bind(fd, any), Err(Errno::EADDRINUSE));
}
