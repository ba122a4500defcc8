//! What is about single segments: causes, counters, drop and reset reasons, earlier events.

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::drop_reason::DropReason;
use finwait_model::release::Release;
use finwait_model::rst_reason::RstReason;

use super::find::words;
use super::{Body, Entry, Kind, witness};
use crate::app::Reason;
use crate::because::Because;
use crate::view::{mib, netstat};

const RST_PREFIX: &str = "SK_RST_REASON_";
const DROP_PREFIX: &str = "SKB_DROP_REASON_";

/// Why a segment is sent.
pub(super) fn cause(cause: Cause) -> Entry {
    let site = cause.site();
    let path = site.path.iter().map(|f| (*f).to_owned()).collect();
    let mut entry = Entry::new(Kind::Cause, site.name, site.why)
        .alias(format!("{cause:?}"))
        .section("path", "kernel path", Body::Path(path))
        .names("decided_in", "decided in", site.decided_in);
    if let Some(reason) = site.reset {
        entry = entry.names("reset_reason", "reset reason", [rst_name(reason)]);
    }
    let drops = witness::with_word("drop", "answers", site.name);
    let earlier = witness::with_word("because", "causes", site.name);
    let releases: Vec<&str> = site.releases.iter().map(|r| r.name()).collect();
    entry
        .names("counters", "counters", witness::words("cause", site.name, "always"))
        .names("counters_sometimes", "sometimes", witness::words("cause", site.name, "sometimes"))
        .names("drop_reasons", "drop reasons", drops.map(|d| format!("{DROP_PREFIX}{d}")))
        .names("because", "because", earlier)
        .names("sysctls", "depends on", witness::with_word("sysctl", "causes", site.name))
        .text("releases", "releases", releases.join(", "))
        .scripts("cause", "scripts")
        .scenarios("cause")
}

/// Something that the kernel counts.
pub(super) fn counter(mib: Mib) -> Entry {
    let (name, about) = (mib.nstat_name(), mib.about());
    let netstat = netstat::sentence(mib);
    let releases = Release::ALL.iter().filter(|&&r| mib::exists(mib, r)).map(|r| r.name());
    let what = if mib.is_gauge() { "gauge: it also falls" } else { "count of events" };
    let modelled = if mib.is_modelled() {
        ""
    } else {
        "The model has nothing that raises it: it stays 0 (docs/limits.md)."
    };
    let drops = witness::with_word("drop", "always", name);
    Entry::new(Kind::Counter, name, about.counts)
        .alias(mib::short_name(mib))
        .aliases(netstat.map(|text| words(&text.replace('#', ""))))
        .text("unit", "what", what)
        .text("closing", "for a close", about.closing)
        .names("functions", "raised in", about.at.iter().copied())
        .text("differs", "3.10 / 6.18", about.differs)
        .text("modelled", "not modelled", modelled)
        .text("releases", "releases", releases.collect::<Vec<_>>().join(", "))
        .text("netstat", "netstat -s", netstat.unwrap_or_default().replace('#', "N"))
        .names("causes", "causes", witness::with_word("cause", "always", name))
        .names("causes_sometimes", "sometimes", witness::with_word("cause", "sometimes", name))
        .names("drop_reasons", "drop reasons", drops.map(|d| format!("{DROP_PREFIX}{d}")))
        .names("sysctls", "depends on", witness::with_word("sysctl", "counters", name))
        .scripts("counter", "scripts")
        .scenarios("counter")
}

/// Why a segment is thrown away.
pub(super) fn drop_reason(reason: DropReason) -> Entry {
    let name = reason.kernel_name();
    Entry::new(Kind::DropReason, format!("{DROP_PREFIX}{name}"), reason.why())
        .alias(name)
        .names("functions", "decided in", reason.at().iter().copied())
        .names("counters", "counters", witness::words("drop", name, "always"))
        .names("counters_sometimes", "sometimes", witness::words("drop", name, "sometimes"))
        .names("answers", "answered by", witness::words("drop", name, "answers"))
        .names("answers_sometimes", "or by", witness::words("drop", name, "may-answer"))
        .scripts("drop", "scripts")
}

/// Why a RST is sent, as the kernel puts it.
pub(super) fn reset_reason(reason: RstReason) -> Entry {
    let causes = Cause::all().filter(|c| c.site().reset == Some(reason)).map(Cause::name);
    let since = format!(
        "Linux 6.10 and later report it at tcp:tcp_send_reset, as {}. {} has none; there it is \
         what 6.18 would report.",
        reason as u8,
        Release::V3_10
    );
    Entry::new(Kind::ResetReason, rst_name(reason), reason.why())
        .alias(reason.kernel_name())
        .names("causes", "causes", causes)
        .text("releases", "releases", since)
}

fn rst_name(reason: RstReason) -> String {
    format!("{RST_PREFIX}{}", reason.kernel_name())
}

/// The earlier event that made a RST inevitable.
pub(super) fn because(because: Because) -> Entry {
    let name = because.name();
    let text = because.text();
    let headline = format!("{}{}.", text[..1].to_uppercase(), &text[1..]);
    Entry::new(Kind::Because, name, headline)
        .names("functions", "decided in", because.decided_in().iter().copied())
        .names("causes", "causes", witness::words("because", name, "causes"))
        .scripts("because", "scripts")
        .scenarios("because")
}

/// Why a program closes a connection.
pub(super) fn close_reason(reason: Reason) -> Entry {
    let (name, text) = (reason.name(), reason.text());
    Entry::new(Kind::CloseReason, name, format!("Why a program calls close(): {text}.")).text(
        "measure",
        "measured as",
        format!("HOST.closes.{name}, of pools and web servers"),
    )
}
