//! Captures in every spelling, cut anywhere, and broken.

use finwait_model::flow::{Endpoint, FourTuple};
use finwait_model::segment::{Flags, Options, Segment};
use finwait_model::seq::Seq;

use super::*;
use crate::wire;

fn segment() -> Segment {
    Segment {
        flow: FourTuple::new(
            Endpoint::new(Addr::v4(10, 0, 0, 1), 40_000),
            Endpoint::new(Addr::v4(10, 0, 0, 2), 80),
        ),
        seq: Seq(7),
        flags: Flags::SYN,
        options: Options { mss: Some(1460), ..Options::default() },
        ..Segment::default()
    }
}

/// Numbers in either byte order.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn word(self, n: u32) -> [u8; 4] {
        if self.0 { n.to_be_bytes() } else { n.to_le_bytes() }
    }
    fn half(self, n: u16) -> [u8; 2] {
        if self.0 { n.to_be_bytes() } else { n.to_le_bytes() }
    }
}

fn classic(big: bool, magic: u32, link_type: u32, packets: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let order = Order(big);
    let mut out = order.word(magic).to_vec();
    out.extend(order.half(2));
    out.extend(order.half(4));
    for n in [0, 0, 65535, link_type] {
        out.extend(order.word(n));
    }
    for (seconds, units, bytes, length) in packets {
        for n in [*seconds, *units, bytes.len() as u32, *length] {
            out.extend(order.word(n));
        }
        out.extend(*bytes);
    }
    out
}

fn block(order: Order, kind: u32, content: &[u8]) -> Vec<u8> {
    let padded = content.len().next_multiple_of(4);
    let length = order.word((12 + padded) as u32);
    let mut out = order.word(kind).to_vec();
    out.extend(length);
    out.extend(content);
    out.resize(8 + padded, 0);
    out.extend(length);
    out
}

fn section(order: Order) -> Vec<u8> {
    let mut content = order.word(0x1a2b_3c4d).to_vec();
    content.extend(order.half(1));
    content.extend([0; 2]);
    content.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &content)
}

fn interface(order: Order, link_type: u16, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut content = order.half(link_type).to_vec();
    content.extend([0; 2]);
    content.extend(order.word(0));
    for (code, value) in options {
        content.extend(order.half(*code));
        content.extend(order.half(value.len() as u16));
        content.extend(*value);
        content.resize(content.len().next_multiple_of(4), 0);
    }
    block(order, 1, &content)
}

fn enhanced(order: Order, interface: u32, units: u64, bytes: &[u8], length: u32) -> Vec<u8> {
    let mut content = Vec::new();
    for n in [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, length] {
        content.extend(order.word(n));
    }
    content.extend(bytes);
    block(order, 6, &content)
}

/// Times, interfaces and what is carried; and how it ended.
fn read(bytes: &[u8]) -> (Vec<(u64, u32, Carries)>, End) {
    let mut reader = Reader::new(bytes).expect("it has a header");
    let mut out = Vec::new();
    while let Some(frame) = reader.next_frame().expect("memory can be read") {
        out.push((frame.at_ns, frame.interface, look(&frame)));
    }
    (out, reader.end().expect("it has ended").clone())
}

fn is_ours(carries: &Carries) -> bool {
    let Carries::Tcp(packet) = carries else { return false };
    packet.flow == segment().flow && packet.flags == Flags::SYN && packet.mss == Some(1460)
}

#[test]
fn classic_in_both_orders_and_resolutions() {
    let bytes = wire::emit(&segment());
    let length = bytes.len() as u32;
    for big in [false, true] {
        for (magic, ns) in [(0xa1b2_c3d4, 7_000), (0xa1b2_3c4d, 7)] {
            let file = classic(big, magic, 101, &[(5, 7, &bytes, length), (6, 0, &bytes, length)]);
            let (packets, end) = read(&file);
            assert_eq!(end, End::Whole);
            let times: Vec<u64> = packets.iter().map(|p| p.0).collect();
            assert_eq!(times, [5_000_000_000 + ns, 6_000_000_000]);
            assert!(packets.iter().all(|(_, _, carries)| is_ours(carries)), "{packets:?}");
        }
    }
}

#[test]
fn every_link_type() {
    let ip = wire::emit(&segment());
    let with = |header: &[u8]| [header, ip.as_slice()].concat();
    let mut sll2 = vec![8, 0, 0, 0, 0, 0, 0, 9];
    sll2.resize(20, 0);
    let ethernet = [0; 12];
    for (link_type, bytes) in [
        (1, with(&[&ethernet[..], &[8, 0]].concat())),
        (1, with(&[&ethernet[..], &[0x81, 0, 0, 5, 8, 0]].concat())),
        (1, with(&[&ethernet[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat())),
        (0, with(&[2, 0, 0, 0])),
        (108, with(&[0, 0, 0, 2])),
        (101, ip.clone()),
        (12, ip.clone()),
        (228, ip.clone()),
        (113, with(&[&[0; 14][..], &[8, 0]].concat())),
        (276, with(&sll2)),
    ] {
        let file = classic(false, 0xa1b2_c3d4, link_type, &[(0, 0, &bytes, bytes.len() as u32)]);
        let (packets, _) = read(&file);
        assert!(is_ours(&packets[0].2), "link type {link_type}: {packets:?}");
        // However little was kept, it is no error.
        for kept in 0..bytes.len() {
            let cut = &bytes[..kept];
            let file = classic(false, 0xa1b2_c3d4, link_type, &[(0, 0, cut, bytes.len() as u32)]);
            assert_eq!(read(&file).0.len(), 1);
        }
    }
}

#[test]
fn what_else_there_is_has_its_name() {
    let ip = wire::emit(&segment());
    let changed = |at: usize, byte: u8| {
        let mut bytes = ip.clone();
        bytes[at] = byte;
        bytes
    };
    for (link_type, bytes, meant) in [
        (101, changed(0, 0x60), Meant::Ipv6),
        (1, [&[0; 12][..], &[0x86, 0xdd]].concat(), Meant::Ipv6),
        (1, [&[0; 12][..], &[8, 6], &[0; 28]].concat(), Meant::NotIp),
        (101, changed(9, 17), Meant::NotTcp),
        (101, changed(7, 9), Meant::Fragment),
        (101, changed(0, 0x42), Meant::Malformed),
        (101, changed(32, 0x10), Meant::Malformed),
        (101, ip[..30].to_vec(), Meant::TooShort),
        (147, ip.clone(), Meant::UnknownLink),
    ] {
        let file = classic(false, 0xa1b2_c3d4, link_type, &[(0, 0, &bytes, 99)]);
        assert_eq!(read(&file).0[0].2, Carries::Other(meant));
    }
}

#[test]
fn pcapng_with_sections_interfaces_and_their_clocks() {
    let ip = wire::emit(&segment());
    let length = ip.len() as u32;
    let mut file = Vec::new();
    for big in [false, true] {
        let order = Order(big);
        file.extend(section(order));
        file.extend(interface(order, 101, &[(2, b"eth0"), (4, &[10, 0, 0, 1, 255, 0, 0, 0])]));
        file.extend(interface(order, 228, &[(9, &[9]), (12, b"Linux 5.14.0")]));
        file.extend(interface(order, 228, &[(9, &[0x80 | 10])]));
        file.extend(block(order, 5, &[0; 16]));
        file.extend(enhanced(order, 0, 5, &ip, length));
        file.extend(enhanced(order, 1, 5, &ip, length));
        file.extend(enhanced(order, 2, 512, &ip[..40], length));
        let mut simple = order.word(length).to_vec();
        simple.extend(&ip);
        file.extend(block(order, 3, &simple));
    }
    let (packets, end) = read(&file);
    assert_eq!(end, End::Whole);
    let seen: Vec<(u64, u32)> = packets.iter().map(|p| (p.0, p.1)).collect();
    let half = 500_000_000;
    assert_eq!(
        seen,
        [(5_000, 0), (5, 1), (half, 2), (0, 0), (5_000, 3), (5, 4), (half, 5), (0, 3)]
    );
    let mut reader = Reader::new(file.as_slice()).expect("it has a header");
    while reader.next_frame().expect("memory can be read").is_some() {}
    assert_eq!(reader.interfaces()[3].name.as_deref(), Some("eth0"));
    assert_eq!(reader.interfaces()[3].addr, Some(Addr::v4(10, 0, 0, 1)));
    assert_eq!(reader.interfaces()[1].os.as_deref(), Some("Linux 5.14.0"));
}

#[test]
fn a_file_that_ends_early_gives_what_comes_before() {
    let ip = wire::emit(&segment());
    let length = ip.len() as u32;
    let order = Order(false);
    let ng = [
        section(order),
        interface(order, 101, &[]),
        enhanced(order, 0, 1, &ip, length),
        enhanced(order, 0, 2, &ip, length),
    ]
    .concat();
    let old = classic(true, 0xa1b2_c3d4, 101, &[(1, 0, &ip, length), (2, 0, &ip, length)]);
    for file in [ng, old] {
        let (whole, _) = read(&file);
        let mut last = 0;
        for kept in 0..file.len() {
            let Ok(mut reader) = Reader::new(&file[..kept]) else {
                assert!(kept < 28, "only a header that is cut is no capture");
                continue;
            };
            let mut n = 0;
            while let Some(frame) = reader.next_frame().expect("memory can be read") {
                assert_eq!(look(&frame), whole[n].2);
                n += 1;
            }
            assert!(n >= last && n < whole.len());
            last = n;
            match reader.end().expect("it has ended") {
                End::Whole => assert!(kept == 24 || kept >= 28),
                End::CutShort(at) => assert!((*at as usize) < kept),
                End::Broken(..) => panic!("it is only short"),
            }
        }
    }
}

#[test]
fn what_cannot_be_is_said_with_its_place() {
    let order = Order(false);
    let start = [section(order), interface(order, 101, &[])].concat();
    let at = start.len() as u64;
    let bad = |tail: &[u8]| read(&[start.as_slice(), tail].concat()).1;
    assert_eq!(bad(&[6, 0, 0, 0, 7, 0, 0, 0]), End::Broken(at, "a block whose length cannot be"));
    let huge = [6, 0, 0, 0, 0xfc, 0xff, 0xff, 0x7f];
    assert_eq!(bad(&huge), End::Broken(at, "a block whose length cannot be"));
    let mut other = enhanced(order, 0, 0, &[], 0);
    let last = other.len() - 4;
    other[last] ^= 4;
    assert_eq!(bad(&other), End::Broken(at, "a block that has another length at its end"));
    let unknown = enhanced(order, 7, 0, &[], 0);
    let what = "a packet of an interface that it does not describe";
    assert_eq!(bad(&unknown), End::Broken(at, what));
    let file = classic(false, 0xa1b2_c3d4, 101, &[]);
    let huge = [&file[..], &[0; 8], &[0xff, 0xff, 0xff, 0x7f], &[0; 4]].concat();
    assert_eq!(read(&huge).1, End::Broken(24, "a packet of more than 1 MiB"));
    for (bytes, what) in [
        (&b"hello"[..], "not a capture"),
        (&[0x1f, 0x8b, 8, 0][..], "compressed with gzip"),
        (&[0xd4, 0xc3, 0xb2, 0xa1, 9][..], "header"),
        (&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0][..], "header"),
    ] {
        let error = Reader::new(bytes).expect_err("it is none").to_string();
        assert!(error.contains(what), "{error}");
    }
}
