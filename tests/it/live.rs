//! Simulated hosts and real programs: curl, Python and a real Redis talk through a TUN device in a
//! namespace of finwait's own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::outside::{self, here};
use crate::program::{Ended, command, finwait, interrupt_at, scratch, text};

/// Can this process make namespaces with TUN devices? Says why not; `FINWAIT_LIVE=require` forbids
/// that.
fn permitted() -> bool {
    let result = finwait_verify::netns::permit_thread();
    if let Err(why) = &result {
        assert!(std::env::var("FINWAIT_LIVE").as_deref() != Ok("require"), "{why}");
        eprintln!("skipped: {why}");
    }
    result.is_ok()
}

const WEB: &str = "examples/scenarios/live-web.toml";
const REDIS: &str = "examples/scenarios/live-redis.toml";

/// Plays a scenario beside a shell script that runs in its namespace.
fn beside(scenario: &str, flags: &[&str], script: &str) -> Ended {
    let mut args = vec!["live", scenario, "--json"];
    args.extend(flags);
    args.extend(["--", "sh", "-c", script]);
    finwait(&args)
}

/// The RSTs that were told, and the summary.
fn told(ended: &Ended) -> (Vec<Value>, Value) {
    let line = |line: &str| -> Value { serde_json::from_str(line).expect("each line is JSON") };
    let mut lines: Vec<Value> = ended.stdout.lines().map(line).collect();
    let summary = lines.pop().expect("there is a summary");
    (lines.into_iter().map(|l| l["rst"].clone()).collect(), summary["summary"].clone())
}

fn counter(host: &Value, name: &str) -> u64 {
    host["mib"][name].as_u64().unwrap_or_else(|| panic!("{host} has {name}"))
}

/// A number that the script has printed behind a word.
fn printed(ended: &Ended, word: &str) -> u64 {
    let line = ended.stderr.lines().find_map(|line| line.strip_prefix(word));
    let line = line.unwrap_or_else(|| panic!("no {word} in {}", ended.stderr));
    line.trim().parse().unwrap_or_else(|_| panic!("{word}{line}"))
}

#[test]
fn curl_is_served_by_a_simulated_3_10() {
    if !permitted() || !here("curl") {
        return;
    }
    let script = "for i in $(seq 12); do curl -sS http://10.0.0.1/ || exit 1; done";
    let pcap = scratch("live-pcap").join("run.pcap");
    let ended = beside(WEB, &["--real", "client", "--pcap", text(&pcap)], script);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("hello").count(), 12, "{}", ended.stderr);
    passed_the_device(&pcap);
    let (_, summary) = told(&ended);
    let web = &summary["hosts"]["web"];
    assert_eq!(counter(web, "TcpPassiveOpens"), 12);
    // It closes first, and has room for ten buckets.
    assert_eq!(counter(web, "TcpExtTCPTimeWaitOverflow"), 2);
    assert_eq!(web["sockstat"]["tw"], 10);
    assert_eq!(summary["hosts"]["client"]["stack"], "real");
}

/// The file has every packet of twelve downloads, in both directions, with the words that were said.
fn passed_the_device(pcap: &Path) {
    let bytes = std::fs::read(pcap).expect("it was written");
    let said = |words: &[u8]| bytes.windows(words.len()).filter(|w| *w == words).count();
    assert_eq!((said(b"GET / HTTP/1.1"), said(b"hello\n")), (12, 12));
    if !here("tshark") {
        return;
    }
    let fields =
        ["ip.src", "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin", "tcp.checksum.status"];
    let shown = outside::tshark(pcap, 80, &fields);
    let tcp: Vec<_> = shown.iter().filter(|packet| !packet[1].is_empty()).collect();
    let count = |wanted: &dyn Fn(&[String]) -> bool| tcp.iter().filter(|p| wanted(p)).count();
    let is = |field: &str| field == "True" || field == "1";
    assert_eq!(count(&|p| is(&p[1]) && !is(&p[2]) && p[0] == "10.0.0.2"), 12, "SYNs of curl");
    assert_eq!(count(&|p| is(&p[1]) && is(&p[2]) && p[0] == "10.0.0.1"), 12, "SYN ACKs of web");
    assert_eq!(count(&|p| is(&p[3]) && p[0] == "10.0.0.1"), 12, "FINs of web");
    assert!(count(&|p| is(&p[3])) == 24 && tcp.len() >= 12 * 9, "{tcp:?}");
    assert_eq!(count(&|p| p[4] != "1" && p[4] != "Good"), 0, "checksums are right");
}

#[test]
fn a_python_client_that_closes_late_is_reset_for_want_of_a_bucket() {
    if !permitted() || !here("python3") {
        return;
    }
    // The server closes; the real kernel acknowledges its FIN after 40 ms, this program closes
    // after 100 ms: until then web has to wait in FIN-WAIT-2, for which the eleventh has no bucket.
    let script = "python3 - <<'EOF'\n\
        import socket, time\n\
        for i in range(13):\n    s = socket.create_connection(('10.0.0.1', 80))\n    s.send(b'x')\n\
        \x20   while s.recv(100): pass\n    time.sleep(0.1)\n    s.close()\n\
        time.sleep(0.1)\n\
        EOF\n\
        grep -A1 '^Tcp:' /proc/net/snmp | awk 'NR==1{for(i=1;i<=NF;i++)n[i]=$i} NR==2{for(i=1;i<=NF;i++)if(n[i]==\"EstabResets\")print \"resets\", $i}'\n\
        echo last-ack $(grep -c ' 09 ' /proc/net/tcp)\n";
    let ended = beside(WEB, &["--real", "client"], script);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let (resets, summary) = told(&ended);
    let web = &summary["hosts"]["web"];
    assert_eq!(resets.len(), 3, "{resets:?}");
    assert_eq!(counter(web, "TcpOutRsts"), 3);
    assert_eq!(counter(web, "TcpExtTCPTimeWaitOverflow"), 3);
    for reset in &resets {
        assert_eq!(reset["host"], "web");
        // Its listener takes what no connection wants.
        assert_eq!(reset["cause"], "rst-listen-ack");
        assert_eq!(reset["because"], "fin-wait-2-bucket-refused");
        let wait = reset["at_s"].as_f64().expect("it") - reset["earlier_s"].as_f64().expect("it");
        assert!((0.02..0.5).contains(&wait), "{reset}");
    }
    // The real sockets were in LAST-ACK when the RST came: it ended them, and is no EstabReset.
    assert_eq!(printed(&ended, "resets "), 0);
    assert_eq!(printed(&ended, "last-ack "), 0);
}

#[test]
fn a_real_redis_sees_the_resets_of_the_incident() {
    if !permitted() || !here("redis-server") || !here("tcpdump") {
        return;
    }
    // A script that keeps Redis busy for 300 ms, four times: meanwhile FINs are acknowledged by
    // its kernel alone.
    let script = "redis-server --port 6379 --bind 10.0.0.2 127.0.0.1 --save '' --daemonize no --protected-mode no >/dev/null &\n\
        tcpdump -l -nn -i fw0 'tcp[tcpflags] & tcp-rst != 0' > \"$DUMP\" 2>/dev/null & T=$!\n\
        sleep 1\n\
        busy=\"local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end local e = now() + 300000 while now() < e do end return 1\"\n\
        for i in 1 2 3 4; do redis-cli -h 127.0.0.1 eval \"$busy\" 0 >/dev/null; sleep 0.5; done\n\
        sleep 0.5\n\
        echo served $(redis-cli -h 127.0.0.1 info stats | tr -d '\\r' | sed -n 's/^total_connections_received://p')\n\
        kill $T; sleep 0.3; echo resets $(grep -c 'Flags \\[R' \"$DUMP\")\n";
    let dump = scratch("live-redis").join("dump");
    let script = format!("DUMP={}\n{script}", dump.display());
    // Redis is up after a second.
    let flags = ["--real", "redis", "--set", "apps.client.start=1s", "--duration", "30s"];
    let ended = beside(REDIS, &flags, &script);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let (resets, summary) = told(&ended);
    let web = &summary["hosts"]["web"];
    let sent = counter(web, "TcpOutRsts");
    assert!(sent > 10, "{summary}");
    assert_eq!(printed(&ended, "resets "), sent, "the real interface has seen each of them");
    let refused = |r: &&Value| r["because"] == "fin-wait-2-bucket-refused";
    assert!(resets.iter().filter(refused).count() as u64 * 10 >= sent * 9, "{resets:?}");
    assert!(counter(web, "TcpExtTCPTimeWaitOverflow") >= sent);
    // Redis has served whoever came before it was asked, and five redis-cli.
    let served = printed(&ended, "served ");
    assert!(served > 50 && served <= counter(web, "TcpActiveOpens") + 5, "{served}");
}

#[test]
fn aborts_are_resets_of_established_sockets_for_a_real_kernel() {
    if !permitted() || !here("python3") {
        return;
    }
    let script = "python3 - <<'EOF'\n\
        import socket, select, time\n\
        l = socket.create_server(('10.0.0.2', 6379))\n\
        conns, poll, end, broken = [], [l], time.time() + 3, 0\n\
        while time.time() < end:\n\
        \x20   for s in select.select(poll, [], [], 0.1)[0]:\n\
        \x20       if s is l: poll.append(l.accept()[0]); continue\n\
        \x20       try:\n            d = s.recv(100)\n            if d: s.send(b'+PONG\\r\\n'); assert d == b'PING\\r\\n'\n            else: poll.remove(s)\n\
        \x20       except ConnectionResetError: broken += 1; poll.remove(s)\n\
        print('broken', broken, flush=True)\n\
        for line in open('/proc/net/snmp'):\n    if line.startswith('Tcp:'): conns.append(line.split())\n\
        print('resets', dict(zip(*conns))['EstabResets'], flush=True)\n\
        EOF\n";
    let flags = [
        "--real",
        "redis",
        "--set",
        "apps.client.start=1s",
        "--set",
        "apps.client.count=20",
        "--set",
        "apps.client.close=linger0",
    ];
    let ended = beside(REDIS, &flags, script);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let (resets, _) = told(&ended);
    assert_eq!(resets.len(), 20, "{}", ended.stderr);
    assert!(resets.iter().all(|r| r["cause"] == "rst-linger-zero"), "{resets:?}");
    assert_eq!(printed(&ended, "resets "), 20, "TcpEstabResets of the real kernel");
    assert_eq!(printed(&ended, "broken "), 20);
}

#[test]
fn it_ends_in_time_or_when_asked_and_leaves_nothing() {
    if !permitted() {
        return;
    }
    let ended = finwait(&["live", REDIS, "--real", "redis", "--duration", "300ms"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("web (Linux 3.10) is 10.0.0.1 behind fw0"), "{}", ended.stderr);
    assert!(ended.stdout.contains("redis (real)"), "{}", ended.stdout);
    let folder = scratch("live-ctrl-c");
    let record = folder.join("run.fwr");
    let mark = folder.join("mark");
    let script = format!("sleep 0.3; echo $$ > {}; sleep 1000", mark.display());
    let args = ["live", REDIS, "--real", "redis", "--duration", "1h", "--record"];
    let mut program = command(&args);
    program.arg(&record).args(["--", "sh", "-c", &script]);
    let output = interrupt_at(program.spawn().expect("it starts"), &mark, 2);
    assert_eq!(output.status.code(), Some(130));
    std::thread::sleep(Duration::from_millis(100));
    let pid = std::fs::read_to_string(&mark).expect("it was written");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "its program has ended, too");
    let ss = finwait(&["ss", &record.display().to_string(), "--at", "0.1s", "-tan"]);
    // Nobody listens there: the real kernel refuses each SYN.
    let wire = finwait(&["tcpdump", &record.display().to_string(), "-nn", "-c", "4"]);
    let refused = wire.stdout.matches("Flags [S]").count() == 2;
    assert!(refused && wire.stdout.contains("Flags [R.]"), "{}{}", wire.stdout, wire.stderr);
    assert!(
        ss.stdout.contains("redis$ ss -tan        # t = 0.1 s, real: no Linux"),
        "{}",
        ss.stdout
    );
}

#[test]
fn a_namespace_that_is_there_is_used_and_the_own_one_refused() {
    let own = finwait(&["live", REDIS, "--real", "redis", "--netns", "/proc/self/ns/net"]);
    assert_eq!(own.status, 2);
    assert!(own.stderr.contains("the machine's own network"), "{}", own.stderr);
    let folder = finwait(&["live", REDIS, "--real", "redis", "--pcap", "docs"]);
    assert!(folder.status == 2 && folder.stdout.is_empty(), "{}", folder.stderr);
    let none = finwait(&["live", REDIS, "--real", "redis", "--netns", "no-such"]);
    assert!(none.stderr.contains("there is no such network namespace"), "{}", none.stderr);
    for (args, expected) in [
        (&["--real", "rediz"][..], "did you mean \"redis\"?"),
        (&["--real", "redis", "--tun", "a/b"], "is no name for a device"),
        (&[], "which host is this machine?"),
    ] {
        let ended = finwait(&[&["live", REDIS], args].concat());
        assert_eq!(ended.status, 2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    if !permitted() || !here("unshare") {
        return;
    }
    let mut holder =
        Command::new("unshare").args(["-n", "sleep", "30"]).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(300));
    let path = format!("/proc/{}/ns/net", holder.id());
    let script = "cat /proc/net/dev | grep -c fw7 | sed 's/^/devices /'";
    let ended = beside(WEB, &["--real", "client", "--tun", "fw7", "--netns", &path], script);
    assert!(holder.kill().is_ok() && holder.wait().is_ok());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(printed(&ended, "devices "), 1);
}
