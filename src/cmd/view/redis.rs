//! `finwait redis`: what a simulated Redis answers about its clients.

use serde_json::{Map, Value, json};

use finwait_model::time::Instant;
use finwait_sim::app::AppId;
use finwait_sim::scenario::Error;
use finwait_sim::view::redis::{self, Client, Clients, Instance};
use finwait_sim::world::HostId;

use super::{Look, Open, pretty, seconds};
use crate::failure::{Failure, Verdict, print};
use crate::source::Source;

/// What a simulated Redis says of its clients, as Redis 7.0.15 prints it.
///
/// `finwait redis RUN client list --at 12.5s` shows whom it serves: number, addresses, age, idle time,
/// last command. Nobody asks it for that, so the client that asks is not in the list. `info clients`
/// and `info stats` give those lines of INFO that a simulation knows.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
    /// Which Redis of the host [default: every one, each under a prompt].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The command: client list, info clients, info stats, or info for both.
    #[arg(value_name = "COMMAND", required = true)]
    command: Vec<String>,
}

/// What can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    ClientList,
    Info { clients: bool, stats: bool },
}

/// A Redis that is listened to.
struct Heard {
    host: HostId,
    app: AppId,
    clients: Clients,
}

/// Asks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let question = Question::parse(&args.command)?;
    let Open { mut source, hosts, at } = args.look.open()?;
    let mut heard = instances(args, &source, &hosts)?;
    let on: Vec<HostId> = heard.iter().map(|redis| redis.host).collect();
    source.calls(&on, at, |when, host, call| {
        let asked = heard.iter_mut().find(|redis| (redis.host, redis.app) == (host, call.app));
        if let Some(redis) = asked {
            redis.clients.called(when, call);
        }
    })?;
    if let Some(filter) = source.recording().and_then(|r| r.header().filter.as_ref()) {
        eprintln!("note: the recording holds {filter} only; other clients are not seen");
    }
    let text = if args.look.json {
        pretty(&object(&source, &heard, question, at))
    } else {
        text(args, &source, &heard, question, at)
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

impl Question {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let small: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let small: Vec<&str> = small.iter().map(String::as_str).collect();
        let span = match small.as_slice() {
            ["client", "list"] => return Ok(Self::ClientList),
            ["info"] => return Ok(Self::Info { clients: true, stats: true }),
            ["info", "clients"] => return Ok(Self::Info { clients: true, stats: false }),
            ["info", "stats"] => return Ok(Self::Info { clients: false, stats: true }),
            // The first word that cannot be meant, or the end.
            ["client", "list", wrong, ..] => at_word(2, wrong, words),
            ["client" | "info", known, wrong, ..] if ["clients", "stats"].contains(known) => {
                at_word(2, wrong, words)
            }
            ["client" | "info", wrong, ..] => at_word(1, wrong, words),
            [wrong, ..] if *wrong != "client" => at_word(0, wrong, words),
            _ => {
                let end = words.join(" ").len();
                end..end
            }
        };
        let error = Error {
            span: Some(span),
            message: "a simulated Redis does not answer that".to_owned(),
            expected: "expected client list, info clients or info stats".to_owned(),
            help: None,
        };
        Err(Failure::in_text("redis", &words.join(" "), &error))
    }
    /// As it would be typed.
    const fn words(self) -> &'static str {
        match self {
            Self::ClientList => "client list",
            Self::Info { clients: true, stats: true } => "info",
            Self::Info { stats: true, .. } => "info stats",
            Self::Info { .. } => "info clients",
        }
    }
    fn text(self, clients: &Clients, at: Instant) -> String {
        match self {
            Self::ClientList => clients.list(at),
            Self::Info { clients: true, stats: true } => {
                format!("{}\n{}", clients.info_clients(), clients.info_stats())
            }
            Self::Info { stats: true, .. } => clients.info_stats(),
            Self::Info { .. } => clients.info_clients(),
        }
    }
}

/// Where the word with that number stands in all of them.
fn at_word(number: usize, word: &str, words: &[String]) -> core::ops::Range<usize> {
    let start: usize = words.iter().take(number).map(|word| word.len() + 1).sum();
    start..start + word.len()
}

/// The instances that are meant, before anybody has come.
fn instances(args: &Args, source: &Source, hosts: &[HostId]) -> Result<Vec<Heard>, Failure> {
    let scenario = source.scenario()?;
    let here = |redis: &Instance| {
        let platform = source.about.hosts[usize::from(redis.host.0)].platform;
        hosts.contains(&redis.host) && platform != finwait_sim::stack::Platform::Real
    };
    let all: Vec<Instance> = Instance::all(&scenario).into_iter().filter(here).collect();
    let ports = || {
        let ports: Vec<String> = all.iter().map(|redis| redis.plan.port.to_string()).collect();
        ports.join(", ")
    };
    if all.is_empty() {
        let whose = args.look.host.as_deref().unwrap_or("the run");
        return Err(Failure::Input(format!(
            "error: {whose} has no Redis\n  = help: expected a host with kind = \"redis\" in [[apps]]; \
             of a real one (finwait live --real) its own redis-cli knows"
        )));
    }
    let wanted = |redis: &Instance| args.port.is_none_or(|port| port == redis.plan.port);
    if !all.iter().any(wanted) {
        let typed = args.port.unwrap_or_default().to_string();
        let error = Error {
            span: Some(0..typed.len()),
            message: format!("no Redis listens on port {typed}"),
            expected: format!("expected one of {}", ports()),
            help: None,
        };
        return Err(Failure::in_text("--port", &typed, &error));
    }
    let heard = all.iter().filter(|redis| wanted(redis)).map(|redis| Heard {
        host: redis.host,
        app: redis.app,
        clients: Clients::new(redis.plan.clone()),
    });
    Ok(heard.collect())
}

fn text(args: &Args, source: &Source, heard: &[Heard], question: Question, at: Instant) -> String {
    // One alone needs no prompt to say whose this is.
    if let [only] = heard
        && (args.look.host.is_some() || args.port.is_some() || source.hosts().len() < 3)
    {
        return question.text(&only.clients, at);
    }
    let one = |redis: &Heard| {
        let name = source.hosts()[usize::from(redis.host.0)];
        let (port, words) = (redis.clients.plan().port, question.words());
        let prompt =
            format!("{name}$ redis-cli -p {port} {words}        # t = {} s\n", seconds(at));
        prompt + &question.text(&redis.clients, at)
    };
    heard.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// `{"at_s": 12.5, "redis": "7.0.15", "hosts": {"redis": {"6379": {…}}}}`
fn object(source: &Source, heard: &[Heard], question: Question, at: Instant) -> Value {
    let mut hosts: Map<String, Value> = Map::new();
    for redis in heard {
        let name = source.hosts()[usize::from(redis.host.0)];
        let clients = &redis.clients;
        let mut value = json!({
            "connected_clients": clients.iter().count(),
            "maxclients": clients.plan().max_clients,
            "total_connections_received": clients.received(),
            "rejected_connections": clients.rejected(),
        });
        if question == Question::ClientList {
            value["clients"] = clients.iter().map(|c| client(c, clients, at)).collect();
        }
        let host = hosts.entry(name).or_insert_with(|| json!({}));
        host[clients.plan().port.to_string()] = value;
    }
    json!({ "at_s": at.ns as f64 / 1e9, "redis": redis::VERSION, "hosts": hosts })
}

/// A client; `age` and `idle` are what Redis prints, whole seconds, the others are exact.
fn client(client: &Client, clients: &Clients, at: Instant) -> Value {
    json!({
        "id": client.id,
        "addr": client.flow.destination().to_string(),
        "laddr": client.flow.source().to_string(),
        "fd": client.fd,
        "age": client.age_s(at),
        "idle": client.idle_s(at),
        "age_s": client.age(at).ns as f64 / 1e9,
        "idle_s": client.idle(at).ns as f64 / 1e9,
        "since_s": client.since.ns as f64 / 1e9,
        "cmd": client.command(clients.plan()),
        "commands": client.commands,
    })
}
