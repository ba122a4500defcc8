//! Bars for states: filled where a socket stands, hatched for a bucket, dashed for a half-open
//! request, so that they differ without colour, too.

use finwait_model::kernel::Object;
use finwait_model::state::TcpState;

use crate::canvas::{Area, Canvas, Place, Stroke};
use crate::color::Color;
use crate::lettering::Lettering;
use crate::story::StateSpan;
use crate::theme::{Kind, Theme};

/// The colour of a state, the same in every figure.
pub(crate) const fn color(theme: &Theme, span: &StateSpan) -> Color {
    theme.kind(match (span.holder, span.state) {
        (Object::Bucket, TcpState::FinWait2) => Kind::BucketFinWait2,
        (Object::Bucket, _) => Kind::BucketTimeWait,
        (_, state) => Kind::Socket(state),
    })
}

/// The bar of a span.
pub(crate) fn bar(canvas: &mut Canvas, area: Area, span: &StateSpan) {
    let color = color(canvas.theme(), span);
    sample(canvas, area, span.holder, color);
}

/// A bar of that kind in any colour, as in a legend.
pub(crate) fn sample(canvas: &mut Canvas, area: Area, holder: Object, color: Color) {
    if area.width <= 0 || area.height <= 0 {
        return;
    }
    let paper = canvas.theme().paper;
    match holder {
        Object::Sock | Object::Listener => canvas.rect(area, color),
        Object::Bucket => {
            canvas.rect(area, color.mix(paper, 150));
            hatch(canvas, area, color);
            canvas.rect(inner(area), Stroke::new(color, 2));
        }
        Object::Request => {
            canvas.rect(area, color.mix(paper, 190));
            canvas.rect(inner(area), Stroke::new(color, 2).dashed(4, 3));
        }
    }
}

/// The edge lies within the bar.
fn inner(area: Area) -> Area {
    if area.width > 2 && area.height > 2 { area.inset(1, 1, 1, 1) } else { area }
}

/// Lines that rise from left to right, cut at the edges.
fn hatch(canvas: &mut Canvas, area: Area, color: Color) {
    const APART: i32 = 7;
    // Where x + y of a point in the bar is the same, there is a line; it begins at the lower left.
    let (first, last) = (area.x + area.y, area.right() + area.bottom());
    let mut sum = first - first.rem_euclid(APART) + APART;
    while sum < last {
        let left: Place = if sum - area.x <= area.bottom() {
            (area.x, sum - area.x)
        } else {
            (sum - area.bottom(), area.bottom())
        };
        let right: Place = if sum - area.right() >= area.y {
            (area.right(), sum - area.right())
        } else {
            (sum - area.y, area.y)
        };
        canvas.line(left, right, Stroke::tenths(color, 12));
        sum += APART;
    }
}

/// What was skipped: nothing stands there, and a dashed line in red says so. One that nothing has
/// ended is open on its right.
pub(crate) fn gap(canvas: &mut Canvas, area: Area, open: bool) {
    let stroke = Stroke::tenths(canvas.theme().rst, 15).dashed(3, 3);
    if area.width <= 2 || area.height <= 2 {
        return;
    }
    let area = inner(area);
    if open {
        let (x, y, right, bottom) = (area.x, area.y, area.right(), area.bottom());
        canvas.path(&[(right, y), (x, y), (x, bottom), (right, bottom)], stroke);
    } else {
        canvas.rect(area, stroke);
    }
}

/// A cross where something ends badly.
pub(crate) fn cross(canvas: &mut Canvas, at: Place, color: Color) {
    const HALF: i32 = 5;
    for dy in [-HALF, HALF] {
        canvas.line((at.0 - HALF, at.1 - dy), (at.0 + HALF, at.1 + dy), Stroke::new(color, 2));
    }
}

/// A break in an axis of time that runs to the right or downwards: two strokes across it.
pub(crate) fn broken(canvas: &mut Canvas, at: Place, down: bool, half: i32) {
    let (paper, ink) = (canvas.theme().paper, canvas.theme().faint);
    let (x, y) = at;
    let stroke = Stroke::tenths(ink, 13);
    if down {
        let flank = [(x - half, y + 2), (x + half, y - 6), (x + half, y), (x - half, y + 8)];
        canvas.polygon(&flank, paper);
        canvas.line((x - half, y + 2), (x + half, y - 6), stroke);
        canvas.line((x - half, y + 8), (x + half, y), stroke);
    } else {
        let flank = [(x - 6, y + half), (x, y - half), (x + 6, y - half), (x, y + half)];
        canvas.polygon(&flank, paper);
        canvas.line((x - 6, y + half), (x, y - half), stroke);
        canvas.line((x, y + half), (x + 6, y - half), stroke);
    }
}

/// A legend of the three kinds of bar and the gap, on one line from `at` on; gives back its right
/// end.
pub(crate) fn legend(canvas: &mut Canvas, at: Place) -> i32 {
    let theme = *canvas.theme();
    let small = Lettering::new(11).middle().color(theme.faint);
    let (mut x, y) = at;
    let kinds = [
        (Some(Object::Sock), "socket"),
        (Some(Object::Bucket), "timewait bucket"),
        (Some(Object::Request), "half-open request"),
        (None, "bucket refused: nothing is there"),
    ];
    for (holder, name) in kinds {
        let area = Area { x, y: y - 6, width: 22, height: 12 };
        match holder {
            Some(holder) => sample(canvas, area, holder, theme.faint),
            None => gap(canvas, area, false),
        }
        canvas.text((x + 28, y), name, small);
        x += 28 + small.width(name) + 18;
    }
    x
}
