//! What people say of closing connections that is not so, what is so, and the run that shows it.

use super::{Body, Entry, Kind, Line};

/// Something that is said and is not so.
#[derive(Clone, Copy, Debug)]
pub struct Myth {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What is said.
    pub claim: &'static str,
    /// What is so.
    pub truth: fn() -> String,
    /// Short names of the sysctls that it is about.
    pub about: &'static [&'static str],
    /// Commands that show it, and what to look at.
    pub shows: &'static [(&'static str, &'static str)],
}

/// The bytes that a bucket takes in the kernel: the structure of recent releases, and the slab
/// object of those that round it up.
const BUCKET_BYTES: [u64; 2] = [168, 256];
/// The default limit on a host with 24 GB.
const BUCKETS: u64 = 131_072;

fn memory() -> String {
    let [low, high] = BUCKET_BYTES.map(|bytes| bytes * BUCKETS);
    let tenths = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10);
    format!(
        "A bucket is no socket: it takes {} to {} bytes, has no buffers and no descriptor. All of \
         the {},{:03} that a host with 24 GB of memory allows by default take {} to {} MB. Raising \
         the limit to four times as many costs less than what one busy process uses. What a bucket \
         does take up is a four-tuple: its port, towards one destination, for a minute.",
        BUCKET_BYTES[0],
        BUCKET_BYTES[1],
        BUCKETS / 1000,
        BUCKETS % 1000,
        tenths(low),
        tenths(high),
    )
}

/// The myths.
pub const MYTHS: &[Myth] = &[
    Myth {
        name: "fin-timeout-shortens-time-wait",
        aliases: &["tcp_fin_timeout"],
        claim: "A lower tcp_fin_timeout shortens TIME-WAIT.",
        truth: || {
            "It bounds FIN-WAIT-2 of connections that the program has closed, and nothing else. \
             TIME-WAIT lasts 60 s whatever it says. A lower value helps only against peers that \
             never send their FIN."
                .to_owned()
        },
        about: &["tcp_fin_timeout"],
        shows: &[
            (
                "finwait run examples/scenarios/slots-6.18.toml",
                "2,000 buckets at 40 closes per second are full after 50 s, with the default of 60",
            ),
            (
                "finwait run examples/scenarios/slots-6.18.toml --set web.net.ipv4.tcp_fin_timeout=5",
                "and with 5: after 50 s, too",
            ),
        ],
    },
    Myth {
        name: "tw-reuse-reduces-time-wait",
        aliases: &["tcp_tw_reuse"],
        claim: "tcp_tw_reuse makes TIME-WAIT sockets fewer.",
        truth: || {
            "It lets connect() take the place of a bucket with the same four-tuple that its search for \
             a port comes across. It helps only the side that connects, towards one destination, and \
             needs timestamps on both sides. No bucket lives shorter for it: one gives its place to a \
             connection that leaves a bucket in turn. While ports are plenty there are as many buckets \
             as without. A server that closes first has nothing from it."
                .to_owned()
        },
        about: &["tcp_tw_reuse", "tcp_tw_reuse_delay", "tcp_timestamps", "ip_local_port_range"],
        shows: &[
            (
                "finwait run examples/scenarios/tw-reuse.toml --set web.net.ipv4.tcp_tw_reuse=0",
                "100 ports to one destination carry 100 connections a minute",
            ),
            (
                "finwait run examples/scenarios/tw-reuse.toml",
                "with 1 every connect() finds a port, and the even ones, which come first, do: 50 buckets",
            ),
            (
                "finwait run examples/scenarios/tw-reuse.toml --set web.net.ipv4.tcp_timestamps=0",
                "without timestamps it is as with 0",
            ),
            (
                "finwait run examples/scenarios/tw-reuse.toml --set \"web.net.ipv4.ip_local_port_range=32768 60999\"",
                "and with ports enough there are 600 buckets for 600 connections, as with 0",
            ),
            (
                "finwait run examples/scenarios/tw-reuse-server.toml",
                "where the server closes first its buckets grow, whatever it sets",
            ),
        ],
    },
    Myth {
        name: "tw-recycle-is-safe",
        aliases: &["tcp_tw_recycle"],
        claim: "tcp_tw_recycle gets rid of TIME-WAIT and does no harm.",
        truth: || {
            "It makes buckets short on 3.10, and in return drops SYNs whose timestamp is older \
             than the last one seen from the same address within a minute (PAWSPassive). Behind a \
             NAT many hosts share an address, each with a clock of its own: the ones whose clocks \
             are behind cannot connect. It was removed in 4.12."
                .to_owned()
        },
        about: &["tcp_tw_recycle"],
        shows: &[
            (
                "finwait replay --trace examples/scripts/tw-recycle-nat.3.10.pkt",
                "the second host behind the NAT gets no answer to its SYN",
            ),
            (
                "finwait replay --trace examples/scripts/tw-recycle-nat.pkt",
                "without tcp_tw_recycle, as on 6.18, it does",
            ),
        ],
    },
    Myth {
        name: "max-orphans-limits-time-wait",
        aliases: &["tcp_max_orphans"],
        claim: "tcp_max_orphans limits TIME-WAIT, or keeps FIN-WAIT-2 away.",
        truth: || {
            "An orphan is a full socket that lives on after close(): FIN-WAIT-1, LAST-ACK, CLOSING, \
             and FIN-WAIT-2 only with tcp_fin_timeout above 60 s. Buckets are not counted. A low \
             value saves nothing and resets connections that were closing in good order."
                .to_owned()
        },
        about: &["tcp_max_orphans"],
        shows: &[
            (
                "finwait run examples/scenarios/slots-6.18.toml --set web.net.ipv4.tcp_max_orphans=64",
                "2,000 buckets, at most a few orphans, and no TCPAbortOnMemory",
            ),
            (
                "finwait replay --trace examples/scripts/orphan-limit.pkt",
                "what a limit that is reached does",
            ),
        ],
    },
    Myth {
        name: "time-wait-uses-too-much-memory",
        aliases: &["time-wait-memory", "TIME_WAIT uses too much memory"],
        claim: "TIME-WAIT sockets use too much memory.",
        truth: memory,
        about: &["tcp_max_tw_buckets"],
        shows: &[(
            "finwait run examples/scenarios/incident.toml",
            "a table kept too small, and in the counter-run what 524,288 buckets would have cost: nothing but memory",
        )],
    },
    Myth {
        name: "raise-somaxconn",
        aliases: &["somaxconn", "raise somaxconn"],
        claim: "Raising somaxconn stops RSTs.",
        truth: || {
            "It limits the accept queue, at listen(). A full accept queue sends no RST unless \
             tcp_abort_on_overflow is set, and has nothing to do with how connections end. It does \
             not touch listeners that are there, nor programs that ask for less."
                .to_owned()
        },
        about: &["somaxconn", "tcp_abort_on_overflow"],
        shows: &[
            (
                "finwait run examples/scenarios/closes-apart.toml --set peer.net.core.somaxconn=65535",
                "five RSTs for want of buckets, as before",
            ),
            (
                "finwait replay --trace examples/scripts/accept-queue-full.pkt",
                "a full accept queue: silence, not a RST",
            ),
        ],
    },
    Myth {
        name: "linger-0-is-the-cure",
        aliases: &["SO_LINGER", "SO_LINGER 0", "SO_LINGER 0 is the cure", "linger-0"],
        claim: "SO_LINGER with 0 seconds is the cure for TIME-WAIT.",
        truth: || {
            "It ends every connection with a RST: no bucket, and no certainty either. What is \
             unsent or unacknowledged is thrown away, the peer's read fails with ECONNRESET even \
             where everything went well, and it counts EstabResets. The RSTs that were to be \
             avoided are now sent for each connection."
                .to_owned()
        },
        about: &[],
        shows: &[
            (
                "finwait run examples/scenarios/linger-0.toml",
                "no bucket, and as many RSTs as connections",
            ),
            ("finwait replay --trace examples/scripts/linger-0.pkt", "the RST itself"),
        ],
    },
    Myth {
        name: "max-tw-buckets-is-only-for-dos",
        aliases: &["tcp_max_tw_buckets", "max-tw-buckets"],
        claim: "tcp_max_tw_buckets only protects against denial of service and never matters.",
        truth: || {
            "It matters to any host that closes first often enough: 131,072 buckets carry about \
             2,100 closes per second on 6.18 and 1,250 on 3.10 under load. From then on the kernel \
             skips FIN-WAIT-2 and TIME-WAIT, and answers the FINs of peers that did nothing wrong \
             with RSTs. Lowering it makes that begin sooner, and saves little memory."
                .to_owned()
        },
        about: &["tcp_max_tw_buckets"],
        shows: &[
            (
                "finwait run examples/scenarios/incident.toml",
                "2,500 closes per second on 3.10: full after 52 s",
            ),
            (
                "finwait run examples/scenarios/closes-apart.toml --set web.net.ipv4.tcp_max_tw_buckets=100",
                "with room no RST, without (as in the file) five",
            ),
        ],
    },
];

/// A myth as an entry.
pub(super) fn entry(myth: &Myth) -> Entry {
    let line = |(command, text): &(&str, &str)| Line {
        name: (*command).to_owned(),
        text: (*text).to_owned(),
    };
    let mut entry = Entry::new(Kind::Myth, myth.name, format!("It is said: {}", myth.claim))
        .text("truth", "what is so", (myth.truth)())
        .section("shows", "see it", Body::Table(myth.shows.iter().map(line).collect()))
        .names("sysctls", "sysctls", myth.about.iter().copied());
    entry.aliases = myth.aliases.iter().map(|a| (*a).to_owned()).collect();
    entry
}
