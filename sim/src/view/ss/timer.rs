//! The timer of `ss -o`: `timer:(timewait,59sec,0)`.

use finwait_model::kernel::RowTimer;
use finwait_model::time::Span;

/// The timer with its name, the time left and its count.
pub fn text(timer: &RowTimer) -> String {
    format!("timer:({},{},{})", timer.name, time_left(timer.left), timer.count)
}

/// A time as `ss` writes it: from ten minutes on in minutes, from ten seconds on in seconds, below
/// that with milliseconds. `1.060ms` is one second and sixty milliseconds; no time is no text.
pub fn time_left(left: Span) -> String {
    let all_ms = left.ns.div_ceil(1_000_000);
    let (minutes, seconds, ms) = (all_ms / 60_000, all_ms / 1000 % 60, all_ms % 1000);
    let mut out = String::new();
    if minutes > 0 {
        out += &format!("{minutes}min");
    }
    let seconds = if minutes > 9 { 0 } else { seconds };
    let ms = if minutes > 0 || seconds > 9 { 0 } else { ms };
    if seconds > 0 {
        out += &format!("{seconds}{}", if ms > 0 { "." } else { "sec" });
    }
    if ms > 0 {
        out += &format!("{ms:03}ms");
    }
    out
}
