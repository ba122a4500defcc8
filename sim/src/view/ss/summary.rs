//! `ss -s`.

use finwait_model::counters::Mib;

use crate::view::HostView;
use crate::view::proc::sockets_used;

/// The summary as text.
pub fn summary(view: &HostView) -> String {
    let stat = view.sockstat;
    let total = stat.alloc + stat.tw;
    let closed = i64::from(total) - i64::from(stat.inuse);
    let mut out = format!(
        "Total: {}\nTCP:   {total} (estab {}, closed {closed}, orphaned {}, timewait {})\n\n\
         Transport Total     IP        IPv6\n",
        sockets_used(view),
        view.counter(Mib::CurrEstab),
        stat.orphan,
        stat.tw,
    );
    // A simulated host has TCP over IPv4 and nothing else.
    let inuse = stat.inuse;
    for (name, n) in [("RAW", 0), ("UDP", 0), ("TCP", inuse), ("INET", inuse), ("FRAG", 0)] {
        out += &format!("{name}\t  {n:<9} {n:<9} {:<9}\n", 0);
    }
    out + "\n"
}
