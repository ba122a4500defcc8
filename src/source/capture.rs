//! The packets of a run.

use std::io;

use finwait_model::flow::Addr;
use finwait_model::time::Instant;
use finwait_sim::capture::{self, Selection, Take};
use finwait_sim::view::pcap_filter::Filter;

use super::{Kind, Source, broken};
use crate::failure::Failure;
use crate::progress::Bar;

impl Source {
    /// A filter that was typed in one or several words.
    pub(crate) fn filter(&self, words: &[String]) -> Result<Option<Filter>, Failure> {
        let text = words.join(" ");
        if text.trim().is_empty() {
            return Ok(None);
        }
        let hosts = &self.about.hosts;
        let names: Vec<(&str, Addr)> = hosts.iter().map(|h| (h.name.as_str(), h.addr)).collect();
        let filter = Filter::parse(&text, &names);
        filter.map(Some).map_err(|error| Failure::in_text("FILTER", &text, &error))
    }
    /// Hands the packets that are wanted to `take`; says how many. `wrong` knows what it means if
    /// they cannot be taken.
    pub(crate) fn capture(
        &self,
        selection: Selection,
        take: impl Take,
        wrong: impl FnOnce(&io::Error) -> Failure,
    ) -> Result<u64, Failure> {
        let end = self.end().min(selection.to.unwrap_or(Instant { ns: u64::MAX }));
        let bar = Bar::new(&self.about.scenario, end.since(Instant::ZERO));
        let reach = |now| bar.reach(now);
        let taken = match &self.kind {
            Kind::Simulated { scenario, .. } => {
                let taken = capture::simulate(scenario, selection, take, reach);
                taken.map_err(|error| wrong(&error))
            }
            Kind::Recorded(recording) => {
                let taken = capture::replay(recording, selection, take, reach);
                taken.map_err(|error| match error {
                    capture::Error::Write(error) => wrong(&error),
                    capture::Error::Read(error) => broken(&self.path, &error),
                })
            }
        };
        bar.finish();
        taken
    }
}
