//! A figure: a canvas with a title above and, in small print below, what run it shows.

use crate::canvas::{Area, Canvas, Stroke};
use crate::lettering::Lettering;
use crate::svg::Fonts;
use crate::theme::Theme;

/// How large a figure is, and on what paper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Pixels from left to right.
    pub width: i32,
    /// Pixels from top to bottom.
    pub height: i32,
    /// On dark paper?
    pub dark: bool,
}

/// Half a page, or a slide.
impl Default for Look {
    fn default() -> Self {
        Self { width: 1200, height: 720, dark: false }
    }
}

/// Which run a figure shows; its small print.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct About {
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: Option<u64>,
    /// The run's digest; empty if it did not come to its end.
    pub digest: String,
    /// Each host with its kernel, such as `web 3.10`.
    pub hosts: Vec<String>,
    /// What else must be said: a filter, a sample, a run that was cut.
    pub remark: String,
}

impl About {
    /// The small print on one line.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if !self.scenario.is_empty() {
            parts.push(format!("scenario {}", self.scenario));
        }
        parts.extend(self.seed.map(|seed| format!("seed {seed}")));
        if !self.digest.is_empty() {
            parts.push(format!("digest {}", self.digest));
        }
        if !self.hosts.is_empty() {
            parts.push(format!("Linux: {}", self.hosts.join(", ")));
        }
        if !self.remark.is_empty() {
            parts.push(self.remark.clone());
        }
        parts.push(concat!("finwait ", env!("CARGO_PKG_VERSION")).to_owned());
        parts.join(" · ")
    }
}

/// A titled picture of a run.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is drawn on.
    pub canvas: Canvas,
    title: String,
    body: Area,
}

/// Free paper at the left and the right of every figure.
const MARGIN: i32 = 24;

impl Figure {
    /// Empty but for its title, a second line of the title if it is not empty, and the small print.
    pub fn new(look: Look, title: &str, subtitle: &str, about: &About) -> Self {
        Self::of_runs(look, title, subtitle, &[about.line()])
    }
    /// The same of several runs; each has a paragraph in the small print.
    pub fn of_runs(look: Look, title: &str, subtitle: &str, runs: &[String]) -> Self {
        let mut canvas = Canvas::new(look.width, look.height, Theme::new(look.dark));
        let theme = *canvas.theme();
        let area = canvas.area();
        let room = area.width - 2 * MARGIN;
        let large = Lettering::new(20).bold().below();
        canvas.text((MARGIN, 20), large.fit(title, room), large);
        let mut top = 50;
        if !subtitle.is_empty() {
            let small = Lettering::new(13).below().color(theme.faint);
            canvas.text((MARGIN, 48), small.fit(subtitle, room), small);
            top = 72;
        }
        let print = Lettering::new(10).color(theme.faint);
        let lines: Vec<String> = runs.iter().flat_map(|line| wrapped(line, print, room)).collect();
        let above = area.height - 12 - 14 * (lines.len() as i32 - 1);
        let rule = above - 16;
        canvas.line((MARGIN, rule), (area.width - MARGIN, rule), Stroke::new(theme.grid, 1));
        for (n, line) in lines.iter().enumerate() {
            canvas.text((MARGIN, above + 14 * n as i32), line, print);
        }
        let body = area.inset(MARGIN, top, MARGIN, area.height - rule + 8);
        Self { canvas, title: title.to_owned(), body }
    }
    /// The paper between the title and the small print.
    pub const fn body(&self) -> Area {
        self.body
    }
    /// Takes so many pixels off the top of the body, for something that stands above the rest.
    pub fn take_top(&mut self, height: i32) -> Area {
        let top = Area { height, ..self.body };
        self.body = self.body.inset(0, height, 0, 0);
        top
    }
    /// Its colours.
    pub const fn theme(&self) -> Theme {
        self.canvas.theme
    }
    /// As an SVG document.
    pub fn to_svg(&self, fonts: Fonts) -> String {
        self.canvas.to_svg(&self.title, fonts)
    }
    /// As a PNG file.
    pub fn to_png(&self) -> Vec<u8> {
        self.canvas.to_png()
    }
}

/// The parts between ` · ` on as many lines as they need; a part that is too long is cut.
fn wrapped(text: &str, print: Lettering, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(" · ") {
        match lines.last_mut() {
            Some(line) if print.width(&format!("{line} · {part}")) <= room => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.push(print.fit(part, room)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_print_says_which_run_it_is() {
        let about = About {
            scenario: "incident".to_owned(),
            seed: Some(1),
            digest: "0123456789abcdef".to_owned(),
            hosts: vec!["web 3.10".to_owned(), "redis 6.18".to_owned()],
            remark: String::new(),
        };
        let version = env!("CARGO_PKG_VERSION");
        let line = about.line();
        let whole = "scenario incident · seed 1 · digest 0123456789abcdef · \
                     Linux: web 3.10, redis 6.18 · finwait ";
        assert_eq!(line, format!("{whole}{version}"));
        let narrow = wrapped(&line, Lettering::new(10), 200);
        assert!(narrow.len() > 2 && narrow.join(" · ") == line, "{narrow:?}");
    }

    #[test]
    fn a_small_figure_has_still_a_body() {
        let look = Look { width: 320, height: 200, dark: true };
        let figure =
            Figure::new(look, "A title that is much too long for this", "x", &About::default());
        assert!(figure.body().height > 60 && figure.body().width == 272);
        assert!(figure.to_svg(Fonts::Outside).contains("…"));
    }
}
