//! Two histograms over the same buckets: what Jensen–Shannon and everything like it compares.
//!
//! As TFDV's `AlignHistograms` does it. Finite buckets are cut anew at the boundaries of both sides,
//! as if the values of a bucket lay evenly in it. Buckets that are one value are matched by that
//! value. Infinite and NaN values of one side match nothing of the other, not even each other.

use std::fmt;

use crate::tfmd::Histogram;

/// A bucket of two aligned histograms, with what of each falls into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Which values.
    pub values: CellValues,
    /// The count of the current side.
    pub current: f64,
    /// The count of the side it is compared with.
    pub control: f64,
}

/// Which values a [`Cell`] holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CellValues {
    /// Those between two boundaries.
    Between(f64, f64),
    /// One value.
    At(f64),
    /// Buckets of one side that have an infinite bound.
    Infinite,
    /// Values of one side that are not a number.
    Nan,
}

/// Writes `1.5 to 2`, `3`, `infinite` or `NaN`.
impl fmt::Display for CellValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CellValues::Between(low, high) => write!(f, "{} to {}", short(*low), short(*high)),
            CellValues::At(value) => f.write_str(&short(*value)),
            CellValues::Infinite => f.write_str("infinite"),
            CellValues::Nan => f.write_str("NaN"),
        }
    }
}

/// A number in six significant digits, as C's `%g` writes it.
pub(crate) fn short(x: f64) -> String {
    rounded(x, 6)
}

/// A number in so many significant digits, without zeros at the end.
pub(super) fn rounded(x: f64, digits: i32) -> String {
    let magnitude = x.abs().log10().floor();
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { "0".to_owned() } else { x.to_string() };
    }
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{:.*e}", (digits - 1).max(0) as usize, x);
    }
    let decimals = (digits - 1 - magnitude as i32).max(0);
    let text = format!("{x:.*}", decimals as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Both histograms over the same cells, in TFDV's order.
///
/// TFDV forgets NaN values where it has to cut buckets anew; so does this.
pub fn align(current: &Histogram, control: &Histogram) -> Vec<Cell> {
    let (x, y) = (Parts::of(current), Parts::of(control));
    let mut boundaries = x.boundaries();
    let is_same = boundaries == y.boundaries();
    boundaries.extend(y.boundaries());
    sort(&mut boundaries);
    let cell = |values, current, control| Cell { values, current, control };
    let cut = x.cut(&boundaries).into_iter().zip(y.cut(&boundaries)).zip(boundaries.windows(2));
    let mut cells: Vec<Cell> =
        cut.map(|((x, y), w)| cell(CellValues::Between(w[0], w[1]), x, y)).collect();
    let mut points: Vec<f64> = x.points.iter().chain(&y.points).map(|(value, _)| *value).collect();
    sort(&mut points);
    cells.extend(points.iter().map(|at| cell(CellValues::At(*at), x.at(*at), y.at(*at))));
    if x.infinite != 0.0 {
        cells.push(cell(CellValues::Infinite, x.infinite, 0.0));
    }
    if y.infinite != 0.0 {
        cells.push(cell(CellValues::Infinite, 0.0, y.infinite));
    }
    if is_same && current.num_nan + control.num_nan > 0 {
        cells.push(cell(CellValues::Nan, 0.0, control.num_nan as f64));
        cells.push(cell(CellValues::Nan, current.num_nan as f64, 0.0));
    }
    cells
}

/// Ascending, each value once.
fn sort(values: &mut Vec<f64>) {
    values.sort_by(f64::total_cmp);
    values.dedup();
}

/// A histogram's buckets by what they are.
struct Parts {
    /// Low, high and count.
    finite: Vec<(f64, f64, f64)>,
    /// Value and count, ascending, each value once.
    points: Vec<(f64, f64)>,
    infinite: f64,
}

impl Parts {
    fn of(histogram: &Histogram) -> Parts {
        let mut parts = Parts { finite: vec![], points: vec![], infinite: 0.0 };
        for bucket in &histogram.buckets {
            let (low, high, count) = (bucket.low_value, bucket.high_value, bucket.sample_count);
            if !low.is_finite() || !high.is_finite() {
                parts.infinite += count;
            } else if low == high {
                parts.points.push((low, count));
            } else {
                parts.finite.push((low, high, count));
            }
        }
        parts.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        parts.points.dedup_by(|next, first| {
            let is_same = next.0 == first.0;
            first.1 += if is_same { next.1 } else { 0.0 };
            is_same
        });
        parts
    }

    fn boundaries(&self) -> Vec<f64> {
        let mut boundaries: Vec<f64> =
            self.finite.iter().flat_map(|(low, high, _)| [*low, *high]).collect();
        sort(&mut boundaries);
        boundaries
    }

    /// How much lies between each two boundaries; all of its own must be among them.
    fn cut(&self, boundaries: &[f64]) -> Vec<f64> {
        let n = boundaries.len().saturating_sub(1);
        let mut counts = Vec::with_capacity(n);
        for &(low, high, count) in &self.finite {
            while counts.len() < n && low > boundaries[counts.len()] {
                counts.push(0.0);
            }
            while counts.len() < n && high > boundaries[counts.len()] {
                let i = counts.len();
                counts.push((boundaries[i + 1] - boundaries[i]) / (high - low) * count);
            }
        }
        counts.resize(n, 0.0);
        counts
    }

    fn at(&self, value: f64) -> f64 {
        self.points.iter().find(|(at, _)| *at == value).map_or(0.0, |(_, count)| *count)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tfmd::histogram::Bucket;

    pub(crate) fn histogram(buckets: &[(f64, f64, f64)], num_nan: u64) -> Histogram {
        let bucket = |&(low_value, high_value, sample_count): &(f64, f64, f64)| Bucket {
            low_value,
            high_value,
            sample_count,
        };
        Histogram { buckets: buckets.iter().map(bucket).collect(), num_nan, ..Default::default() }
    }

    const INF: f64 = f64::INFINITY;

    fn check(
        current: &[(f64, f64, f64)],
        control: &[(f64, f64, f64)],
        expected: &[(&str, f64, f64)],
    ) {
        let cells = align(&histogram(current, 0), &histogram(control, 0));
        let found: Vec<_> =
            cells.iter().map(|c| (c.values.to_string(), c.current, c.control)).collect();
        let found: Vec<_> = found.iter().map(|(v, x, y)| (v.as_str(), *x, *y)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn cells() {
        check(&[], &[], &[]);
        check(&[(0.0, 2.0, 4.0)], &[(0.0, 2.0, 1.0)], &[("0 to 2", 4.0, 1.0)]);
        check(
            &[(0.0, 2.0, 4.0), (2.0, 4.0, 6.0)],
            &[(1.0, 3.0, 8.0)],
            &[
                ("0 to 1", 2.0, 0.0),
                ("1 to 2", 2.0, 4.0),
                ("2 to 3", 3.0, 4.0),
                ("3 to 4", 3.0, 0.0),
            ],
        );
        // A gap between buckets holds nothing.
        check(
            &[(0.0, 1.0, 1.0), (2.0, 3.0, 1.0)],
            &[],
            &[("0 to 1", 1.0, 0.0), ("1 to 2", 0.0, 0.0), ("2 to 3", 1.0, 0.0)],
        );
        check(
            &[(1.0, 1.0, 2.0), (1.0, 1.0, 3.0), (5.0, 5.0, 1.0)],
            &[(5.0, 5.0, 7.0), (0.5, 0.5, 1.0)],
            &[("0.5", 0.0, 1.0), ("1", 5.0, 0.0), ("5", 1.0, 7.0)],
        );
        check(
            &[(-INF, -INF, 1.0), (INF, INF, 1.0)],
            &[(INF, -INF, 3.0)],
            &[("infinite", 2.0, 0.0), ("infinite", 0.0, 3.0)],
        );
        // Buckets out of order lose what they held, but never more than that.
        assert_eq!(
            align(&histogram(&[(2.0, 3.0, 1.0), (0.0, 1.0, 1.0)], 0), &histogram(&[], 0)).len(),
            3
        );
    }

    #[test]
    fn nan_matches_nothing() {
        let a = histogram(&[(0.0, 1.0, 1.0)], 3);
        let cells = align(&a, &a);
        let nan: Vec<_> = cells
            .iter()
            .filter(|c| c.values == CellValues::Nan)
            .map(|c| (c.current, c.control))
            .collect();
        assert_eq!(nan, [(0.0, 3.0), (3.0, 0.0)]);
        assert_eq!(align(&a, &histogram(&[(0.0, 2.0, 1.0)], 3)).len(), 2);
    }

    #[test]
    fn text() {
        let check = |value: f64, expected: &str| assert_eq!(short(value), expected);
        check(0.0, "0");
        check(1234.5678, "1234.57");
        check(1e6, "1000000");
        check(-0.000_012_345_678, "-0.0000123457");
        check(1.5e300, "1.50000e300");
    }
}
