//! `sysctl`: what procps prints.

use super::HostView;
use crate::scenario::{Error, nearest};

/// The host's sysctls whose names match: a full name, or the beginning of one up to a dot; all of
/// them if none is given. Name and value, sorted by name. An error comes with the name that it is
/// about.
pub fn select(
    view: &HostView,
    names: &[String],
) -> Result<Vec<(&'static str, String)>, (String, Error)> {
    let all = || view.sysctl.names().filter_map(|n| Some((n, view.sysctl.get(n)?)));
    if names.is_empty() {
        return Ok(all().collect());
    }
    let mut out = Vec::new();
    for wanted in names {
        // Both spellings are procps's: net.ipv4.tcp_fin_timeout, net/ipv4/tcp_fin_timeout.
        let name = wanted.replace('/', ".");
        let below = format!("{}.", name.trim_end_matches('.'));
        let found: Vec<_> =
            all().filter(|(n, _)| *n == name || n.starts_with(below.as_str())).collect();
        if found.is_empty() {
            return Err((wanted.clone(), unknown(view, wanted, &name)));
        }
        out.extend(found);
    }
    Ok(out)
}

fn unknown(view: &HostView, wanted: &str, name: &str) -> Error {
    let last = name.rsplit('.').next().unwrap_or(name);
    let short = |n: &'static str| n.rsplit('.').next().unwrap_or(n);
    let near = nearest(last, view.sysctl.names().map(short));
    let full = near.and_then(|near| view.sysctl.names().find(|n| short(n) == near));
    Error {
        span: Some(0..wanted.len()),
        message: format!("{} (Linux {}) has no sysctl {wanted}", view.name, view.release),
        expected: "expected a name such as net.ipv4.tcp_fin_timeout".to_owned(),
        help: full.map(|name| format!("did you mean `{name}`?")),
    }
}

/// The text: `net.ipv4.tcp_fin_timeout = 60`.
pub fn text(values: &[(&'static str, String)]) -> String {
    values.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}
