//! `finwait compare`: two runs side by side. What differs in their set-up, in what came of them, and
//! the first thing that happens in one of them and not in the other.

mod differ;
mod divergence;
mod json;
mod setup;
mod side;
mod text;

use std::path::PathBuf;

use finwait_viz::compare::{Side as Drawn, compare};
use finwait_viz::figure::Look;
use finwait_viz::run::Run;
use finwait_viz::svg::Fonts;
use finwait_viz::trace::Part;

use finwait_model::time::Instant;

use crate::failure::{Failure, Verdict, print};
use crate::interrupt::Interrupt;
use crate::out_dir::Folder;

use differ::Differences;
use divergence::Divergence;
use side::{Came, Side};

/// Compare two runs: scenarios, recordings, or one scenario with changes, seeds or kernels.
///
/// With --set, --seed or --kernel and without B, B is A with those changes. Without anything, B is A's
/// counter-run. Exit status: 0 the runs are the same, 1 they differ, 2 bad usage or bad input.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A run: a scenario, a recording, or the folder of `finwait run --out`.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// The other run [default: A, with what is changed].
    #[arg(value_name = "B")]
    pub(crate) b: Option<PathBuf>,
    /// Change something in B, such as web.net.ipv4.tcp_fin_timeout=30; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Change something in A; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_a: Vec<String>,
    /// The kernel of every host: of B, or of A and of B, such as 3.10,6.18.
    #[arg(long, value_name = "[A,]B", value_delimiter = ',', num_args = 1)]
    pub(crate) kernel: Vec<String>,
    /// The seed: of B, or of A and of B, such as 1,2.
    #[arg(long, value_name = "[A,]B", value_delimiter = ',', num_args = 1)]
    pub(crate) seed: Vec<u64>,
    /// How much virtual time, in both, such as 60s.
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Write compare.txt, compare.json and a figure of both, compare.svg, into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Everything that is found.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// A and B.
    sides: [Side; 2],
    /// What came of each.
    came: [Came; 2],
    /// What differs in what came of them.
    differences: Differences,
    /// Where they part.
    divergence: Divergence,
}

/// Compares them. Nothing is printed before everything is known.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let mut sides = side::sides(args)?;
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    let interrupt = Interrupt::listen();
    let came = side::played(&sides, &interrupt)?;
    if interrupt.asked() {
        eprintln!("interrupted: nothing has been compared");
        return Ok(Verdict::Interrupted);
    }
    let differences = Differences::between(&sides, &came);
    let divergence = divergence::find(&mut sides)?;
    let whole = Comparison { sides, came, differences, divergence };
    let (text, json) = (text::render(&whole), json::render(&whole));
    if let Some(folder) = folder {
        folder.write("compare.txt", text.as_bytes())?;
        folder.write("compare.json", json.as_bytes())?;
        if let Some(svg) = figure(&whole) {
            folder.write("compare.svg", svg.as_bytes())?;
        }
    }
    print(if args.json { &json } else { &text })?;
    Ok(if whole.is_same() { Verdict::Fine } else { Verdict::Differs })
}

impl Comparison {
    /// Is nothing different?
    fn is_same(&self) -> bool {
        self.differences.is_empty() && self.divergence.is_none()
    }
}

/// The tables of the host that both have and that holds the most buckets, over each other.
fn figure(whole: &Comparison) -> Option<String> {
    let runs: [Run; 2] = [0, 1].map(|n| Run::from(&whole.came[n].outcome));
    let host = runs[0].busiest()?;
    let other = runs[1].host(&host.name)?;
    let drawn = [Drawn { run: &runs[0], host }, Drawn { run: &runs[1], host: other }];
    let part = Part { from: Instant::ZERO, to: runs[0].end.max(runs[1].end) };
    let look = Look { width: 1280, height: 800, dark: false };
    let figure = compare(drawn, part, whole.divergence.parting(), look);
    Some(figure.to_svg(Fonts::Embedded))
}
