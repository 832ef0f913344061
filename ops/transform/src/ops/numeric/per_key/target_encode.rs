//! `tft.target_encode`: a key as the mean of a label, out of fold while training.

use std::sync::Arc;

use engine::{KeyTable, KeyedBlock, PCollection, Result};
use serde_bytes::ByteBuf;

use super::key_index::KEY_INDEX;
use super::{KEY, by_key, bytes_of, key_dtype, keys_tensor};
use crate::analyzer::{Analyzer, Columns, Keyed, Pending, Sums, gather};
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, Out};
use crate::op::{Args, Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::{Broadcast, number, of_dtype, together};
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};

const SMOOTHING: Param = Param {
    name: "smoothing",
    takes: Takes::Float,
    default: Default::Float(10.0),
    doc: "how many rows of the overall mean are added to each key",
};
const K_FOLDS: Param = Param {
    name: "k_folds",
    takes: Takes::Int,
    default: Default::Int(5),
    doc: "how many folds, from 2 to 1,024",
};
const LABEL: Param = Param {
    name: "label",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a number for each row",
};

/// The mapper with its analyzer.
pub(in crate::ops) const TARGET_ENCODE: Op = Op {
    name: "tft.target_encode",
    doc: "keys as smoothed means of a label, each row without the labels of its own fold",
    semantics: "(sum of labels + smoothing * overall mean) / (count + smoothing), in float32. A row's fold \
        is Fingerprint64(fold_key) mod k_folds, so it depends on the row alone: in training a row is \
        encoded by the labels of other folds, its own is not among them. A row with no fold key (an empty \
        list: a serving request) is encoded by all labels. A fold key that is sent while serving picks a \
        fold, too, and leaves its labels out. Without `fold_key` all labels count everywhere, and a \
        model trained on the same rows sees its own labels. A key that was not seen gives the overall \
        mean. Rows with a label that is NaN or infinite are not looked at. The label is needed in \
        analysis alone.",
    examples: &[
        "tft.target_encode(s, label, fold_key=ss)",
        "tft.target_encode(k, y)",
        "tft.target_encode(ns, x, smoothing=0.0, k_folds=3, fold_key=n)",
    ],
    params: &[
        KEY_AS_X,
        LABEL,
        SMOOTHING,
        K_FOLDS,
        Param {
            name: "fold_key",
            takes: Takes::Value { like: "" },
            default: Default::None,
            doc: "what tells rows apart: strings or integers, one for each row or a list",
        },
    ],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        let folds = Args::default().with("k_folds", call.get("k_folds"));
        let mut statistics = Args::default().arg(x).arg(call.value("label")?);
        let fold = match call.opt_value("fold_key") {
            None => None,
            Some(key) => Some(builder.one(FOLD.name, folds.with("key", key))?),
        };
        if let Some(fold) = fold {
            statistics = statistics.with("fold", fold).with("k_folds", call.get("k_folds"));
        }
        let found = builder.call(TARGET_STATISTICS.name, statistics)?;
        let index = builder.one(KEY_INDEX.name, Args::default().arg(x).arg(found[0]))?;
        let args = Args::default().arg(index).arg(found[1]).arg(found[2]);
        let args = args.with("smoothing", call.get("smoothing"));
        let args = match fold {
            None => args,
            Some(fold) => args.with("fold", fold),
        };
        builder.call(TARGET_ENCODING.name, args)
    }),
};

const KEY_AS_X: Param = Param { name: "x", ..KEY };

/// Which fold a row is in.
pub(in crate::ops) const FOLD: Op = Op {
    name: "tft.fold",
    doc: "the number of a row's fold, from a hash of its key",
    semantics: "int64: Fingerprint64(key) mod k_folds, of an integer's decimal text; of the first key of a \
        list, and -1 for an empty one.",
    examples: &["tft.fold(s, 5)", "tft.fold(ns, 2)", "tft.fold(ss)", "tft.fold(n)"],
    params: &[KEY, K_FOLDS],
    kind: Kind::Map {
        types: |call| {
            key_dtype(call)?;
            folds(call)?;
            let key = call.ty("key")?;
            match key.shape.as_slice() {
                [] | [Dim::Var] => {
                    Ok(vec![Type { dtype: DType::Int64, shape: Vec::new(), ..key.clone() }])
                }
                _ => Err(call.wrong_type("key", "one key for each row, or a list,")),
            }
        },
        kernel: |call| {
            let folds = folds(call)? as u64;
            Ok(function(move |_, inputs| {
                let key = inputs[0];
                let mut text = String::new();
                let mut fold = |i: usize| {
                    let hash = match &key.values {
                        Values::String(keys) => farmhash::fingerprint64(keys.get(i)),
                        _ => {
                            use std::fmt::Write;
                            text.clear();
                            // Writing to a string cannot fail.
                            let _ = write!(text, "{}", key.ints()[i]);
                            farmhash::fingerprint64(text.as_bytes())
                        }
                    };
                    (hash % folds) as i64
                };
                let found: Vec<i64> = match key.splits.first() {
                    None => (0..key.values.len()).map(fold).collect(),
                    Some(splits) => splits
                        .windows(2)
                        .map(|ends| if ends[0] < ends[1] { fold(ends[0] as usize) } else { -1 })
                        .collect(),
                };
                Ok(Tensor::dense(key.rows, found))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (key, int) = (call.ty("key")?, DType::Int64);
            let text = match key.dtype {
                DType::String => columns[0].values.clone(),
                dtype => nodes.typed("AsString", dtype, &[&columns[0].values]),
            };
            let attrs = [("num_buckets", Attr::I(folds(call)?))];
            let found = nodes.node("StringToHashBucketFast", &[&text], attrs);
            let Some(splits) = columns[0].splits.first() else { return Ok(vec![found.into()]) };
            // The first of each list; behind all of them what an empty one has.
            let lengths = nodes.lengths(splits);
            let n = nodes.size(&lengths, int);
            let rows = nodes.range(&n);
            let begins = nodes.gather(splits, int, &rows);
            let zero = nodes.scalar(0i64);
            let empty = nodes.typed("Equal", int, &[&lengths, &zero]);
            let size = nodes.size(&found, int);
            let at = nodes.select(&empty, &size, &begins, int);
            let none = nodes.list(vec![-1i64]);
            let all = nodes.concat(&[&found, &none], int, 0);
            Ok(vec![nodes.gather(&all, int, &at).into()])
        }),
    },
};

fn folds(call: &Call<'_>) -> Result<i64> {
    let folds = call.int_from("k_folds", 2)?;
    if folds > 1024 { Err(call.wrong("`k_folds` is more than 1,024")) } else { Ok(folds) }
}

/// Which fold each row is in, and how many there are.
const FOLD_OF_ROW: Param = Param {
    name: "fold",
    takes: Takes::Value { like: "" },
    default: Default::None,
    doc: "the number of each row's fold",
};

/// The analyzer.
pub(in crate::ops) const TARGET_STATISTICS: Op = Op {
    name: "tft.target_statistics",
    doc: "counts and sums of a label for each key, in each fold",
    semantics: "Keys, ascending by their bytes (integers by value); then float64 counts and exact sums, \
        of [key, fold], with one more fold at the end for rows that are in none. Labels that are NaN or \
        infinite are not looked at.",
    examples: &[
        "tft.target_encoding(n, tft.target_statistics(s, label)[1], tft.target_statistics(s, label)[2])",
    ],
    params: &[KEY, LABEL, FOLD_OF_ROW, K_FOLDS],
    kind: Kind::Analyze {
        types: |call| {
            let statistics = Statistics::of(call)?;
            let values = [Dim::Var, Dim::Fixed(statistics.columns as u32)];
            let values = Type::constant(DType::Float64, values);
            let keys = Type::constant(statistics.keys, [Dim::Var]);
            Ok(vec![keys, values.clone(), values])
        },
        analyzer: |call| Ok(Analyzer::Sums(Arc::new(Statistics::of(call)?))),
    },
};

struct Statistics {
    broadcast: Broadcast,
    keys: DType,
    /// Folds, and the rows that are in none.
    columns: usize,
}

impl Statistics {
    fn of(call: &Call<'_>) -> Result<Self> {
        let keys = key_dtype(call)?;
        number(call, "label")?;
        let (names, columns): (&[&str], i64) = if call.opt_ty("fold").is_some() {
            of_dtype(call, "fold", DType::Int64)?;
            (&["key", "label", "fold"], folds(call)? + 1)
        } else {
            (&["key", "label"], 1)
        };
        let (ty, broadcast) = together(call, names)?;
        if ty.shape != call.ty("key")?.shape {
            return Err(call.wrong("`label` has more dimensions than the keys"));
        }
        Ok(Statistics { broadcast, keys, columns: columns as usize })
    }
}

type Found = Vec<(ByteBuf, Vec<(u64, f64)>)>;

impl Keyed<Sums> for Statistics {
    fn name(&self) -> &'static str {
        TARGET_STATISTICS.name
    }

    fn add(&self, table: &mut KeyTable<Sums>, group: &[u8], input: &Columns) -> Result<()> {
        let operands: Vec<&Tensor> = input.tensors.iter().collect();
        let at = |operand| self.broadcast.indices(operand, input.rows, &operands);
        let (label_at, labels) = (at(1), operands[1].to_doubles());
        let fold_at = operands.get(2).map(|fold| (at(2), fold.ints()));
        let group = table.group(group);
        let mut key = Vec::new();
        for i in 0..operands[0].values.len() {
            let label = labels[label_at.at(i)];
            if !label.is_finite() {
                continue;
            }
            key.clear();
            match &operands[0].values {
                Values::String(keys) => key.extend_from_slice(keys.get(i)),
                _ => key.extend_from_slice(&bytes_of(operands[0].ints()[i])),
            }
            let none = self.columns - 1;
            let fold =
                fold_at.as_ref().and_then(|(at, folds)| usize::try_from(folds[at.at(i)]).ok());
            let fold = fold.filter(|fold| *fold < none).unwrap_or(none);
            // Two bytes at the end, which every key has.
            key.extend_from_slice(&(fold as u16).to_be_bytes());
            group.update(&key, |sums| sums.add(&[label]));
        }
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<Sums>>) -> Pending {
        gather(
            TARGET_STATISTICS.name,
            group,
            blocks,
            |found: &mut Vec<(ByteBuf, u64, f64)>, key, sums| {
                let sum = sums.sums.first().map_or(0.0, ops::sketch::ExactSum::value);
                found.push((ByteBuf::from(key), sums.n, sum));
            },
            |found, mut other| found.append(&mut other),
            move |mut found| {
                found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                let mut by_keys: Found = Vec::new();
                for (pair, n, sum) in &found {
                    let Some((key, fold)) = pair.split_last_chunk::<2>() else { continue };
                    let fold = usize::from(u16::from_be_bytes(*fold));
                    if by_keys.last().is_none_or(|(last, _)| last.as_slice() != key) {
                        by_keys.push((ByteBuf::from(key), vec![(0, 0.0); self.columns]));
                    }
                    if let Some((_, folds)) = by_keys.last_mut()
                        && let Some(slot) = folds.get_mut(fold)
                    {
                        *slot = (*n, *sum);
                    }
                }
                let keys = by_keys.iter().map(|(key, _)| key.as_slice());
                let keys = keys_tensor(self.keys, keys)?;
                let all = by_keys.iter().flat_map(|(_, folds)| folds);
                let (counts, sums): (Vec<f64>, Vec<f64>) =
                    all.map(|(n, sum)| (*n as f64, *sum)).unzip();
                let n = by_keys.len();
                Ok(vec![keys, by_key(n, counts)?, by_key(n, sums)?])
            },
        )
    }
}

/// The row-local half.
pub(in crate::ops) const TARGET_ENCODING: Op = Op {
    name: "tft.target_encoding",
    doc: "places of keys as smoothed means, each without the sums of a fold",
    semantics: "As `tft.target_encode`: (sum + smoothing * overall mean) / (count + smoothing) of all folds \
        but the row's; of all where it is in none.",
    examples: &[
        "tft.target_encoding(n, [[3.0, 1.0, 0.0]], [[2.0, 1.0, 0.0]], fold=k)",
        "tft.target_encoding(ns, [[2.0], [1.0]], [[1.0], [1.0]], smoothing=0.0)",
    ],
    params: &[
        Param {
            name: "index",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "places of keys from 0",
        },
        Param {
            name: "counts",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "constant counts by key and fold, the last for rows in none",
        },
        Param {
            name: "sums",
            takes: Takes::Value { like: "counts" },
            default: Default::Required,
            doc: "constant sums of labels by key and fold",
        },
        FOLD_OF_ROW,
        SMOOTHING,
    ],
    kind: Kind::Map {
        types: |call| {
            of_dtype(call, "index", DType::Int64)?;
            smoothing(call)?;
            for name in ["counts", "sums"] {
                let ty = number(call, name)?;
                if !ty.constant || !matches!(ty.shape.as_slice(), [_, Dim::Fixed(_)]) {
                    return Err(call.wrong_type(name, "a constant of [key, fold]"));
                }
            }
            let ty = operands(call)?.0;
            if ty.shape != call.ty("index")?.shape {
                return Err(call.wrong("`fold` has more dimensions than the keys"));
            }
            Ok(vec![ty.with_dtype(DType::Float32)])
        },
        kernel: target_encoding,
        domain: None,
        keeps: "index",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(encoded),
    },
};

fn smoothing(call: &Call<'_>) -> Result<f64> {
    let smoothing = call.opt_float("smoothing").unwrap_or_default();
    if smoothing >= 0.0 && smoothing.is_finite() {
        Ok(smoothing)
    } else {
        Err(call.wrong(format!("`smoothing` is {smoothing}; 0 or more is wanted")))
    }
}

fn operands(call: &Call<'_>) -> Result<(Type, Broadcast)> {
    if call.opt_ty("fold").is_some() {
        of_dtype(call, "fold", DType::Int64)?;
        together(call, &["index", "fold"])
    } else {
        together(call, &["index"])
    }
}

fn target_encoding(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let broadcast = operands(call)?.1;
    let columns = match call.ty("counts")?.shape.last() {
        Some(Dim::Fixed(n)) => *n as usize,
        _ => 0,
    };
    let counts = call.constant("counts")?.to_doubles();
    let sums = call.constant("sums")?.to_doubles();
    let table = table(&counts, &sums, columns, smoothing(call)?);
    Ok(function(move |rows, inputs| {
        // `fold` comes after the constants.
        let met: Vec<&Tensor> =
            [Some(&inputs[0]), inputs.get(3)].into_iter().flatten().copied().collect();
        let folds = (met.len() > 1).then(|| broadcast.expand::<i64>(1, rows, &met));
        let none = columns.saturating_sub(1);
        let place = |i: usize, key: i64| {
            let fold = folds.as_ref().and_then(|folds| usize::try_from(folds[i]).ok());
            let fold = fold.filter(|fold| *fold < none).unwrap_or(none);
            let unseen = table.len() - columns;
            let key = usize::try_from(key).ok().and_then(|key| key.checked_mul(columns));
            key.filter(|key| *key < unseen).unwrap_or(unseen) + fold
        };
        let keys = inputs[0].ints().iter().enumerate();
        let found: Vec<f32> =
            keys.map(|(i, key)| table.get(place(i, *key)).copied().unwrap_or(0.0)).collect();
        Ok(broadcast.result(rows, &met, found))
    }))
}

/// The encoding of each key without each fold, the last without none; then those of unseen keys.
fn table(counts: &[f64], sums: &[f64], columns: usize, smoothing: f64) -> Vec<f32> {
    if columns == 0 {
        return Vec::new();
    }
    let rows = || counts.chunks_exact(columns).zip(sums.chunks_exact(columns));
    // Of one row of counts or sums: all, but one column; the last column is no fold.
    let without = |row: &[f64], fold: usize| -> f64 {
        let others = row.iter().enumerate();
        others.filter(|(i, _)| *i != fold || fold == columns - 1).map(|(_, value)| value).sum()
    };
    let mut table = Vec::with_capacity(counts.len() + columns);
    let means: Vec<f64> = (0..columns)
        .map(|fold| {
            let n: f64 = rows().map(|(n, _)| without(n, fold)).sum();
            let sum: f64 = rows().map(|(_, sum)| without(sum, fold)).sum();
            if n > 0.0 { sum / n } else { 0.0 }
        })
        .collect();
    for (n, sum) in rows() {
        for (fold, mean) in means.iter().enumerate() {
            let (n, sum) = (without(n, fold) + smoothing, without(sum, fold));
            let encoded = if n > 0.0 { (sum + smoothing * mean) / n } else { *mean };
            table.push(encoded as f32);
        }
    }
    table.extend(means.iter().map(|mean| *mean as f32));
    table
}

fn encoded(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let int = DType::Int64;
    let width = match call.ty("counts")?.shape.last() {
        Some(Dim::Fixed(n)) => i64::from(*n),
        _ => 0,
    };
    let counts = call.constant("counts")?.to_doubles();
    let sums = call.constant("sums")?.to_doubles();
    let table = table(&counts, &sums, width as usize, smoothing(call)?);
    let n_keys = counts.len() as i64 / width.max(1);
    let params = if call.opt_ty("fold").is_some() { &["index", "fold"][..] } else { &["index"] };
    let (operands, structure, _) = nodes.operands(call, params, columns)?;
    let [zero, unseen, none] = [0, n_keys, width - 1].map(|n| nodes.scalar(n));
    // A key or fold that is not there has the last row or column.
    let or_last = |nodes: &mut Nodes, x: &Out, n: &Out| {
        let there = nodes.within(x, &zero, n);
        nodes.select(&there, x, n, int)
    };
    let row = or_last(nodes, &operands[0], &unseen);
    let column = match operands.get(1) {
        Some(fold) => or_last(nodes, fold, &none),
        None => none.clone(),
    };
    let width = nodes.scalar(width);
    let begins = nodes.ints("Mul", &row, &width);
    let at = nodes.ints("AddV2", &begins, &column);
    let values = nodes.at(&table.into(), &at);
    Ok(vec![Column { values, ..structure }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Literal;
    use crate::ops::numeric::testing::map;
    use crate::tensor::{Strings, splits_of};

    #[test]
    fn a_row_does_not_see_its_own_fold() {
        // Key 0: fold 0 has 2 labels that sum to 2, fold 1 has 2 of 0; key 1: one of 1 in fold 1.
        let counts = [2.0, 2.0, 0.0, 0.0, 1.0, 0.0];
        let sums = [2.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let found = table(&counts, &sums, 3, 0.0);
        let key_0 = [0.0, 1.0, 0.5];
        let key_1 = [1.0, 1.0, 1.0];
        let unseen = [1.0f32 / 3.0, 1.0, 0.6];
        assert_eq!(found, [key_0, key_1, unseen].concat());
        // With one row of the overall mean for each key.
        let found = table(&counts, &sums, 3, 1.0);
        assert_eq!(found[2], (2.0 + 0.6f32) / 5.0);
    }

    #[test]
    fn places_are_encoded() {
        let index = (Type::scalar(DType::Int64), Tensor::dense(4, vec![0i64, 0, 0, -1]));
        let fold = (Type::scalar(DType::Int64), Tensor::dense(4, vec![0i64, 1, -1, -1]));
        let rows = |values: [f64; 3]| Literal::List(vec![Literal::from(values.to_vec())]);
        let found = map("tft.target_encoding", &[index, fold], |v| {
            let args = Args::default().arg(v[0]).arg(rows([1.0, 3.0, 0.0]));
            args.arg(rows([1.0, 0.0, 0.0])).arg(v[1]).with("smoothing", 0.0)
        });
        assert_eq!(found.floats(), [0.0, 1.0, 0.25, 0.25]);
    }

    #[test]
    fn folds_are_hashes_of_keys() {
        let splits = splits_of([1, 0, 2]).unwrap();
        let keys = Tensor::var_len(splits, Strings::from_iter(["7", "7", "x"]));
        let column = (Type::var_len(DType::String), keys);
        let found = map("tft.fold", &[column], |key| Args::default().arg(key[0]).arg(1000));
        let seven = (farmhash::fingerprint64(b"7") % 1000) as i64;
        assert_eq!(found.ints(), [seven, -1, seven]);
        let ints = (Type::scalar(DType::Int64), Tensor::dense(1, vec![7i64]));
        let found = map("tft.fold", &[ints], |key| Args::default().arg(key[0]).arg(1000));
        assert_eq!(found.ints(), [seven]);
    }
}
