//! The shape of a number: both histograms read as one curve, drawn over the baseline's axis.
//!
//! Statistics hold a histogram of equal widths, which an outlier flattens, and one of equal counts,
//! which knows no detail in the tails. Each of their borders says how many values lie below it, so
//! together they are one cumulative curve of twice as many knots, and bars of any width can be read
//! from it. The axis is the baseline's middle 99 %; what lies outside is said in words.

use std::fmt::Write as _;

use ops::tfmd::histogram::HistogramType;
use ops::tfmd::{FeatureView, Histogram};

use super::html::escape;
use crate::table::format::{count, number, percent};

/// Bars of a drawing.
const BARS: usize = 30;
/// Whole numbers up to so many have a bar each.
const WHOLE: f64 = 40.0;
/// What of the baseline may lie outside the axis, on each side.
const CUT: f64 = 0.005;

/// What share of a feature's values lies below each number.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    /// Values and shares, both ascending; equal values are a jump.
    knots: Vec<(f64, f64)>,
}

impl Curve {
    /// The curve of a feature's values; none if there is no number that could be drawn.
    pub(super) fn of(feature: &FeatureView<'_, '_>) -> Option<Curve> {
        let kinds = [HistogramType::Standard, HistogramType::Quantiles];
        let mut knots: Vec<(f64, f64)> = Vec::new();
        for histogram in kinds.into_iter().filter_map(|kind| feature.histogram(kind)) {
            add_knots(histogram, &mut knots);
        }
        knots.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut highest = 0.0_f64;
        for (_, share) in &mut knots {
            highest = highest.max(*share);
            *share = highest;
        }
        knots.dedup();
        (knots.len() > 1).then_some(Curve { knots })
    }

    fn ends(&self) -> (f64, f64) {
        let end = |knot: Option<&(f64, f64)>| knot.map_or(0.0, |(x, _)| *x);
        (end(self.knots.first()), end(self.knots.last()))
    }

    /// The share of values below `x`, or with `or_at` also at it.
    fn below(&self, x: f64, or_at: bool) -> f64 {
        let next = self.knots.partition_point(|(knot, _)| *knot < x || or_at && *knot == x);
        let Some(&(x0, y0)) = next.checked_sub(1).and_then(|i| self.knots.get(i)) else {
            // Only negative infinity lies below the first number.
            return self.knots.first().map_or(0.0, |(_, share)| *share);
        };
        match self.knots.get(next) {
            Some(&(x1, y1)) => y0 + (y1 - y0) * place(x, x0, x1),
            None => y0,
        }
    }

    /// The smallest number below or at which so large a share of values lies.
    fn quantile(&self, share: f64) -> f64 {
        let next = self.knots.partition_point(|(_, y)| *y < share);
        match (next.checked_sub(1).and_then(|i| self.knots.get(i)), self.knots.get(next)) {
            (Some(&(x0, y0)), Some(&(x1, y1))) => {
                let t = (share - y0) / (y1 - y0);
                x0 * (1.0 - t) + x1 * t
            }
            (None, Some(&(x, _))) | (Some(&(x, _)), None) => x,
            (None, None) => 0.0,
        }
    }
}

/// Adds what the borders of the finite buckets say, as shares of all values but NaN.
fn add_knots(histogram: &Histogram, knots: &mut Vec<(f64, f64)>) {
    let counted = |count: f64| if count.is_finite() && count > 0.0 { count } else { 0.0 };
    let total: f64 = histogram.buckets.iter().map(|b| counted(b.sample_count)).sum();
    if total <= 0.0 || !total.is_finite() {
        return;
    }
    let mut sum = 0.0;
    for bucket in &histogram.buckets {
        let (low, high) = (bucket.low_value, bucket.high_value);
        let before = sum / total;
        sum += counted(bucket.sample_count);
        if low.is_finite() && high.is_finite() && low <= high {
            // Zero has one sign here, so that knots at it meet.
            knots.extend([(low + 0.0, before), (high + 0.0, sum / total)]);
        }
    }
}

/// Where `x` lies between two numbers, from 0 to 1, also where their difference overflows.
fn place(x: f64, low: f64, high: f64) -> f64 {
    let width = high / 2.0 - low / 2.0;
    if width > 0.0 { ((x / 2.0 - low / 2.0) / width).clamp(0.0, 1.0) } else { 0.0 }
}

/// What part of the numbers is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    /// Whether the bars stand around whole numbers instead of between the ends.
    is_whole: bool,
    /// The only value of the baseline.
    only: Option<f64>,
}

impl Axis {
    /// The middle of the baseline.
    fn of(baseline: &Curve, is_whole: bool) -> Axis {
        let (min, max) = baseline.ends();
        let (low, high) = (baseline.quantile(CUT), baseline.quantile(1.0 - CUT));
        let (p10, p90) = (baseline.quantile(0.1), baseline.quantile(0.9));
        let body = p90 - p10;
        // Between the last decile and an outlier the curve is a guess, and the guess can be
        // wide. Only knots within reach of the body are believed.
        let reach = 1.5 * body;
        let (mut low, mut high) = (low, high);
        if body > 0.0 && body.is_finite() {
            let knots = || baseline.knots.iter().map(|(x, _)| *x);
            if high - p90 > reach {
                high = knots().filter(|x| *x <= p90 + reach).fold(p90, f64::max);
            }
            if p10 - low > reach {
                low = knots().filter(|x| *x >= p10 - reach).fold(p10, f64::min);
            }
        }
        // A cut that wins next to nothing only raises questions.
        let is_worth_it = |end: f64, cut: f64| (end - cut).abs() > 0.08 * (high - low);
        let low = if is_worth_it(min, low) { low } else { min };
        let high = if is_worth_it(max, high) { high } else { max };
        // Nearly one value is one value: there are no borders to draw between its neighbours.
        let least = 1e-12 * low.abs().max(high.abs());
        if high / 2.0 - low / 2.0 > least {
            let is_whole = is_whole && high - low <= WHOLE;
            return Axis { low, high, is_whole, only: None };
        }
        let room = if low.abs() < 1e300 { (low.abs() * 0.1).max(0.5) } else { 0.0 };
        Axis { low: low - room, high: high + room, is_whole: false, only: Some(low) }
    }

    /// The shares of values in each bar, below the axis and above it.
    fn bars(self, curve: &Curve) -> Bars {
        let (low, high, n) = if self.is_whole {
            let (low, high) = (self.low.floor(), self.high.ceil());
            (low - 0.5, high + 0.5, (high - low) as usize + 1)
        } else {
            (self.low, self.high, BARS)
        };
        let mut shares = vec![0.0; n];
        let below = curve.below(low, false);
        let mut last = below;
        for (i, share) in shares.iter_mut().enumerate() {
            let t = (i + 1) as f64 / n as f64;
            let border = low * (1.0 - t) + high * t;
            // A value at the end belongs to the last bar; any other to the bar that it begins.
            let is_last = i + 1 == n;
            let up_to = curve.below(if is_last { high } else { border }, is_last);
            *share = (up_to - last).max(0.0);
            last = up_to.max(last);
        }
        Bars { shares, below, above: (1.0 - last).max(0.0) }
    }
}

struct Bars {
    shares: Vec<f64>,
    below: f64,
    above: f64,
}

/// The drawing of a feature's datasets, the baseline first, and what its axis leaves out.
///
/// `labels` name the datasets; `is_whole` says that values are whole numbers. Nothing is drawn without numbers in the baseline, or else in the
/// first dataset that has any.
pub(super) fn draw(
    name: &str,
    is_whole: bool,
    curves: &[Option<Curve>],
    labels: &[String],
) -> Option<String> {
    let axis = Axis::of(curves.iter().flatten().next()?, is_whole);
    let bars: Vec<Option<Bars>> =
        curves.iter().map(|curve| curve.as_ref().map(|curve| axis.bars(curve))).collect();
    let most = bars.iter().flatten().flat_map(|b| &b.shares).copied().fold(0.0, f64::max);
    let mut title = format!("{}, {} to {}", escape(name), digits(axis.low), digits(axis.high));
    let mut paths = String::new();
    for (i, (bars, label)) in bars.iter().zip(labels).enumerate() {
        let Some(bars) = bars else { continue };
        paths.push_str(&path(&bars.shares, most, i));
        let _ = write!(title, "&#10;{}:", escape(label));
        let outside = [("below", bars.below), ("above", bars.above)];
        for (side, share) in outside.into_iter().filter(|(_, share)| *share > 1e-9) {
            let _ = write!(title, " {} {side},", percent(share, 1.0));
        }
        let inside = 1.0 - bars.below - bars.above;
        let _ = write!(title, " {} shown", percent(inside.clamp(0.0, 1.0), 1.0));
    }
    let first = bars.iter().flatten().next()?;
    let current = bars.iter().flatten().nth(1).unwrap_or(first);
    let label = |x: f64| digits(if is_whole { x.round() } else { x });
    // One value has no ends to name: it stands in the middle.
    let (start, end) = match axis.only {
        Some(only) => (String::new(), format!("only {}", label(only))),
        None => (label(axis.low), label(axis.high)),
    };
    let below = cut("◀", "below", current.below, first.below);
    let above = cut("▶", "above", current.above, first.above);
    Some(format!(
        "<svg class=h viewBox=\"0 0 {} 100\" preserveAspectRatio=none role=img>\
         <title>{title}</title>{paths}</svg>\
         <p class=x><span>{start}</span>{below}{above}<span>{end}</span>",
        first.shares.len(),
    ))
}

/// A number, with all digits if it is a whole one: identifiers and times differ in the last.
pub(super) fn digits(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e13 {
        let sign = if x < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(x.abs() as u64));
    }
    number(x)
}

/// What lies beyond an end of the axis, in words; loud where the baseline has less of it.
fn cut(arrow: &str, side: &str, share: f64, baseline: f64) -> String {
    let is_more = share > baseline + 0.01 && share > 2.0 * baseline;
    // What the axis cuts from every baseline is not worth a word.
    if share < 1.6 * CUT && !is_more {
        return String::new();
    }
    let loud = if is_more { " bad" } else { "" };
    let text = format!("{arrow} {} {side}", percent(share, 1.0));
    format!("<b class=\"{side}{loud}\">{text}</b>")
}

/// One series: the baseline as a filled outline, others as a line.
fn path(shares: &[f64], most: f64, series: usize) -> String {
    let height = |share: &f64| {
        if most > 0.0 && *share > 0.0 {
            // A bar that is not empty can be seen.
            (100.0 - 96.0 * share / most).round().clamp(0.0, 98.0) as i32
        } else {
            100
        }
    };
    let class = ["b", "l", "m"][series.min(2)];
    let mut out = format!("<path class={class} d=\"M0 100");
    let mut last = 100;
    let mut run = 0;
    for height in shares.iter().map(height) {
        if height != last {
            if run > 0 {
                let _ = write!(out, "h{run}");
            }
            let _ = write!(out, "V{height}");
            (last, run) = (height, 0);
        }
        run += 1;
    }
    let _ = write!(out, "h{run}V100\"/>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::tfmd::{DatasetFeatureStatistics, DatasetView, Path, text};

    fn curve(standard: &[(f64, f64, f64)], quantiles: &[(f64, f64, f64)]) -> Option<Curve> {
        let print = |kind: &str, buckets: &[(f64, f64, f64)]| {
            let buckets = buckets.iter().map(|(low, high, count)| {
                format!("buckets {{ low_value: {low} high_value: {high} sample_count: {count} }}")
            });
            format!("histograms {{ type: {kind} {} }}", buckets.collect::<String>())
        };
        let text = format!(
            "features {{ name: 'a' num_stats {{ {} {} }} }}",
            print("STANDARD", standard),
            print("QUANTILES", quantiles)
        );
        let dataset: DatasetFeatureStatistics = text::parse(&text).unwrap();
        let view = DatasetView::new(&dataset);
        Curve::of(&view.get(&Path::new(["a"])).unwrap())
    }

    #[test]
    fn both_histograms_are_one_curve() {
        // An outlier at 1000: the wide buckets say nothing about the body, the deciles do.
        let deciles: Vec<_> = (0..9).map(|i| (i as f64, i as f64 + 1.0, 10.0)).collect();
        let deciles: Vec<_> = deciles.into_iter().chain([(9.0, 1000.0, 10.0)]).collect();
        let curve = curve(&[(0.0, 100.0, 99.0), (100.0, 1000.0, 1.0)], &deciles).unwrap();
        let check = |x: f64, or_at: bool, expected: f64| {
            assert!((curve.below(x, or_at) - expected).abs() < 1e-12, "{x} {or_at}");
        };
        check(-1.0, false, 0.0);
        check(0.5, false, 0.05);
        check(9.0, false, 0.9);
        check(100.0, true, 0.99);
        check(2000.0, false, 1.0);
        assert!((curve.quantile(0.25) - 2.5).abs() < 1e-12);
        // The axis ends at the last knot within reach of the body.
        let axis = Axis::of(&curve, false);
        assert_eq!(axis, Axis { low: 0.0, high: 9.0, is_whole: false, only: None });
        let bars = axis.bars(&curve);
        assert!((bars.above - 0.1).abs() < 1e-9);
        assert!((bars.shares.iter().sum::<f64>() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn one_value_is_one_bar() {
        let curve = curve(&[(3.0, 3.0, 7.0)], &[(3.0, 3.0, 3.5), (3.0, 3.0, 3.5)]).unwrap();
        let axis = Axis::of(&curve, false);
        assert!(axis.low < 3.0 && 3.0 < axis.high);
        let bars = axis.bars(&curve);
        assert_eq!((bars.below, bars.above), (0.0, 0.0));
        assert_eq!(bars.shares.iter().filter(|share| **share > 0.0).count(), 1);
    }

    #[test]
    fn whole_numbers_have_a_bar_each() {
        let curve = curve(&[(0.0, 1.0, 3.0)], &[(0.0, 0.0, 1.0), (1.0, 1.0, 2.0)]).unwrap();
        let bars = Axis::of(&curve, true).bars(&curve);
        assert_eq!((bars.shares.len(), bars.below, bars.above), (2, 0.0, 0.0));
        assert!(bars.shares[0] < bars.shares[1], "{:?}", bars.shares);
    }

    #[test]
    fn a_value_at_the_start_is_drawn() {
        let curve = curve(&[(0.0, 10.0, 10.0)], &[(0.0, 0.0, 5.0), (0.0, 10.0, 5.0)]).unwrap();
        let bars = Axis::of(&curve, false).bars(&curve);
        assert!(bars.shares[0] > 0.5 && bars.below == 0.0, "{:?}", bars.shares);
    }

    #[test]
    fn hostile_buckets() {
        let inf = f64::INFINITY;
        let nan = f64::NAN;
        assert!(curve(&[], &[]).is_none());
        assert!(curve(&[(nan, nan, 1.0)], &[(1.0, 2.0, nan)]).is_none());
        assert!(curve(&[(-inf, -inf, 1.0), (inf, inf, 1.0)], &[]).is_none());
        for (standard, quantiles) in [
            (vec![(-inf, -inf, 1.0), (0.0, 1.0, 2.0), (inf, inf, 1.0)], vec![]),
            (vec![(f64::MIN, f64::MAX, 9.0)], vec![(f64::MIN, 0.0, 5.0), (0.0, f64::MAX, 4.0)]),
            (vec![(5.0, 1.0, 3.0), (0.0, 2.0, -4.0), (0.0, 1.0, 1e308)], vec![(0.0, 1.0, inf)]),
            (vec![(0.0, 5e-324, 3.0)], vec![]),
            (vec![(1e300, 1e300, 1.0)], vec![(-1e300, -1e300, 1.0)]),
        ] {
            let curve = curve(&standard, &quantiles);
            let drawn = draw("a", true, &[curve.clone(), curve], &["x".to_owned(), "y".to_owned()]);
            let drawn = drawn.unwrap();
            let paths = drawn.split("d=\"").skip(1).map(|path| path.split('"').next().unwrap());
            for path in paths {
                assert!(path.chars().all(|c| c.is_ascii_digit() || "MhV ".contains(c)), "{path}");
            }
        }
        // Infinities are outside.
        let curve = curve(&[(-inf, -inf, 1.0), (0.0, 1.0, 2.0), (inf, inf, 1.0)], &[]).unwrap();
        let bars = Axis::of(&curve, false).bars(&curve);
        assert_eq!((bars.below, bars.above), (0.25, 0.25));
    }
}
