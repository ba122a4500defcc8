//! What each line of a script does.

use finwait_model::errno::Errno;
use finwait_model::flow::{Addr, Endpoint};
use finwait_model::kernel::{Closed, Fd, Ready};

use super::{Handle, Line, Op, Outcome, Recv, Scripted};
use crate::app::{AppCx, Phase, Reason, Why};
use crate::watch::Watch;

/// What follows a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It waits for the kernel, or for the clock.
    Waits,
    /// The script goes on there.
    Line(usize),
    /// A call has returned.
    Came(Outcome),
}

const DONE: Next = Next::Came(Outcome::Done);

const fn came(result: Result<(), Errno>) -> Next {
    match result {
        Ok(()) => DONE,
        Err(errno) => Next::Came(Outcome::Failed(errno)),
    }
}

impl Scripted {
    /// Does what the line at hand says, or goes on with it.
    pub(super) fn step(
        &mut self,
        copy: usize,
        line: &Line,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Next {
        let begun = std::mem::replace(&mut self.copies[copy].begun, true);
        let handle = line.op.handle().map(|on| self.copies[copy].handles[on]).unwrap_or_default();
        let open = handle.fd.ok_or(Errno::EBADF);
        match line.op {
            Op::Socket { on } => {
                let fd = cx.socket(Phase::Fresh);
                self.holds(copy, on, fd, true, cx);
                DONE
            }
            Op::Bind { port, .. } => {
                came(open.and_then(|fd| cx.bind(fd, Endpoint::new(Addr::ANY, port))))
            }
            Op::Connect { on, to } => self.connect(copy, on, to, begun, cx),
            Op::Accept { on } => self.accept(copy, on, cx),
            Op::Send { on, bytes } => match open {
                Ok(fd) => self.send((copy, on), fd, bytes, begun, cx),
                Err(errno) => came(Err(errno)),
            },
            Op::Recv { on, what } => match open {
                Ok(fd) => self.recv((copy, on), fd, what, begun, cx),
                Err(errno) => came(Err(errno)),
            },
            Op::Shutdown { how, .. } => came(open.and_then(|fd| cx.shutdown(fd, how))),
            Op::SetSockOpt { opt, .. } => came(open.and_then(|fd| cx.setsockopt(fd, opt))),
            Op::Close { on } => match open {
                Ok(fd) => self.close((copy, on), fd, line.number, begun, cx),
                Err(errno) => came(Err(errno)),
            },
            Op::Wait(delay) => {
                let at = self.copies[copy].at;
                let span = delay.draw(&mut self.stream);
                self.copies[copy].at = at + 1;
                self.copies[copy].begun = false;
                self.sleepers.insert((cx.now + span, copy));
                Next::Waits
            }
            Op::Repeat { times, end } => {
                if times == Some(0) {
                    return Next::Line(end + 1);
                }
                self.copies[copy].rounds.push(times.map(|times| times - 1));
                Next::Line(self.copies[copy].at + 1)
            }
            Op::End { start } => self.round(copy, start),
            Op::Exit => {
                self.script.ended += 1;
                self.end(copy, cx);
                Next::Waits
            }
        }
    }
    /// A loop has come to its end, and goes round again or not.
    fn round(&mut self, copy: usize, start: usize) -> Next {
        let copy = &mut self.copies[copy];
        match copy.rounds.last_mut() {
            Some(None) => Next::Line(start + 1),
            Some(Some(left)) if *left > 0 => {
                *left -= 1;
                Next::Line(start + 1)
            }
            _ => {
                copy.rounds.pop();
                Next::Line(copy.at + 1)
            }
        }
    }
    /// A name stands for another descriptor from now on. What it stood for stays open: the script
    /// has lost it, as a program does that forgets to close.
    fn holds(&mut self, copy: usize, on: usize, fd: Fd, fresh: bool, cx: &AppCx<'_, impl Watch>) {
        self.tally.started += 1;
        self.owners.insert(fd, copy);
        self.copies[copy].handles[on] = Handle { fd: Some(fd), fresh, opened: cx.now, sent: None };
    }
    fn connect(
        &mut self,
        copy: usize,
        on: usize,
        to: Endpoint,
        begun: bool,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Next {
        if begun {
            return self.connected(copy, on, cx);
        }
        let handle = self.copies[copy].handles[on];
        let fd = match handle.fd.filter(|_| handle.fresh) {
            Some(fd) => fd,
            None => {
                let fd = cx.socket(Phase::Connecting);
                self.holds(copy, on, fd, false, cx);
                fd
            }
        };
        let handle = &mut self.copies[copy].handles[on];
        (handle.fresh, handle.opened) = (false, cx.now);
        cx.set_phase(fd, Phase::Connecting);
        match cx.connect(fd, to) {
            Ok(()) | Err(Errno::EINPROGRESS) => Next::Waits,
            Err(errno) => {
                if errno == Errno::EADDRNOTAVAIL {
                    self.tally.no_port += 1;
                } else {
                    self.tally.not_connected += 1;
                }
                came(Err(errno))
            }
        }
    }
    fn connected(&mut self, copy: usize, on: usize, cx: &mut AppCx<'_, impl Watch>) -> Next {
        let handle = self.copies[copy].handles[on];
        let Some(fd) = handle.fd else { return came(Err(Errno::EBADF)) };
        let ready = cx.poll(fd);
        if ready.has(Ready::ERR) || ready.has(Ready::HUP) {
            self.tally.not_connected += 1;
            return came(Err(cx.recv(fd, 1).err().unwrap_or(Errno::ENOTCONN)));
        }
        if !ready.has(Ready::OUT) {
            return Next::Waits;
        }
        cx.set_phase(fd, Phase::Reading);
        self.connects.record(cx.now.since(handle.opened));
        DONE
    }
    fn accept(&mut self, copy: usize, on: usize, cx: &mut AppCx<'_, impl Watch>) -> Next {
        for place in 0..self.listeners.len() {
            match cx.accept(self.listeners[place]) {
                Ok(fd) => {
                    self.holds(copy, on, fd, false, cx);
                    return DONE;
                }
                Err(Errno::EAGAIN) => {}
                Err(errno) => return came(Err(errno)),
            }
        }
        self.accepting.push_back(copy);
        Next::Waits
    }
    fn send(
        &mut self,
        (copy, on): (usize, usize),
        fd: Fd,
        bytes: u32,
        begun: bool,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Next {
        if !begun {
            self.copies[copy].handles[on].sent = Some(cx.now);
            if let Some(conn) = cx.conn(fd) {
                conn.left = 0;
            }
        }
        let sent = if begun { cx.send_rest(fd) } else { cx.send(fd, bytes) };
        match sent {
            Ok(()) if cx.conn(fd).is_some_and(|conn| conn.left > 0) => Next::Waits,
            Err(errno) => {
                self.tally.broken += 1;
                came(Err(errno))
            }
            Ok(()) => DONE,
        }
    }
    fn recv(
        &mut self,
        (copy, on): (usize, usize),
        fd: Fd,
        what: Recv,
        begun: bool,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Next {
        if !begun && let Some(conn) = cx.conn(fd) {
            conn.got = 0;
        }
        loop {
            let got = cx.conn(fd).map_or(0, |conn| conn.got);
            let wants = match what {
                Recv::Bytes(all) if got >= all => {
                    if let Some(sent) = self.copies[copy].handles[on].sent.take() {
                        self.latencies.record(cx.now.since(sent));
                    }
                    return DONE;
                }
                Recv::Bytes(all) => all - got,
                Recv::Some if got > 0 => return DONE,
                Recv::Some | Recv::Eof => 16 * 1024,
            };
            match cx.recv(fd, wants) {
                Ok(0) if what == Recv::Eof => return DONE,
                Ok(0) => return Next::Came(Outcome::Eof),
                Ok(bytes) => {
                    if let Some(conn) = cx.conn(fd) {
                        conn.got += bytes;
                    }
                }
                Err(Errno::EAGAIN) => return Next::Waits,
                Err(errno) => {
                    self.tally.broken += 1;
                    return came(Err(errno));
                }
            }
        }
    }
    fn close(
        &mut self,
        (copy, on): (usize, usize),
        fd: Fd,
        line: u32,
        begun: bool,
        cx: &mut AppCx<'_, impl Watch>,
    ) -> Next {
        if begun {
            // A lingering close() that is over; the kernel has told so by waking it.
            return self.closed(copy, on, fd, cx);
        }
        let age = cx.now.since(self.copies[copy].handles[on].opened);
        match cx.close_because(fd, Why { reason: Reason::Script, age, uses: line, number: 0 }) {
            Ok(Closed::Lingers) => {
                cx.set_phase(fd, Phase::Lingering);
                Next::Waits
            }
            Ok(Closed::Now) => self.closed(copy, on, fd, cx),
            Err(errno) => came(Err(errno)),
        }
    }
    fn closed(&mut self, copy: usize, on: usize, fd: Fd, cx: &mut AppCx<'_, impl Watch>) -> Next {
        cx.set_phase(fd, Phase::Fresh);
        self.tally.finished += 1;
        self.owners.remove(fd);
        self.copies[copy].handles[on] = Handle::default();
        DONE
    }
}
