//! Is a segment the one that the script expects? In packetdrill's order, with its words.

use super::ast::{Tcp, TcpOption};
use super::observe::Header;
use super::plan::Settings;

/// The first field in which they differ, if any. `sent` is in the script's numbers.
pub(super) fn difference(sent: &Header, expected: &Tcp, settings: &Settings) -> Option<String> {
    let flag = |bits: u8, mask: u8| u32::from(bits & mask != 0);
    let (want, have) = (expected.flags.0, sent.flags.0);
    let flags = [
        ("tcp_fin", 0x01),
        ("tcp_syn", 0x02),
        ("tcp_rst", 0x04),
        ("tcp_psh", 0x08),
        ("tcp_ack", 0x10),
        ("tcp_urg", 0x20),
        ("tcp_ece", 0x40),
        ("tcp_cwr", 0x80),
    ];
    let lengths = expected.options.as_ref().map(|options| {
        let words = |options: &[TcpOption]| {
            let bytes: usize = options.iter().map(TcpOption::wire_len).sum();
            u32::try_from(5 + bytes.div_ceil(4)).unwrap_or(u32::MAX)
        };
        field("tcp_data_offset", words(options), words(&sent.options))
    });
    lengths
        .flatten()
        .or_else(|| {
            flags.iter().find_map(|&(name, mask)| field(name, flag(want, mask), flag(have, mask)))
        })
        .or_else(|| field("tcp_seq", expected.seq, sent.seq))
        .or_else(|| field("tcp_ack_seq", expected.ack.unwrap_or(0), sent.ack))
        .or_else(|| expected.win.and_then(|win| field("tcp_window", win.into(), sent.win.into())))
        .or_else(|| field("tcp_urg_ptr", expected.urg.unwrap_or(0).into(), 0))
        .or_else(|| expected.options.as_ref().and_then(|o| options(&sent.options, o, settings)))
}

fn field(name: &str, want: u32, have: u32) -> Option<String> {
    (want != have).then(|| {
        format!(
            "live packet field {name}: expected: {want} ({want:#x}) vs actual: {have} ({have:#x})"
        )
    })
}

fn options(sent: &[TcpOption], expected: &[TcpOption], settings: &Settings) -> Option<String> {
    if sent.len() != expected.len() {
        return Some("bad outbound TCP options".to_owned());
    }
    sent.iter().zip(expected).find_map(|(have, want)| match (have, want) {
        (TcpOption::Ts { val: have, .. }, TcpOption::Ts { val: want, .. }) => {
            let off = u64::from(have.cast_signed().wrapping_sub(want.cast_signed()).unsigned_abs());
            let tick = settings.ts_tick_ns;
            (tick > 0 && off * tick > settings.tolerance_ns).then(|| {
                format!(
                    "bad outbound TCP timestamp value, tolerance {}",
                    settings.tolerance_ns / 1000
                )
            })
        }
        (have, want) if std::mem::discriminant(have) != std::mem::discriminant(want) => {
            Some("bad outbound TCP options".to_owned())
        }
        (have, want) => (have != want)
            .then(|| format!("bad value in outbound TCP option: expected: {want} actual: {have}")),
    })
}
