//! Every order of closing, through every kind of network, between smoltcp and each Linux, either
//! way round: connections end, no byte is lost or doubled, and both ends go the ways of RFC 9293.

use std::collections::BTreeSet;

use finwait_model::state::TcpState::{
    self, Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, NewSynRecv,
    SynRecv, SynSent, TimeWait,
};

use crate::smoltcp::{A, B, content, play, steps_of};

/// Who closes how.
struct Order {
    name: &'static str,
    client: &'static str,
    server: &'static str,
    /// Does one of them abort, so that what was on its way may be lost?
    aborts: bool,
}

const ORDERS: [Order; 7] = [
    Order {
        name: "the client first",
        client: "response_bytes = 5000",
        server: "response_bytes = 5000\nclose_after = \"120ms\"",
        aborts: false,
    },
    Order {
        name: "the server first",
        client: "hold = \"120ms\"\nresponse_bytes = 999999",
        server: "response_bytes = 5000\ncloses_first = true",
        aborts: false,
    },
    Order {
        name: "both at once",
        client: "response_bytes = 0\nhold = \"50ms\"",
        server: "response_bytes = 0\nservice = \"40ms\"\ncloses_first = true",
        aborts: false,
    },
    Order {
        name: "half-close",
        client: "close = \"shutdown\"\nresponse_bytes = 5000",
        server: "response_bytes = 5000\nclose_after = \"120ms\"\nparting_bytes = 700",
        aborts: false,
    },
    Order {
        name: "at once after the FIN",
        client: "response_bytes = 5000",
        server: "response_bytes = 5000",
        aborts: false,
    },
    Order {
        name: "abort",
        client: "close = \"linger0\"\nresponse_bytes = 5000",
        server: "response_bytes = 5000",
        aborts: true,
    },
    Order {
        name: "with the answer unread",
        client: "close = \"unread\"\nresponse_bytes = 5000",
        server: "response_bytes = 5000",
        aborts: true,
    },
];

/// What the network does, and how much room smoltcp has.
struct Network {
    name: &'static str,
    links: &'static str,
    buffer: u32,
    loses: bool,
    /// May something arrive when the socket that it is for is gone?
    strays: bool,
}

const NETWORKS: [Network; 6] = [
    Network { name: "clean", links: "", buffer: 16_384, loses: false, strays: false },
    Network { name: "loss", links: "loss = \"5%\"", buffer: 16_384, loses: true, strays: true },
    Network {
        name: "duplication",
        links: "duplicate = \"20%\"",
        buffer: 16_384,
        loses: false,
        strays: true,
    },
    Network {
        name: "reordering",
        links: "jitter = \"6ms\"\nreorder = \"20%\"\nreorder_by = \"30ms\"",
        buffer: 16_384,
        loses: false,
        strays: true,
    },
    Network { name: "zero window", links: "", buffer: 300, loses: false, strays: false },
    Network {
        name: "all of it",
        links: "loss = \"5%\"\nduplicate = \"10%\"\njitter = \"6ms\"\nreorder = \"10%\"\n\
                reorder_by = \"30ms\"",
        buffer: 300,
        loses: true,
        strays: true,
    },
];

/// Connections of each run.
const COUNT: u64 = 10;

fn text(order: &Order, network: &Network, hosts: [&str; 2], apps: Option<[&str; 2]>) -> String {
    let host = |kind: &str| match kind {
        "smoltcp" => format!(
            "stack = \"smoltcp\"\ntimeout = \"300s\"\nrecv_buffer_bytes = {}\n",
            network.buffer
        ),
        release => format!("kernel = \"{release}\"\n"),
    };
    let [client, server] = apps.unwrap_or([order.client, order.server]);
    let kind = if server.contains("slow") { "redis" } else { "server" };
    format!(
        "duration = \"600s\"\nsample = \"10s\"\n[hosts.a]\n{}[hosts.b]\n{}[links]\ndelay = \"10ms\"\n{}\n\
         [[apps]]\nkind = \"client\"\nhost = \"a\"\nto = \"b:80\"\nrate = \"5/s\"\ncount = {COUNT}\n\
         {client}\n[[apps]]\nkind = \"{kind}\"\nhost = \"b\"\nport = 80\n{server}\n",
        host(hosts[0]),
        host(hosts[1]),
        network.links,
    )
}

const SIDES: [[&str; 2]; 4] =
    [["smoltcp", "6.18"], ["smoltcp", "3.10"], ["6.18", "smoltcp"], ["3.10", "smoltcp"]];

/// May a socket go that way? Whoever is reset, gives up or has handed over to a bucket is in CLOSE.
const fn may(from: TcpState, to: TcpState) -> bool {
    matches!(
        (from, to),
        (_, Close)
            | (Close, SynSent | Listen | NewSynRecv | SynRecv)
            | (Listen, SynRecv | NewSynRecv)
            | (NewSynRecv, SynRecv | Established)
            | (SynSent, SynRecv | Established)
            | (SynRecv, Established | FinWait1 | CloseWait)
            | (Established, FinWait1 | CloseWait)
            | (FinWait1, FinWait2 | Closing | TimeWait)
            | (FinWait2 | Closing, TimeWait)
            | (CloseWait, LastAck)
    )
}

#[test]
fn every_order_in_every_network_ends_as_the_rfc_says() {
    let mut met = BTreeSet::new();
    for order in &ORDERS {
        for network in &NETWORKS {
            for hosts in SIDES {
                let what = format!("{}, {}, {hosts:?}", order.name, network.name);
                let (outcome, seen) = play(&text(order, network, hosts, None));
                assert_eq!(outcome.lifecycles, COUNT, "{what}");
                assert_eq!(content(&outcome).wrong, 0, "{what}");
                for (reader, writer) in [(A, B), (B, A)] {
                    let (read, written) = (seen.read(reader), seen.written(writer));
                    assert!(read <= written, "{what}: {read} read of {written}");
                    assert!(order.aborts || read == written, "{what}: {read} read of {written}");
                }
                let quiet = !order.aborts && !network.strays;
                assert!(!quiet || seen.resets == 0, "{what}: {} RSTs", seen.resets);
                let left: Vec<_> = outcome.hosts.iter().map(|h| h.sockstat.inuse).collect();
                assert!(left == [0, 1] || seen.lost_resets > 0, "{what}: {left:?}");
                assert!(network.loses || seen.lost_resets == 0, "{what}");
                for host in [A, B] {
                    for (from, to) in steps_of(&seen, host) {
                        assert!(may(from, to), "{what}: {host:?} went from {from:?} to {to:?}");
                        met.insert((hosts[usize::from(host.0)] == "smoltcp", from, to));
                    }
                }
            }
        }
    }
    // All of the ways to close have been gone by smoltcp, and those that no bucket takes by Linux.
    let closing = [
        (Established, FinWait1),
        (Established, CloseWait),
        (FinWait1, FinWait2),
        (FinWait1, Closing),
        (CloseWait, LastAck),
    ];
    let buckets = [(FinWait2, TimeWait), (Closing, TimeWait), (FinWait1, TimeWait)];
    for (from, to) in closing.into_iter().chain(buckets) {
        assert!(met.contains(&(true, from, to)), "smoltcp never went from {from:?} to {to:?}");
    }
    for (from, to) in closing.into_iter().filter(|&(_, to)| to != FinWait2) {
        assert!(met.contains(&(false, from, to)), "Linux never went from {from:?} to {to:?}");
    }
}

/// Redis reads nothing while a slow command runs, and more comes than either stack has room for.
#[test]
fn a_window_that_closes_on_either_side_opens_again() {
    let server =
        "slow = \"900ms\"\nslow_every = \"1s\"\nrequest_bytes = 300000\nresponse_bytes = 700";
    for close in ["close", "shutdown"] {
        let client = format!("request_bytes = 300000\nresponse_bytes = 700\nclose = \"{close}\"");
        for hosts in SIDES {
            let network = Network { buffer: 4_096, ..NETWORKS[4] };
            let (outcome, seen) = play(&text(&ORDERS[0], &network, hosts, Some([&client, server])));
            let what = format!("{close}, {hosts:?}");
            assert_eq!((outcome.lifecycles, content(&outcome).wrong), (COUNT, 0), "{what}");
            assert_eq!((seen.read(B), seen.read(A)), (COUNT * 300_000, COUNT * 700), "{what}");
            assert!(
                seen.zero_windows.get(&B).is_some_and(|n| *n >= 5),
                "{what}: B has always room"
            );
            assert_eq!(seen.resets, 0, "{what}");
            let left: Vec<_> = outcome.hosts.iter().map(|h| h.sockstat.inuse).collect();
            assert_eq!(left, [0, 1], "{what}");
        }
    }
}
