//! `--record` and the recording in `--out`: where they go, and how they end.

use std::ops::ControlFlow;
use std::path::PathBuf;

use finwait_model::flow::FourTuple;
use finwait_model::sink::Note;
use finwait_model::time::Instant;
use finwait_sim::app::Call;
use finwait_sim::host::Host;
use finwait_sim::recording::{Choice, Flows, Header, Recorder};
use finwait_sim::run::Outcome;
use finwait_sim::sample::Sample;
use finwait_sim::stack::Stack;
use finwait_sim::watch::{Sent, Trigger, Watch};
use finwait_sim::world::HostId;

use super::run::Args;
use crate::failure::Failure;
use crate::out_dir::{Folder, RUN};
use crate::plan::RunPlan;
use crate::whole_file::WholeFile;

/// The recordings of a run: none, or one, or one in a folder and another beside it.
#[derive(Default, Debug)]
pub(super) struct Recordings(Vec<Recorder<WholeFile>>);

impl Recordings {
    /// Opens the files and writes their headers.
    pub(super) fn begin(
        args: &Args,
        folder: Option<&Folder>,
        plan: &RunPlan,
    ) -> Result<Self, Failure> {
        let choice = choice(args, plan)?;
        let beside = folder.map(|folder| folder.path(RUN));
        let paths: Vec<PathBuf> = args.record.clone().into_iter().chain(beside).collect();
        if paths.is_empty() && !choice.is_everything() {
            return Err(Failure::Input(
                "error: --record-flows and --record-rst say what to record, and nothing is \
                 recorded\n  = help: add --record FILE or --out DIR"
                    .to_owned(),
            ));
        }
        let begin = |path: PathBuf| {
            let file = WholeFile::create(&path)?;
            let header = Header::new(&plan.scenario, &plan.toml, choice.describe());
            Ok(Recorder::choosing(file, header, choice.clone()))
        };
        paths.into_iter().map(begin).collect::<Result<_, _>>().map(Self)
    }
    /// Is nothing recorded?
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Writes how the run ended; the files get their names.
    pub(super) fn finish(self, outcome: &Outcome) -> Result<(), Failure> {
        let mut result = Ok(());
        for recorder in self.0 {
            let (file, written) = recorder.close(outcome);
            let ended = match written {
                Ok(()) => file.keep(),
                Err(error) => {
                    let failure = file.complaint()(&error);
                    file.keep_what_there_is();
                    Err(full(&failure, outcome))
                }
            };
            result = result.and(ended);
        }
        result
    }
}

fn full(failure: &Failure, outcome: &Outcome) -> Failure {
    let at = Instant::ZERO + outcome.simulated;
    Failure::Input(format!(
        "{failure}\n  = note: the run was ended at t = {at} s; what was written until then can be read"
    ))
}

/// How much `--record-rst` holds back at most while it waits for how connections end. The incident
/// takes a tenth of it.
const HELD_BYTES: usize = 1 << 29;

/// What `--record-flows` and `--record-rst` choose.
fn choice(args: &Args, plan: &RunPlan) -> Result<Choice, Failure> {
    if args.record_rst {
        return Ok(Choice::Resets(HELD_BYTES));
    }
    let Some(text) = &args.record_flows else { return Ok(Choice::Everything) };
    let flows = Flows::parse(text, &plan.scenario);
    Ok(Choice::Flows(flows.map_err(|e| Failure::in_text("--record-flows", text, &e))?))
}

/// Who records nothing does not pay for it.
impl Watch for Recordings {
    fn wants_segments(&self) -> bool {
        !self.is_empty()
    }
    fn wants_notes(&self) -> bool {
        !self.is_empty()
    }
    fn wants_steps(&self) -> bool {
        !self.is_empty()
    }
    fn sent(&mut self, sent: &Sent<'_>) {
        self.0.iter_mut().for_each(|recorder| recorder.sent(sent));
    }
    fn noted(&mut self, at: Instant, host: HostId, note: &Note) {
        self.0.iter_mut().for_each(|recorder| recorder.noted(at, host, note));
    }
    fn begins(&mut self, at: Instant, host: HostId, trigger: Trigger<'_>) {
        self.0.iter_mut().for_each(|recorder| recorder.begins(at, host, trigger));
    }
    fn touched(&mut self, flow: FourTuple) {
        self.0.iter_mut().for_each(|recorder| recorder.touched(flow));
    }
    fn called(&mut self, call: &Call) {
        self.0.iter_mut().for_each(|recorder| recorder.called(call));
    }
    fn stepped(&mut self, stack: &Stack) {
        self.0.iter_mut().for_each(|recorder| recorder.stepped(stack));
    }
    fn window(&mut self, stop: Instant) {
        self.0.iter_mut().for_each(|recorder| recorder.window(stop));
    }
    fn sampled(&mut self, at: Instant, hosts: &[Host], samples: &[Sample]) -> ControlFlow<()> {
        let mut goes_on = ControlFlow::Continue(());
        for recorder in &mut self.0 {
            if recorder.sampled(at, hosts, samples).is_break() {
                goes_on = ControlFlow::Break(());
            }
        }
        goes_on
    }
}
