//! `tft.scale_to_z_score_per_key`: (x − mean) / standard deviation, of the values of each key.

use std::sync::Arc;

use engine::{KeyTable, KeyedBlock, PCollection, Result};
use ops::sketch::ExactSum;
use serde_bytes::ByteBuf;

use super::key_file::{self, KEY_VOCABULARY_FILENAME, KeyFile};
use super::key_index::{KEY_INDEX, VALUE_AT_INDEX};
use super::{ELEMENTWISE, KEY, Pairs, by_position, two_by_key, types, x_and_key};
use crate::analyzer::{Analyzer, Columns, Keyed, Pending, Sums, gather};
use crate::op::{Args, Kind, Op};
use crate::ops::numeric::{OUTPUT_DTYPE, X, float_of};
use crate::ops::vocabulary::names::Scope;
use crate::types::DType;

/// The analyzer.
pub(in crate::ops) const MEAN_AND_VAR_PER_KEY: Op = Op {
    name: "tft.mean_and_var_per_key",
    doc: "mean and variance of the values of each key",
    semantics: "Keys, ascending by their bytes (integers by value), then means and variances in their \
        order. NaN and infinities are ignored, and so are missing values; a key without other values \
        is not there. Sums are exact, so no order of rows shows. Values beyond 1e154 make a variance \
        infinite.",
    examples: &[
        "tft.value_at_index(tft.mean_and_var_per_key(x, key)[1], n)",
        "tft.value_at_index(tft.mean_and_var_per_key(ns, k)[2], n)",
    ],
    params: &[X, KEY, OUTPUT_DTYPE, KEY_VOCABULARY_FILENAME],
    kind: Kind::Analyze {
        types: |call| {
            Pairs::of(call)?;
            types(call, float_of(call)?)
        },
        analyzer: |call| {
            let (pairs, dtype, file) = (Pairs::of(call)?, float_of(call)?, KeyFile::of(call)?);
            Ok(Analyzer::Sums(Arc::new(MeanAndVar { pairs, dtype, file })))
        },
    },
};

/// The mapper with its analyzer.
pub(in crate::ops) const SCALE_TO_Z_SCORE_PER_KEY: Op = Op {
    name: "tft.scale_to_z_score_per_key",
    doc: "a column scaled to mean 0 and variance 1 for each key",
    semantics: "As `tft.scale_to_z_score`, by the mean and variance of the values that have the same \
        key. A key that was not seen in analysis leaves x as it is. A list of keys has one for each \
        value of a list `x`; where keys are missing they are '' or 0, as `tft.align_lists` fills them \
        in. Lines of `key_vocabulary_filename` are `MEAN,VARIANCE KEY`.",
    examples: &[
        "tft.scale_to_z_score_per_key(x, key)",
        "tft.scale_to_z_score_per_key(ns, k)",
        "tft.scale_to_z_score_per_key(vec, s)",
        "tft.scale_to_z_score_per_key(ds, ns)",
        "tft.scale_to_z_score_per_key(vec, key, elementwise=True)",
        "tft.scale_to_z_score_per_key(x, s, key_vocabulary_filename='moments')",
    ],
    params: &[X, KEY, ELEMENTWISE, KEY_VOCABULARY_FILENAME, OUTPUT_DTYPE],
    kind: Kind::Compose(|builder, call| {
        if let Some(found) = by_position(builder, call, &[OUTPUT_DTYPE.name])? {
            return Ok(found);
        }
        let (x, key) = x_and_key(builder, call)?;
        let args = Args::default().arg(x).arg(key);
        let args = args.with("output_dtype", call.get("output_dtype"));
        let scope = Scope::plain("vocab_", "scale_to_z_score_per_key");
        let found = key_file::analyze(builder, call, &MEAN_AND_VAR_PER_KEY, args, &scope)?;
        let index = builder.one(KEY_INDEX.name, Args::default().arg(key).arg(found[0]))?;
        let mut at =
            |values| builder.one(VALUE_AT_INDEX.name, Args::default().arg(values).arg(index));
        let (mean, var) = (at(found[1])?, at(found[2])?);
        builder.call("tft.z_score", Args::default().arg(x).arg(mean).arg(var))
    }),
};

struct MeanAndVar {
    pairs: Pairs,
    dtype: DType,
    file: Option<KeyFile>,
}

impl Keyed<Sums> for MeanAndVar {
    fn name(&self) -> &'static str {
        MEAN_AND_VAR_PER_KEY.name
    }

    fn add(&self, table: &mut KeyTable<Sums>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        self.pairs.each(input, |key, x| {
            if x.is_finite() {
                group.update(key, |sums| add(sums, x));
            }
        });
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<Sums>>) -> Pending {
        let (keys, dtype) = (self.pairs.keys, self.dtype);
        gather(
            MEAN_AND_VAR_PER_KEY.name,
            group,
            blocks,
            |found: &mut Vec<(ByteBuf, f64, f64)>, key, sums| {
                let (mean, var) = moments(sums);
                found.push((ByteBuf::from(key), mean, var));
            },
            |found, mut other| found.append(&mut other),
            move |found| {
                let line = |mean, var| key_file::pair(dtype, mean, var);
                two_by_key(keys, dtype, found, self.file.as_ref(), line)
            },
        )
    }
}

/// Adds x and its square, exactly.
fn add(sums: &mut Sums, x: f64) {
    let square = x * x;
    sums.add(&[x, square]);
    // The square of a single-precision number has no more digits than a double holds.
    if f64::from(x as f32) != x && square.is_finite() {
        sums.sums[1].add(x.mul_add(x, -square));
    }
}

/// Mean and variance of exact sums of values and of squares.
fn moments(sums: &Sums) -> (f64, f64) {
    let [sum, squares] = sums.sums.as_slice() else { return (0.0, 0.0) };
    let n = sums.n as f64;
    (sum.value() / n, covariance(n, squares, sum, sum))
}

/// The covariance of two columns from exact sums of products and of each.
///
/// Mean of products less product of means loses all digits that the two have in common, so both are
/// carried with twice the digits of a double.
pub(in crate::ops::numeric) fn covariance(
    n: f64,
    products: &ExactSum,
    x: &ExactSum,
    y: &ExactSum,
) -> f64 {
    let ((x, x_rest), (y, y_rest)) = (two_parts(x), two_parts(y));
    let product = x * y;
    let rest = x.mul_add(y, -product) + (x * y_rest + x_rest * y);
    let quotient = product / n;
    let quotient_rest = ((-quotient).mul_add(n, product) + rest) / n;
    let (products, products_rest) = two_parts(products);
    let covariance = ((products - quotient) + (products_rest - quotient_rest)) / n;
    // Squares that overflow: as large as can be.
    if covariance.is_nan() && x.is_finite() && y.is_finite() { f64::INFINITY } else { covariance }
}

/// A sum as two doubles: rounded, and what that leaves.
fn two_parts(sum: &ExactSum) -> (f64, f64) {
    let value = sum.value();
    if !value.is_finite() {
        return (value, 0.0);
    }
    let mut rest = sum.clone();
    rest.add(-value);
    (value, rest.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_keep_their_digits() {
        let check = |values: &[f64], mean: f64, var: f64| {
            let mut sums = Sums::default();
            values.iter().for_each(|value| add(&mut sums, *value));
            let (found_mean, found_var) = moments(&sums);
            assert_eq!(found_mean.to_bits(), mean.to_bits(), "{values:?}");
            let close = found_var == var || (found_var - var).abs() <= 1e-12 * var;
            assert!(close, "{values:?}: {found_var}");
        };
        check(&[], 0.0, 0.0);
        check(&[7.0], 7.0, 0.0);
        check(&[1.0, 2.0, 3.0, 4.0], 2.5, 1.25);
        check(&[1e9, 1e9 + 1.0], 1e9 + 0.5, 0.25);
        check(&[1e12 + 0.25, 1e12 + 0.75], 1e12 + 0.5, 0.0625);
        check(&[1e15, 1e15 + 2.0], 1e15 + 1.0, 1.0);
        check(&[1e200, -1e200], 0.0, f64::INFINITY);
    }
}
