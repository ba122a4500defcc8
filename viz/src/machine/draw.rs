//! The machine as a figure.

use finwait_model::kernel::Object;
use finwait_sim::text::grouped;

use super::count::{Counts, Node};
use super::layout::{BOX, GROUND, Path, SHEET, Spot, paths, spots};
use crate::bars;
use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::color::Color;
use crate::figure::{About, Figure, Look};
use crate::lettering::{Anchor, Lettering};
use crate::theme::{Kind, Theme};

/// Pixels from one line of a label to the next.
const LINE: i32 = 14;
/// How many reasons an edge tells.
const REASONS: usize = 3;

/// Draws it. `whose` says which hosts are counted.
pub fn figure(whose: &str, counts: &Counts, look: Look, about: &About) -> Figure {
    let subtitle = "Each edge says how often it was taken, and why. Linux waits in sockets (filled) and \
                    hands over to buckets (hatched); what the run did not do is faint.";
    let empty = Figure::new(look, whose, subtitle, about);
    // It may be stretched, but not squeezed: labels have a size.
    let height = look.height.max(look.height - empty.body().height + SHEET.1);
    let width = look.width.max(look.width - empty.body().width + SHEET.0);
    let mut figure = Figure::new(Look { width, height, ..look }, whose, subtitle, about);
    let body = figure.body();
    let sheet = Sheet { body, counts };
    let canvas = &mut figure.canvas;
    // What was not gone lies below what was.
    let mut all = paths();
    all.sort_by_key(|path| counts.of(path.from, path.to) > 0);
    for path in &all {
        sheet.path(canvas, path);
    }
    for path in &all {
        sheet.label(canvas, path);
    }
    sheet.ground(canvas);
    for spot in &spots() {
        sheet.node(canvas, spot);
        sheet.exits(canvas, spot, &all);
    }
    figure
}

struct Sheet<'a> {
    body: Area,
    counts: &'a Counts,
}

impl Sheet<'_> {
    /// A place of the sheet in the figure.
    fn at(&self, (x, y): Place) -> Place {
        let stretched = |n: i32, of: i32, to: i32| n * to / of;
        (
            self.body.x + stretched(x, SHEET.0, self.body.width),
            self.body.y + stretched(y, SHEET.1, self.body.height),
        )
    }
    /// The same for where an edge ends at a node: nodes keep their size however much the sheet is
    /// stretched.
    fn touching(&self, node: Node, (x, y): Place) -> Place {
        let spots = spots();
        let spot = spots.iter().find(|spot| spot.node == node);
        let near =
            |spot: &&Spot| (x - spot.at.0).abs() <= BOX.0 / 2 && (y - spot.at.1).abs() <= BOX.1 / 2;
        match spot.filter(near) {
            Some(spot) => {
                let middle = self.at(spot.at);
                (middle.0 + x - spot.at.0, middle.1 + y - spot.at.1)
            }
            None => self.at((x, y)),
        }
    }
    fn path(&self, canvas: &mut Canvas, path: &Path) {
        let theme = *canvas.theme();
        let gone = self.counts.of(path.from, path.to);
        let rare = matches!(
            (path.from, path.to),
            (Node::Closed, Node::Sock(_)) | (Node::Sock(_), Node::Sock(_))
        ) && path.through.len() == 4;
        if gone == 0 && rare {
            return;
        }
        let stroke = match (gone, path.to == Node::Refused || path.from == Node::Refused) {
            (0, _) => Stroke::new(theme.grid, 1),
            (_, true) => Stroke::tenths(theme.rst, 22),
            _ => Stroke::tenths(theme.ink, 16),
        };
        let last = path.through.len() - 1;
        let mut places: Vec<Place> = Vec::with_capacity(path.through.len());
        for (n, place) in path.through.iter().enumerate() {
            places.push(match n {
                0 => self.touching(path.from, *place),
                _ if n == last => self.touching(path.to, *place),
                _ => self.at(*place),
            });
        }
        upright(&mut places, &path.through);
        canvas.path(&places[..last + 1], stroke);
        canvas.arrow(places[last - 1], places[last], stroke);
    }
    fn label(&self, canvas: &mut Canvas, path: &Path) {
        let theme = *canvas.theme();
        let why = self.counts.why(path.from, path.to);
        if why.is_empty() {
            return;
        }
        let red = path.to == Node::Refused;
        let mut lines: Vec<(u64, String)> =
            why.iter().take(REASONS).map(|(why, count)| (*count, short(why).to_owned())).collect();
        if path.from == Node::Refused {
            lines.clear();
        }
        if why.len() > REASONS {
            let rest: u64 = why[REASONS..].iter().map(|(_, count)| count).sum();
            lines.push((rest, "in other ways".to_owned()));
        }
        let ((x, y), anchor) = path.label;
        let ink = if red { theme.rst } else { theme.ink };
        listed(canvas, self.at((x, y)), anchor, path.room, &lines, ink);
    }
    fn node(&self, canvas: &mut Canvas, spot: &Spot) {
        let theme = *canvas.theme();
        let (x, y) = self.at(spot.at);
        let area = Area { x: x - BOX.0 / 2, y: y - BOX.1 / 2, width: BOX.0, height: BOX.1 };
        let entered = match spot.node {
            // Everything begins here.
            Node::Closed => 1,
            node => self.counts.entered(node),
        };
        let name = Lettering::new(12).bold().centred().middle();
        let count = Lettering::new(11).centred().middle();
        let (holder, color, text) = face(&theme, spot.node);
        let mut ink = color.map_or(theme.ink, Color::ink);
        if entered == 0 {
            canvas.rounded(area, 6, (theme.paper, Stroke::new(theme.grid, 1)));
            canvas.text((x, y), text, name.color(theme.faint));
            return;
        }
        match (holder, color) {
            (Some(Object::Sock), Some(color)) => canvas.rounded(area, 6, color),
            (Some(holder), Some(color)) => {
                bars::sample(canvas, area, holder, color);
                let plate = area.inset(12, 5, 12, 5);
                canvas.rect(plate, theme.paper);
                ink = theme.ink;
            }
            _ if spot.node == Node::Refused => {
                canvas.rect(area, theme.paper);
                bars::gap(canvas, area, false);
                ink = theme.rst;
            }
            _ => canvas.rounded(area, 6, (theme.panel, Stroke::new(theme.ink, 1))),
        }
        if spot.node == Node::Closed {
            return canvas.text((x, y), text, name.color(ink));
        }
        canvas.text((x, y - 7), text, name.color(ink));
        canvas.text((x, y + 8), grouped(entered), count.color(ink));
    }
    /// The ways out of a node into nothing that have no edge of their own.
    fn exits(&self, canvas: &mut Canvas, spot: &Spot, paths: &[Path]) {
        let theme = *canvas.theme();
        let Some((at, anchor)) = spot.exits else { return };
        let mut lines: Vec<(u64, String)> = Vec::new();
        let to_nowhere = |to: Node| {
            let is_path = |path: &Path| path.from == spot.node && path.to == to;
            !paths.iter().any(is_path)
        };
        for (edge, _) in self.counts.edges().filter(|(edge, _)| edge.from == spot.node) {
            if to_nowhere(edge.to) {
                let why = self.counts.why(edge.from, edge.to);
                lines.extend(why.into_iter().map(|(why, count)| {
                    let to = match edge.to {
                        Node::Closed => String::new(),
                        to => format!(" → {}", face(&theme, to).2),
                    };
                    (count, format!("{}{to}", short(why)))
                }));
            }
        }
        lines.sort_by_key(|(count, _)| core::cmp::Reverse(*count));
        if lines.len() > REASONS {
            let rest = lines.split_off(REASONS).iter().map(|(count, _)| count).sum();
            lines.push((rest, "in other ways".to_owned()));
        }
        if !lines.is_empty() {
            listed(canvas, self.at(at), anchor, 160, &lines, theme.rst);
        }
    }
    fn ground(&self, canvas: &mut Canvas) {
        let theme = *canvas.theme();
        let (left, top) = self.at((0, GROUND - 15));
        let area = Area { x: left, y: top, width: self.body.width, height: 28 };
        canvas.rounded(area, 6, (theme.panel, Stroke::new(theme.ink, 1)));
        let name = Lettering::new(12).bold().centred().middle();
        canvas.text(area.centre(), "CLOSED: nothing is left", name);
        let resets = self.counts.resets_of_nobody;
        if resets > 0 {
            let text =
                format!("{} RSTs for segments that met nothing (rst-no-socket)", grouped(resets));
            let words = Lettering::new(11).bold().middle().color(theme.rst);
            canvas.text((area.x + 12, top + 14), text, words);
        }
    }
}

/// Corners of a path stay right angles although its ends keep their distance to the nodes.
fn upright(places: &mut [Place], through: &[Place]) {
    let last = places.len() - 1;
    for n in 1..last {
        if through[n].0 == through[n - 1].0 {
            places[n].0 = places[n - 1].0;
        }
        if through[n].1 == through[n - 1].1 {
            places[n].1 = places[n - 1].1;
        }
    }
    for n in (1..last).rev() {
        if through[n].0 == through[n + 1].0 {
            places[n].0 = places[n + 1].0;
        }
        if through[n].1 == through[n + 1].1 {
            places[n].1 = places[n + 1].1;
        }
    }
}

/// What ends where the edge goes is seen.
fn short(why: &str) -> &str {
    const SEEN: [&str; 3] = ["socket destroyed: ", "bucket gone: ", "request gone: "];
    SEEN.iter().find_map(|seen| why.strip_prefix(seen)).unwrap_or(why)
}

/// Lines of counts with what they count, centred at a height.
fn listed(
    canvas: &mut Canvas,
    (x, y): Place,
    anchor: Anchor,
    room: i32,
    lines: &[(u64, String)],
    ink: Color,
) {
    let faint = canvas.theme().faint;
    let top = y - (lines.len() as i32 - 1) * LINE / 2;
    for (n, (count, why)) in lines.iter().enumerate() {
        let bold = Lettering::new(11).bold().middle().color(ink);
        let words =
            Lettering::new(11).middle().color(if ink == canvas.theme().ink { faint } else { ink });
        let number = grouped(*count);
        let wide = bold.width(&number) + 6;
        let why = words.fit(why, room - wide);
        let left = match anchor {
            Anchor::End => x - wide - words.width(&why),
            _ => x,
        };
        let y = top + n as i32 * LINE;
        canvas.text((left, y), number, bold.halo());
        canvas.text((left + wide, y), why, words.halo());
    }
}

/// What a node looks like: its kind, its colour, its name.
fn face(theme: &Theme, node: Node) -> (Option<Object>, Option<Color>, String) {
    let of = |holder, kind: Kind| (Some(holder), Some(theme.kind(kind)), kind.name().to_owned());
    match node {
        Node::Closed => (None, None, "CLOSED".to_owned()),
        Node::Request => {
            let color = theme.state(finwait_model::state::TcpState::SynRecv);
            (Some(Object::Request), Some(color), "SYN-RECV request".to_owned())
        }
        Node::Sock(state) => of(Object::Sock, Kind::Socket(state.get())),
        Node::BucketFinWait2 => of(Object::Bucket, Kind::BucketFinWait2),
        Node::BucketTimeWait => of(Object::Bucket, Kind::BucketTimeWait),
        Node::Refused => (None, None, "bucket refused".to_owned()),
    }
}
