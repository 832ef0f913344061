//! `tft.deduplicate_tensor_per_row`: each value of a row once.

use std::hash::BuildHasher;

use engine::Result;
use hashbrown::HashTable;

use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Out, Segments, of_type};
use crate::op::{Default, Kernel, Kind, Op, Param, Takes, function};
use crate::tensor::{StringsBuilder, Tensor, splits_of};
use crate::types::{DType, Dim, Type};

const X: Param = Param {
    name: "input_tensor",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a column with a list of strings or integers in each row",
};

/// Distinct values.
pub(in crate::ops) const DEDUPLICATE: Op = Op {
    name: "tft.deduplicate_tensor_per_row",
    doc: "the distinct values of each row",
    semantics: "In the order in which they first occur.",
    examples: &[
        "tft.deduplicate_tensor_per_row(ss)",
        "tft.deduplicate_tensor_per_row(ns)",
        "tft.deduplicate_tensor_per_row(nvec)",
        "tft.deduplicate_tensor_per_row(svec)",
    ],
    params: &[X],
    kind: Kind::Map {
        types: |call| {
            let ty = call.ty(X.name)?;
            let known = matches!(ty.dtype, DType::String | DType::Int64);
            if !known || ty.shape.len() != 1 || ty.constant {
                let wanted = "a column with a list of strings or integers in each row";
                return Err(call.wrong_type(X.name, wanted));
            }
            Ok(vec![Type::var_len(ty.dtype)])
        },
        kernel: |call| -> Result<Box<dyn Kernel>> {
            let ty = call.ty(X.name)?.clone();
            Ok(function(move |rows, inputs| match ty.dtype {
                DType::Int64 => {
                    let values = inputs[0].ints();
                    let (kept, lengths) = distinct(rows, inputs[0], &ty.shape, |i| values[i]);
                    let kept: Vec<i64> = kept.into_iter().map(|i| values[i as usize]).collect();
                    Ok(Tensor::var_len(splits_of(lengths)?, kept))
                }
                _ => {
                    let strings = inputs[0].strings();
                    let (kept, lengths) = distinct(rows, inputs[0], &ty.shape, |i| strings.get(i));
                    let mut out = StringsBuilder::with_capacity(kept.len(), 0);
                    kept.into_iter().for_each(|i| out.push(strings.get(i as usize)));
                    Ok(Tensor::var_len(splits_of(lengths)?, out.finish()?))
                }
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let ty = call.ty(X.name)?;
            let rows = Segments::of_rows(nodes, &columns[0], ty);
            // A number for each value, then one for each value of each row: both in order of occurrence.
            let (known, numbers) = unique(nodes, &rows.values, ty.dtype);
            let (n, one) = (nodes.size(&known, ty.dtype), nodes.scalar(1i64));
            let n = nodes.ints("Maximum", &n, &one);
            let keys = nodes.ints("Mul", &rows.ids, &n);
            let keys = nodes.ints("AddV2", &keys, &numbers);
            let (keys, _) = unique(nodes, &keys, DType::Int64);
            let row = nodes.ints("FloorDiv", &keys, &n);
            let number = nodes.ints("FloorMod", &keys, &n);
            let values = nodes.gather(&known, ty.dtype, &number);
            Ok(vec![Column { values, splits: vec![nodes.splits_by(&row, &rows.n)] }])
        }),
    },
};

/// Nodes of the distinct values of a list, and which of them each value is.
fn unique(nodes: &mut Nodes, x: &Out, dtype: DType) -> (Out, Out) {
    let axis = nodes.list(Vec::<i64>::new());
    let [int, dtype] = [DType::Int64, dtype].map(of_type);
    let unique = nodes.node(
        "UniqueV2",
        &[x, &axis],
        [("T", dtype), ("Taxis", int.clone()), ("out_idx", int)],
    );
    (unique.clone(), unique.port(1))
}

/// Longest row whose values are compared one with another.
const SHORT: usize = 16;

/// Which values stay, and how many in each row.
fn distinct<T: Eq + std::hash::Hash>(
    rows: usize,
    tensor: &Tensor,
    shape: &[Dim],
    value: impl Fn(usize) -> T,
) -> (Vec<u32>, Vec<usize>) {
    let ends = tensor.row_ends(shape);
    let hasher = foldhash::fast::FixedState::default();
    let mut kept: Vec<u32> = Vec::with_capacity(tensor.values.len());
    let mut lengths = Vec::with_capacity(rows);
    let mut seen: HashTable<u32> = HashTable::new();
    for row in 0..rows {
        let (range, first) = (ends.range(row), kept.len());
        if range.len() <= SHORT {
            for i in range {
                let this = value(i);
                if !kept[first..].iter().any(|&other| value(other as usize) == this) {
                    kept.push(i as u32);
                }
            }
        } else {
            seen.clear();
            let hash = |i: &u32| hasher.hash_one(value(*i as usize));
            for i in range {
                let this = value(i);
                let same = |other: &u32| value(*other as usize) == this;
                let entry = seen.entry(hasher.hash_one(&this), same, hash);
                if let hashbrown::hash_table::Entry::Vacant(place) = entry {
                    place.insert(i as u32);
                    kept.push(i as u32);
                }
            }
        }
        lengths.push(kept.len() - first);
    }
    (kept, lengths)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, ints, lists, texts};

    #[test]
    fn values_stay_where_they_first_occur() {
        let rows = [("ss", lists(&[4, 0, 2], texts(&["b", "", "b", "", "b", "a"])))];
        let expected = lists(&[2, 0, 2], texts(&["b", "", "b", "a"]));
        check("tft.deduplicate_tensor_per_row(ss)", &rows, expected);
        // Long rows are hashed.
        let many: Vec<i64> = (0..100).map(|i| (i * 7) % 30 - 3).collect();
        let mut expected = Vec::new();
        many.iter().for_each(|n| {
            if !expected.contains(n) {
                expected.push(*n);
            }
        });
        let rows = [("ns", lists(&[100, 1], ints(&[&many[..], &[4]].concat())))];
        let expected = lists(&[30, 1], ints(&[&expected[..], &[4]].concat()));
        check("tft.deduplicate_tensor_per_row(ns)", &rows, expected);
    }
}
