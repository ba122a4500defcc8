//! `finwait plot RUN compare`: two runs over each other.

use finwait_sim::scenario::{Error, nearest};
use finwait_viz::compare::{Side, compare};
use finwait_viz::trace::Part;

use super::{Format, Made, Session};
use crate::failure::Failure;
use crate::source::{Source, parting};

/// RUN with the run that was named, or with its counter-run.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let args = session.args;
    let look = session.look(1280, 800);
    let mut a = session.source()?;
    let mut b = other(session, &a)?;
    let run = session.tables()?.clone();
    let host = session.host(&run)?;
    let (from, to) = session.part(run.end)?;
    let name = if args.with.is_some() { "--with" } else { "RUN" };
    let place = known(&b, name, &host.name)?;
    let with = b.tables()?;
    let parting = parting::find(&mut a, &mut b)?.map(|parted| parted.parting);
    let sides = [Side { run: &run, host }, Side { run: &with, host: &with.hosts[place] }];
    let figure = compare(sides, Part { from, to }, parting.as_ref(), look);
    Ok(Made::Figure(Box::new(figure)))
}

fn other(session: &Session<'_>, a: &Source) -> Result<Source, Failure> {
    if let Some(path) = &session.args.with {
        return Source::open(path);
    }
    a.counter_run()?.ok_or_else(|| {
        Failure::Input(format!(
            "error: {} has no counter-run to compare it with\n  = help: name the other run with \
             --with RUN",
            a.name()
        ))
    })
}

/// The place of the host in the other run.
fn known(other: &Source, flag: &str, name: &str) -> Result<usize, Failure> {
    let hosts = other.hosts();
    hosts.iter().position(|&host| host == name).ok_or_else(|| {
        let error = Error {
            span: Some(0..name.len()),
            message: format!("{} has no host {name:?}", other.name()),
            expected: format!("expected a host of both runs, such as {}", hosts.join(", ")),
            help: nearest(name, hosts.iter().copied())
                .map(|near| format!("it has `{near}`; choose a host with --host")),
        };
        Failure::in_text(flag, name, &error)
    })
}
