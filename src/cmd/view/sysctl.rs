//! `finwait sysctl`: the sysctls of a host at an instant.

use serde_json::{Map, Value, json};

use finwait_sim::view::{HostView, sysctl};

use super::Look;
use crate::failure::{Failure, Verdict, print};

/// The sysctls of a simulated host, as `sysctl` prints them.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    look: Look,
    /// All of them: what there is without names.
    #[arg(short = 'a', long, conflicts_with = "names")]
    all: bool,
    /// Only the value.
    #[arg(short = 'n', long)]
    values: bool,
    /// Full names, such as net.ipv4.tcp_fin_timeout, or beginnings of some, such as net.core.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Looks. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let views = args.look.views()?;
    let mut found = Vec::new();
    for view in &views {
        let values = sysctl::select(view, &args.names)
            .map_err(|(name, error)| Failure::in_text("sysctl", &name, &error))?;
        found.push(values);
    }
    let of = |view: &HostView| {
        let place = views.iter().position(|v| v.name == view.name).unwrap_or(0);
        found[place].as_slice()
    };
    let names = if args.names.is_empty() { "-a".to_owned() } else { args.names.join(" ") };
    let text = args.look.render(
        &views,
        &format!("sysctl {names}"),
        |view| match args.values {
            true => of(view).iter().map(|(_, value)| format!("{value}\n")).collect(),
            false => sysctl::text(of(view)),
        },
        |view| json!({ "sysctl": object(of(view)) }),
    );
    print(&text)?;
    Ok(Verdict::Fine)
}

fn object(values: &[(&'static str, String)]) -> Value {
    let one = |value: &String| value.parse::<i64>().map_or_else(|_| json!(value), |n| json!(n));
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), one(value)))
        .collect::<Map<_, _>>()
        .into()
}
