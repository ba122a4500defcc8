//! `finwait plot RUN ladder`: connections as sequence ladders, printed or drawn.

use std::io::IsTerminal as _;

use ratatui::crossterm::terminal;
use serde_json::{Value, json};

use finwait_viz::ladder::{self, Ink, Panel};
use finwait_viz::run::Run;
use finwait_viz::story::{Story, What, words};

use super::{Format, Made, Session, flows};
use crate::failure::Failure;
use crate::ink;
use crate::source::broken;

/// Columns of a printed ladder where nobody knows better.
const COLUMNS: usize = 120;
/// So many ladders have room beside one another.
const BESIDE: usize = 3;

/// Makes it.
pub(crate) fn make(session: &mut Session<'_>, format: Format) -> Result<Made, Failure> {
    let args = session.args;
    let mut stories = flows::named(session)?;
    let mut headings: Vec<String> = match &stories[..] {
        [_] => vec![String::new()],
        several => several.iter().map(Story::name).collect(),
    };
    if let [story] = &stories[..]
        && let Some((other, heading)) = flows::beside(args, story)?
    {
        stories.push(other);
        headings = vec!["as it was".to_owned(), heading];
    }
    if format == Format::Text {
        let printed_to_stdout = args.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
        let colours = printed_to_stdout && ink::stdout();
        let text =
            if args.json { printed_json(&stories) } else { printed(&headings, &stories, colours) };
        return Ok(Made::Text(text));
    }
    if stories.len() > BESIDE {
        return Err(Failure::Input(format!(
            "error: {} ladders do not fit beside one another\n  = help: at most {BESIDE} do; lanes \
             show some tens of connections",
            stories.len()
        )));
    }
    let rec = session.recording()?;
    let path = args.run.display().to_string();
    let about = Run::read(&rec).map_err(|error| broken(&path, &error))?.about;
    let width = [1200, 1600, 2200][stories.len() - 1];
    let look = session.look(width, 320);
    let both = headings.iter().zip(&stories);
    let panels: Vec<Panel<'_>> = both.map(|(heading, story)| Panel { heading, story }).collect();
    let figure = ladder::figure(&stories[0].name(), &panels, look, &about);
    Ok(Made::Figure(Box::new(figure)))
}

/// As wide as the terminal.
fn printed(headings: &[String], stories: &[Story], colours: bool) -> String {
    let terminal = std::io::stdout().is_terminal().then(terminal::size);
    let width = terminal.and_then(Result::ok).map_or(COLUMNS, |(width, _)| usize::from(width));
    let ink = if colours { Ink::COLOURED } else { Ink::default() };
    let mut text = String::new();
    for (heading, story) in headings.iter().zip(stories) {
        if !text.is_empty() {
            text.push('\n');
        }
        if !heading.is_empty() {
            text += &format!("{heading}\n\n");
        }
        text += &ladder::text_in(story, width, ink);
    }
    text
}

/// Every event of the ladders.
fn printed_json(stories: &[Story]) -> String {
    let ladders: Vec<Value> = stories.iter().map(object).collect();
    format!("{}\n", json!({ "ladders": ladders }))
}

fn object(story: &Story) -> Value {
    let ends = story.ends.iter().map(|end| {
        json!({
            "host": end.host,
            "address": end.endpoint.addr.to_string(),
            "port": end.endpoint.port,
            "kernel": end.platform.and_then(|platform| platform.kernel()),
        })
    });
    let events = story.beats.iter().map(|beat| {
        let end = &story.ends[beat.side];
        let mut object = json!({ "at_s": beat.at.ns as f64 / 1e9, "end": beat.side });
        let (event, text) = match beat.what {
            What::Left(number) => {
                let flight = &story.flights[number];
                object["segment"] = json!(number);
                object["cause"] = json!(flight.cause.map(|cause| cause.name()));
                object["because"] = json!(flight.because.map(|because| because.name()));
                ("sent", words::segment(flight))
            }
            What::Arrived(number) => {
                object["segment"] = json!(number);
                ("received", words::segment(&story.flights[number]))
            }
            What::Became(place) => ("state", end.spans[place].name()),
            What::Refused(place) => ("bucket-refused", words::gap(&end.gaps[place])),
            What::Gone(ending) => ("gone", words::ending(ending)),
            What::Orphaned(state) => ("orphaned", state.to_string()),
            What::Timer(kind) => ("timer", words::timer(kind).to_owned()),
            What::Dropped(reason) => ("drop", reason.kernel_name().to_owned()),
            What::Call(call) => ("call", words::call(&call)),
        };
        object["event"] = json!(event);
        object["text"] = json!(text);
        object
    });
    json!({
        "ends": ends.collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "open": story.is_open,
    })
}
