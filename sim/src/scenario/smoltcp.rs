//! A host with `stack = "smoltcp"`: which keys it has, and which only Linux has.

use core::ops::Range;

use toml::Spanned;

use super::error::{Error, nearest};
use super::{SmoltcpPlan, build, schema};

/// What each socket may hold in either direction unless the host says otherwise.
const BUFFER_BYTES: u32 = 16 * 1024;
/// More than that no window can offer.
const MOST_BUFFER_BYTES: u32 = 1 << 30;

/// What the host says of its smoltcp; `None` for Linux.
pub(super) fn plan(
    name: &Spanned<String>,
    host: &schema::Host,
) -> Result<Option<SmoltcpPlan>, Error> {
    match host.stack.as_ref().map(|s| (s.get_ref().as_str(), s.span())) {
        None | Some(("linux", _)) => linux(name, host).map(|()| None),
        Some(("smoltcp", _)) => smoltcp(host).map(Some),
        Some((other, span)) => {
            let help = nearest(other, ["linux", "smoltcp"].into_iter());
            let help = help.map(|n| format!("did you mean {n:?}?"));
            let expected = "expected \"linux\" or \"smoltcp\"".to_owned();
            Err(Error::new(span, format!("no stack is called {other:?}"), expected).with_help(help))
        }
    }
}

fn linux(name: &Spanned<String>, host: &schema::Host) -> Result<(), Error> {
    let only_smoltcp = [
        ("recv_buffer_bytes", host.recv_buffer_bytes.as_ref().map(Spanned::span)),
        ("send_buffer_bytes", host.send_buffer_bytes.as_ref().map(Spanned::span)),
        ("timeout", host.timeout.as_ref().map(Spanned::span)),
    ];
    if let Some((key, span)) = first(only_smoltcp) {
        let message = format!("`{key}` is a key of hosts with stack = \"smoltcp\"");
        let expected = "expected a sysctl such as \"net.ipv4.tcp_rmem\" instead".to_owned();
        return Err(Error::new(span, message, expected));
    }
    if host.kernel.is_none() {
        let message = "missing field `kernel`".to_owned();
        let expected = "expected kernel = \"6.18\" or \"3.10\", or stack = \"smoltcp\"".to_owned();
        return Err(Error::new(name.span(), message, expected));
    }
    Ok(())
}

fn smoltcp(host: &schema::Host) -> Result<SmoltcpPlan, Error> {
    let only_linux = [
        ("kernel", host.kernel.as_ref().map(Spanned::span)),
        ("hz", host.hz.as_ref().map(Spanned::span)),
        ("uptime", host.uptime.as_ref().map(Spanned::span)),
        ("sysctl", host.sysctl.keys().next().map(Spanned::span)),
    ];
    if let Some((key, span)) = first(only_linux) {
        let message = format!("a host with stack = \"smoltcp\" has no {key}");
        let expected =
            "expected only addr, mtu, recv_buffer_bytes, send_buffer_bytes or timeout".to_owned();
        return Err(Error::new(span, message, expected));
    }
    let timeout = host.timeout.as_ref();
    Ok(SmoltcpPlan {
        recv_buffer: buffer(host.recv_buffer_bytes.as_ref())?,
        send_buffer: buffer(host.send_buffer_bytes.as_ref())?,
        timeout: timeout.map(|span| build::at_least_1ns(span, "timeout")).transpose()?,
    })
}

fn first<const N: usize>(
    keys: [(&'static str, Option<Range<usize>>); N],
) -> Option<(&'static str, Range<usize>)> {
    keys.into_iter().find_map(|(key, span)| Some((key, span?)))
}

fn buffer(bytes: Option<&Spanned<u32>>) -> Result<u32, Error> {
    let Some(bytes) = bytes else { return Ok(BUFFER_BYTES) };
    if (1..=MOST_BUFFER_BYTES).contains(bytes.get_ref()) {
        return Ok(*bytes.get_ref());
    }
    let message = format!("a buffer of {} bytes", bytes.get_ref());
    Err(Error::new(bytes.span(), message, format!("expected 1 to {MOST_BUFFER_BYTES}")))
}
