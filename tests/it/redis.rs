//! `finwait redis` as a person types it, and beside a real Redis: the same fields in the same order,
//! with the same values where a plain client has no choice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::time::Instant;
use finwait_sim::app::{AppId, Call, SysCall};
use finwait_sim::scenario::Scenario;
use finwait_sim::view::redis::{Clients, Instance};

use crate::golden;
use crate::outside::here;
use crate::program::{finwait, scratch, text};

const SHORT: &str = "examples/scenarios/short-code.toml";

fn printed(args: &[&str]) -> String {
    let ended = finwait(args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{args:?}");
    ended.stdout
}

#[test]
fn a_redis_tells_of_its_clients() {
    let mut session = String::new();
    for line in [
        format!("redis {SHORT} --at 12.5s --port 6379 client list"),
        format!("redis {SHORT} --at 12.5s --port 6379 info"),
        format!("redis {SHORT} --at 500ms --port 6380 --set apps.redis.maxclients=2 info clients"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        session += &format!("> finwait {line}\n{}\n", printed(&args));
    }
    golden::check("redis.txt", &session);
}

#[test]
fn a_recording_tells_the_same_as_the_scenario_at_any_time() {
    let record = scratch("redis").join("run.fwr");
    let record = text(&record);
    printed(&["run", SHORT, "--duration", "20s", "--record", record]);
    for at in ["1ms", "7.25s", "13s", "20s"] {
        let of = |run: &str| {
            let set = if run == SHORT { &["--set", "duration=20s"][..] } else { &[] };
            let more = ["redis", run, "--at", at, "--json", "client", "list"];
            printed(&[&more[..], set].concat())
        };
        let told = of(record);
        assert_eq!(told, of(SHORT), "{at}");
        // Whoever has a connection in ss is a client, but for the one that is being closed.
        let ss =
            printed(&["ss", record, "--at", at, "--host", "redis", "-tnH", "state", "established"]);
        assert_eq!(told.matches("\"addr\"").count(), ss.lines().count(), "{at}\n{ss}\n{told}");
        for line in ss.lines() {
            let peer = line.split_whitespace().nth(3).expect("a peer");
            assert!(told.contains(&format!("\"addr\": \"{peer}\"")), "{peer} at {at}");
        }
    }
}

#[test]
fn what_no_simulated_redis_answers_is_refused() {
    for (args, expected) in [
        (
            &["--at", "1s", "client", "kill"][..],
            "1 | client kill\n  |        ^^^^ expected client list",
        ),
        (&["flushall"], "1 | flushall\n  | ^^^^^^^^ expected client list"),
        (&["client", "list", "type"], "1 | client list type\n  |             ^^^^ expected"),
        (&["--port", "6399", "info"], "^^^^ expected one of 6379, 6380, 6381, 6382"),
        (&["--host", "web", "client", "list"], "error: web has no Redis"),
    ] {
        let ended = finwait(&[&["redis", SHORT], args].concat());
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ended.stderr.contains(expected), "{args:?}: {}", ended.stderr);
    }
}

/// A real Redis on the loopback, which ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("there is a free port").port();
        let mut child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--maxclients",
                "6",
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Self { child, port };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let ended = child.kill().and_then(|()| child.wait());
        panic!("redis-server does not listen on {port}: {ended:?}");
    }
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket takes it");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks, and reads the answer, whose first line says how long it is.
fn ask(stream: &TcpStream, question: &str) -> String {
    let mut writer = stream;
    writer.write_all(question.as_bytes()).expect("it can be written");
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).expect("an answer");
    let Some(length) = first.strip_prefix('$') else { return first };
    let mut answer = vec![0; length.trim().parse().expect("a length")];
    reader.read_exact(&mut answer).expect("all of it");
    String::from_utf8(answer).expect("text")
}

/// The fields of a line without what is another client's on another machine, at another time.
fn plain(line: &str) -> Vec<&str> {
    // The largest answer since its own last look, every 5 s.
    let own = ["id=", "addr=", "laddr=", "fd=", "age=", "idle=", "rbp="];
    let name = |field: &'_ str| own.iter().any(|own| field.starts_with(own));
    line.split(' ')
        .map(|field| if name(field) { field.split('=').next().unwrap_or("") } else { field })
        .collect()
}

/// What a simulated Redis says of two clients, one of which has sent a PING a moment ago.
fn simulated(at: Instant) -> Clients {
    let text = "duration = \"1s\"\n[hosts.r]\nkernel = \"6.18\"\n[[apps]]\nkind = \"redis\"\nhost = \"r\"\n\
                port = 6379\nrequest_bytes = 6\nmaxclients = 6\ncommand = \"ping\"\n";
    let scenario = Scenario::parse(text, "redis").expect("it is one");
    let mut clients = Clients::new(Instance::all(&scenario)[0].plan.clone());
    let mut called = |fd, what, result| {
        let end = |port| Endpoint::new(Addr::v4(127, 0, 0, 1), port);
        let flow = FourTuple::new(end(6379), end(40_000));
        let call = Call { app: AppId(0), fd, flow, what, result: Ok(result) };
        clients.called(Instant { ns: at.ns - 1_500_000_000 }, &call);
    };
    called(1, SysCall::Accept, 8);
    called(1, SysCall::Accept, 9);
    called(9, SysCall::Recv(16_384), 6);
    called(9, SysCall::Send(7), 7);
    clients
}

#[test]
fn a_real_redis_prints_the_same_fields() {
    if !here("redis-server") {
        return;
    }
    let server = Server::start();
    let (silent, pinging) = (server.connect(), server.connect());
    assert_eq!(ask(&pinging, "PING\r\n"), "+PONG\r\n");
    // Once a second it looks after the buffers of each client.
    std::thread::sleep(Duration::from_millis(1500));
    let asking = server.connect();
    let version = ask(&asking, "INFO server\r\n");
    if !version.contains("redis_version:7.0.") {
        eprintln!("skipped: the redis-server here is no 7.0");
        return;
    }
    let list = ask(&asking, "CLIENT LIST\r\n");
    let at = Instant { ns: 10_000_000_000 };
    let simulated = simulated(at);
    let (ours, theirs) = (simulated.list(at), list.lines().collect::<Vec<_>>());
    assert_eq!(theirs.len(), 3, "{list}");
    for (ours, theirs) in ours.lines().zip(&theirs) {
        assert_eq!(plain(ours), plain(theirs));
    }
    // The connection that saw whether it listens was the first.
    assert!(theirs[0].starts_with("id=4 "), "{list}");
    let names = |info: &str| -> Vec<String> {
        info.lines().map(|line| line.split(':').next().unwrap_or("").to_owned()).collect()
    };
    let info = ask(&asking, "INFO clients\r\n");
    assert_eq!(names(&simulated.info_clients()), names(&info));
    assert!(
        info.contains("maxclients:6\r\n") && simulated.info_clients().contains("maxclients:6\n")
    );
    let stats = names(&ask(&asking, "INFO stats\r\n"));
    assert!(names(&simulated.info_stats()).iter().all(|name| stats.contains(name)), "{stats:?}");
    // Who is too many is told so, and then comes the end.
    let _held: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    let mut refused = String::new();
    server.connect().read_to_string(&mut refused).expect("an answer and the end");
    assert_eq!(refused, "-ERR max number of clients reached\r\n");
    drop(silent);
}
