//! One sysctl of one host, set from outside the scenario: `web.net.ipv4.tcp_fin_timeout=30`.

use core::fmt;
use core::ops::Range;

use finwait_model::release::Release;
use finwait_model::sysctl::{Sysctl, SysctlError};

use super::error::{Error, nearest};
use super::{HostPlan, Scenario};
use crate::world::HostId;

/// A sysctl to be set on a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// On which host.
    pub host: HostId,
    /// The sysctl's full name.
    pub sysctl: String,
    /// What would be written into /proc/sys.
    pub value: String,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.sysctl, self.value)
    }
}

impl Setting {
    /// Reads `HOST.SYSCTL=VALUE`; spans of errors count within `text`.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, Error> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Error::new(
                0..text.len(),
                "a setting without a value".to_owned(),
                "expected HOST.SYSCTL=VALUE, such as web.net.ipv4.tcp_fin_timeout=30".to_owned(),
            ));
        };
        let (host, sysctl) = Self::split_key(key, 0..key.len(), scenario)?;
        has_sysctls(scenario.host_plan(host), 0..key.len())?;
        let setting = Self { host, sysctl: sysctl.to_owned(), value: value.trim().to_owned() };
        let key_span = key.len() - sysctl.len()..key.len();
        let mut probe = scenario.host_plan(host).sysctl.clone();
        set(&mut probe, scenario.host_plan(host).release, &setting.sysctl, &setting.value)
            .map_err(|e| e.at(key_span, key.len() + 1..text.len()))?;
        Ok(setting)
    }
    /// Splits `web.net.ipv4.tcp_fin_timeout` at the host's name.
    pub(super) fn split_key<'a>(
        key: &'a str,
        span: Range<usize>,
        scenario: &Scenario,
    ) -> Result<(HostId, &'a str), Error> {
        let key = key.trim();
        let mut found: Option<(HostId, &str)> = None;
        for (index, host) in scenario.hosts.iter().enumerate() {
            let rest = key.strip_prefix(host.name.as_str()).and_then(|r| r.strip_prefix('.'));
            if let Some(rest) = rest
                && found.is_none_or(|(_, shorter)| rest.len() < shorter.len())
            {
                found = Some((HostId(index as u16), rest));
            }
        }
        found.ok_or_else(|| {
            let wrong = key.split('.').next().unwrap_or(key);
            Error::new(span, format!("no host is called {wrong:?}"), host_names(scenario))
        })
    }
    /// Puts it in force.
    pub fn apply(self, scenario: &mut Scenario) -> Result<(), Error> {
        let plan = &mut scenario.hosts[usize::from(self.host.0)];
        set(&mut plan.sysctl, plan.release, &self.sysctl, &self.value).map_err(|e| e.at(0..0, 0..0))
    }
}

/// "expected web or redis".
pub(super) fn host_names(scenario: &Scenario) -> String {
    let names: Vec<&str> = scenario.hosts.iter().map(|h| h.name.as_str()).collect();
    format!("expected HOST.SYSCTL with one of the hosts {}", names.join(", "))
}

/// Only Linux has sysctls.
pub(super) fn has_sysctls(plan: &HostPlan, key: Range<usize>) -> Result<(), Error> {
    if plan.platform().is_linux() {
        return Ok(());
    }
    let message = format!("{} runs {}, which has no sysctls", plan.name, plan.platform());
    Err(Error::new(key, message, "expected a host that runs Linux".to_owned()))
}

/// Why a sysctl cannot be set; the place is not known yet.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Is it the name that is wrong, rather than the value?
    in_name: bool,
    message: String,
    expected: String,
    help: Option<String>,
}

impl Refusal {
    pub(super) fn at(self, name: Range<usize>, value: Range<usize>) -> Error {
        let span = if self.in_name { name } else { value };
        Error::new(span, self.message, self.expected).with_help(self.help)
    }
}

/// Sets a sysctl, or says what the kernel would have accepted.
pub(super) fn set(
    sysctl: &mut Sysctl,
    release: Release,
    name: &str,
    value: &str,
) -> Result<(), Refusal> {
    let error = match sysctl.set(name, value) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let (in_name, message, expected, help) = match error {
        SysctlError::Unknown => {
            let prefixed = format!("net.ipv4.{name}");
            let near = nearest(name, sysctl.names())
                .or_else(|| nearest(&prefixed, sysctl.names()))
                .map(|n| format!("did you mean `{n}`?"));
            let elsewhere = Release::ALL
                .into_iter()
                .find(|&r| r != release && Sysctl::new(r).get(name).is_some())
                .map(|r| format!("Linux {r} has it, {release} has not"));
            (
                true,
                format!("Linux {release} has no sysctl {name:?}, or finwait does not model it"),
                "expected the full name of a sysctl of the close path".to_owned(),
                elsewhere.or(near),
            )
        }
        SysctlError::ReadOnly => {
            (true, format!("{name} can only be read"), "expected another sysctl".to_owned(), None)
        }
        SysctlError::NotNumbers(1) => (
            false,
            format!("{value:?} is no value for {name}"),
            "expected a whole number".to_owned(),
            None,
        ),
        SysctlError::NotNumbers(n) => (
            false,
            format!("{value:?} is no value for {name}"),
            format!("expected {n} whole numbers with spaces between them"),
            None,
        ),
        SysctlError::Range(low, high) => (
            false,
            format!("{value} is out of the range that Linux {release} accepts for {name}"),
            format!("expected {low} to {high}"),
            None,
        ),
    };
    Err(Refusal { in_name, message, expected, help })
}
