//! The two-host truth of the incident: a client that closes first and has few buckets, and a
//! server that closes later. Whether the client sends a RST is decided by whether the server's
//! delayed ACK (40 ms) overtakes its FIN.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use finwait_model::counters::Mib;
use finwait_sim::run::run as simulate;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;
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

/// The same shape in virtual time.
fn simulated(close_after_ms: u64) -> (Counters, Counters) {
    let text = format!(
        r#"
name = "pair"
duration = "10s"
[hosts.web]
kernel = "6.18"
hz = 250
[hosts.web.sysctl]
"net.ipv4.tcp_max_tw_buckets" = {BUCKETS}
[hosts.redis]
kernel = "6.18"
hz = 250
[links]
delay = "30us"
[[apps]]
kind = "client"
host = "web"
to = "redis:{PORT}"
workers = 1
think = "{}ms"
count = {COUNT}
request_bytes = 60
response_bytes = 200
[[apps]]
kind = "server"
host = "redis"
port = {PORT}
request_bytes = 60
response_bytes = 200
close_after = "{close_after_ms}ms"
"#,
        close_after_ms + 10
    );
    let scenario = Scenario::parse(&text, "pair").unwrap();
    let outcome = simulate(&scenario, Turns::Forward, |_| {});
    let counters = |host: &str| {
        let host = outcome.host(host).unwrap();
        Mib::ALL.iter().map(|m| (m.nstat_name().to_owned(), host.counter(*m))).collect()
    };
    (counters("web"), counters("redis"))
}

fn of(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}

/// What the story is about: refused buckets, RSTs, delayed ACKs.
fn story((client, server): &(Counters, Counters)) -> [u64; 4] {
    [
        of(client, "TcpExtTW"),
        of(client, "TcpExtTCPTimeWaitOverflow"),
        of(client, "TcpOutRsts"),
        of(server, "TcpExtDelayedACKs"),
    ]
}

#[test]
fn who_closes_late_gets_a_rst() {
    let (buckets, refused) = (BUCKETS as u64, (COUNT - BUCKETS) as u64);
    let expected = |ms| {
        let late = ms > 40;
        let (rsts, delayed) = if late { (refused, COUNT as u64) } else { (0, 0) };
        [buckets, refused, rsts, delayed]
    };
    for ms in [5, 30, 50, 80] {
        assert_eq!(story(&simulated(ms)), expected(ms), "{ms} ms, simulated");
    }
    if !permitted() {
        return;
    }
    let runs = [5, 30, 50, 80].map(|ms| {
        let play = move || live(Duration::from_millis(ms));
        (ms, play, std::thread::spawn(play))
    });
    for (ms, play, run) in runs {
        let mut seen = run.join().unwrap();
        // On a busy machine 30 ms of sleep can become 40: then the story is another one.
        for _ in 0..5 {
            if story(&seen) == expected(ms) {
                break;
            }
            seen = std::thread::spawn(play).join().unwrap();
        }
        assert_eq!(story(&seen), expected(ms), "{ms} ms, live: {seen:?}");
    }
}
