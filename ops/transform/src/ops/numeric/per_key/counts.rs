//! `tft.count_per_key`: how often each key occurs, and its share of all.

use std::sync::Arc;

use engine::{KeyTable, KeyedBlock, PCollection, Result};
use serde_bytes::ByteBuf;

use super::key_file::{self, KEY_VOCABULARY_FILENAME, KeyFile};
use super::{KEY, by_key, bytes_of, key_dtype, keys_tensor};
use crate::analyzer::{Analyzer, Columns, Keyed, Pending, gather};
use crate::export::Export;
use crate::export::tensorflow::Column;
use crate::op::{Args, Call, Default, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::of_dtype;
use crate::ops::numeric::per_key::key_index::KEY_INDEX;
use crate::ops::vocabulary::names::Scope;
use crate::tensor::Values;
use crate::types::{DType, Dim, Type};

const SEMANTICS: &str = "Keys, ascending by their bytes (integers by value), then int64 counts in their \
    order. All values of a row count; missing ones do not. Empty strings are keys. With \
    `key_vocabulary_filename` the one result is the file as a vocabulary, whose lines are `COUNT KEY`: \
    `tft.apply_vocabulary` finds the places of its keys. A key with a line feed is not in the file.";

/// The counts, or a file of them.
pub(in crate::ops) const COUNT_PER_KEY: Op = Op {
    name: "tft.count_per_key",
    doc: "the keys of a column, and how often each occurs",
    semantics: SEMANTICS,
    examples: &[
        "tft.value_at_index(tft.count_per_key(ss)[1], n)",
        "tft.key_index(k, tft.count_per_key(ns)[0])",
        "tft.apply_vocabulary(s, tft.count_per_key(ss, key_vocabulary_filename='counts'))",
        "tft.apply_vocabulary(ns, tft.count_per_key(k, ''))",
    ],
    params: &[KEY, KEY_VOCABULARY_FILENAME],
    kind: Kind::Compose(|builder, call| {
        let args = Args::default().arg(call.value("key")?);
        let scope = Scope::plain("vocab_", "count_per_key");
        let found = key_file::analyze(builder, call, &ANALYZER, args, &scope)?;
        Ok(match found[..] {
            [_, _, file] => vec![file],
            _ => found,
        })
    }),
};

/// The analyzer alone.
pub(in crate::ops) const ANALYZER: Op = Op {
    name: "tft.count_per_key_analyzer",
    doc: "the analyzer of `tft.count_per_key`, which finds a name for its file",
    semantics: "Keys and counts, and the file as a third result if it has a name.",
    examples: &[
        "tft.value_at_index(tft.count_per_key_analyzer(ss)[1], n)",
        "tft.apply_vocabulary(ns, tft.count_per_key_analyzer(k, 'counts')[2])",
    ],
    params: &[KEY, KEY_VOCABULARY_FILENAME],
    kind: Kind::Analyze {
        types: |call| Ok(KeyFile::with_type(call, types(call)?)),
        analyzer: |call| {
            let (keys, file) = (key_dtype(call)?, KeyFile::of(call)?);
            Ok(Analyzer::Counts(Arc::new(Count { keys, as_text: false, file })))
        },
    },
};

/// The same in the order in which a histogram has its labels.
pub(in crate::ops) const CATEGORY_COUNTS: Op = Op {
    name: "tft.category_counts",
    doc: "the values of a column, and how often each occurs, integers in the order of their digits",
    semantics: "As `tft.count_per_key`, but integers are in the order of their decimal text (1, 10, \
        2), as TFT's categorical histograms have them.",
    examples: &["tft.value_at_index(tft.category_counts(ns)[1], n)"],
    params: &[KEY],
    kind: Kind::Analyze {
        types: |call| types(call),
        analyzer: |call| {
            let keys = key_dtype(call)?;
            Ok(Analyzer::Counts(Arc::new(Count { keys, as_text: true, file: None })))
        },
    },
};

fn types(call: &Call<'_>) -> Result<Vec<Type>> {
    let keys = Type::constant(key_dtype(call)?, [Dim::Var]);
    Ok(vec![keys, Type::constant(DType::Int64, [Dim::Var])])
}

/// The share of each key.
pub(in crate::ops) const KEY_SHARE: Op = Op {
    name: "tft.key_share",
    doc: "the share of all counts that each key has",
    semantics: "The key's count / sum of counts, in float32; 0 for a key that is not in the list, and \
        without counts.",
    examples: &["tft.key_share(s, [3, 1], [\"a\", \"\"])", "tft.key_share(ns, [3, 1], [7, -1])"],
    params: &[
        KEY,
        Param {
            name: "counts",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant count for each of `keys`",
        },
        Param {
            name: "keys",
            takes: Takes::Value { like: "key" },
            default: Default::Required,
            doc: "a constant list of keys",
        },
    ],
    kind: Kind::Compose(|builder, call| {
        let args = Args::default().arg(call.value("key")?).arg(call.value("keys")?);
        let index = builder.one(KEY_INDEX.name, args)?;
        builder.call(SHARE_AT_INDEX.name, Args::default().arg(call.value("counts")?).arg(index))
    }),
};

/// The row-local half.
pub(in crate::ops) const SHARE_AT_INDEX: Op = Op {
    name: "tft.share_at_index",
    doc: "the share of all counts at places of a constant list",
    semantics: "float32; 0 at a place that is not in the list, and where all counts are 0.",
    examples: &["tft.share_at_index([3, 1], n)", "tft.share_at_index([0, 0], ns)"],
    params: &[
        Param {
            name: "counts",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant list of counts",
        },
        Param {
            name: "index",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "places from 0",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let counts = of_dtype(call, "counts", DType::Int64)?;
            if !counts.constant || counts.shape.len() != 1 {
                return Err(call.wrong_type("counts", "a constant list of counts"));
            }
            Ok(vec![of_dtype(call, "index", DType::Int64)?.with_dtype(DType::Float32)])
        },
        kernel: |call| {
            let shares = shares(call)?;
            Ok(function(move |_, inputs| {
                let places = inputs[1].ints().iter();
                let found = places.map(|place| {
                    let place = usize::try_from(*place).ok();
                    place.and_then(|place| shares.get(place)).copied().unwrap_or_default()
                });
                Ok(inputs[1].with_values(found.collect::<Vec<f32>>()))
            }))
        },
        domain: None,
        keeps: "index",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let values = nodes.at(&shares(call)?.into(), &columns[1].values);
            Ok(vec![Column { values, ..columns[1].clone() }])
        }),
    },
};

struct Count {
    keys: DType,
    as_text: bool,
    file: Option<KeyFile>,
}

impl Keyed<u64> for Count {
    fn name(&self) -> &'static str {
        COUNT_PER_KEY.name
    }

    fn add(&self, table: &mut KeyTable<u64>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        match &input.tensors[0].values {
            Values::String(keys) => keys.iter().for_each(|key| group.update(key, |n| *n += 1)),
            Values::Int64(keys) => {
                keys.iter().for_each(|key| group.update(&bytes_of(*key), |n| *n += 1));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<u64>>) -> Pending {
        gather(
            COUNT_PER_KEY.name,
            group,
            blocks,
            |found: &mut Vec<(ByteBuf, u64)>, key, n| found.push((ByteBuf::from(key), *n)),
            |found, mut other| found.append(&mut other),
            move |mut found| {
                found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                let lines = || found.iter().map(|(key, n)| (key.as_slice(), n.to_string()));
                let file = self.file.as_ref().map(|file| file.tensor(lines())).transpose()?;
                let keys = found.iter().map(|(key, _)| key.as_slice());
                let mut keys = keys_tensor(self.keys, keys)?;
                let mut counts: Vec<i64> = found.iter().map(|(_, n)| *n as i64).collect();
                if self.as_text && self.keys == DType::Int64 {
                    let mut both: Vec<(String, i64, i64)> = keys
                        .ints()
                        .iter()
                        .zip(&counts)
                        .map(|(key, n)| (key.to_string(), *key, *n))
                        .collect();
                    both.sort_unstable();
                    counts = both.iter().map(|(_, _, n)| *n).collect();
                    let sorted: Vec<i64> = both.iter().map(|(_, key, _)| *key).collect();
                    keys = keys.with_values(sorted);
                }
                Ok([keys, by_key(counts.len(), counts)?].into_iter().chain(file).collect())
            },
        )
    }
}

/// Each count as a share of all.
fn shares(call: &Call<'_>) -> Result<Vec<f32>> {
    let counts = call.constant("counts")?.ints();
    let total = counts.iter().map(|count| *count as f32).sum::<f32>();
    let share = |count: &i64| if total == 0.0 { 0.0 } else { *count as f32 / total };
    Ok(counts.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Literal;
    use crate::ops::numeric::testing::map;
    use crate::ops::testing::refused;
    use crate::tensor::Tensor;

    #[test]
    fn counts_are_no_rows() {
        refused(
            "n + tft.count_per_key(s)[1]",
            "`math.add`: `y` is constant int64[var], as long as the data make it, for all rows",
        );
    }

    #[test]
    fn shares_of_keys() {
        let check = |counts: Vec<i64>, expected: &[f32]| {
            let column = (Type::scalar(DType::Int64), Tensor::dense(3, vec![7i64, -1, 0]));
            let found = map("tft.key_share", &[column], |key| {
                let args = Args::default().arg(key[0]).arg(Literal::from(counts));
                args.arg(Literal::from(vec![7i64, -1]))
            });
            assert_eq!(found.floats(), expected);
        };
        check(vec![3, 1], &[0.75, 0.25, 0.0]);
        check(vec![0, 0], &[0.0, 0.0, 0.0]);
    }
}
