//! The figure: lanes, the axis of time below them, and the legend.

use std::collections::BTreeMap;

use finwait_model::kernel::Object;
use finwait_model::state::TcpState;
use finwait_model::time::Instant;

use super::axis::{Axis, Piece};
use super::labels::Taken;
use super::lane::{Pair, Size};
use crate::bars;
use crate::canvas::{Area, Canvas, Stroke};
use crate::color::Color;
use crate::figure::{About, Figure, Look};
use crate::lettering::Lettering;
use crate::story::{StateSpan, Story, words};

/// From when on the axis counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zero {
    /// From the beginning of the run.
    Run,
    /// From each connection's own first event, so that many can be compared.
    Connection,
}

/// Draws connections below one another. The figure is as high as it has to be, and no lower than
/// `look` says.
pub fn figure(title: &str, stories: &[Story], zero: Zero, look: Look, about: &About) -> Figure {
    let moved: Vec<Story>;
    let stories = match zero {
        Zero::Run => stories,
        Zero::Connection => {
            moved = stories.iter().map(Story::from_zero).collect();
            &moved
        }
    };
    let subtitle = "Each connection is two lanes, its two ends. Time is not to scale: // marks where \
                    it is cut, and the numbers between ticks say how long a piece lasts.";
    let size = Size::for_count(stories.len());
    let empty = Figure::new(look, title, subtitle, about);
    let body = empty.body();
    let names = name_width(stories, size);
    let columns = (body.x + names + 12, body.right() - 36);
    let axis = Axis::new(instants(stories), columns.0, columns.1);
    let legend = legend_of(stories);
    let legend_rows = place_legend(&legend, body.width).last().map_or(1, |(_, row, _)| row + 1);
    let below = AXIS + 20 * legend_rows;
    let pairs: Vec<Pair<'_>> = stories.iter().map(|story| Pair::new(story, size)).collect();
    let needed: i32 = pairs.iter().map(Pair::height).sum::<i32>() + below;
    let height = look.height.max(look.height - body.height + needed);
    let mut figure = Figure::new(Look { height, ..look }, title, subtitle, about);
    let body = figure.body();
    let canvas = &mut figure.canvas;
    let spare = (body.height - needed).max(0);
    let mut top = body.y + if stories.len() == 1 { spare / 2 } else { 0 };
    let first = top;
    for (n, pair) in pairs.iter().enumerate() {
        let area = Area { x: body.x, y: top, width: body.width, height: pair.height() };
        if n % 2 == 1 {
            let panel = canvas.theme().panel;
            canvas.rect(area, panel);
        }
        top = area.bottom();
    }
    breaks(canvas, &axis, first, top);
    let mut y = first;
    for pair in &pairs {
        pair.draw(canvas, &axis, (body.x, y), names);
        y += pair.height();
    }
    draw_axis(canvas, &axis, zero, top);
    draw_legend(canvas, &legend, (body.x, body.bottom() - 20 * legend_rows + 8), body.width);
    figure
}

/// Height of the axis with its labels.
const AXIS: i32 = 74;

/// When something happens.
fn instants(stories: &[Story]) -> Vec<Instant> {
    let beats = stories.iter().flat_map(|story| story.beats.iter().map(|beat| beat.at));
    // What is still there at the end reaches to the end.
    let ends = stories.iter().filter(|story| story.is_open).map(|story| story.end);
    beats.chain(ends).collect()
}

fn name_width(stories: &[Story], size: Size) -> i32 {
    let names = stories.iter().flat_map(|story| &story.ends).map(|end| end.name());
    names.map(|name| size.name().width(&name)).max().unwrap_or(0).min(220)
}

/// Where the axis is broken, lanes are, too: a faint band of paper runs down behind them.
fn breaks(canvas: &mut Canvas, axis: &Axis, top: i32, bottom: i32) {
    let grid = canvas.theme().grid;
    for piece in axis.pieces().iter().filter(|piece| piece.broken) {
        let x = (piece.from.1 + piece.to.1) / 2;
        canvas.line((x, top), (x, bottom), Stroke::new(grid, 1).dashed(2, 4));
    }
}

fn draw_axis(canvas: &mut Canvas, axis: &Axis, zero: Zero, y: i32) {
    let theme = *canvas.theme();
    let pieces = axis.pieces();
    let Some((first, last)) = axis.ends() else { return };
    let (left, right) = (axis.x(first), axis.x(last));
    let y = y + 8;
    canvas.line((left, y), (right, y), Stroke::new(theme.ink, 1));
    let small = Lettering::new(11).below().centred();
    let mut taken = Taken::default();
    let mut ticks: Vec<(Instant, i32, bool)> = vec![(first, left, true)];
    ticks.extend(pieces.iter().map(|piece| (piece.to.0, piece.to.1, piece.broken)));
    for &(_, x, _) in &ticks {
        canvas.line((x, y), (x, y + 5), Stroke::new(theme.ink, 1));
    }
    // Times behind breaks are told first: they say most.
    ticks.sort_by_key(|&(at, _, broken)| (!broken && at != first && at != last, at));
    for (at, x, _) in ticks {
        let text = at.to_string();
        if taken.first([(x, y + 28)], (small.width(&text) + 10, 12)).is_some() {
            canvas.text((x, y + 22), text, small);
        }
    }
    for piece in &pieces {
        length(canvas, piece, y);
    }
    let faint = Lettering::new(12).below().centred().color(theme.faint);
    let since = match zero {
        Zero::Run => "time since the run began, s",
        Zero::Connection => "time since the connection's first event, s",
    };
    canvas.text(((left + right) / 2, y + 42), since, faint);
}

/// How long a piece lasts, if there is room to say it.
fn length(canvas: &mut Canvas, piece: &Piece, y: i32) {
    let faint = canvas.theme().faint;
    let x = (piece.from.1 + piece.to.1) / 2;
    let text = words::span(piece.to.0.since(piece.from.0));
    let small = Lettering::new(10).centred().below().color(faint);
    if small.width(&text) + 6 <= piece.to.1 - piece.from.1 {
        canvas.text((x, y + 9), text, small);
    }
    if piece.broken {
        bars::broken(canvas, (x, y), false, 6);
    }
}

/// What a bar may show: a colour and a kind, by name.
fn legend_of(stories: &[Story]) -> Vec<(String, Option<StateSpan>)> {
    let spans = stories.iter().flat_map(|story| &story.ends).flat_map(|end| &end.spans);
    let mut kinds = BTreeMap::new();
    for span in spans.filter(|span| !span.is_brief()) {
        kinds.entry((span.holder, order(span.state))).or_insert(*span);
    }
    let mut legend: Vec<_> = kinds.into_values().map(|span| (span.name(), Some(span))).collect();
    // Requests come before sockets, buckets behind them.
    legend.sort_by_key(|(_, span)| {
        span.map_or(9, |span| match span.holder {
            Object::Request => 0,
            Object::Listener | Object::Sock => 1,
            Object::Bucket => 2,
        })
    });
    if stories.iter().flat_map(|story| &story.ends).any(|end| !end.gaps.is_empty()) {
        legend.push(("bucket refused: nothing is there".to_owned(), None));
    }
    legend
}

/// States in the order in which a connection goes through them.
fn order(state: TcpState) -> u8 {
    use TcpState as S;
    match state {
        S::Listen => 0,
        S::SynSent => 1,
        S::SynRecv | S::NewSynRecv => 2,
        S::Established => 3,
        S::FinWait1 => 4,
        S::FinWait2 => 5,
        S::Closing => 6,
        S::CloseWait => 7,
        S::LastAck => 8,
        S::TimeWait => 9,
        S::Close => 10,
    }
}

const SWATCH: i32 = 24;

/// Of each entry: its column from the left, its row, and its width.
fn place_legend(legend: &[(String, Option<StateSpan>)], room: i32) -> Vec<(i32, i32, i32)> {
    let (mut x, mut row) = (0, 0);
    let mut out = Vec::new();
    for (name, _) in legend {
        let width = SWATCH + 6 + Lettering::new(11).width(name);
        if x > 0 && x + width > room {
            (x, row) = (0, row + 1);
        }
        out.push((x, row, width));
        x += width + 18;
    }
    out
}

fn draw_legend(
    canvas: &mut Canvas,
    legend: &[(String, Option<StateSpan>)],
    (left, top): (i32, i32),
    room: i32,
) {
    let ink: Color = canvas.theme().faint;
    for ((name, span), (x, row, _)) in legend.iter().zip(place_legend(legend, room)) {
        let (x, y) = (left + x, top + 20 * row);
        let area = Area { x, y: y - 6, width: SWATCH, height: 12 };
        match span {
            Some(span) => bars::bar(canvas, area, span),
            None => bars::gap(canvas, area, false),
        }
        canvas.text((x + SWATCH + 6, y), name, Lettering::new(11).middle().color(ink));
    }
}
