//! Every TCP socket of a namespace, over `sock_diag`: what `ss -tano` prints.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use finwait_model::state::TcpState;
use finwait_sim::script::observe::Conn;

use crate::seen::{LookRow, LookTimer};
use crate::sys;
use crate::talk::Talk;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const HEADER: usize = 16;
/// `struct inet_diag_msg`.
const MESSAGE: usize = 72;
const DONE: u16 = libc::NLMSG_DONE as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;

/// A netlink socket that lists the sockets of the namespace it was opened in.
#[derive(Debug)]
pub struct Diag {
    socket: File,
    buffer: Vec<u8>,
}

impl Diag {
    /// Opens it in the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let socket = File::from(sys::netlink(libc::NETLINK_SOCK_DIAG)?);
        Ok(Self { socket, buffer: vec![0; 32 * 1024] })
    }

    /// Every IPv4 TCP socket, request and bucket, sorted; ports by the script's names.
    pub fn rows(&mut self, talk: &Talk) -> io::Result<Vec<LookRow>> {
        self.socket.write_all(&request())?;
        let mut rows = Vec::new();
        loop {
            let n = self.socket.read(&mut self.buffer)?;
            let mut rest = &self.buffer[..n];
            while rest.len() >= HEADER {
                let len = le32(rest, 0) as usize;
                let kind = u16::from_ne_bytes([rest[4], rest[5]]);
                match kind {
                    DONE => {
                        rows.sort();
                        return Ok(rows);
                    }
                    ERROR => {
                        let code = le32(rest, HEADER) as i32;
                        return Err(io::Error::from_raw_os_error(-code));
                    }
                    _ => {}
                }
                if let Some(message) = rest.get(HEADER..HEADER + MESSAGE) {
                    rows.extend(row(message, talk));
                }
                rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}

/// A dump of all states: `inet_diag_req_v2` behind a netlink header.
fn request() -> Vec<u8> {
    let mut b = Vec::with_capacity(HEADER + 56);
    b.extend(72_u32.to_ne_bytes());
    b.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    b.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    b.extend([0; 8]);
    b.extend([libc::AF_INET as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    // All states up to NEW_SYN_RECV, not those of sockets that are only bound: those appear in no
    // table, nor in /proc/net/tcp.
    b.extend(0x1fff_u32.to_ne_bytes());
    b.resize(72, 0);
    b
}

fn row(m: &[u8], talk: &Talk) -> Option<LookRow> {
    let number = m[1];
    let state = TcpState::ALL.into_iter().find(|s| *s as u8 == number)?;
    let (timer, count) = (m[2], m[3]);
    let be16 = |at: usize| u16::from_be_bytes([m[at], m[at + 1]]);
    let (sport, dport) = (be16(4), be16(6));
    let (expires, inode) = (le32(m, 52), le32(m, 68));
    let name = match timer {
        1 => Some("on"),
        2 => Some("keepalive"),
        3 => Some("timewait"),
        4 => Some("persist"),
        _ => None,
    };
    let bucket = timer == 3;
    let request = matches!(state, TcpState::SynRecv | TcpState::NewSynRecv);
    Some(LookRow {
        conn: Conn { local: talk.port_name(sport), remote: dport },
        state: if request { TcpState::SynRecv } else { state },
        bucket,
        orphan: inode == 0 && !bucket && !request,
        rx_queue: le32(m, 56),
        tx_queue: le32(m, 60),
        timer: name.map(|name| LookTimer {
            name,
            left_ns: u64::from(expires) * 1_000_000,
            count: u32::from(count),
        }),
    })
}

fn le32(b: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}
