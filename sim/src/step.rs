//! What can happen to a host, in the written order of equal times.

/// The kinds of step. A segment that arrives in the same nanosecond in which a timer fires comes
/// first, as a network interrupt does before the timer softirq; applications run last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// A segment arrives.
    Arrival,
    /// The kernel's timers run.
    Timer,
    /// An application acts of its own accord.
    App,
}
