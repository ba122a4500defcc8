//! `finwait tune`: the smallest change of a scenario that makes a wish hold.

mod json;
mod over;
mod text;
mod trial;

use std::path::PathBuf;

use finwait_sim::measure::Wish;
use finwait_sim::scenario::{Error, Refusal, Scenario};
use finwait_sim::tune::{Dial, Found, Memory, Point, search};

use crate::failure::{Failure, Verdict, print};
use crate::interrupt::Interrupt;
use crate::plan;
use crate::progress::Tally;

use over::Knob;
use trial::{Trials, Tried};

/// Find the smallest change that makes a wish hold, such as --want 'web.rst_sent == 0'.
///
/// As few keys as possible are changed, and each as little as possible: a step less, and the wish fails;
/// both have been played. Exit status: 0 a change was found, or none is needed; 1 none was found.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario.
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: PathBuf,
    /// What should come of it: comparisons of measures, joined with `and`.
    #[arg(long, value_name = "WISH")]
    pub(crate) want: String,
    /// What may be changed, and how far, such as web.net.ipv4.tcp_max_tw_buckets=5000..500000; several
    /// with commas, or by repeating it [default range: see docs/tune.md].
    #[arg(long, value_name = "KEY[=LOW..HIGH]", required = true)]
    pub(crate) over: Vec<String>,
    /// Change something for good before the search; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// With how many seeds it must hold: the scenario's and those that follow.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The most keys that may be changed together.
const MOST_KEYS: usize = 4;

/// What the search came to.
#[derive(Debug)]
pub(crate) struct Tuned<'a> {
    wish: &'a Wish,
    knobs: &'a [Knob],
    seeds: &'a [u64],
    /// As it is.
    scenario: &'a Scenario,
    /// Every change that makes the wish hold, the smallest first, with the scenario that it makes.
    found: Vec<(Found, Scenario)>,
    /// Everything that was tried, in order.
    tried: Vec<Tried>,
    /// Values that the scenario's parser refused.
    refused: Vec<String>,
}

/// Searches, and says what was found.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let (mut draft, _) = plan::draft(Some(&args.scenario))?;
    plan::set(&mut draft, "--set", &args.set)?;
    let scenario = plan::finished(&draft, "--set", &args.set)?;
    let wish = Wish::parse(&args.want, &scenario)
        .map_err(|error| Failure::in_text("--want", &args.want, &error))?;
    let knobs = over::knobs(&args.over, &draft, &scenario)?;
    if knobs.len() > MOST_KEYS {
        return Err(too_many(args, knobs.len()));
    }
    let seeds: Vec<u64> = (0..args.seeds).map(|n| scenario.seed.wrapping_add(n)).collect();
    let (interrupt, progress) = (Interrupt::listen(), Tally::new(&scenario.name));
    let trials = Trials {
        draft: &draft,
        wish: &wish,
        knobs: &knobs,
        seeds: seeds.clone(),
        interrupt: &interrupt,
        progress: &progress,
        tried: Vec::new(),
        refused: Vec::new(),
    };
    check_ends(&trials, args)?;
    let dials: Vec<Dial> = knobs.iter().map(|knob| knob.dial.clone()).collect();
    let mut memory = Memory::new(trials);
    let found = search(&mut memory, &dials);
    progress.finish();
    if interrupt.asked() {
        eprintln!("interrupted: the search was not finished");
        return Ok(Verdict::Interrupted);
    }
    let trials = memory.into_oracle();
    let with = |found: Found| Some((trials.scenario(&found.point).ok()?, found));
    let found: Vec<_> = found.into_iter().filter_map(with).map(|(s, f)| (f, s)).collect();
    let Trials { tried, refused, .. } = trials;
    let tuned = Tuned {
        wish: &wish,
        knobs: &knobs,
        seeds: &seeds,
        scenario: &scenario,
        found,
        tried,
        refused,
    };
    print(&if args.json { json::render(&tuned) } else { text::render(&tuned) })?;
    Ok(if tuned.found.is_empty() { Verdict::Differs } else { Verdict::Fine })
}

/// A value at the end of a range that the scenario refuses is a mistake in the range, unless nobody
/// has typed it.
fn check_ends(trials: &Trials<'_>, args: &Args) -> Result<(), Failure> {
    for knob in trials.knobs {
        let typed = |text: &&String| text.contains(&format!("{}=", knob.key));
        let Some(text) = args.over.iter().find(typed) else { continue };
        for number in [knob.dial.low, knob.dial.high] {
            let mut draft = trials.draft.clone();
            let setting = knob.setting(number);
            let refused = draft.set(&setting).err();
            let refused =
                refused.or_else(|| draft.scenario().err().map(|Refusal { error, .. }| error));
            if let Some(error) = refused {
                let at = text.find(&knob.key).unwrap_or(0);
                let end = text[at..].find(',').map_or(text.len(), |comma| at + comma);
                let error = Error { span: Some(at..end), ..error };
                return Err(Failure::in_text("--over", text, &error));
            }
        }
    }
    Ok(())
}

fn too_many(args: &Args, count: usize) -> Failure {
    let text = args.over.join(",");
    let error = Error {
        span: Some(0..text.len()),
        message: format!("{count} keys may be changed"),
        expected: format!("expected at most {MOST_KEYS}"),
        help: Some("every choice of them is tried".to_owned()),
    };
    Failure::in_text("--over", &text, &error)
}

impl Tuned<'_> {
    /// What was found at a point.
    fn at(&self, point: &Point) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.point == *point)
    }
    /// The same a step nearer to what is there now, along that key.
    fn a_step_nearer(&self, found: &Found, which: usize) -> Option<(u64, Option<&Tried>)> {
        let (now, value) = (self.knobs[which].dial.now, found.point[which]);
        let nearer = if value > now { value - 1 } else { value.checked_add(1)? };
        let mut point = found.point.clone();
        point[which] = nearer;
        Some((nearer, self.at(&point)))
    }
    /// What came nearest to the wish.
    fn best(&self) -> Option<&Tried> {
        self.tried.iter().min_by(|a, b| a.distance.total_cmp(&b.distance))
    }
    /// A point in words: what is changed in it.
    fn settings(&self, point: &Point) -> Vec<String> {
        let both = self.knobs.iter().zip(point);
        let changed = both.filter(|(knob, number)| **number != knob.dial.now);
        changed.map(|(knob, &number)| format!("{} = {}", knob.key, knob.value(number))).collect()
    }
}
