//! `finwait plot RUN machine`: TCP's states, and how often a run went from which to which.

use finwait_viz::machine;
use finwait_viz::run::Run;

use super::{Format, Made, Session};
use crate::failure::Failure;
use crate::source::broken;

/// Makes it, of the host that was named or of all.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let rec = session.recording()?;
    let path = session.args.run.display().to_string();
    let wrong = |error| broken(&path, &error);
    let about = Run::read(&rec).map_err(wrong)?.about;
    let (from, to) = session.part(rec.end().at())?;
    let host = session.args.host.as_deref().and_then(|name| rec.host(name));
    let counts = machine::count(&rec, host, from..to).map_err(wrong)?;
    let hosts = rec.hosts().iter().map(|host| host.name.as_str());
    let whose = match &session.args.host {
        Some(name) => name.clone(),
        None => hosts.collect::<Vec<_>>().join(" and "),
    };
    let part = &session.args.part;
    let when = match (&part.from, &part.to) {
        (None, None) => String::new(),
        (Some(from), None) => format!(", from {from} on"),
        (None, Some(to)) => format!(", until {to}"),
        (Some(from), Some(to)) => format!(", {from} to {to}"),
    };
    let title = format!("The states of {whose}{when}");
    let figure = machine::figure(&title, &counts, session.look(1200, 760), &about);
    Ok(Made::Figure(Box::new(figure)))
}
