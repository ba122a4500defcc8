//! A panel with two axes, drawn with plotters on a part of a canvas.

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::style::{Color as _, IntoFont as _, RGBAColor, ShapeStyle};

use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::color::Color;
use crate::theme::Theme;
use crate::ticks;

/// An axis: its ends, its ticks, and its name with the unit.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) step: f64,
    pub(crate) name: String,
}

/// Where the data of a panel lie, without the numbers at its axes, and how they are scaled.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) plot: Area,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Do the numbers of the horizontal axis stand below? Not where another panel has the same.
    pub(crate) numbers_below: bool,
}

/// Room for the numbers and the name of a vertical axis.
pub(crate) const LEFT: i32 = 78;
/// Room for those of a horizontal one.
pub(crate) const BELOW: i32 = 44;

/// What plotters draws a panel's data on.
pub(crate) type Chart<'a, 'c> = ChartContext<'a, &'c mut Canvas, Cartesian2d<Axis, Axis>>;

impl Axis {
    /// From zero to beyond `most`, in whole numbers.
    pub(crate) fn whole(most: f64, pixels: i32, name: &str) -> Self {
        let (to, step) = ticks::whole(most, pixels / 38);
        Self { from: 0.0, to, step, name: name.to_owned() }
    }
    /// Between two ends that need not be round.
    pub(crate) fn between(from: f64, to: f64, pixels: i32, name: &str) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = ticks::nice((to - from) / f64::from(pixels / 80).max(1.0));
        Self { from, to, step, name: name.to_owned() }
    }
    /// Where a value lies between two pixels.
    pub(crate) fn place(&self, value: f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        from + (share * f64::from(to - from)).round() as i32
    }
}

impl Axis {
    /// The row of a value on an axis beside that area, between pixels.
    pub(crate) fn height(&self, value: f64, plot: Area) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        f64::from(plot.bottom()) - share * f64::from(plot.height)
    }
}

/// plotters asks the axis for its ticks.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.place(*value, limit)
    }
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // The finer grid of plotters is none of ours.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        ticks::between(self.from, self.to, self.step)
    }
    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        ticks::label(*value, self.step)
    }
}

impl Panel {
    /// The column of a value.
    pub(crate) fn column(&self, x: f64) -> i32 {
        self.x.place(x, (self.plot.x, self.plot.right()))
    }
    /// The row of a value.
    pub(crate) fn row(&self, y: f64) -> i32 {
        self.y.place(y, (self.plot.bottom(), self.plot.y))
    }
    /// The place of a point.
    pub(crate) fn place(&self, x: f64, y: f64) -> Place {
        (self.column(x), self.row(y))
    }
    /// Draws grid, axes and their numbers, and then what `data` draws; the axes lie above the data.
    pub(crate) fn draw(&self, canvas: &mut Canvas, data: impl FnOnce(&mut Chart<'_, '_>)) {
        let theme = *canvas.theme();
        let plot = self.plot;
        let left = LEFT.min(plot.x);
        let below = if self.numbers_below { BELOW } else { 0 };
        let width = canvas.area().width;
        let height = canvas.area().height;
        let root = canvas.into_drawing_area().margin(
            plot.y,
            height - plot.bottom() - below,
            plot.x - left,
            width - plot.right(),
        );
        // Memory takes whatever is drawn on it.
        let _ = self.draw_on(&root, left, below, &theme, data);
        drop(root);
        canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), Stroke::new(theme.faint, 1));
        let floor = plot.bottom();
        canvas.line((plot.x, floor), (plot.right(), floor), Stroke::new(theme.faint, 1));
    }
    fn draw_on<'c>(
        &self,
        root: &DrawingArea<&'c mut Canvas, Shift>,
        left: i32,
        below: i32,
        theme: &Theme,
        data: impl FnOnce(&mut Chart<'_, 'c>),
    ) -> Result<(), Box<dyn std::error::Error + 'c>> {
        let mut chart = ChartBuilder::on(root)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, below)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let text = |size: u32, color| ("sans-serif", size).into_font().color(&rgba(color));
        let count = ticks::between(self.x.from, self.x.to, self.x.step).len();
        let rows = ticks::between(self.y.from, self.y.to, self.y.step).len();
        let mut mesh = chart.configure_mesh();
        mesh.label_style(text(11, theme.ink))
            .axis_desc_style(text(12, theme.faint))
            .bold_line_style(line(Stroke::new(theme.grid, 1)))
            .max_light_lines(0)
            .axis_style(line(Stroke::new(theme.faint.alpha(0), 1)))
            .set_all_tick_mark_size(4)
            .x_labels(count.max(1))
            .y_labels(rows.max(1))
            .y_desc(self.y.name.as_str());
        if self.numbers_below {
            mesh.x_desc(self.x.name.as_str());
        }
        mesh.draw()?;
        data(&mut chart);
        Ok(())
    }
}

/// A colour as plotters has it.
pub(crate) fn rgba(color: Color) -> RGBAColor {
    RGBAColor(color.r, color.g, color.b, f64::from(color.a) / 255.0)
}

/// A line as plotters has it, in whole pixels.
pub(crate) fn line(stroke: Stroke) -> ShapeStyle {
    rgba(stroke.color).stroke_width(stroke.tenths / 10)
}
