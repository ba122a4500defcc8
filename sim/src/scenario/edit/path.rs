//! Where in a scenario's file a key of the command line points: `web.net.ipv4.tcp_fin_timeout`,
//! `links.delay`, `apps.redis.slow`.

use core::ops::Range;

use toml_edit::Item;

use crate::scenario::error::{Error, nearest};

/// One step down from a table or a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A key of a table.
    Key(String),
    /// An entry of a list, counted from 0.
    Entry(usize),
}

/// The way to a key; the last step is always a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// Where its last key stands in what was typed.
    pub(super) last: Range<usize>,
}

/// What stands at the top of a file.
const TOP: [&str; 13] = [
    "name",
    "about",
    "duration",
    "seed",
    "sample",
    "hosts",
    "links",
    "boxes",
    "apps",
    "counter_run",
    "expect",
    "cases",
    "question",
];
/// What a host has beside its sysctls.
const HOST: [&str; 6] = ["kernel", "hz", "uptime", "addr", "mtu", "sysctl"];
/// Tables whose keys have points in them.
const DOTTED: [&str; 2] = ["sysctl", "counter_run"];

/// Finds the way that `key` means in that document.
pub(super) fn resolve(key: &str, document: &Item) -> Result<Path, Error> {
    let way = Way { key, document };
    if let Some((host, rest)) = way.host() {
        return Ok(way.of_host(&host, rest));
    }
    let first = key.split('.').next().unwrap_or(key);
    if !TOP.contains(&first) && document.get(first).is_none() {
        return Err(way.no_host(first));
    }
    match first {
        "apps" => way.of_app(),
        "boxes" => Ok(way.of_box().unwrap_or_else(|| way.down(Vec::new(), 0))),
        "links" => Ok(way.between().unwrap_or_else(|| way.down(Vec::new(), 0))),
        _ => Ok(way.down(Vec::new(), 0)),
    }
}

/// A key on its way through a document.
struct Way<'a> {
    key: &'a str,
    document: &'a Item,
}

impl<'a> Way<'a> {
    fn hosts(&self) -> Vec<&'a str> {
        let hosts = self.document.get("hosts").and_then(Item::as_table_like);
        hosts.map_or_else(Vec::new, |hosts| hosts.iter().map(|(name, _)| name).collect())
    }
    /// The host that the key begins with, the longest if several fit, and where the rest begins.
    fn host(&self) -> Option<(String, usize)> {
        let fits = self.hosts().into_iter().filter_map(|host| {
            let rest = self.key.strip_prefix(host)?.strip_prefix('.')?;
            let of_host = HOST.contains(&rest) || rest.starts_with("net.");
            // A host may be called like a part of the file.
            (of_host || !TOP.contains(&host)).then(|| (host.to_owned(), host.len() + 1))
        });
        fits.max_by_key(|(_, at)| *at)
    }
    /// `web.kernel` and `web.net.ipv4.tcp_fin_timeout`, short for what stands in `[hosts.web]`.
    fn of_host(&self, host: &str, at: usize) -> Path {
        let rest = &self.key[at..];
        let mut steps = vec![Step::Key("hosts".to_owned()), Step::Key(host.to_owned())];
        let there = self.document.get("hosts").and_then(|h| h.get(host)?.get(rest));
        if HOST.contains(&rest) || there.is_some() {
            return self.end(steps, at);
        }
        steps.push(Step::Key("sysctl".to_owned()));
        let at = if rest.starts_with("sysctl.") { at + "sysctl.".len() } else { at };
        self.end(steps, at)
    }
    fn end(&self, mut steps: Vec<Step>, at: usize) -> Path {
        steps.push(Step::Key(self.key[at..].to_owned()));
        Path { steps, last: at..self.key.len() }
    }
    /// `links.web.redis.loss`: the link between two hosts, whoever was named first in the file.
    fn between(&self) -> Option<Path> {
        let rest = self.key.strip_prefix("links.")?;
        let list = self.document.get("links")?.get("between")?;
        for n in 0.. {
            let link = list.get(n)?;
            let ends = (link.get("from")?.as_str()?, link.get("to")?.as_str()?);
            for (from, to) in [ends, (ends.1, ends.0)] {
                if let Some(key) = rest.strip_prefix(&format!("{from}.{to}.")) {
                    let steps = ["links", "between"].map(|key| Step::Key(key.to_owned()));
                    let steps = steps.into_iter().chain([Step::Entry(n)]).collect();
                    return Some(self.down(steps, self.key.len() - key.len()));
                }
            }
        }
        None
    }
    /// `boxes.lb.idle`: the box on that host.
    fn of_box(&self) -> Option<Path> {
        let rest = self.key.strip_prefix("boxes.")?;
        let list = self.document.get("boxes")?;
        for n in 0.. {
            let host = list.get(n)?.get("host").and_then(Item::as_str).unwrap_or_default();
            if let Some(key) = rest.strip_prefix(host).and_then(|rest| rest.strip_prefix('.')) {
                let steps = vec![Step::Key("boxes".to_owned()), Step::Entry(n)];
                return Some(self.down(steps, self.key.len() - key.len()));
            }
        }
        None
    }
    /// Goes down from where `steps` lead, by the text from `at` on.
    fn down(&self, mut steps: Vec<Step>, mut at: usize) -> Path {
        loop {
            let rest = &self.key[at..];
            let dotted =
                |step: &Step| matches!(step, Step::Key(key) if DOTTED.contains(&key.as_str()));
            let Some(mut length) = rest.find('.') else { return self.end(steps, at) };
            if steps.last().is_some_and(dotted) {
                return self.end(steps, at);
            }
            let here = follow(self.document, &steps);
            if let Some(table) = here.and_then(Item::as_table_like) {
                let known = table.iter().map(|(key, _)| key.len());
                let fits = known.filter(|&n| {
                    rest.get(..n).is_some_and(|key| table.contains_key(key))
                        && rest[n..].starts_with('.')
                });
                length = fits.max().unwrap_or(length);
            }
            let number = rest[..length].parse::<usize>().ok().filter(|n| *n > 0);
            let is_list = here.is_some_and(|item| item.is_array_of_tables() || item.is_array());
            steps.push(match number {
                Some(number) if is_list => Step::Entry(number - 1),
                _ => Step::Key(rest[..length].to_owned()),
            });
            at += length + 1;
        }
    }
    fn no_host(&self, first: &str) -> Error {
        let hosts = self.hosts();
        let expected = format!(
            "expected HOST.SYSCTL with one of the hosts {}, or a key of the file such as links.delay",
            hosts.join(", ")
        );
        let near = nearest(first, hosts.into_iter().chain(TOP));
        Error::new(0..self.key.len(), format!("no host is called {first:?}"), expected)
            .with_help(near.map(|near| format!("did you mean `{near}`?")))
    }
    /// `apps.NAME.slow`, `apps.web.client.rate`, `apps.redis.slow` or `apps.2.rate`.
    fn of_app(&self) -> Result<Path, Error> {
        let rest = self.key.strip_prefix("apps.").unwrap_or_default();
        let apps = self.apps();
        let of = |n: usize, name: &str| {
            let at = "apps.".len() + name.len() + 1;
            if at >= self.key.len() {
                let span = self.key.len()..self.key.len();
                let message = "a key of the application is missing".to_owned();
                return Err(Error::new(span, message, "expected one such as rate".to_owned()));
            }
            Ok(self.down(vec![Step::Key("apps".to_owned()), Step::Entry(n)], at))
        };
        let begins = |name: &str| {
            rest.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        let named = apps.iter().position(|app| app.name.as_deref().is_some_and(begins));
        if let Some(n) = named {
            return of(n, apps[n].name.as_deref().unwrap_or_default());
        }
        let first = rest.split('.').next().unwrap_or(rest);
        if let Ok(number) = first.parse::<usize>()
            && (1..=apps.len()).contains(&number)
        {
            return of(number - 1, first);
        }
        for exact in [true, false] {
            let label = |app: &App| {
                if exact { format!("{}.{}", app.host, app.kind) } else { app.kind.clone() }
            };
            let fits: Vec<usize> = (0..apps.len()).filter(|n| begins(&label(&apps[*n]))).collect();
            match fits[..] {
                [] => {}
                [n] => return of(n, &label(&apps[n])),
                _ => return Err(self.several(&fits, &label(&apps[fits[0]]))),
            }
        }
        Err(self.no_app(first, &apps))
    }
    fn apps(&self) -> Vec<App> {
        let text = |item: &Item, key: &str| item.get(key).and_then(Item::as_str).map(str::to_owned);
        let list = self.document.get("apps");
        let apps = (0..).map_while(|n| list?.get(n)).map(|item| App {
            name: text(item, "name"),
            host: text(item, "host").unwrap_or_default(),
            kind: text(item, "kind").unwrap_or_default(),
        });
        apps.collect()
    }
    fn several(&self, which: &[usize], label: &str) -> Error {
        let span = "apps.".len().."apps.".len() + label.len();
        let numbers: Vec<String> = which.iter().map(|n| format!("apps.{}", n + 1)).collect();
        let message = format!("{} applications are {label}", which.len());
        let expected = format!("expected {}, or the name of one", numbers.join(" or "));
        Error::new(span, message, expected)
    }
    fn no_app(&self, first: &str, apps: &[App]) -> Error {
        let at = "apps.".len().min(self.key.len());
        let called: Vec<String> = apps.iter().map(App::called).collect();
        let expected = format!("expected one of {}, or a number", called.join(", "));
        let near = nearest(first, called.iter().map(String::as_str));
        Error::new(at..at + first.len(), format!("no application is called {first:?}"), expected)
            .with_help(near.map(|near| format!("did you mean `{near}`?")))
    }
}

/// What an application may be called.
struct App {
    name: Option<String>,
    host: String,
    kind: String,
}

impl App {
    fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}.{}", self.host, self.kind))
    }
}

/// What stands at the end of the steps.
pub(super) fn follow<'a>(item: &'a Item, steps: &[Step]) -> Option<&'a Item> {
    steps.iter().try_fold(item, |item, step| match step {
        Step::Key(key) => item.get(key),
        Step::Entry(n) => item.get(*n),
    })
}
