//! A script's system calls on real sockets; those that may block run in a thread of their own.

use std::collections::BTreeMap;
use std::os::fd::{IntoRawFd as _, RawFd};
use std::os::unix::thread::JoinHandleExt as _;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{How, SockOpt};

use crate::sockopt;
use crate::step::Call;
use crate::sys::{self, Answer};
use crate::talk::LOCAL;

/// How long the script waits for a call that may block before it goes on without it.
const PATIENCE: Duration = Duration::from_millis(1);
/// Stack of a thread that makes one call.
const STACK: usize = 64 * 1024;

/// The script's descriptors and the calls that still block.
#[derive(Debug)]
pub struct Files {
    /// The peer's address, to connect to.
    remote: Addr,
    open: BTreeMap<i32, File>,
    pending: Vec<Pending>,
    /// Every thread that has made calls, this one first.
    tids: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct File {
    real: RawFd,
    nonblock: bool,
    lingers: bool,
}

#[derive(Debug)]
struct Pending {
    step: usize,
    call: Call,
    start_ns: u64,
    result: Receiver<Outcome>,
    /// The thread's id, as /proc shows it.
    tid: i32,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Outcome {
    end_ns: u64,
    answer: Answer,
    out: Option<i64>,
}

/// A call that was made, with times on CLOCK_MONOTONIC.
#[derive(Debug)]
pub struct Made {
    /// Its step.
    pub step: usize,
    /// When it was made.
    pub start_ns: u64,
    /// When it returned; `None` if it still blocked at the end.
    pub end_ns: Option<u64>,
    /// Its answer, descriptors by the script's number.
    pub value: Result<i64, String>,
    /// What it wrote through its pointer.
    pub out: Option<i64>,
}

impl Files {
    /// None open; connect() goes to `remote`.
    pub fn new(remote: Addr) -> Self {
        Self { remote, open: BTreeMap::new(), pending: Vec::new(), tids: vec![sys::tid()] }
    }

    /// The threads that have made calls.
    pub fn tids(&self) -> &[i32] {
        &self.tids
    }

    /// Makes the call; `None` if it blocks and [`Files::finished`] will tell.
    pub fn call(&mut self, step: usize, call: &Call) -> Option<Made> {
        let file = self.open.get(&call.fd()).copied();
        let blocks = file.is_some_and(|f| match call {
            Call::Accept { .. } | Call::Connect { .. } | Call::Send { .. } | Call::Recv { .. } => {
                !f.nonblock
            }
            Call::Close { .. } => f.lingers,
            _ => false,
        });
        // Not −1, which poll() takes for "none".
        let real = file.map_or(RawFd::MAX, |f| f.real);
        if !blocks {
            let start_ns = sys::now_ns();
            let outcome = perform(call, real, self.remote);
            return Some(self.settle(step, call, start_ns, outcome));
        }
        if let Call::Close { fd } = call {
            // The kernel frees the number before it lingers; somebody else may get it.
            self.open.remove(fd);
        }
        let (send, result) = channel();
        let (begin, begun) = channel();
        let (job, remote) = (call.clone(), self.remote);
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            // Whoever waits may have given up; then nobody wants the answer.
            let _ = begin.send((sys::now_ns(), sys::tid()));
            let _ = send.send(perform(&job, real, remote));
        });
        let Ok(thread) = thread else { return None };
        // Not before the thread runs: the number could be closed and used again until then.
        let (start_ns, tid) = begun.recv().unwrap_or_else(|_| (sys::now_ns(), 0));
        self.tids.push(tid);
        match result.recv_timeout(PATIENCE) {
            Ok(outcome) => {
                drop(thread.join());
                Some(self.settle(step, call, start_ns, outcome))
            }
            Err(_) => {
                let call = call.clone();
                self.pending.push(Pending { step, call, start_ns, result, tid, thread });
                None
            }
        }
    }

    /// Calls that blocked and have returned since.
    pub fn finished(&mut self) -> Vec<Made> {
        let mut made = Vec::new();
        let mut index = 0;
        while index < self.pending.len() {
            match self.pending[index].result.try_recv() {
                Ok(outcome) => {
                    let p = self.pending.remove(index);
                    drop(p.thread.join());
                    made.push(self.settle(p.step, &p.call, p.start_ns, outcome));
                }
                Err(_) => index += 1,
            }
        }
        made
    }

    /// Is a call of this process still blocked?
    pub fn any_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Does the thread of such a call run, or wait for a processor, instead of sleeping in the
    /// kernel? Then what woke it has not had its effect yet.
    pub fn any_running(&self) -> bool {
        self.pending.iter().any(|p| {
            let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", p.tid));
            // `tid (comm) state …`, and the name may hold anything.
            stat.is_ok_and(|s| s.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R')))
        })
    }

    /// Breaks what still blocks and closes everything.
    pub fn end(&mut self) -> Vec<Made> {
        let mut made = Vec::new();
        for p in std::mem::take(&mut self.pending) {
            // The thread may be just about to call: signal until it is gone.
            while !p.thread.is_finished() {
                sys::interrupt(p.thread.as_pthread_t());
                std::thread::sleep(PATIENCE);
            }
            drop(p.thread.join());
            made.push(Made {
                step: p.step,
                start_ns: p.start_ns,
                end_ns: None,
                value: Err("blocked".to_owned()),
                out: None,
            });
        }
        for file in std::mem::take(&mut self.open).into_values() {
            // An end like a killed process: no lingering.
            let (level, name, bytes) = sockopt::encode(SockOpt::Linger(None));
            let _ = sys::setsockopt(file.real, level, name, &bytes);
            let _ = sys::close(file.real);
        }
        made
    }

    /// The real descriptor behind the script's.
    pub fn real(&self, fd: i32) -> Option<RawFd> {
        self.open.get(&fd).map(|f| f.real)
    }

    /// Notes what the call changed about the descriptors and gives its answer in the script's.
    fn settle(&mut self, step: usize, call: &Call, start_ns: u64, o: Outcome) -> Made {
        let mut value = o.answer.map_err(errno_name);
        if let Ok(n) = value {
            match *call {
                Call::Socket { fd } => {
                    self.open
                        .insert(fd, File { real: n as RawFd, nonblock: false, lingers: false });
                    value = Ok(fd.into());
                }
                Call::Accept { new, fd } => {
                    // The child of a listener inherits its SO_LINGER.
                    let lingers = self.open.get(&fd).is_some_and(|f| f.lingers);
                    self.open.insert(new, File { real: n as RawFd, nonblock: false, lingers });
                    value = Ok(new.into());
                }
                Call::NonBlock { fd, on } => {
                    if let Some(f) = self.open.get_mut(&fd) {
                        f.nonblock = on;
                    }
                }
                Call::SetOpt { fd, opt: SockOpt::Linger(linger) } => {
                    if let Some(f) = self.open.get_mut(&fd) {
                        f.lingers = linger.is_some_and(|s| s > 0);
                    }
                }
                _ => {}
            }
        }
        if let Call::Close { fd } = call {
            self.open.remove(fd);
        }
        Made { step, start_ns, end_ns: Some(o.end_ns), value, out: o.out }
    }
}

fn errno_name(number: i32) -> String {
    let known = u8::try_from(number).ok().and_then(Errno::from_number);
    known.map_or_else(|| format!("errno {number}"), |e| e.name().to_owned())
}

fn perform(call: &Call, fd: RawFd, remote: Addr) -> Outcome {
    let (answer, out) = make(call, fd, remote);
    Outcome { end_ns: sys::now_ns(), answer, out }
}

fn make(call: &Call, fd: RawFd, remote: Addr) -> (Answer, Option<i64>) {
    let plain = match *call {
        Call::Socket { .. } => sys::stream_socket(false).map(|s| i64::from(s.into_raw_fd())),
        Call::Bind { port, any, .. } => {
            sys::bind(fd, Endpoint::new(if any { Addr::ANY } else { LOCAL }, port))
        }
        Call::Listen { backlog, .. } => sys::listen(fd, backlog),
        Call::Accept { .. } => sys::accept(fd),
        Call::Connect { conn, .. } => sys::connect(fd, Endpoint::new(remote, conn.remote)),
        Call::Disconnect { .. } => sys::disconnect(fd),
        Call::Send { len, more, .. } => {
            sys::send(fd, len as usize, if more { libc::MSG_MORE } else { 0 })
        }
        Call::Recv { len, .. } => sys::recv(fd, len as usize, 0),
        Call::Shutdown { how, .. } => sys::shutdown(
            fd,
            match how {
                How::Rd => libc::SHUT_RD,
                How::Wr => libc::SHUT_WR,
                How::RdWr => libc::SHUT_RDWR,
            },
        ),
        Call::Close { .. } => sys::close(fd),
        Call::SetOpt { opt, .. } => {
            let (level, name, bytes) = sockopt::encode(opt);
            sys::setsockopt(fd, level, name, &bytes)
        }
        Call::NonBlock { on, .. } => sys::fcntl(
            fd,
            libc::F_SETFL,
            if on { libc::O_RDWR | libc::O_NONBLOCK } else { libc::O_RDWR },
        ),
        Call::GetOpt { name, .. } => {
            let (level, number) = sockopt::number(name);
            let mut bytes = [0; 4];
            let (answer, _) = sys::getsockopt(fd, level, number, &mut bytes);
            return (answer, answer.ok().map(|_| i32::from_ne_bytes(bytes).into()));
        }
        Call::Inq { .. } => return with_value(sys::ioctl_int(fd, libc::FIONREAD)),
        Call::Outq { .. } => return with_value(sys::ioctl_int(fd, libc::TIOCOUTQ)),
        Call::Poll { .. } => {
            let events = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP;
            let (answer, bits) = sys::poll(fd, events, 0);
            return (answer, answer.ok().map(|_| bits.into()));
        }
    };
    (plain, None)
}

fn with_value((answer, value): (Answer, i32)) -> (Answer, Option<i64>) {
    (answer, answer.ok().map(|_| value.into()))
}
