//! Ctrl-C: the run ends at its next sample, and what was done is told. A second one ends the
//! program at once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use finwait_model::time::Instant;
use finwait_sim::host::Host;
use finwait_sim::sample::Sample;
use finwait_sim::watch::{Sent, Watch};

/// Has somebody asked the program to end?
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where signals cannot be caught, they end the program as ever.
    pub(crate) fn listen() -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal sets the flag, the second finds it set.
            let again = flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked));
            if again.is_ok() {
                let _ = flag::register(signal, Arc::clone(&asked));
            }
        }
        Self(asked)
    }
    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    /// Has somebody?
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Watches for nothing else.
impl Watch for Interrupt {
    fn wants_segments(&self) -> bool {
        false
    }
    fn wants_notes(&self) -> bool {
        false
    }
    #[inline(always)]
    fn sent(&mut self, _sent: &Sent<'_>) {}
    fn sampled(&mut self, _at: Instant, _hosts: &[Host], _samples: &[Sample]) -> ControlFlow<()> {
        if self.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
