//! Cleaning up, also after Ctrl-C: namespaces and devices go with the process, but a tracefs
//! instance and machine-wide sysctls would stay.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use crate::pool::STOP;
use crate::tap::{self, Tap};
use crate::{global, sys};

static INSTANCE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From here on SIGINT and SIGTERM clean up before they end the process. Call it before any
/// other thread is started.
pub fn begin() {
    global::begin();
    sys::block_termination();
    std::thread::spawn(|| {
        let signal = sys::wait_for_signal();
        STOP.store(true, Ordering::Relaxed);
        global::restore();
        let instance = INSTANCE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(instance) = instance {
            tap::remove(&instance);
        }
        // As a shell expects it of a process that a signal ended.
        std::process::exit(128 + signal);
    });
}

/// The tap to remove when a signal comes.
pub fn clean_up_with(tap: Option<&Tap>) {
    *INSTANCE.lock().unwrap_or_else(PoisonError::into_inner) = tap.map(|t| t.path().to_owned());
}
