//! The page: one file with its style, its script, its charts and its numbers inside.

use super::figures::{self, Picture};
use super::markup::{Block, escaped, html, inline};
use super::{Report, data, words};
use crate::svg::Fonts;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// The script in its parts, in order.
const SCRIPT: [&str; 6] = [
    include_str!("script/common.js"),
    include_str!("script/timeline.js"),
    include_str!("script/resets.js"),
    include_str!("script/sockets.js"),
    include_str!("script/steps.js"),
    include_str!("script/main.js"),
];
const UPLOT: &str = include_str!("../../assets/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../assets/uplot/uPlot.min.css");
const UPLOT_LICENSE: &str = include_str!("../../assets/uplot/LICENSE");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let verdict = report.verdict();
    let facts = &report.facts;
    let lead: Vec<Block> = verdict.lead.into_iter().map(Block::Para).collect();
    let title = format!("{}: {}", facts.header.scenario, verdict.headline.replace('`', ""));
    let small = small_print(report);
    let pictures = figures::all(facts);
    let script = SCRIPT.concat();
    let data = data::json(report);
    let parts: &[(&str, &str)] = &[
        ("{{title}}", &escaped(&title)),
        ("{{style}}", &(UPLOT_STYLE.to_owned() + STYLE)),
        ("{{headline}}", &inline(&verdict.headline)),
        ("{{lead}}", &html(&lead)),
        ("{{small}}", &inline(&small)),
        ("{{story}}", &html(&words::story(report))),
        ("{{timeline}}", &figure(&pictures, "timeline", "still")),
        ("{{lanes}}", &figure(&pictures, "lanes", "")),
        ("{{machine}}", &figure(&pictures, "machine", "")),
        ("{{causes}}", &html(&words::causes(facts))),
        ("{{comparison}}", &comparison(report)),
        ("{{made}}", &html(&words::made(report))),
        ("{{licence}}", &escaped(UPLOT_LICENSE)),
        ("{{uplot}}", UPLOT),
        ("{{script}}", &script),
        ("{{data}}", &data),
    ];
    filled(PAGE, parts)
}

/// Which run it is, on one line.
pub(super) fn small_print(report: &Report) -> String {
    let header = &report.facts.header;
    let mut parts = vec![format!("scenario `{}`", header.scenario.replace('`', "'"))];
    parts.push(format!("seed {}", header.seed));
    parts.extend(report.facts.end.totals().map(|t| format!("digest `{}`", t.digest)));
    let hosts = report.facts.hosts.iter().map(|h| format!("{}: {}", h.name, h.platform));
    parts.extend(hosts);
    parts.push(format!("finwait {}", header.finwait));
    parts.join(" · ")
}

/// A figure, in the two colours between which the reader's choice decides.
fn figure(pictures: &[Picture], name: &str, class: &str) -> String {
    let Some(picture) = pictures.iter().find(|p| p.name == name) else { return String::new() };
    let light = picture.light.to_svg(Fonts::Outside);
    let dark = picture.dark.to_svg(Fonts::Outside);
    let caption = match picture.caption.as_str() {
        "" => String::new(),
        text => format!("<figcaption>{}</figcaption>", inline(text)),
    };
    format!(
        "<figure class=\"{class}\"><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\n\
         <div class=\"light\">{light}</div>\n<div class=\"dark\">{dark}</div></div>{caption}</figure>\n",
        escaped(&picture.alt)
    )
}

fn comparison(report: &Report) -> String {
    let blocks = words::comparison(report);
    if blocks.is_empty() {
        return String::new();
    }
    let title = match report.others.as_slice() {
        [_] if report.counter().is_some() => "The counter-run",
        _ => "Beside other runs",
    };
    format!(
        "<section aria-labelledby=\"h-other\"><h2 id=\"h-other\">{title}</h2>\n{}</section>",
        html(&blocks)
    )
}

/// The template with its marks filled in, each once: what is filled in is not looked at again.
fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    let size = parts.iter().map(|(_, text)| text.len()).sum::<usize>();
    let mut out = String::with_capacity(template.len() + size);
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find("}}").map_or(from.len(), |end| end + 2);
        let (mark, behind) = from.split_at(end);
        let part = parts.iter().find(|(name, _)| *name == mark);
        out.push_str(part.map_or(mark, |(_, text)| text));
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_filled_once() {
        assert_eq!(filled("a{{x}}b{{y}}", &[("{{x}}", "{{y}}"), ("{{y}}", "2")]), "a{{y}}b2");
    }

    #[test]
    fn every_mark_of_the_page_is_known() {
        let known = [
            "title",
            "style",
            "headline",
            "lead",
            "small",
            "story",
            "causes",
            "comparison",
            "made",
            "timeline",
            "lanes",
            "machine",
            "licence",
            "uplot",
            "script",
            "data",
        ];
        for mark in PAGE.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            assert!(known.contains(&mark), "{mark}");
        }
    }

    /// Whatever lies in a script element must not end it.
    #[test]
    fn scripts_do_not_end_themselves() {
        for script in SCRIPT.iter().chain(&[UPLOT]) {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        assert!(!STYLE.contains("</style") && !UPLOT_STYLE.contains("</style"));
    }
}
