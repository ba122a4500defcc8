//! Sysctls of the whole machine: `tcp_max_orphans` and `tcp_mem` have no copy in a child
//! namespace. A case that sets them runs only when the user allows it, alone, and what it changed
//! is put back when the guard is dropped, by a panic too, or when a signal ends the process.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::step::{Act, Case};
use crate::{netns, sys};

const NAMES: [&str; 2] = ["net.ipv4.tcp_max_orphans", "net.ipv4.tcp_mem"];

/// The first namespace of the machine, where they are.
static FIRST: OnceLock<File> = OnceLock::new();
/// What was changed, with its old value.
static CHANGED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
/// Does a [`Guard`] live, which will put it back?
static GUARDED: AtomicBool = AtomicBool::new(false);

/// Remembers the namespace of the calling thread as the one that has them. Call it from the main
/// thread.
pub fn begin() {
    if let Ok(file) = File::open("/proc/thread-self/ns/net") {
        let _ = FIRST.set(file);
    }
}

/// Is it a sysctl of the whole machine?
pub fn is_global(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Does the case set one?
pub fn needed_by(case: &Case) -> bool {
    let during = case.steps.iter().any(|s| match &s.act {
        Act::Sysctl { name, .. } => is_global(name),
        _ => false,
    });
    during || case.sysctls.iter().any(|(name, _)| is_global(name))
}

/// Puts back what was changed while it lived.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Waits until the machine has no orphans of others, which would count, too.
    pub fn new() -> io::Result<Self> {
        let deadline = sys::now_ns() + 100_000_000_000;
        loop {
            let orphans = orphans()?;
            if orphans == 0 {
                GUARDED.store(true, Ordering::SeqCst);
                return Ok(Self(()));
            }
            if sys::now_ns() > deadline {
                let why = format!("{orphans} orphans of others are on this machine");
                return Err(io::Error::other(why));
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDED.store(false, Ordering::SeqCst);
        restore();
    }
}

/// Puts everything back.
pub fn restore() {
    let changed = std::mem::take(&mut *CHANGED.lock().unwrap_or_else(PoisonError::into_inner));
    for (name, old) in changed.into_iter().rev() {
        drop(there(move || netns::set_sysctl(&name, &old)));
    }
}

/// Sets one, and remembers the old value. Refused while no [`Guard`] lives, which would put it back.
pub fn set(name: &str, value: &str) -> io::Result<()> {
    if !GUARDED.load(Ordering::SeqCst) {
        return Err(io::Error::other(format!("{name} is set only by a case that plays alone")));
    }
    let (name, value) = (name.to_owned(), value.to_owned());
    there(move || {
        let old = std::fs::read_to_string(netns::path(&name))?;
        let old = (name.clone(), old.trim().to_owned());
        CHANGED.lock().unwrap_or_else(PoisonError::into_inner).push(old);
        netns::set_sysctl(&name, &value)
    })
}

fn orphans() -> io::Result<u32> {
    there(|| {
        let text = std::fs::read_to_string("/proc/thread-self/net/sockstat")?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let at = words.iter().position(|w| *w == "orphan");
        let count = at.and_then(|at| words.get(at + 1)?.parse().ok());
        count.ok_or_else(|| io::Error::other("sockstat shows no orphans"))
    })
}

/// Does something in the first namespace.
fn there<R: Send + 'static>(job: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<R> {
    let first = FIRST.get().ok_or_else(|| io::Error::other("no way to machine-wide sysctls"))?;
    let first = first.try_clone()?;
    let thread = std::thread::spawn(move || {
        sys::enter_net(first.as_fd())?;
        job()
    });
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_changed_that_nobody_puts_back() {
        for name in NAMES {
            let refused = set(name, "0").expect_err("no guard lives");
            assert!(refused.to_string().contains("plays alone"), "{refused}");
        }
        assert!(CHANGED.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    }
}
