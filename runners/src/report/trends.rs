//! How a feature's numbers went from span to span, as small lines.

use std::fmt::Write as _;

use ops::tfmd::Path;

use super::Context;
use super::drift::{self, Against};
use super::features::{Kind, values};
use super::html::clip;
use crate::table::format::{number, percent};

/// Spans times features beyond which lines would make the page too large.
const MOST: usize = 20_000;

/// The table of lines; none for less than three spans, which the rows show already.
pub(super) fn table(ctx: &Context<'_>, path: &Path, kind: Kind) -> Option<String> {
    let n_features = ctx.spans.last()?.1.as_ref()?.statistics().features.len();
    if ctx.spans.len() < 3 || ctx.spans.len() * n_features > MOST {
        return None;
    }
    let per_span: Vec<Option<Vec<Option<f64>>>> = ctx
        .spans
        .iter()
        .map(|(_, view)| {
            let feature = view.as_ref()?.get(path)?;
            (Kind::of(&feature) == kind).then(|| values(kind, &feature))
        })
        .collect();
    let column = |key: &str| -> Vec<Option<f64>> {
        let i = kind.columns().iter().position(|(known, _)| *known == key);
        let of = |values: &Option<Vec<Option<f64>>>| *values.as_ref()?.get(i?)?;
        per_span.iter().map(of).collect()
    };
    let share = |x: f64| percent(x, 1.0);
    let second = match kind {
        Kind::Numeric => ("Mean", column("mean"), number as fn(f64) -> String),
        Kind::Categorical | Kind::Other => ("Distinct", column("unique"), number as _),
    };
    let distances = ctx.spans.iter().map(|(span, _)| {
        let all = span.distances.get(path)?;
        let drift: Vec<drift::Distance> =
            all.iter().filter(|d| d.against == Against::Previous).cloned().collect();
        drift::worst(&drift)?.ratio().filter(|ratio| ratio.is_finite())
    });
    let rows = [
        ("Missing", column("missing"), share as fn(f64) -> String),
        second,
        ("Distance in thresholds", distances.collect(), number as _),
    ];
    let mut out = String::from("<table><caption>Over spans<tbody>");
    let start = out.len();
    for (name, points, print) in rows {
        let finite = || points.iter().flatten().filter(|x| x.is_finite());
        if finite().count() < 2 {
            continue;
        }
        let low = finite().copied().fold(f64::INFINITY, f64::min);
        let high = finite().copied().fold(f64::NEG_INFINITY, f64::max);
        let _ = write!(
            out,
            "<tr><th scope=row>{name}<td>{}<td class=t>{}<td>{}",
            print(low),
            line(ctx, name, &points, (low, high), print),
            print(high)
        );
    }
    (out.len() > start).then(|| out + "</table>")
}

/// The points of all spans between the lowest and the highest; a gap where a span has none.
fn line(
    ctx: &Context<'_>,
    name: &str,
    points: &[Option<f64>],
    (low, high): (f64, f64),
    print: fn(f64) -> String,
) -> String {
    let mut title = String::from(name);
    let mut path = String::new();
    let mut is_gap = true;
    for (i, (point, (span, _))) in points.iter().zip(&ctx.spans).enumerate() {
        let Some(x) = point.filter(|x| x.is_finite()) else {
            is_gap = true;
            continue;
        };
        let width = high / 2.0 - low / 2.0;
        let up = if width > 0.0 { (x / 2.0 - low / 2.0) / width } else { 0.5 };
        let y = (96.0 - 92.0 * up).round().clamp(0.0, 100.0) as i32;
        let _ = write!(path, "{}{} {y}", if is_gap { 'M' } else { 'L' }, 10 * i);
        let _ = write!(title, "&#10;{}: {}", clip(&span.data.label, 24), print(x));
        is_gap = false;
    }
    let width = 10 * (points.len() - 1);
    format!(
        "<svg class=w viewBox=\"0 0 {width} 100\" preserveAspectRatio=none role=img>\
         <title>{title}</title><path class=l d=\"{path}\"/></svg>"
    )
}
