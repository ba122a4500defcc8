//! `finwait top`: a run on one screen.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use serde_json::{Map, json};

use finwait_model::time::Instant;

use crate::failure::{Failure, Verdict, print};
use crate::source::{Changes, Source};
use crate::top::{Counter, STATES, Screen, Then, TopHost, draw};

/// A run on one screen: states, buckets against their limit, orphans, RSTs per second.
///
/// Arrow keys go through time, by 1 s and by 10 s, Home and End to its ends, Tab to the next host,
/// q away. Where stdout is no terminal, one screen is printed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: a recording, or a scenario, which is simulated first.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// Where in the run to begin, such as 12.5s [default: at its beginning].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// With whose tables [default: the first host's].
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Print what the screen would show as one JSON object.
    #[arg(long)]
    json: bool,
}

/// The size of a screen that is only printed.
const SIZE: (u16, u16) = (98, 24);

/// Shows it until somebody has seen enough.
pub(crate) fn run(args: &Args) -> Result<Verdict, Failure> {
    let mut screen = open(args)?;
    if args.json {
        print(&object(&screen))?;
    } else if io::stdout().is_terminal() {
        let mut terminal = ratatui::try_init().map_err(Failure::Output)?;
        let ended = interact(&mut screen, &mut terminal);
        ratatui::restore();
        ended.map_err(Failure::Output)?;
    } else {
        print(&printed(&screen))?;
    }
    Ok(Verdict::Fine)
}

fn open(args: &Args) -> Result<Screen, Failure> {
    let mut source = Source::open_changed(&args.run, &args.changes)?;
    let host = match &args.host {
        Some(name) => usize::from(source.host("--host", name)?.0),
        None => 0,
    };
    let at = match &args.at {
        Some(text) => source.instant("--at", text)?,
        None => Instant::ZERO,
    };
    let every = source.chosen(None)?;
    let views = source.views(&every, Instant::ZERO)?;
    let samples = source.samples()?;
    let hosts = views.into_iter().zip(samples).map(|(view, samples)| TopHost {
        name: view.name,
        platform: view.platform,
        bucket_limit: view.sysctl.tcp_max_tw_buckets,
        samples,
    });
    let (run, end) = (source.name().to_owned(), source.end());
    Ok(Screen { run, hosts: hosts.collect(), host, at, end })
}

fn interact(screen: &mut Screen, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
    loop {
        terminal.draw(|frame| draw(screen, frame))?;
        // A key that is let go of is told, too, on some terminals.
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && screen.key(key) == Then::Quit
        {
            return Ok(());
        }
    }
}

/// One screen as text.
fn printed(screen: &Screen) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(SIZE.0, SIZE.1));
    let Ok(_) = terminal.draw(|frame| draw(screen, frame));
    let buffer = terminal.backend().buffer();
    let mut out = String::new();
    for line in buffer.content().chunks(usize::from(SIZE.0)) {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn object(screen: &Screen) -> String {
    let states: Map<_, _> = STATES
        .iter()
        .map(|&state| (state.ss_name().to_owned(), json!(screen.count(state, screen.at))))
        .collect();
    let stat = screen.sample(screen.at).map_or_else(Default::default, |sample| sample.sockstat);
    let object = json!({
        "at_s": screen.at.ns as f64 / 1e9,
        "host": screen.host().name,
        "kernel": screen.host().platform.kernel(),
        "states": states,
        "buckets": stat.tw,
        "bucket_limit": screen.host().bucket_limit,
        "orphan": stat.orphan,
        "rst_per_s": screen.per_second(Counter::Rsts, screen.at),
        "overflow_per_s": screen.per_second(Counter::Overflows, screen.at),
    });
    super::pretty(&object)
}
