//! What goes on between the machine and others, as parts of a scenario. It comes from a capture
//! ([`from_capture`](super::from_capture)) or from counters and sockets
//! ([`from_counters`](super::from_counters)).

use finwait_model::flow::Addr;
use finwait_model::time::Span;

use super::document::{Basis, Entry, LeftOut, Section};

/// Hosts, applications and links.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// The machine's own address.
    pub(super) addr: Option<(Addr, String)>,
    /// What the capture says of the machine itself.
    pub(super) machine: Observed,
    /// The hosts that it talks to.
    pub(super) peers: Vec<Peer>,
    /// Clients and servers.
    pub(super) apps: Vec<Section>,
    /// How far the peers are, by name.
    pub(super) trips: Vec<Trip>,
    /// Lost segments: so many of so many, and how that is known.
    pub(super) loss: Option<(u64, u64, String)>,
    /// What there is to say.
    pub(super) notes: Vec<String>,
    /// What is not in it.
    pub(super) left_out: Vec<LeftOut>,
}

/// A host that the machine talks to.
#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) addr: Option<Addr>,
    /// Is the address one that was free, and not its own?
    pub(super) addr_is_free: bool,
    pub(super) about: Vec<String>,
    /// What a capture says that it runs.
    pub(super) system: Option<String>,
    pub(super) observed: Observed,
}

/// What can be seen of a host from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    pub(super) mtu: Option<(u64, String)>,
    pub(super) sysctl: Vec<Entry>,
}

/// How far a peer is.
#[derive(Debug)]
pub(super) struct Trip {
    pub(super) peer: String,
    pub(super) delay: Span,
    pub(super) jitter: Span,
    pub(super) why: String,
}

impl Observed {
    /// A sysctl that the host seems to have.
    pub(super) fn sysctl(&mut self, name: &str, value: &str, basis: Basis, why: String) {
        if self.sysctl.iter().all(|entry| entry.key != name) {
            let (key, value) = (name.to_owned(), value.to_owned());
            self.sysctl.push(Entry { key, value, basis, why });
        }
    }
}

impl Traffic {
    pub(super) fn left_out(&mut self, what: impl Into<String>, why: &str) {
        self.left_out.push(LeftOut { what: what.into(), value: None, why: why.to_owned() });
    }
}

/// A name that a host can have in a scenario: small letters, digits, dashes.
pub(super) fn host_name(text: &str) -> Option<String> {
    let short = text.split('.').next().unwrap_or(text);
    let name: String = short
        .chars()
        .take(40)
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    (!name.is_empty() && !matches!(name, "localhost" | "none")).then(|| name.to_owned())
}
