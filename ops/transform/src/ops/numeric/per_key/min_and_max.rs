//! `tft.scale_by_min_max_per_key`, `tft.scale_to_0_1_per_key`: scaled by the range of each key.

use std::sync::Arc;

use engine::{KeyTable, KeyedBlock, PCollection, Result};
use serde_bytes::ByteBuf;

use super::key_file::{self, KEY_VOCABULARY_FILENAME, KeyFile};
use super::key_index::{KEY_INDEX, VALUE_AT_INDEX};
use super::{ELEMENTWISE, KEY, Pairs, by_position, two_by_key, types, x_and_key};
use crate::analyzer::{Analyzer, Columns, Extremes, Keyed, Pending, gather};
use crate::graph::Builder;
use crate::op::{Args, Bound, Kind, Op, Ref};
use crate::ops::numeric::scale_by_min_max::{
    MIN_MAX_SCALE, OUTPUT_DTYPE as SCALED_DTYPE, OUTPUT_MAX, OUTPUT_MIN,
};
use crate::ops::numeric::{OUTPUT_DTYPE, X, float_of};
use crate::ops::vocabulary::names::Scope;
use crate::types::DType;

/// The analyzer.
pub(in crate::ops) const MIN_AND_MAX_PER_KEY: Op = Op {
    name: "tft.min_and_max_per_key",
    doc: "the least and the greatest of the values of each key",
    semantics: "Keys, ascending by their bytes (integers by value), then least and greatest values in \
        their order. NaN makes both of its key NaN; infinities count; missing values do not.",
    examples: &[
        "tft.value_at_index(tft.min_and_max_per_key(x, key)[1], n)",
        "tft.value_at_index(tft.min_and_max_per_key(ns, k)[2], n)",
    ],
    params: &[X, KEY, OUTPUT_DTYPE, KEY_VOCABULARY_FILENAME],
    kind: Kind::Analyze {
        types: |call| {
            Pairs::of(call)?;
            types(call, float_of(call)?)
        },
        analyzer: |call| {
            let (pairs, dtype, file) = (Pairs::of(call)?, float_of(call)?, KeyFile::of(call)?);
            // As precise as TFT has them, which knows no doubles.
            let written = match call.ty("x")?.dtype {
                DType::Float64 => DType::Float64,
                _ => DType::Float32,
            };
            Ok(Analyzer::Extremes(Arc::new(MinAndMax { pairs, dtype, written, file })))
        },
    },
};

const SEMANTICS: &str = "As `tft.scale_by_min_max`, by the range of the values that have the same key. A \
    key that was not seen in analysis, or has one distinct value, gives sigmoid(x), moved to the range. Lines \
    of `key_vocabulary_filename` are `-MIN,MAX KEY`.";

/// The mapper with its analyzer.
pub(in crate::ops) const SCALE_BY_MIN_MAX_PER_KEY: Op = Op {
    name: "tft.scale_by_min_max_per_key",
    doc: "a column scaled to the range from `output_min` to `output_max` for each key",
    semantics: SEMANTICS,
    examples: &[
        "tft.scale_by_min_max_per_key(x, key, -1.0, 1.0)",
        "tft.scale_by_min_max_per_key(ns, s)",
        "tft.scale_by_min_max_per_key(xs, ss)",
        "tft.scale_by_min_max_per_key(vec, key, elementwise=True)",
    ],
    params: &[X, KEY, OUTPUT_MIN, OUTPUT_MAX, ELEMENTWISE, KEY_VOCABULARY_FILENAME, SCALED_DTYPE],
    kind: Kind::Compose(|builder, call| {
        let scope = "scale_by_min_max_per_key_min_and_max_per_key";
        compose(builder, call, &["output_min", "output_max", "output_dtype"], scope)
    }),
};

/// The same to the range from 0 to 1.
pub(in crate::ops) const SCALE_TO_0_1_PER_KEY: Op = Op {
    name: "tft.scale_to_0_1_per_key",
    doc: "a column scaled to the range from 0 to 1 for each key",
    semantics: SEMANTICS,
    examples: &[
        "tft.scale_to_0_1_per_key(x, key)",
        "tft.scale_to_0_1_per_key(d, k)",
        "tft.scale_to_0_1_per_key(ns, s, key_vocabulary_filename='ranges')",
    ],
    params: &[X, KEY, ELEMENTWISE, KEY_VOCABULARY_FILENAME, SCALED_DTYPE],
    kind: Kind::Compose(|builder, call| {
        compose(builder, call, &["output_dtype"], "scale_to_0_1_per_key_min_and_max_per_key")
    }),
};

fn compose(
    builder: &mut Builder,
    call: &Bound,
    keep: &[&str],
    scope: &'static str,
) -> Result<Vec<Ref>> {
    if let Some(found) = by_position(builder, call, keep)? {
        return Ok(found);
    }
    let (x, key) = x_and_key(builder, call)?;
    // Ranges in double precision, so that integers keep theirs; the scaling itself rounds.
    let args = Args::default().arg(x).arg(key).with("output_dtype", DType::Float64);
    let scope = Scope::plain("vocab_", scope);
    let found = key_file::analyze(builder, call, &MIN_AND_MAX_PER_KEY, args, &scope)?;
    let index = builder.one(KEY_INDEX.name, Args::default().arg(key).arg(found[0]))?;
    let mut at = |values| builder.one(VALUE_AT_INDEX.name, Args::default().arg(values).arg(index));
    let (min, max) = (at(found[1])?, at(found[2])?);
    let args = Args::default().arg(x).arg(min).arg(max);
    let args = keep.iter().fold(args, |args, name| args.with(name, call.get(name)));
    builder.call(MIN_MAX_SCALE.name, args)
}

struct MinAndMax {
    pairs: Pairs,
    dtype: DType,
    /// How its numbers are written in the file.
    written: DType,
    file: Option<KeyFile>,
}

impl Keyed<Extremes> for MinAndMax {
    fn name(&self) -> &'static str {
        MIN_AND_MAX_PER_KEY.name
    }

    fn add(&self, table: &mut KeyTable<Extremes>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        self.pairs.each(input, |key, x| group.update(key, |pair| pair.add(x)));
        Ok(())
    }

    fn finish(
        self: Arc<Self>,
        group: Vec<u8>,
        blocks: &PCollection<KeyedBlock<Extremes>>,
    ) -> Pending {
        let (keys, dtype) = (self.pairs.keys, self.dtype);
        gather(
            MIN_AND_MAX_PER_KEY.name,
            group,
            blocks,
            |found: &mut Vec<(ByteBuf, f64, f64)>, key, ends| {
                found.push((ByteBuf::from(key), ends.min, ends.max));
            },
            |found, mut other| found.append(&mut other),
            move |found| {
                let line = |min: f64, max| key_file::pair(self.written, -min, max);
                two_by_key(keys, dtype, found, self.file.as_ref(), line)
            },
        )
    }
}
