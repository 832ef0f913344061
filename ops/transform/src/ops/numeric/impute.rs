//! `tft.impute`, `tft.missing_indicator`: values for those that are missing.

use std::sync::Arc;

use engine::{KeyTable, KeyedBlock, PCollection, Result};
use ops::sketch::Quantiles;
use serde_bytes::ByteBuf;

use super::per_key::bytes_of;
use super::quantiles::{Boundaries, Of};
use super::{OUTPUT_DTYPE, X, float_of};
use crate::analyzer::{Analyzer, Columns, Keyed, Pending, gather};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Segments, result_type, sizes};
use crate::op::{Args, Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::Native;
use crate::tensor::{Strings, StringsBuilder, Tensor, Values};
use crate::types::{DType, Dim, Type};

const ANY: Param = Param { doc: "a column of numbers or strings", ..X };

/// The mapper with its analyzers.
pub(in crate::ops) const IMPUTE: Op = Op {
    name: "tft.impute",
    doc: "a column without missing values: they become the mean, median, mode or a constant",
    semantics: "Lists of a row become its first value that is not NaN, or the value that stands in; in \
        other columns NaN is replaced. `mean` and `median` are of the values that there are, rounded \
        for integers (ties to even); `mode` is the most frequent value, the least of equally frequent \
        ones; `constant` is `fill_value`. Strings take `mode` and `constant`. Without values in \
        analysis 0 or the empty string stands in.",
    examples: &[
        "tft.impute(xs)",
        "tft.impute(x, strategy=\"median\")",
        "tft.impute(ns, strategy=\"mode\")",
        "tft.impute(ss, strategy=\"constant\", fill_value=\"unknown\")",
        "tft.impute(vec, \"constant\", -1.0)",
    ],
    params: &[
        ANY,
        Param {
            name: "strategy",
            takes: Takes::Str,
            default: Default::Str("mean"),
            doc: "`mean`, `median`, `mode` or `constant`",
        },
        Param {
            name: "fill_value",
            takes: Takes::Literal,
            default: Default::None,
            doc: "what stands in with `strategy=\"constant\"`",
        },
    ],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        let value = match call.opt_str("strategy").unwrap_or_default() {
            "constant" => {
                let dtype = builder.ty(x).dtype;
                builder
                    .literal(call.literal("fill_value"), Some(dtype))
                    .map_err(|e| call.wrong(format!("`fill_value`: {}", e.message())))?
            }
            "mean" => builder.one("tft.mean", Args::default().arg(x))?,
            "median" => builder.one(MEDIAN.name, Args::default().arg(x))?,
            "mode" => builder.one(MODE.name, Args::default().arg(x))?,
            other => {
                let wanted = "`mean`, `median`, `mode` or `constant` is wanted";
                return Err(call.wrong(format!("`strategy` is \"{other}\"; {wanted}")));
            }
        };
        builder.call(IMPUTE_WITH.name, Args::default().arg(x).arg(value))
    }),
};

/// The row-local half.
pub(in crate::ops) const IMPUTE_WITH: Op = Op {
    name: "tft.impute_with",
    doc: "a column in which a given value stands in for those that are missing",
    semantics: "As `tft.impute`: [var] becomes one value for each row.",
    examples: &[
        "tft.impute_with(xs, 1.5)",
        "tft.impute_with(ns, 7)",
        "tft.impute_with(ss, \"?\")",
        "tft.impute_with(d, 0.0)",
    ],
    params: &[
        ANY,
        Param {
            name: "value",
            takes: Takes::Value { like: "x" },
            default: Default::Required,
            doc: "the constant that stands in",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let (x, value) = (one_each(call)?, call.ty("value")?);
            let fits = if x.dtype == DType::String {
                value.dtype == DType::String
            } else {
                x.dtype.is_number() && value.dtype.is_number()
            };
            if !fits || !value.constant || !value.is_scalar() {
                return Err(call.wrong_type("value", &format!("a constant {}", x.dtype)));
            }
            Ok(vec![x])
        },
        kernel: |call| {
            let (list, value) = (call.ty("x")?.n_var() > 0, call.constant("value")?);
            Ok(match call.ty("x")?.dtype {
                DType::String => strings(list, value.strings().clone()),
                DType::Int64 => {
                    let value = match &value.values {
                        Values::Int64(values) => values[0],
                        _ => value.to_doubles()[0].round_ties_even() as i64,
                    };
                    numbers(list, value, |_| false)
                }
                DType::Float32 => numbers(list, value.to_doubles()[0] as f32, f32::is_nan),
                _ => numbers(list, value.to_doubles()[0], f64::is_nan),
            })
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(imputed),
    },
};

/// Where values are missing.
pub(in crate::ops) const MISSING_INDICATOR: Op = Op {
    name: "tft.missing_indicator",
    doc: "1 where a value is missing, else 0",
    semantics: "int64. 1 for a row of a list without values that are not NaN; in other columns 1 for \
        NaN. Empty strings are values.",
    examples: &[
        "tft.missing_indicator(xs)",
        "tft.missing_indicator(ss)",
        "tft.missing_indicator(vec)",
        "tft.missing_indicator(n)",
    ],
    params: &[ANY],
    kind: Kind::Map {
        types: |call| Ok(vec![one_each(call)?.with_dtype(DType::Int64)]),
        kernel: |call| {
            let list = call.ty("x")?.n_var() > 0;
            Ok(function(move |_, inputs| {
                let missing: Vec<bool> = match &inputs[0].values {
                    Values::Float32(values) => values.iter().map(|value| value.is_nan()).collect(),
                    Values::Float64(values) => values.iter().map(|value| value.is_nan()).collect(),
                    values => vec![false; values.len()],
                };
                let found: Vec<i64> = if list {
                    let rows = inputs[0].splits[0].windows(2);
                    rows.map(|ends| {
                        missing[ends[0] as usize..ends[1] as usize].iter().all(|missing| *missing)
                    })
                    .map(i64::from)
                    .collect()
                } else {
                    missing.into_iter().map(i64::from).collect()
                };
                Ok(Tensor::dense(inputs[0].rows, found))
            }))
        },
        domain: Some(|_| Some((0, 1))),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let x = call.ty("x")?;
            let groups = Segments::of_rows(nodes, &columns[0], x);
            let missing = nodes.missing(&groups.values, x.dtype);
            let missing = match x.n_var() {
                0 => missing,
                _ => groups.any(nodes, "Min", &missing),
            };
            let found = nodes.cast(&missing, DType::Bool, DType::Int64);
            Ok(vec![nodes.reshape(&found, DType::Int64, &sizes(&result_type(call)?)).into()])
        }),
    },
};

/// The type with one value for each list.
fn one_each(call: &Call<'_>) -> Result<Type> {
    let x = call.ty("x")?;
    match x.shape.as_slice() {
        [Dim::Var] => Ok(Type { shape: Vec::new(), ..x.clone() }),
        shape if !shape.contains(&Dim::Var) => Ok(x.clone()),
        _ => Err(call.wrong_type("x", "a column of single values, vectors or lists")),
    }
}

fn numbers<T: Native>(list: bool, fill: T, missing: fn(T) -> bool) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let (x, values) = (inputs[0], T::of(inputs[0]));
        let or_fill = |value: &T| if missing(*value) { fill } else { *value };
        let found: Vec<T> = if list {
            let rows = x.splits[0].windows(2);
            let first = |ends: &[i32]| {
                let row = &values[ends[0] as usize..ends[1] as usize];
                row.iter().copied().find(|value| !missing(*value)).unwrap_or(fill)
            };
            rows.map(first).collect()
        } else {
            values.iter().map(or_fill).collect()
        };
        Ok(Tensor::dense(x.rows, T::values(found)))
    })
}

fn strings(list: bool, fill: Strings) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let x = inputs[0];
        if !list {
            return Ok(x.clone());
        }
        let values = x.strings();
        let mut found = StringsBuilder::with_capacity(x.rows, values.bytes().len());
        for ends in x.splits[0].windows(2) {
            found.push(if ends[0] < ends[1] { values.get(ends[0] as usize) } else { fill.get(0) });
        }
        Ok(Tensor::dense(x.rows, found.finish()?))
    })
}

/// The middle value.
pub(in crate::ops) const MEDIAN: Op = Op {
    name: "tft.median",
    doc: "the median of all values of a column",
    semantics: "One of the values, the greater of the middle two: the boundary of `tft.quantiles` for two \
        buckets, with an epsilon of 0.01 and without rounding values to float32. NaN and missing values \
        are not looked at. Without values 0.",
    examples: &["x - tft.median(x)", "n - tf.cast(tft.median(ns), tf.int64)"],
    params: &[X, OUTPUT_DTYPE],
    kind: Kind::Analyze {
        types: |call| Ok(vec![Type::constant(float_of(call)?, [])]),
        analyzer: |call| {
            let dtype = float_of(call)?;
            let f =
                Boundaries { positions: 1, num_buckets: 2, epsilon: 0.01, dtype, weights: None };
            let push = |quantiles: &mut Quantiles<u64>, x, _| quantiles.push(x);
            Ok(Analyzer::Global(Box::new(Of { f, push })))
        },
    },
};

/// The most frequent value.
pub(in crate::ops) const MODE: Op = Op {
    name: "tft.mode",
    doc: "the most frequent value of a column",
    semantics: "The least of equally frequent values; strings compare as bytes. NaN and missing values are \
        not looked at; zeros are one value. Without values 0 or the empty string.",
    examples: &["x - tft.mode(xs)", "n - tft.mode(n)", "d - tft.mode(d)"],
    params: &[ANY],
    kind: Kind::Analyze {
        types: |call| {
            let x = call.ty("x")?;
            if !x.dtype.is_number() && x.dtype != DType::String {
                return Err(call.wrong_type("x", "a column of numbers or strings"));
            }
            Ok(vec![Type::constant(x.dtype, [])])
        },
        analyzer: |call| Ok(Analyzer::Counts(Arc::new(Mode { dtype: call.ty("x")?.dtype }))),
    },
};

struct Mode {
    dtype: DType,
}

impl Keyed<u64> for Mode {
    fn name(&self) -> &'static str {
        MODE.name
    }

    fn add(&self, table: &mut KeyTable<u64>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        match &input.tensors[0].values {
            Values::String(values) => {
                values.iter().for_each(|value| group.update(value, |n| *n += 1));
            }
            Values::Int64(values) => {
                values.iter().for_each(|value| group.update(&bytes_of(*value), |n| *n += 1));
            }
            _ => {
                for value in input.tensors[0].to_doubles() {
                    if !value.is_nan() {
                        group.update(&bytes_of_float(value + 0.0), |n| *n += 1);
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<u64>>) -> Pending {
        let dtype = self.dtype;
        gather(
            MODE.name,
            group,
            blocks,
            |best: &mut Option<(u64, ByteBuf)>, key, n| keep(best, (*n, ByteBuf::from(key))),
            |best, other| {
                if let Some(other) = other {
                    keep(best, other);
                }
            },
            move |best| {
                let key = best.map(|(_, key)| key.into_vec());
                Ok(vec![Tensor::dense(1, value_of(dtype, key.as_deref()))])
            },
        )
    }
}

/// Keeps the least key of the best count.
fn keep(best: &mut Option<(u64, ByteBuf)>, one: (u64, ByteBuf)) {
    let better = |best: &(u64, ByteBuf)| one.0 > best.0 || one.0 == best.0 && one.1 < best.1;
    if best.as_ref().is_none_or(better) {
        *best = Some(one);
    }
}

/// A float as bytes of the same order.
fn bytes_of_float(value: f64) -> [u8; 8] {
    let bits = value.to_bits();
    (if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }).to_be_bytes()
}

/// The value of a key.
fn value_of(dtype: DType, key: Option<&[u8]>) -> Values {
    let bits = key.and_then(|key| <[u8; 8]>::try_from(key).ok()).map(u64::from_be_bytes);
    let float = || {
        let bits = bits.map(|bits| if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits });
        bits.map_or(0.0, f64::from_bits)
    };
    match dtype {
        DType::Int64 => vec![bits.map_or(0, |bits| (bits ^ 1 << 63) as i64)].into(),
        DType::Float32 => vec![float() as f32].into(),
        DType::Float64 => vec![float()].into(),
        _ => Strings::from_iter([key.unwrap_or_default()]).into(),
    }
}

fn imputed(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (x, int) = (call.ty("x")?, DType::Int64);
    let fill: Values = match (x.dtype, &call.constant("value")?.values) {
        (DType::Int64, Values::Float32(_) | Values::Float64(_)) => {
            let value = call.constant("value")?.to_doubles()[0];
            vec![value.round_ties_even() as i64].into()
        }
        (DType::Float32, _) => vec![call.constant("value")?.to_doubles()[0] as f32].into(),
        (DType::Float64, _) => vec![call.constant("value")?.to_doubles()[0]].into(),
        (_, values) => values.clone(),
    };
    let shape = sizes(&result_type(call)?);
    if x.n_var() == 0 {
        let fill = nodes.constant(&fill, &[]);
        let missing = nodes.missing(&columns[0].values, x.dtype);
        return Ok(vec![nodes.select(&missing, &fill, &columns[0].values, x.dtype).into()]);
    }
    // The first value that is there, or what stands behind all of them.
    let groups = Segments::of_rows(nodes, &columns[0], x);
    let size = nodes.size(&groups.values, x.dtype);
    let all = nodes.range(&size);
    let missing = nodes.missing(&groups.values, x.dtype);
    let places = nodes.select(&missing, &size, &all, int);
    let first = groups.fold(nodes, "Min", &places, int);
    let first = nodes.ints("Minimum", &first, &size);
    let fill = nodes.constant(&fill, &[1]);
    let values = nodes.concat(&[&groups.values, &fill], x.dtype, 0);
    let values = nodes.gather(&values, x.dtype, &first);
    Ok(vec![nodes.reshape(&values, x.dtype, &shape).into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::{combine, map};
    use crate::tensor::splits_of;

    #[test]
    fn missing_values_are_filled() {
        let nan = f32::NAN;
        let lists = || {
            let splits = splits_of([0, 1, 2, 1]).unwrap();
            (Type::var_len(DType::Float32), Tensor::var_len(splits, vec![1.0, nan, 2.0, nan]))
        };
        let found = map("tft.impute_with", &[lists()], |x| Args::default().arg(x[0]).arg(9.0));
        assert_eq!(found.floats(), [9.0, 1.0, 2.0, 9.0]);
        let found = map("tft.missing_indicator", &[lists()], |x| Args::default().arg(x[0]));
        assert_eq!(found.ints(), [1, 0, 0, 1]);
        let dense = (Type::scalar(DType::Float32), Tensor::dense(2, vec![nan, f32::INFINITY]));
        let found = map("tft.impute_with", &[dense], |x| Args::default().arg(x[0]).arg(9.0));
        assert_eq!(found.floats(), [9.0, f32::INFINITY]);
        let splits = splits_of([0, 2, 1]).unwrap();
        let texts = Tensor::var_len(splits, Strings::from_iter(["a", "b", ""]));
        let texts = (Type::var_len(DType::String), texts);
        let found = map("tft.impute_with", &[texts], |x| Args::default().arg(x[0]).arg("?"));
        assert_eq!(found.strings(), &Strings::from_iter(["?", "a", ""]));
    }

    #[test]
    fn the_best_key_does_not_depend_on_order() {
        let all = [(2, "b"), (3, "c"), (3, "a"), (1, "z"), (3, "b")];
        for turn in 0..all.len() {
            let mut turned = all;
            turned.rotate_left(turn);
            let mut best = None;
            turned.iter().for_each(|(n, key)| keep(&mut best, (*n, ByteBuf::from(key.as_bytes()))));
            assert_eq!(best, Some((3, ByteBuf::from(b"a"))));
        }
    }

    #[test]
    fn keys_of_numbers_come_back_in_order() {
        let floats = [f64::NEG_INFINITY, -2.5, 0.0, 1e-300, 7.0, f64::INFINITY];
        let keys: Vec<[u8; 8]> = floats.iter().map(|value| bytes_of_float(*value)).collect();
        assert!(keys.is_sorted());
        for (value, key) in floats.iter().zip(&keys) {
            assert_eq!(value_of(DType::Float64, Some(key)), vec![*value].into());
        }
        for value in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(value_of(DType::Int64, Some(&bytes_of(value))), vec![value].into());
        }
        assert_eq!(value_of(DType::Float32, None), vec![0f32].into());
        assert_eq!(value_of(DType::String, None), Strings::from_iter([""]).into());
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        let dtype = DType::Float64;
        let f = Boundaries { positions: 1, num_buckets: 2, epsilon: 0.01, dtype, weights: None };
        let push = |quantiles: &mut Quantiles<u64>, x, _| quantiles.push(x);
        let f = Of { f, push };
        let check = |values: &[f64], expected: f64| {
            let found = combine(&f, &[Tensor::dense(values.len(), values.to_vec())], 1);
            assert_eq!(found[0].doubles(), [expected], "{values:?}");
        };
        check(&[], 0.0);
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[3.0, 1.0, f64::NAN, 2.0, 0.1], 2.0);
    }
}
