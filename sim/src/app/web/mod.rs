//! Web servers: [`Front`], the side of nginx that clients see, and [`Nginx`], which proxies what comes
//! there to an upstream. The rules are those of nginx's public source; each is named with its directive.

mod front;
mod plan;
mod tally;
mod upstream;

pub use plan::{FrontPlan, Lingering, NginxPlan, UpstreamPlan};
pub use tally::{Status, WebTally};

pub(crate) use front::Front;

use finwait_model::kernel::{Fd, Ready};
use finwait_model::time::Instant;

use super::later::Later;
use super::{AppCx, Phase, Tally};
use crate::latencies::Latencies;
use crate::rng::Stream;
use crate::watch::Watch;
use upstream::Upstream;

/// An nginx at work.
#[derive(Debug)]
pub struct Nginx {
    plan: NginxPlan,
    stream: Stream,
    front: Front,
    upstream: Option<Upstream>,
    /// Requests that it works on before it answers or asks the upstream.
    working: Later,
}

impl Nginx {
    /// An nginx before it listens; `stream` is its own chance.
    pub fn new(plan: NginxPlan, stream: Stream) -> Self {
        Self {
            front: Front::new(plan.front.clone()),
            upstream: plan.upstream.clone().map(|up| Upstream::new(up, plan.front.workers)),
            working: Later::new(plan.service),
            stream,
            plan,
        }
    }
    /// What it is meant to do.
    pub const fn plan(&self) -> &NginxPlan {
        &self.plan
    }
    /// What it counted of its connections to the upstream.
    pub fn tally(&self) -> Option<&Tally> {
        self.upstream.as_ref().map(Upstream::tally)
    }
    /// What it counted of its clients and of the upstream.
    pub fn web(&self) -> WebTally {
        let mut all = self.front.tally().clone();
        if let Some(upstream) = &self.upstream {
            all.add(upstream.web());
        }
        all
    }
    /// How long the upstream took, from asking for a connection to the last byte of the answer.
    pub fn latencies(&self) -> Option<&Latencies> {
        self.upstream.as_ref().map(Upstream::latencies)
    }
    /// How long connections to the upstream took to stand.
    pub fn connects(&self) -> Option<&Latencies> {
        self.upstream.as_ref().map(Upstream::connects)
    }
    pub(crate) fn due(&self) -> Option<Instant> {
        let upstream = self.upstream.as_ref().and_then(Upstream::due);
        [self.front.due(), self.working.due(), upstream].into_iter().flatten().min()
    }
    pub(crate) fn run(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        self.front.run(cx);
        while let Some(client) = self.working.take(cx.now) {
            self.worked(client, cx);
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.run(cx);
        }
        self.go_on(cx);
    }
    pub(crate) fn wake(&mut self, fd: Fd, ready: Ready, cx: &mut AppCx<'_, impl Watch>) {
        if cx.conn(fd).is_some_and(|conn| conn.phase == Phase::Listening) || self.front.has(fd) {
            self.front.wake(fd, ready, cx);
        } else if let Some(upstream) = &mut self.upstream {
            upstream.wake(fd, ready, cx);
        }
        self.go_on(cx);
    }
    /// Carries requests from the clients to the upstream and answers back, until nothing is left.
    fn go_on(&mut self, cx: &mut AppCx<'_, impl Watch>) {
        loop {
            if let Some(client) = self.front.next_request() {
                if self.working.set(cx.now, client, &mut self.stream) {
                    self.worked(client, cx);
                }
            } else if let Some(client) = self.front.next_aborted() {
                if let Some(upstream) = &mut self.upstream {
                    upstream.abort(client, cx);
                }
            } else if let Some((client, status)) =
                self.upstream.as_mut().and_then(Upstream::next_answer)
            {
                self.front.reply(client, status, cx);
            } else {
                return;
            }
        }
    }
    fn worked(&mut self, client: Fd, cx: &mut AppCx<'_, impl Watch>) {
        // It may have gone meanwhile.
        let Some(worker) = self.front.worker_of(client) else { return };
        match &mut self.upstream {
            None => self.front.reply(client, Status::Ok, cx),
            Some(upstream) => upstream.ask(client, worker, cx),
        }
    }
}
