//! `finwait plot RUN ages`: how old pooled connections were when they were closed, and why.

use std::ops::ControlFlow;

use finwait_sim::recording::What;
use finwait_sim::scenario::AppPlan;
use finwait_viz::ages::{self, Closes};
use finwait_viz::run::Run;
use finwait_viz::trace::Part;

use super::{Format, Made, Session};
use crate::failure::Failure;
use crate::source::broken;

/// Of the pools of the host that was named, or of all.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let rec = session.recording()?;
    let path = session.args.run.display().to_string();
    let wrong = |error| broken(&path, &error);
    let scenario = session.source()?.scenario()?;
    let host = session.args.host.as_deref().and_then(|name| rec.host(name));
    // A pool by its host and its place among that host's applications, and how long its questions are.
    let pools: Vec<_> = scenario
        .placed_apps()
        .filter(|(on, ..)| host.is_none_or(|host| host == *on))
        .filter_map(|(on, app, plan)| match plan {
            AppPlan::Pool(plan) => Some((on, app, plan.request)),
            _ => None,
        })
        .collect();
    if pools.is_empty() {
        return Err(Failure::Input(format!(
            "error: {path} has no pool whose connections could be told\n  = help: expected a host with \
             kind = \"openresty\" in [[apps]]"
        )));
    }
    let (from, to) = session.part(rec.end().at())?;
    let mut closes = Closes::new(Part { from, to });
    let show = |event: &finwait_sim::recording::Event| {
        if let What::Call(call) = &event.what
            && let Some((.., request)) =
                pools.iter().find(|(on, app, _)| (*on, *app) == (event.host, call.app))
        {
            closes.called(event.at, call, *request);
        }
        ControlFlow::Continue(())
    };
    rec.each_event(from..to, show).map_err(wrong)?;
    let about = Run::read(&rec).map_err(wrong)?.about;
    let mut names: Vec<&str> =
        pools.iter().map(|(on, ..)| rec.hosts()[usize::from(on.0)].name.as_str()).collect();
    names.dedup();
    let title = format!("The pooled connections of {}", names.join(" and "));
    let figure = ages::figure(&title, &closes, session.look(1200, 860), &about);
    Ok(Made::Figure(Box::new(figure)))
}
