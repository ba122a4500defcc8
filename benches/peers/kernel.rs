//! The live kernel over loopback, in a network namespace of its own.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, ExitCode};

use crate::Row;
use crate::world::cpu_ms;

/// How this program calls itself inside the namespace: lifecycles, how many in flight.
pub(crate) const INSIDE: &str = "--inside";

/// Listeners: 60 s of ephemeral ports to one of them would not do.
const PORTS: std::ops::Range<u16> = 700..716;

pub(crate) fn row(in_flight: usize, lifecycles: u64) -> Row {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let manner = match in_flight {
        1 => "one at a time".to_owned(),
        n => format!("{n} in flight"),
    };
    Row {
        name: format!("Linux {}, loopback, {manner}", release.trim()),
        outcome: outside(in_flight, lifecycles),
        note: "user and system time of the process".to_owned(),
    }
}

fn outside(in_flight: usize, lifecycles: u64) -> Result<(u64, u64), String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(this)
        .args([INSIDE, &lifecycles.to_string(), &in_flight.to_string()])
        .output()
        .map_err(|e| format!("skipped: unshare: {e}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(format!("skipped: {}", said.lines().next().unwrap_or("no namespace")));
    }
    let text = String::from_utf8_lossy(&out.stdout);
    let mut numbers = text.split_whitespace().filter_map(|n| n.parse().ok());
    let (Some(done), Some(cpu)) = (numbers.next(), numbers.next()) else {
        return Err(format!("it said {text:?}"));
    };
    Ok((done, cpu))
}

/// Inside the namespace: prints lifecycles and milliseconds.
pub(crate) fn inside(args: &[String]) -> ExitCode {
    let number = |n: usize| args.get(n).and_then(|a| a.parse::<u64>().ok()).unwrap_or(1);
    match run(number(0), number(1) as usize) {
        Ok((done, cpu)) => {
            println!("{done} {cpu}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(lifecycles: u64, in_flight: usize) -> std::io::Result<(u64, u64)> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if !up.success() {
        return Err(std::io::Error::other("ip link set lo up failed"));
    }
    let listeners: Vec<TcpListener> = PORTS
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
        .collect::<Result<_, _>>()?;
    let cpu = cpu_ms();
    let mut done = 0;
    while done < lifecycles {
        let listener = &listeners[(done as usize / in_flight) % listeners.len()];
        round(listener, in_flight)?;
        done += in_flight as u64;
    }
    Ok((done, cpu_ms() - cpu))
}

/// So many connections through their life side by side, each step for all of them.
fn round(listener: &TcpListener, in_flight: usize) -> std::io::Result<()> {
    let to = listener.local_addr()?;
    let mut bytes = [0; 6];
    let mut clients = Vec::with_capacity(in_flight);
    for _ in 0..in_flight {
        clients.push(TcpStream::connect(to)?);
    }
    let mut servers = Vec::with_capacity(in_flight);
    for _ in 0..in_flight {
        servers.push(listener.accept()?.0);
    }
    for client in &mut clients {
        client.write_all(b"GET k\n")?;
    }
    for server in &mut servers {
        server.read_exact(&mut bytes)?;
        server.write_all(b"value\n")?;
    }
    for client in &mut clients {
        client.read_exact(&mut bytes)?;
    }
    drop(clients);
    for server in &mut servers {
        let rest = server.read(&mut bytes)?;
        debug_assert_eq!(rest, 0, "the client has closed");
    }
    Ok(())
}
