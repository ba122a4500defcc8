//! The report's twin for wikis: Markdown with figures beside it.

use finwait_model::cause::Cause;
use finwait_sim::because::Because;
use finwait_sim::text::grouped;
use finwait_sim::why::Link;
use finwait_sim::world::HostId;

use super::markup::{Block, code, markdown, markdown_inline, plain};
use super::{Report, figures, html, words};
use crate::svg::Fonts;

/// The text, and the files that stand beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Markdown {
    /// The text.
    pub text: String,
    /// Names and contents of its figures, SVG.
    pub figures: Vec<(String, String)>,
}

/// The twin of a report.
pub(super) fn of(report: &Report) -> Markdown {
    let verdict = report.verdict();
    let mut text = format!("# {}\n\n", markdown_inline(&verdict.headline));
    text += &markdown(&verdict.lead.into_iter().map(Block::Para).collect::<Vec<_>>());
    text += &format!("{}\n\n", markdown_inline(&html::small_print(report)));
    let pictures = figures::all(&report.facts);
    let shown = |name: &str| {
        let picture = pictures.iter().find(|p| p.name == name);
        picture.map(|p| format!("![{}](report-{name}.svg)\n\n", markdown_inline(&plain(&p.alt))))
    };
    text.extend(shown("timeline"));
    let mut section = |title: &str, picture: &str, blocks: &[Block]| {
        if !blocks.is_empty() {
            text += &format!("## {title}\n\n");
            text.extend(shown(picture));
            text += &markdown(blocks);
        }
    };
    section("What happened", "machine", &words::story(report));
    section("Why RSTs were sent", "", &words::causes(&report.facts));
    section("From a RST back to its first cause", "lanes", &chains(report));
    section("Beside other runs", "", &words::comparison(report));
    section("How it was made", "", &words::made(report));
    let file =
        |p: &figures::Picture| (format!("report-{}.svg", p.name), p.light.to_svg(Fonts::Embedded));
    Markdown { text, figures: pictures.iter().map(file).collect() }
}

/// The chain of the first RST of each kind.
fn chains(report: &Report) -> Vec<Block> {
    let facts = &report.facts;
    let mut seen: Vec<(HostId, Cause, Because)> = Vec::new();
    let mut out = Vec::new();
    for conn in &facts.conns {
        let (Some(place), Some(chain)) = (conn.reset, &conn.chain) else { continue };
        let reset = &facts.resets[place];
        let kind = (reset.host, reset.cause, reset.because);
        if seen.contains(&kind) {
            continue;
        }
        seen.push(kind);
        out.push(Block::Para(format!(
            "RST {} of {}, `{}`, {}:",
            grouped(place as u64 + 1),
            grouped(facts.resets.len() as u64),
            reset.cause.name(),
            reset.because.text()
        )));
        let ladder = conn.ladder();
        if !ladder.is_empty() {
            out.push(Block::Pre(ladder));
        }
        let links = chain.links.iter().map(|link| told(facts.name(link.host), link));
        out.push(Block::Numbered(links.collect()));
    }
    out
}

/// A link of a chain as a sentence or two.
fn told(host: &str, link: &Link) -> String {
    let text = plain(&link.text);
    let mut line = format!("t={} s on {}: {}.", link.at, code(host), text.trim_end_matches('.'));
    for decided in &link.decided {
        line += &format!(" Decided by `{} = {}`.", decided.sysctl, decided.value);
    }
    if !link.averted.is_empty() {
        line += &format!(" Averted by: {}.", plain(&link.averted.join("; or ")));
    }
    let causes: Vec<String> = link.causes.iter().map(|c| (c + 1).to_string()).collect();
    match causes.as_slice() {
        [] => line += " A first cause.",
        causes => line += &format!(" Because of {}.", causes.join(" and ")),
    }
    line
}
