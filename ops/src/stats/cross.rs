//! Numeric cross statistics: covariance and Pearson's correlation of pairs of features.
//!
//! A pair counts an example when each of its two top-level features has exactly one value there and
//! it is not NaN, as in TFDV (`cross_feature_stats_generator.py`), which by default looks at a tenth
//! of the batches; here every example is looked at.
//!
//! Sums are of differences to the first pair that a shard holds, so that the spread of the values
//! decides on the error and not their distance from 0 (Chan, Golub and LeVeque,
//! doi:10.1080/00031305.1983.10483115). They are added row by row and merged in shard order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::{Column, DatasetGenerator, DatasetPatch, FeaturePath, Slice, StatsOptions, Values};
use crate::tfmd::cross_feature_statistics::CrossStats;
use crate::tfmd::{CrossFeatureStatistics, NumericCrossStatistics};

pub(super) const GENERATOR: DatasetGenerator = DatasetGenerator {
    name: "cross",
    doc: "covariance and correlation of pairs of numeric features",
    new: |options: &StatsOptions| {
        let pairs = options.cross_features.clone()?;
        Some(Arc::new(Cross { pairs: (!pairs.is_empty()).then_some(pairs) }))
    },
};

type Pair = (String, String);

struct Cross {
    /// In the order in which they are reported; `None` stands for all.
    pairs: Option<Vec<Pair>>,
}

#[derive(Default, Serialize, Deserialize)]
struct Acc {
    /// Numeric features with a single value in some example.
    univalent: BTreeSet<String>,
    /// Pairs with a common example.
    sums: BTreeMap<Pair, Sums>,
}

/// Sums over `x` and `y`, less where they begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sums {
    begin: (f64, f64),
    n: u64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn new(x: f64, y: f64) -> Self {
        Sums { begin: (x, y), n: 0, x: 0.0, y: 0.0, xx: 0.0, yy: 0.0, xy: 0.0 }
    }

    fn add(&mut self, x: f64, y: f64) {
        let (x, y) = (x - self.begin.0, y - self.begin.1);
        self.n += 1;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// Adds sums that begin elsewhere.
    fn merge(&mut self, other: &Sums) {
        let n = other.n as f64;
        let (dx, dy) = (other.begin.0 - self.begin.0, other.begin.1 - self.begin.1);
        self.n += other.n;
        self.x += other.x + n * dx;
        self.y += other.y + n * dy;
        self.xx += other.xx + dx * (2.0 * other.x + n * dx);
        self.yy += other.yy + dy * (2.0 * other.y + n * dy);
        self.xy += other.xy + dx * other.y + dy * other.x + n * dx * dy;
    }

    fn message(&self) -> NumericCrossStatistics {
        let n = self.n as f64;
        let (x, y) = (self.x / n, self.y / n);
        let covariance = self.xy / n - x * y;
        let std_dev = |square: f64, mean: f64| (square / n - mean * mean).max(0.0).sqrt();
        let spread = (std_dev(self.xx, x), std_dev(self.yy, y));
        let is_constant = spread.0 == 0.0 || spread.1 == 0.0;
        let correlation = if is_constant { 0.0 } else { covariance / (spread.0 * spread.1) };
        NumericCrossStatistics { correlation: correlation as f32, covariance: covariance as f32 }
    }
}

/// The one value of each example, NaN where there is none, if the column is numeric and has any.
fn univalent(column: &Column) -> Option<Vec<f64>> {
    let [level] = column.levels.as_slice() else { return None };
    if column.path.steps().len() > 1 {
        return None;
    }
    let mut flat: Vec<f64> = match &column.values {
        Values::Int(array) => array.values().iter().map(|&value| value as f64).collect(),
        Values::Float32(array) => array.values().iter().map(|&value| value.into()).collect(),
        Values::Float64(array) => array.values().to_vec(),
        _ => return None,
    };
    if let Some(nulls) = column.values.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (value, is_there) in flat.iter_mut().zip(nulls) {
            *value = if is_there { *value } else { f64::NAN };
        }
    }
    let values: Vec<f64> = (0..level.n_parents)
        .map(|i| match &level.offsets {
            _ if level.length(i) != 1 => f64::NAN,
            Some(offsets) => flat[offsets[i] as usize],
            None => flat[i],
        })
        .collect();
    values.iter().any(|value| !value.is_nan()).then_some(values)
}

impl Cross {
    /// Adds the examples that have both.
    fn add(acc: &mut Acc, names: (&str, &str), x: &[f64], y: &[f64]) {
        let pairs = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
        let Some((first_x, first_y)) = pairs().next() else { return };
        let key = (names.0.to_owned(), names.1.to_owned());
        let sums = acc.sums.entry(key).or_insert_with(|| Sums::new(*first_x, *first_y));
        pairs().for_each(|(&x, &y)| sums.add(x, y));
    }
}

impl CombineFn for Cross {
    type Input = Slice;
    type Accumulator = Acc;
    type Output = DatasetPatch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Acc {
        Acc::default()
    }

    fn add_input(&self, acc: &mut Acc, slice: &Slice) -> Result<()> {
        let is_wanted = |name: &str| match &self.pairs {
            Some(pairs) => pairs.iter().any(|(x, y)| x == name || y == name),
            None => true,
        };
        let mut features = BTreeMap::<&str, Vec<f64>>::new();
        for column in &slice.columns {
            let [name] = column.path.steps() else { continue };
            if let Some(values) = is_wanted(name).then(|| univalent(column)).flatten() {
                if !acc.univalent.contains(name) {
                    acc.univalent.insert(name.clone());
                }
                features.insert(name, values);
            }
        }
        match &self.pairs {
            Some(pairs) => {
                for (x, y) in pairs {
                    if let (Some(xs), Some(ys)) = (features.get(&**x), features.get(&**y)) {
                        Self::add(acc, (x, y), xs, ys);
                    }
                }
            }
            None => {
                for (i, (x, xs)) in features.iter().enumerate() {
                    for (y, ys) in features.iter().skip(i + 1) {
                        Self::add(acc, (x, y), xs, ys);
                    }
                }
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Acc, other: Acc) -> Result<()> {
        acc.univalent.extend(other.univalent);
        for (pair, sums) in other.sums {
            match acc.sums.get_mut(&pair) {
                Some(into) => into.merge(&sums),
                None => drop(acc.sums.insert(pair, sums)),
            }
        }
        Ok(())
    }

    fn extract_output(&self, acc: Acc) -> Result<DatasetPatch> {
        let all = |names: &BTreeSet<String>| {
            let mut pairs = Vec::<Pair>::new();
            for (i, x) in names.iter().enumerate() {
                pairs.extend(names.iter().skip(i + 1).map(|y| (x.clone(), y.clone())));
            }
            pairs
        };
        let pairs = self.pairs.clone().unwrap_or_else(|| all(&acc.univalent));
        let found: Vec<_> = pairs
            .into_iter()
            .filter(|(x, y)| acc.univalent.contains(x) && acc.univalent.contains(y))
            .map(|pair| {
                let sums = acc.sums.get(&pair);
                CrossFeatureStatistics {
                    path_x: Some(FeaturePath::column(&pair.0).to_proto()),
                    path_y: Some(FeaturePath::column(&pair.1).to_proto()),
                    count: sums.map_or(0, |sums| sums.n),
                    cross_stats: sums.map(|sums| CrossStats::NumCrossStats(sums.message())),
                }
            })
            .collect();
        Ok(Box::new(move |dataset| {
            dataset.cross_features.extend(found);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch};

    use super::*;
    use crate::stats::laws;
    use crate::tfmd::DatasetFeatureStatistics;

    /// (x, y, count, covariance, correlation); `None` where the message has no numbers.
    type Row = (String, String, u64, Option<(f32, f32)>);

    type Expected<'a> = (&'a str, &'a str, u64, Option<(f32, f32)>);

    fn rows(dataset: &DatasetFeatureStatistics) -> Vec<Row> {
        let name = |path: &Option<crate::tfmd::Path>| path.as_ref().unwrap().step.join(".");
        let numbers = |stats: &Option<CrossStats>| match stats {
            Some(CrossStats::NumCrossStats(n)) => Some((n.covariance, n.correlation)),
            _ => None,
        };
        let cross = dataset.cross_features.iter();
        cross
            .map(|c| (name(&c.path_x), name(&c.path_y), c.count, numbers(&c.cross_stats)))
            .collect()
    }

    fn close(a: &DatasetFeatureStatistics, b: &DatasetFeatureStatistics) -> bool {
        let close = |a: f32, b: f32| {
            a == b || (a - b).abs() <= 1e-6 * a.abs().max(b.abs()) || a.is_nan() && b.is_nan()
        };
        let (a, b) = (rows(a), rows(b));
        a.len() == b.len()
            && a.iter().zip(&b).all(|(a, b)| {
                let numbers = match (a.3, b.3) {
                    (Some(a), Some(b)) => close(a.0, b.0) && close(a.1, b.1),
                    (a, b) => a == b,
                };
                (&a.0, &a.1, a.2) == (&b.0, &b.1, b.2) && numbers
            })
    }

    fn check(columns: Vec<(&str, ArrayRef)>, pairs: &[(&str, &str)], expected: &[Expected<'_>]) {
        let owned = pairs.iter().map(|(x, y)| ((*x).to_owned(), (*y).to_owned()));
        let options = StatsOptions { cross_features: Some(owned.collect()), ..Default::default() };
        let records = RecordBatch::try_from_iter(columns).unwrap();
        let found = rows(&laws::dataset(&GENERATOR, &options, &records, close));
        let expected: Vec<Row> = expected
            .iter()
            .map(|(x, y, count, numbers)| ((*x).to_owned(), (*y).to_owned(), *count, *numbers))
            .collect();
        assert_eq!(found, expected);
    }

    fn floats(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn all_pairs() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(3), None]));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(9), Some(9)]),
            Some(vec![Some(5)]),
            Some(vec![Some(3)]),
            Some(vec![]),
        ]));
        check(
            vec![("b", floats(&[2.0, 4.0, 6.0, 9.0])), ("a", ints), ("c", lists)],
            &[],
            &[
                ("a", "b", 3, Some((4.0 / 3.0, 1.0))),
                ("a", "c", 2, Some((-0.5, -1.0))),
                ("b", "c", 2, Some((-1.0, -1.0))),
            ],
        );
    }

    #[test]
    fn odd_values() {
        let nan = f64::NAN;
        let text = laws::strings([Some(&b"x"[..]), Some(b"y"), None, None]);
        check(
            vec![
                ("const", floats(&[7.0; 4])),
                ("left", floats(&[1.0, 2.0, nan, nan])),
                ("none", floats(&[nan; 4])),
                ("right", floats(&[nan, nan, 1.0, 2.0])),
                ("text", text),
            ],
            &[],
            &[
                ("const", "left", 2, Some((0.0, 0.0))),
                ("const", "right", 2, Some((0.0, 0.0))),
                ("left", "right", 0, None),
            ],
        );
        check(vec![("x", floats(&[])), ("y", floats(&[]))], &[("x", "y"), ("x", "z")], &[]);
    }

    #[test]
    fn pairs_that_are_asked_for() {
        let columns = || {
            vec![("a", floats(&[1.0, 2.0])), ("b", floats(&[2.0, 1.0])), ("c", floats(&[0.0, 1.0]))]
        };
        check(
            columns(),
            &[("c", "a"), ("a", "b"), ("a", "nowhere")],
            &[("c", "a", 2, Some((0.25, 1.0))), ("a", "b", 2, Some((-0.25, -1.0)))],
        );
    }

    #[test]
    fn far_from_zero() {
        let x: Vec<f64> = (0..1_000).map(|i| 1e15 + f64::from(i % 10)).collect();
        let y: Vec<f64> = (0..1_000).map(|i| -1e12 - f64::from(i % 10)).collect();
        check(
            vec![("x", floats(&x)), ("y", floats(&y))],
            &[],
            &[("x", "y", 1_000, Some((-8.25, -1.0)))],
        );
        let small: ArrayRef = Arc::new(Float32Array::from(vec![1e-30, 3e-30]));
        check(
            vec![("x", small), ("y", floats(&[0.0, 1e30]))],
            &[],
            &[("x", "y", 2, Some((0.5, 1.0)))],
        );
    }
}
