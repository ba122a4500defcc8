//! The kernel's own words, as root: tracepoints in a private tracefs instance say why each RST
//! was sent, from which functions, and how every socket changed state.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use finwait_model::flow::Addr;
use finwait_model::state::TcpState;

use crate::sys;

const EVENTS: [&str; 3] =
    ["sock/inet_sock_set_state", "tcp/tcp_send_reset", "tcp/tcp_retransmit_skb"];
/// Those of them whose stack is wanted, too.
const STACKS: [&str; 2] = ["tcp/tcp_send_reset", "tcp/tcp_retransmit_skb"];
/// How often the reader looks whether it should end.
const NAP: Duration = Duration::from_millis(20);
/// How long a case waits for its words at most.
const PATIENCE_NS: u64 = 2_000_000_000;

/// Something the kernel said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// The thread that ran: the injecting one, or whoever a timer interrupted.
    pub tid: i32,
    /// The host's port.
    pub local: u16,
    /// The peer; the wildcard if the kernel named only the listener.
    pub remote: (Addr, u16),
    /// What.
    pub what: What,
}

/// What the kernel said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// `sock:inet_sock_set_state`.
    State(TcpState, TcpState),
    /// `tcp:tcp_send_reset`.
    Reset {
        /// Without its prefix.
        reason: String,
        /// Functions, outermost first.
        stack: Vec<String>,
    },
    /// `tcp:tcp_retransmit_skb`.
    Retransmit {
        /// Functions, outermost first.
        stack: Vec<String>,
    },
}

#[derive(Default, Debug)]
struct Shared {
    words: Mutex<Vec<Word>>,
    /// The last marker that was read back.
    marker: AtomicU64,
    stop: AtomicBool,
}

/// A running tap. Dropping it removes the instance.
#[derive(Debug)]
pub struct Tap {
    instance: PathBuf,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    next_marker: AtomicU64,
    /// Keeps the path alive, which leads through it.
    _root: File,
}

impl Tap {
    /// Begins to listen; fails without root.
    pub fn open() -> io::Result<Self> {
        let root = tracefs()?;
        let instances = PathBuf::from(format!("/proc/self/fd/{}/instances", root.as_raw_fd()));
        let instance = instances.join(format!("finwait-{}", std::process::id()));
        fs::create_dir(&instance)?;
        let shared = Arc::new(Shared::default());
        let mut tap = Self {
            instance,
            shared: Arc::clone(&shared),
            reader: None,
            next_marker: AtomicU64::new(1),
            _root: root,
        };
        tap.set("trace_clock", "mono")?;
        tap.set("buffer_size_kb", "4096")?;
        for event in EVENTS {
            tap.set(&format!("events/{event}/enable"), "1")?;
        }
        for event in STACKS {
            tap.set(&format!("events/{event}/trigger"), "stacktrace")?;
        }
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(tap.instance.join("trace_pipe"))?;
        tap.reader = Some(std::thread::spawn(move || read(pipe, &shared)));
        Ok(tap)
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.instance.join(file), value)
    }

    /// Takes what was said about the peer address since `since_ns`, or by one of these threads
    /// where the kernel named no peer.
    pub fn take(&self, remote: Addr, since_ns: u64, tids: &[i32]) -> Vec<Word> {
        self.catch_up();
        let mut words = self.shared.words.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = |w: &mut Word| {
            let peer = w.remote.0;
            w.at_ns >= since_ns && (peer == remote || (peer == Addr::ANY && tids.contains(&w.tid)))
        };
        let taken: Vec<Word> = words.extract_if(.., mine).collect();
        // Nobody will ask any more for what is older than every case can be.
        words.retain(|w| w.at_ns + 600_000_000_000 > since_ns);
        taken
    }

    /// Waits until the reader has read everything said so far.
    fn catch_up(&self) {
        let number = self.next_marker.fetch_add(1, Ordering::Relaxed);
        if self.set("trace_marker", &format!("finwait {number}")).is_err() {
            return;
        }
        let deadline = sys::now_ns() + PATIENCE_NS;
        while self.shared.marker.load(Ordering::Acquire) < number && sys::now_ns() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where its instance is.
    pub fn path(&self) -> &Path {
        &self.instance
    }
}

/// Removes an instance; for [`Tap`]'s drop, and for a signal handler's thread, which cannot drop.
pub fn remove(instance: &Path) {
    STOP.store(true, Ordering::Relaxed);
    for event in EVENTS {
        drop(fs::write(instance.join(format!("events/{event}/enable")), "0"));
    }
    // The reader holds the pipe for one more nap.
    for _ in 0..50 {
        if fs::remove_dir(instance).is_ok() || !instance.exists() {
            return;
        }
        std::thread::sleep(NAP);
    }
}

/// Set when every reader should let go of its pipe.
static STOP: AtomicBool = AtomicBool::new(false);

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        for event in EVENTS {
            drop(self.set(&format!("events/{event}/enable"), "0"));
        }
        drop(fs::remove_dir(&self.instance));
    }
}

/// The tracefs of this machine: where it is mounted, or mounted for ourselves in a mount
/// namespace that only one thread ever enters.
fn tracefs() -> io::Result<File> {
    for path in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
        if Path::new(path).join("instances").exists() {
            return File::open(path);
        }
    }
    let mounted = std::thread::spawn(|| {
        sys::private_mounts()?;
        sys::mount_tracefs("/sys/kernel/tracing")?;
        File::open("/sys/kernel/tracing")
    });
    mounted.join().unwrap_or_else(|_| Err(io::Error::other("the mounting thread panicked")))
}

fn read(mut pipe: File, shared: &Shared) {
    let mut parser = Parser::default();
    let mut buffer = vec![0; 64 * 1024];
    while !shared.stop.load(Ordering::Relaxed) && !STOP.load(Ordering::Relaxed) {
        match pipe.read(&mut buffer) {
            Ok(0) => std::thread::sleep(NAP),
            Ok(n) => {
                let mut words = shared.words.lock().unwrap_or_else(PoisonError::into_inner);
                let marker = parser.feed(&buffer[..n], &mut words);
                drop(words);
                if let Some(marker) = marker {
                    shared.marker.fetch_max(marker, Ordering::Release);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                sys::wait_readable(pipe.as_fd(), NAP);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// From the text of trace_pipe to words.
#[derive(Default, Debug)]
struct Parser {
    rest: Vec<u8>,
    /// Whose stack the lines `=> function` belong to.
    stack_of: Option<i32>,
}

impl Parser {
    /// Takes in some text; gives the largest marker in it.
    fn feed(&mut self, bytes: &[u8], words: &mut Vec<Word>) -> Option<u64> {
        self.rest.extend(bytes);
        let mut marker = None;
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            marker = marker.max(self.line(line.trim_end(), words));
        }
        marker
    }

    fn line(&mut self, line: &str, words: &mut Vec<Word>) -> Option<u64> {
        if let Some(function) = line.strip_prefix(" => ") {
            let tid = self.stack_of?;
            let last = words.iter_mut().rev().find(|w| w.tid == tid);
            if let Some(Word {
                what: What::Reset { stack, .. } | What::Retransmit { stack }, ..
            }) = last
            {
                // Printed innermost first.
                // What the compiler cut out of a function bears its name and a suffix.
                let name = function.trim().split('.').next().unwrap_or_default();
                stack.insert(0, name.to_owned());
            }
            return None;
        }
        self.stack_of = None;
        // `comm-tid  [cpu] flags  seconds.micros: event: text`
        let (task, rest) = line.split_once(" [")?;
        let tid = task.trim().rsplit_once('-')?.1.parse().ok()?;
        let (head, text) = rest.split_once(": ")?;
        let at_ns = nanoseconds(head.rsplit(' ').next()?)?;
        if text == "<stack trace>" {
            self.stack_of = Some(tid);
            return None;
        }
        let (event, fields) = text.split_once(": ")?;
        match event {
            "tracing_mark_write" => return fields.strip_prefix("finwait ")?.trim().parse().ok(),
            "inet_sock_set_state" => words.extend(state(tid, at_ns, fields)),
            "tcp_retransmit_skb" => {
                let what = What::Retransmit { stack: Vec::new() };
                words.extend(about(tid, at_ns, fields, what));
            }
            "tcp_send_reset" => words.extend(reset(tid, at_ns, fields)),
            _ => {}
        }
        None
    }
}

fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.split(' ').find_map(|w| w.strip_prefix(name)?.strip_prefix('='))
}

fn state(tid: i32, at_ns: u64, fields: &str) -> Option<Word> {
    let named = |name| {
        let word = field(fields, name)?;
        TcpState::ALL.into_iter().find(|s| s.kernel_name() == word)
    };
    about(tid, at_ns, fields, What::State(named("oldstate")?, named("newstate")?))
}

/// What was said about the socket whose ends the fields name.
fn about(tid: i32, at_ns: u64, fields: &str, what: What) -> Option<Word> {
    Some(Word {
        at_ns,
        tid,
        local: field(fields, "sport")?.parse().ok()?,
        remote: (address(field(fields, "daddr")?)?, field(fields, "dport")?.parse().ok()?),
        what,
    })
}

fn reset(tid: i32, at_ns: u64, fields: &str) -> Option<Word> {
    let end = |name| {
        let (addr, port) = field(fields, name)?.rsplit_once(':')?;
        Some((address(addr)?, port.parse().ok()?))
    };
    let (src, dest): ((Addr, u16), (Addr, u16)) = (end("src")?, end("dest")?);
    let reason = field(fields, "reason")?.to_owned();
    let what = What::Reset { reason, stack: Vec::new() };
    Some(Word { at_ns, tid, local: src.1, remote: dest, what })
}

fn address(text: &str) -> Option<Addr> {
    let addr: std::net::Ipv4Addr = text.parse().ok()?;
    Some(Addr(addr.into()))
}

/// `2703.613623` as nanoseconds.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, micros) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000_000 + micros.parse::<u64>().ok()? * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipe_is_understood_in_pieces() {
        let text = "     live::probe-17357   [001] b....  2703.613623: tcp_send_reset: skbaddr=00 \
skaddr=00 src=0.0.0.0:8080 dest=0.0.0.0:0 state=TCP_LISTEN reason=TCP_FLAGS\n     \
live::probe-17357   [001] b....  2703.618391: <stack trace>\n => tcp_v4_send_reset\n => tcp_v4_rcv\n\
 x y-9   [000] .....  2704.000001: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP \
sport=8080 dport=40000 saddr=192.168.0.1 daddr=192.0.2.1 saddrv6=:: daddrv6=:: \
oldstate=TCP_LISTEN newstate=TCP_SYN_RECV\n x-9   [000] .....  2705.000000: tracing_mark_write: finwait 7\n";
        let (mut parser, mut words, mut marker) = (Parser::default(), Vec::new(), None);
        for piece in text.as_bytes().chunks(7) {
            marker = marker.max(parser.feed(piece, &mut words));
        }
        assert_eq!(marker, Some(7));
        let stack = vec!["tcp_v4_rcv".to_owned(), "tcp_v4_send_reset".to_owned()];
        assert_eq!(words[0].what, What::Reset { reason: "TCP_FLAGS".to_owned(), stack });
        assert_eq!(words[0].at_ns, 2_703_613_623_000);
        assert_eq!(words[1].what, What::State(TcpState::Listen, TcpState::SynRecv));
        assert_eq!(words[1].remote, (Addr::v4(192, 0, 2, 1), 40000));
        assert_eq!(words.len(), 2);
    }
}
