//! The script's system calls on the model, and those that block.
//!
//! The model's calls never block. A call that would is tried again whenever the host has done
//! something, as a process is that sleeps on a socket.

use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::kernel::{Closed, Fd, Ready};
use finwait_model::time::Instant;

use super::observe::{Returned, What};
use super::plan::{Call, Op};
use super::runner::{File, Player, RungKind, described, seconds};

/// A call whose end nobody has set may block this long, in nanoseconds.
const FOREVER_NS: u64 = 7 * 24 * 3_600_000_000_000;

/// A call that has not returned yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) event: usize,
    call: Call,
    pub(super) start: Instant,
    /// When it must have returned, in nanoseconds since the script began.
    pub(super) end_ns: u64,
    /// Bytes that a send has taken so far.
    taken: u32,
    /// When poll() gives up.
    deadline: Option<Instant>,
    /// The socket of a lingering close().
    lingers: Option<Fd>,
}

/// What a call returned, and what it gave back through pointers that differs from the script.
struct Answer {
    value: Result<i64, Errno>,
    out: Vec<String>,
    wrong: Option<String>,
}

impl Answer {
    const fn of(value: Result<i64, Errno>) -> Self {
        Self { value, out: Vec::new(), wrong: None }
    }
    fn unit(value: Result<(), Errno>) -> Self {
        Self::of(value.map(|()| 0))
    }
}

impl Player<'_> {
    /// Makes the system call of an event that was due at `due`.
    pub(super) fn start(&mut self, event: usize, call: &Call, due: u64) -> Result<(), String> {
        self.finish_before()?;
        let relative = matches!(self.plan.steps[event].time, super::ast::Time::Relative(_));
        let blocks = call.end.is_some();
        // The event's own delay is part of `due`; its end counts from the same base.
        let base = if relative { due - self.delay(event) } else { 0 };
        let pending = Pending {
            event,
            call: call.clone(),
            start: self.now,
            end_ns: base + call.end.unwrap_or(0),
            taken: 0,
            deadline: None,
            lingers: None,
        };
        self.pending = Some(pending);
        if self.attempt(true)? || blocks {
            return Ok(());
        }
        let until = Instant { ns: self.now.ns + FOREVER_NS };
        while self.pending.is_some() {
            if !self.tick(until)? {
                let name = &call.name;
                return Err(format!("runtime error in {name} call: it blocks for ever"));
            }
        }
        Ok(())
    }

    fn delay(&self, event: usize) -> u64 {
        match self.plan.steps[event].time {
            super::ast::Time::Relative(delay) => delay,
            _ => 0,
        }
    }

    /// A second call waits until the one that blocks has returned.
    fn finish_before(&mut self) -> Result<(), String> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let slack = self.tolerance(pending.start.ns, pending.end_ns);
        let until = Instant { ns: pending.end_ns.max(self.now.ns) + slack };
        while self.pending.is_some() && self.tick(until)? {}
        match &self.pending {
            None => Ok(()),
            Some(pending) => Err(format!(
                "runtime error in {} call: blocking system call while another blocking system \
                 call is already in progress",
                pending.call.name
            )),
        }
    }

    /// Tries again what blocks.
    pub(super) fn resume(&mut self) -> Result<(), String> {
        if self.pending.is_some() {
            self.attempt(false)?;
        }
        Ok(())
    }

    /// Ends a poll() whose time is over by `until`.
    pub(super) fn call_timeout(&mut self, until: Instant) -> Result<bool, String> {
        let Some(deadline) = self.pending.as_ref().and_then(|p| p.deadline) else {
            return Ok(false);
        };
        if deadline > until {
            return Ok(false);
        }
        self.now = self.now.max(deadline);
        self.attempt(false)
    }

    /// Tries the pending call. True if it has returned.
    fn attempt(&mut self, first: bool) -> Result<bool, String> {
        let Some(mut pending) = self.pending.take() else { return Ok(false) };
        let place = self.place();
        let Some(answer) = self.perform(&mut pending, first) else {
            self.pending = Some(pending);
            return Ok(false);
        };
        let (name, start_ns) = (pending.call.name.clone(), pending.start.ns);
        let value = answer.value.unwrap_or(-1);
        let errno = answer.value.err();
        let text = &pending.call.text;
        let shown = match errno {
            Some(e) => format!("{text} = -1 {e}"),
            None => format!("{text} = {value}"),
        };
        self.rung_at(place, RungKind::Call, shown);
        let returned = Returned {
            name: name.clone(),
            value,
            errno: errno.map(|e| e.name().to_owned()),
            start_ns,
            end_ns: self.now.ns,
            out: answer.out.clone(),
        };
        self.record(What::Returned(returned));
        let result = check(&pending.call, &answer)
            .map_err(|message| format!("runtime error in {name} call: {message}"))
            .and_then(|()| self.check_end(&pending));
        if result.is_err() {
            // The failure is about this call's line.
            self.event = pending.event;
        }
        result.map(|()| true)
    }

    /// Did a call that blocks return when the script says?
    fn check_end(&self, pending: &Pending) -> Result<(), String> {
        if pending.call.end.is_none() {
            return Ok(());
        }
        let tolerance = self.tolerance(pending.start.ns, pending.end_ns);
        let (due, at) = (pending.end_ns, self.now.ns);
        if (due.saturating_sub(tolerance)..=due + tolerance).contains(&at) {
            return Ok(());
        }
        Err(format!(
            "timing error: expected system call return at {} sec but happened at {} sec; \
             tolerance {} sec",
            seconds(due),
            seconds(at),
            seconds(tolerance)
        ))
    }

    fn file(&self, fd: i64) -> Result<File, Errno> {
        self.files.get(&fd).copied().ok_or(Errno::EBADF)
    }

    /// Makes the call, or tries it again; `None` if it blocks.
    fn perform(&mut self, pending: &mut Pending, first: bool) -> Option<Answer> {
        let call = pending.call.clone();
        match call.op {
            Op::Socket { nonblock } => {
                let fd = self.with(|kernel, _| kernel.socket());
                let number = call.result.filter(|&n| n >= 0).unwrap_or(0);
                self.files.insert(number, File { fd, nonblock });
                Some(Answer::of(Ok(number)))
            }
            Op::Accept { fd, nonblock } => self.accept(&call, fd, nonblock),
            Op::Connect { fd, addr, conn } => {
                let file = match self.file(fd) {
                    Ok(file) => file,
                    Err(e) => return Some(Answer::of(Err(e))),
                };
                let to = Endpoint::new(addr, conn.remote);
                let answer = self.with(|kernel, cx| kernel.connect(file.fd, to, cx));
                if let (true, Ok(flow)) = (first, self.kernel.flow(file.fd))
                    && flow.sport != 0
                {
                    self.talk.name_port(flow.sport, conn.local);
                }
                self.learn();
                match answer {
                    Err(Errno::EINPROGRESS | Errno::EALREADY) if !file.nonblock => None,
                    answer => Some(Answer::unit(answer)),
                }
            }
            Op::Send { .. } => self.send(pending),
            Op::Recv { fd, len, dontwait } => {
                let answer = self.file(fd).and_then(|file| {
                    match self.with(|kernel, cx| kernel.recv(file.fd, len, cx)) {
                        Err(Errno::EAGAIN) if !file.nonblock && !dontwait => Ok(None),
                        answer => answer.map(Some),
                    }
                });
                match answer {
                    Ok(None) => None,
                    Ok(Some(n)) => Some(Answer::of(Ok(n.into()))),
                    Err(e) => Some(Answer::of(Err(e))),
                }
            }
            Op::Close { fd } => self.close(pending, fd),
            Op::Poll { .. } => self.poll(pending),
            op => Some(self.at_once(&op)),
        }
    }

    fn accept(&mut self, call: &Call, fd: i64, nonblock: bool) -> Option<Answer> {
        let listener = match self.file(fd) {
            Ok(file) => file,
            Err(e) => return Some(Answer::of(Err(e))),
        };
        match self.with(|kernel, cx| kernel.accept(listener.fd, cx)) {
            Err(Errno::EAGAIN) if !listener.nonblock => None,
            Err(e) => Some(Answer::of(Err(e))),
            Ok(child) => {
                let number = call.result.filter(|&n| n >= 0).unwrap_or(0);
                self.files.insert(number, File { fd: child, nonblock });
                Some(Answer::of(Ok(number)))
            }
        }
    }

    /// A blocking send() goes on until all is taken.
    fn send(&mut self, pending: &mut Pending) -> Option<Answer> {
        let Op::Send { fd, len, more, dontwait } = pending.call.op else { return None };
        let file = match self.file(fd) {
            Ok(file) => file,
            Err(e) => return Some(Answer::of(Err(e))),
        };
        let waits = !file.nonblock && !dontwait;
        loop {
            let rest = len - pending.taken;
            let answer = self.with(|kernel, cx| kernel.send(file.fd, rest, more, cx));
            match answer {
                Ok(n) => {
                    pending.taken += n.min(rest);
                    if pending.taken >= len || !waits || n == 0 {
                        return Some(Answer::of(Ok(pending.taken.into())));
                    }
                }
                Err(Errno::EAGAIN) if waits => {
                    // It cannot fail: the descriptor was good a moment ago.
                    let _ = self.with(|kernel, _| kernel.wait_to_send(file.fd));
                    return None;
                }
                Err(_) if pending.taken > 0 => {
                    return Some(Answer::of(Ok(pending.taken.into())));
                }
                Err(e) => return Some(Answer::of(Err(e))),
            }
        }
    }

    fn close(&mut self, pending: &mut Pending, fd: i64) -> Option<Answer> {
        if let Some(socket) = pending.lingers {
            return self.closed.contains(&socket).then(|| Answer::of(Ok(0)));
        }
        let Some(file) = self.files.remove(&fd) else {
            return Some(Answer::of(Err(Errno::EBADF)));
        };
        match self.with(|kernel, cx| kernel.close(file.fd, cx)) {
            Ok(Closed::Now) => Some(Answer::of(Ok(0))),
            Err(e) => Some(Answer::of(Err(e))),
            Ok(Closed::Lingers) => {
                pending.lingers = Some(file.fd);
                self.closed.contains(&file.fd).then(|| Answer::of(Ok(0)))
            }
        }
    }

    fn poll(&mut self, pending: &mut Pending) -> Option<Answer> {
        let Op::Poll { fds, timeout_ns } = &pending.call.op else { return None };
        let always = Ready::ERR.0 | Ready::HUP.0;
        let mut ready = 0;
        let mut out = Vec::new();
        let mut wrong = None;
        for (index, (fd, asked, expected)) in fds.iter().enumerate() {
            let bits = match self.file(*fd).and_then(|file| self.kernel.poll(file.fd)) {
                Ok(bits) => bits.0 & (asked.0 | always),
                Err(_) => 0x20,
            };
            ready += i64::from(bits != 0);
            out.push(format!("revents={}", poll_names(bits)));
            if let Some(expected) = expected.filter(|e| e.0 != bits && wrong.is_none()) {
                wrong = Some(format!(
                    "Expected revents of {} but got {} for pollfd {index}",
                    poll_names(expected.0),
                    poll_names(bits)
                ));
            }
        }
        let start = pending.start;
        let deadline = timeout_ns.map(|ns| Instant { ns: start.ns.saturating_add(ns) });
        if ready == 0 && deadline.is_none_or(|d| d > self.now) {
            pending.deadline = deadline;
            return None;
        }
        Some(Answer { value: Ok(ready), out, wrong })
    }

    /// Calls that never block.
    fn at_once(&mut self, op: &Op) -> Answer {
        let (Op::Bind { fd, .. }
        | Op::Listen { fd, .. }
        | Op::Disconnect { fd }
        | Op::Shutdown { fd, .. }
        | Op::SetOpt { fd, .. }
        | Op::GetOpt { fd, .. }
        | Op::GetInfo { fd }
        | Op::SetFlags { fd, .. }
        | Op::GetFlags { fd }
        | Op::Inq { fd, .. }
        | Op::Outq { fd, .. }) = op
        else {
            return Answer::of(Err(Errno::EINVAL));
        };
        let file = match self.file(*fd) {
            Ok(file) => file,
            Err(e) => return Answer::of(Err(e)),
        };
        match *op {
            Op::Bind { addr, port, .. } => {
                let local = Endpoint::new(addr, port);
                Answer::unit(self.with(|kernel, _| kernel.bind(file.fd, local)))
            }
            Op::Listen { backlog, .. } => {
                Answer::unit(self.with(|kernel, cx| kernel.listen(file.fd, backlog, cx)))
            }
            Op::Disconnect { .. } => {
                Answer::unit(self.with(|kernel, cx| kernel.disconnect(file.fd, cx)))
            }
            Op::Shutdown { how, .. } => {
                Answer::unit(self.with(|kernel, cx| kernel.shutdown(file.fd, how, cx)))
            }
            Op::SetOpt { opt, .. } => {
                Answer::unit(self.with(|kernel, cx| kernel.setsockopt(file.fd, opt, cx)))
            }
            Op::GetOpt { name, value, .. } => {
                given_back(self.with(|kernel, _| kernel.getsockopt(file.fd, name)), value)
            }
            Op::GetInfo { .. } => Answer::unit(self.kernel.tcp_info(file.fd, self.now).map(|_| ())),
            Op::SetFlags { fd, nonblock } => {
                self.files.insert(fd, File { nonblock, ..file });
                Answer::of(Ok(0))
            }
            Op::GetFlags { .. } => Answer::of(Ok(if file.nonblock { 0o4002 } else { 2 })),
            Op::Inq { value, .. } => given_back(self.kernel.inq(file.fd).map(i64::from), value),
            Op::Outq { value, .. } => given_back(self.kernel.outq(file.fd).map(i64::from), value),
            _ => Answer::of(Err(Errno::EINVAL)),
        }
    }
}

/// The answer of a call that gives an integer back through a pointer.
fn given_back(value: Result<i64, Errno>, expected: Option<i64>) -> Answer {
    let mut answer = Answer::of(value.map(|_| 0));
    if let Ok(actual) = value {
        answer.out.push(actual.to_string());
        if let Some(expected) = expected.filter(|&e| e != actual) {
            answer.wrong = Some(format!("Bad value: expected: {expected} actual: {actual}"));
        }
    }
    answer
}

/// Does the answer meet the script's expectation? In packetdrill's words.
fn check(call: &Call, answer: &Answer) -> Result<(), String> {
    let actual = answer.value.unwrap_or(-1);
    let gives_fd = matches!(call.op, Op::Socket { .. } | Op::Accept { .. });
    let errno = answer.value.err();
    let with_errno = errno.map(|e| format!(" with errno {}", described(e))).unwrap_or_default();
    if let Some(expected) = call.result {
        if gives_fd && expected >= 0 {
            if actual < 0 {
                return Err(format!("Expected non-negative result but got {actual}{with_errno}"));
            }
        } else if actual != expected {
            return Err(format!("Expected result {expected} but got {actual}{with_errno}"));
        }
    }
    if let (Some(expected), true) = (call.errno, actual < 0)
        && errno != Some(expected)
    {
        let got = errno.map_or_else(String::new, described);
        return Err(format!("Expected errno {} but got {got}", described(expected)));
    }
    match &answer.wrong {
        Some(wrong) => Err(wrong.clone()),
        None => Ok(()),
    }
}

fn poll_names(bits: u16) -> String {
    let names = [
        (Ready::IN.0, "POLLIN"),
        (Ready::OUT.0, "POLLOUT"),
        (Ready::ERR.0, "POLLERR"),
        (Ready::HUP.0, "POLLHUP"),
        (0x20, "POLLNVAL"),
        (Ready::RDHUP.0, "POLLRDHUP"),
    ];
    let set: Vec<_> = names.iter().filter(|(b, _)| bits & b != 0).map(|&(_, n)| n).collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}
