//! The program that is run beside a live world, in its namespace.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use finwait_model::time::{Instant, Span};
use finwait_verify::sys;

use crate::failure::Failure;

/// How long the world goes on when the program has ended: its last segments are on their way.
const AFTERWARDS: Span = Span::millis(250);
/// SIGTERM, and what comes when that does not help.
const TERM: i32 = 15;
const KILL: i32 = 9;

/// A program with everything that it has started.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    ended: Option<(bool, Instant)>,
}

impl Program {
    /// Starts it, if there is one.
    pub(super) fn start(command: &[OsString]) -> Result<Option<Self>, Failure> {
        let Some((name, args)) = command.split_first() else { return Ok(None) };
        let child = Command::new(name)
            .args(args)
            .stdin(Stdio::null())
            // stdout is for data.
            .stdout(Stdio::from(io::stderr()))
            // A group of its own, so that all of it can be ended.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let name = name.to_string_lossy();
                Failure::Input(format!("error: cannot start {name}: {error}"))
            })?;
        Ok(Some(Self { child, ended: None }))
    }
    /// Does the world go on for it?
    pub(super) fn goes_on(&mut self, now: Instant) -> bool {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some((status.success(), now));
        }
        self.ended.is_none_or(|(_, at)| now.since(at) < AFTERWARDS)
    }
    /// Ends what still runs of it; says whether it had ended by itself, and well.
    pub(super) fn end(mut self) -> bool {
        let group = self.child.id();
        sys::signal_group(group, TERM);
        for _ in 0..50 {
            if self.ended.is_some() || matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        sys::signal_group(group, KILL);
        drop(self.child.wait());
        self.ended.is_none_or(|(well, _)| well)
    }
}
