//! A simulated host through the tools that an engineer knows: one file for each tool.

pub(crate) mod netstat;
pub(crate) mod nstat;
pub(crate) mod redis;
pub(crate) mod sockstat;
pub(crate) mod ss;
pub(crate) mod sysctl;
pub(crate) mod top;
pub(crate) mod trace;
mod watch;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use finwait_model::time::Instant;
use finwait_sim::scenario::Error;
use finwait_sim::view::HostView;
use finwait_sim::world::HostId;

use crate::failure::Failure;
use crate::source::{Changes, Source};

/// Which run, when, which host, and in which form.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Look {
    /// The run: a recording, or a scenario, which is simulated as far as needed.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// When to look, such as 12.5s [default: at the run's end].
    #[arg(long, value_name = "TIME", visible_alias = "to")]
    pub(crate) at: Option<String>,
    /// Whose [default: every host's, each under a prompt].
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Print one JSON object instead of the tool's text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A run that is open, and what was asked about it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) source: Source,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) at: Instant,
}

impl Look {
    pub(crate) fn open(&self) -> Result<Open, Failure> {
        let source = Source::open_changed(&self.run, &self.changes)?;
        let hosts = source.chosen(self.host.as_deref())?;
        let at = match &self.at {
            Some(text) => source.instant("--at", text)?,
            None => source.end(),
        };
        Ok(Open { source, hosts, at })
    }
    /// The same for what only Linux has: counters, sysctls, tables. Other hosts are left out; one
    /// that was asked for by name cannot answer.
    pub(crate) fn open_linux(&self) -> Result<Open, Failure> {
        let mut open = self.open()?;
        let platform = |host: HostId| open.source.about.hosts[usize::from(host.0)].platform;
        if let (Some(name), Some(stack)) =
            (&self.host, open.hosts.first().and_then(|&host| platform(host).stack()))
        {
            let error = Error {
                span: Some(0..name.len()),
                message: format!("{name} runs {stack}, which has no counters and no sysctls"),
                expected: "expected a host that runs Linux".to_owned(),
                help: None,
            };
            return Err(Failure::in_text("--host", name, &error));
        }
        let hosts = open.hosts.iter().copied().filter(|&host| platform(host).is_linux()).collect();
        open.hosts = hosts;
        Ok(open)
    }
    /// How each Linux host stands.
    pub(crate) fn views(&self) -> Result<Vec<HostView>, Failure> {
        let Open { mut source, hosts, at } = self.open_linux()?;
        source.views(&hosts, at)
    }
    /// What is printed: each host's text, or all of them as one object.
    pub(crate) fn render(
        &self,
        views: &[HostView],
        command: &str,
        text: impl Fn(&HostView) -> String,
        value: impl Fn(&HostView) -> Value,
    ) -> String {
        if self.json {
            return pretty(&object(views, value));
        }
        match views {
            // One host needs no prompt to say whose this is.
            [view] if view.platform.is_linux() => text(view),
            _ => {
                let texts = views.iter().map(|view| prompt(view, command, None) + &text(view));
                texts.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// `web$ ss -tan        # t = 12.5 s`
fn prompt(view: &HostView, command: &str, from: Option<Instant>) -> String {
    let from = from.map(|from| format!("{} s to ", seconds(from))).unwrap_or_default();
    let stack = view.platform.stack().map(|stack| format!(", {stack}: no Linux"));
    let stack = stack.unwrap_or_default();
    format!("{}$ {command}        # t = {from}{} s{stack}\n", view.name, seconds(view.at))
}

/// Seconds with as many decimals as it takes, at least one.
fn seconds(at: Instant) -> String {
    let text = format!("{}.{:09}", at.ns / 1_000_000_000, at.ns % 1_000_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

/// `{"at_s": 12.5, "hosts": {"web": {"kernel": "3.10", …}}}`; `value` gives an object.
fn object(views: &[HostView], value: impl Fn(&HostView) -> Value) -> Value {
    let at_s = views.first().map_or(0.0, |view| view.at.ns as f64 / 1e9);
    let mut hosts = Map::new();
    for view in views {
        let mut host = json!({ "kernel": view.platform.kernel() });
        if let Some(stack) = view.platform.stack() {
            host["stack"] = json!(stack);
        }
        if let (Some(host), Value::Object(more)) = (host.as_object_mut(), value(view)) {
            host.extend(more);
        }
        hosts.insert(view.name.clone(), host);
    }
    json!({ "at_s": at_s, "hosts": hosts })
}

/// Indented, with a line feed at its end.
fn pretty(value: &Value) -> String {
    let Ok(mut text) = serde_json::to_string_pretty(value) else {
        unreachable!("invariant: names and numbers can always be written as JSON")
    };
    text.push('\n');
    text
}

/// Counters as an object.
fn counters<'a>(values: impl IntoIterator<Item = (&'a str, u64)>) -> Value {
    values.into_iter().map(|(name, n)| (name.to_owned(), json!(n))).collect::<Map<_, _>>().into()
}
