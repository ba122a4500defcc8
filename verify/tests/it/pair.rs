//! The two-host truth of the incident: a client that closes first and has few buckets, and a
//! server that closes later. Whether the client sends a RST is decided by whether the server's
//! delayed ACK (40 ms) overtakes its FIN.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use finwait_verify::{netns, procfs, veth};

use crate::live::permitted;

const PORT: u16 = 6379;
/// Connections of each run, and the client's buckets.
const COUNT: usize = 12;
const BUCKETS: usize = 3;

type Counters = BTreeMap<String, u64>;

/// Plays the shape with real sockets: the counters of client and server.
fn live(close_after: Duration) -> (Counters, Counters) {
    let pair = veth::Pair::new().unwrap();
    let server_addr = SocketAddrV4::new(Ipv4Addr::from(veth::addr(1).0), PORT);
    let (ready, go) = std::sync::mpsc::channel();
    let server = pair.on(1, move || {
        let listener = TcpListener::bind(server_addr).unwrap();
        ready.send(()).unwrap();
        for _ in 0..COUNT {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 60];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&[0; 200]).unwrap();
            assert_eq!(stream.read(&mut request).unwrap(), 0);
            std::thread::sleep(close_after);
        }
        std::thread::sleep(Duration::from_millis(100));
        procfs::counters().unwrap()
    });
    let client = pair.on(0, move || {
        netns::set_sysctl("net.ipv4.tcp_max_tw_buckets", &BUCKETS.to_string()).unwrap();
        go.recv().unwrap();
        for _ in 0..COUNT {
            let mut stream = TcpStream::connect(server_addr).unwrap();
            stream.write_all(&[0; 60]).unwrap();
            stream.read_exact(&mut [0; 200]).unwrap();
            drop(stream);
            std::thread::sleep(close_after + Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(100));
        procfs::counters().unwrap()
    });
    let client = client.unwrap().join().unwrap().unwrap();
    (client, server.unwrap().join().unwrap().unwrap())
}

fn of(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}

#[test]
fn who_closes_late_gets_a_rst() {
    if !permitted() {
        return;
    }
    let runs =
        [5, 30, 50, 80].map(|ms| (ms, std::thread::spawn(move || live(Duration::from_millis(ms)))));
    for (ms, run) in runs {
        let (client, server) = run.join().unwrap();
        println!("{ms} ms: client {client:?}\n   server {server:?}");
        let late = ms > 40;
        let refused = (COUNT - BUCKETS) as u64;
        assert_eq!(of(&client, "TcpExtTCPTimeWaitOverflow"), refused, "{ms} ms");
        assert_eq!(of(&client, "TcpOutRsts"), if late { refused } else { 0 }, "{ms} ms");
        let delayed = of(&server, "TcpExtDelayedACKs");
        assert_eq!(delayed >= COUNT as u64, late, "{ms} ms: {delayed} delayed ACKs");
    }
}
