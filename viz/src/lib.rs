//! Pictures of finwait runs, as SVG and as PNG, on any machine: fonts are vendored.
//!
//! A [`figure::Figure`] has a title, small print that says which run it shows, and between them a
//! body to draw in. Everything is drawn on a [`canvas::Canvas`], by hand or with plotters, and comes
//! out the same byte for byte:
//!
//! ```
//! use finwait_model::state::TcpState;
//! use finwait_viz::canvas::{Area, Stroke};
//! use finwait_viz::figure::{About, Figure, Look};
//! use finwait_viz::lettering::Lettering;
//! use finwait_viz::svg::Fonts;
//!
//! let about = About { scenario: "incident".into(), seed: Some(1), ..About::default() };
//! let mut figure = Figure::new(Look::default(), "A close", "as the client sees it", &about);
//! let (theme, body) = (figure.theme(), figure.body());
//! let canvas = &mut figure.canvas;
//! // A box in the colour of a state, with its name in it.
//! let area = Area { x: body.x, y: body.y, width: 140, height: 32 };
//! let color = theme.state(TcpState::FinWait1);
//! canvas.rounded(area, 4, color);
//! canvas.text(area.centre(), "FIN-WAIT-1", Lettering::new(12).centred().middle().color(color.ink()));
//! // A segment as an arrow, a RST in red, a dashed line, text beside it that lines do not cross.
//! canvas.arrow((body.x, 200), (body.right(), 240), Stroke::tenths(theme.ink, 15));
//! canvas.arrow((body.right(), 260), (body.x, 300), Stroke::new(theme.rst, 2));
//! canvas.line((300, body.y), (300, body.bottom()), Stroke::new(theme.grid, 1).dashed(4, 3));
//! canvas.text((300, 210), "F. seq 61 ack 201", Lettering::new(11).mono().halo());
//! // What belongs together is one group: a pointer that rests on it is told its title.
//! canvas.group("RST: no socket", vec![("rst", "1".into())], |canvas| {
//!     canvas.circle((300, 280), 5, theme.rst);
//! });
//! assert!(figure.to_svg(Fonts::Embedded).contains("FIN-WAIT-1</text>"));
//! assert!(figure.to_png().starts_with(b"\x89PNG"));
//! ```

pub mod ages;
mod backend;
mod bars;
mod base64;
pub mod canvas;
pub mod cases;
mod chart;
pub mod color;
pub mod compare;
pub mod figure;
pub mod font;
pub mod grid;
pub mod ladder;
pub mod lanes;
mod legend;
#[cfg(test)]
mod legible;
pub mod lettering;
pub mod machine;
pub mod map;
pub mod perfetto;
mod png;
pub mod report;
pub mod run;
pub mod samples;
mod sheet;
pub mod story;
pub mod svg;
pub mod theme;
mod ticks;
pub mod timeline;
pub mod trace;
