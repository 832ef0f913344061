//! `tf.cross`, `tf.cross_hashed`: every combination of several columns' values.

use engine::{Error, ErrorKind, Result};

use super::super::params::{option, values};
use crate::export::Export;
use crate::export::tensorflow::{
    Attr, Column, DataType, Nodes, Out, Segments, column_of, of_text, of_type, of_types,
    sparse_parts,
};
use crate::hash::fingerprint64;
use crate::op::{Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::tensor::{RowEnds, StringsBuilder, Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

const VALUES: Param = values("values", "columns of strings or integers");

/// Combinations as text.
pub(in super::super) const CROSS: Op = Op {
    name: "tf.cross",
    doc: "every combination of several columns' values as one string",
    semantics: "In each row, with the last column's values changing fastest. Values are joined by \
        `separator`, `_X_` as in `tf.sparse.cross`; integers as decimals. No combination where a column \
        has no value.",
    examples: &["tf.cross([s, t])", "tf.cross([ss, n, svec], separator='|')", "tf.cross([ns, ss])"],
    params: &[
        VALUES,
        option("separator", Takes::Str, Default::Str("_X_"), "what stands between two values"),
    ],
    kind: Kind::Map {
        types: |call| types(call, DType::String),
        kernel: |call| {
            let separator = call.opt_str("separator").unwrap_or("").as_bytes().to_vec();
            Ok(crossed(call, move |inputs, for_each, n| {
                let mut out = StringsBuilder::with_capacity(n, n * 8);
                for_each(&mut |positions| {
                    for (i, (input, &at)) in inputs.iter().zip(positions).enumerate() {
                        let buffer = out.buffer();
                        if i > 0 {
                            buffer.extend_from_slice(&separator);
                        }
                        match &input.values {
                            Values::String(strings) => buffer.extend_from_slice(strings.get(at)),
                            _ => buffer.extend_from_slice(input.ints()[at].to_string().as_bytes()),
                        }
                    }
                    out.end();
                });
                Ok(out.finish()?.into())
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::Nodes(|nodes, call, columns| nodes.by(call, columns, product)),
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let separator = nodes.text(call.opt_str("separator").unwrap_or(""));
            let (parts, types) = sparse(nodes, call, columns);
            let fed: Vec<&Out> = parts.iter().chain([&separator]).collect();
            let attrs = [
                ("N", Attr::I(columns.len() as i64)),
                ("sparse_types", of_types(types)),
                ("dense_types", of_types([])),
            ];
            let crossed = nodes.node("SparseCrossV2", &fed, attrs);
            Ok(vec![combined(nodes, call, columns, &crossed)])
        }),
    },
};

/// Combinations as hashes.
pub(in super::super) const CROSS_HASHED: Op = Op {
    name: "tf.cross_hashed",
    doc: "every combination of several columns' values as a hash bucket",
    semantics: "In each row, with the last column's values changing fastest: the ids of \
        `tf.sparse.cross_hashed`. Beginning with `hash_key`, FarmHash's fingerprint of each string (an \
        integer itself) is mixed in by `FingerprintCat64`; the result is modulo `num_buckets`, or \
        modulo the greatest integer if that is 0.",
    examples: &[
        "tf.cross_hashed([s, t], 100)",
        "tf.cross_hashed([ss, n, svec])",
        "tf.cross_hashed([ns, key], num_buckets=7, hash_key=3)",
        "tf.cross_hashed([ss], hash_key=-1)",
    ],
    params: &[
        VALUES,
        option("num_buckets", Takes::Int, Default::Int(0), "how many buckets there are"),
        option(
            "hash_key",
            Takes::Int,
            Default::Int(0x00DE_CAFC_AFFE),
            "the first value of the hash",
        ),
    ],
    kind: Kind::Map {
        types: |call| {
            call.int_from("num_buckets", 0)?;
            types(call, DType::Int64)
        },
        kernel: |call| {
            let buckets = match call.int_from("num_buckets", 0)? {
                0 => i64::MAX as u64,
                n => n as u64,
            };
            let key = call.opt_int("hash_key").unwrap_or(0) as u64;
            Ok(crossed(call, move |inputs, for_each, n| {
                // A string's fingerprint is in many combinations.
                let hashes: Vec<Vec<u64>> =
                    inputs.iter().map(|input| fingerprints(input)).collect();
                let mut out: Vec<i64> = Vec::with_capacity(n);
                for_each(&mut |positions| {
                    let parts = hashes.iter().zip(positions).map(|(hashes, &at)| hashes[at]);
                    out.push((parts.fold(key, fingerprint_cat) % buckets) as i64);
                });
                Ok(out.into())
            }))
        },
        domain: Some(|call| match call.opt_int("num_buckets") {
            Some(n @ 1..) => Some((0, n - 1)),
            _ => None,
        }),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (parts, types) = sparse(nodes, call, columns);
            let fed: Vec<&Out> = parts.iter().collect();
            let attrs = [
                ("N", Attr::I(columns.len() as i64)),
                ("hashed_output", Attr::B(true)),
                ("num_buckets", Attr::I(call.int_from("num_buckets", 0)?)),
                ("hash_key", Attr::I(call.opt_int("hash_key").unwrap_or(0))),
                ("sparse_types", of_types(types)),
                ("dense_types", of_types([])),
                ("out_type", of_type(DType::Int64)),
                ("internal_type", of_type(DType::Int64)),
            ];
            let crossed = nodes.node("SparseCross", &fed, attrs);
            Ok(vec![combined(nodes, call, columns, &crossed)])
        }),
    },
};

fn types(call: &Call<'_>, dtype: DType) -> Result<Vec<Type>> {
    if call.types.is_empty() {
        return Err(call.wrong("`values` is empty"));
    }
    if let Some(ty) = call.types.iter().find(|ty| {
        !matches!(ty.dtype, DType::String | DType::Int64) || ty.shape.len() > 1 || ty.constant
    }) {
        return Err(call.wrong(format!(
            "one of `values` is {ty}; columns of strings or integers with one list in a row are wanted"
        )));
    }
    Ok(vec![Type::column(dtype, [Dim::Var])])
}

/// Most combinations of a batch.
const MOST: usize = 1 << 28;

/// Calls what it is given with the positions of each combination.
type ForEach<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&[usize]));

fn crossed(
    call: &Call<'_>,
    values: impl Fn(&[&Tensor], ForEach<'_>, usize) -> Result<Values> + Send + Sync + 'static,
) -> Box<dyn Kernel> {
    let shapes: Vec<Vec<Dim>> = call.types.iter().map(|ty| ty.shape.clone()).collect();
    function(move |rows, inputs| {
        let ends: Vec<RowEnds<'_>> =
            inputs.iter().zip(&shapes).map(|(input, shape)| input.row_ends(shape)).collect();
        let lengths = (0..rows)
            .map(|row| ends.iter().fold(1usize, |n, ends| n.saturating_mul(ends.range(row).len())));
        let n = lengths.clone().fold(0usize, usize::saturating_add);
        if n > MOST {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a cross has more than {MOST} values in a batch"),
            )
            .with_hint("Use fewer rows to a batch, or cut lists with `tf.slice`."));
        }
        let mut for_each = |f: &mut dyn FnMut(&[usize])| {
            for row in 0..rows {
                combinations(&ends, row, f);
            }
        };
        let values = values(inputs, &mut for_each, n)?;
        Ok(Tensor::var_len(splits_of(lengths)?, values))
    })
}

/// Calls `f` with every combination of positions in a row, the last one changing fastest.
fn combinations(ends: &[RowEnds<'_>], row: usize, f: &mut dyn FnMut(&[usize])) {
    let mut positions: Vec<usize> = ends.iter().map(|ends| ends.start(row)).collect();
    if ends.iter().any(|ends| ends.range(row).is_empty()) {
        return;
    }
    loop {
        f(&positions);
        let mut i = positions.len();
        loop {
            if i == 0 {
                return;
            }
            i -= 1;
            positions[i] += 1;
            if positions[i] < ends[i].start(row + 1) {
                break;
            }
            positions[i] = ends[i].start(row);
        }
    }
}

fn fingerprints(input: &Tensor) -> Vec<u64> {
    match &input.values {
        Values::String(strings) => strings.iter().map(fingerprint64).collect(),
        _ => input.ints().iter().map(|&value| value as u64).collect(),
    }
}

/// Columns as TensorFlow crosses them: all indices, all values, all shapes; and their types.
fn sparse(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
) -> (Vec<Out>, impl Iterator<Item = DataType>) {
    let (mut indices, mut values, mut shapes) = (Vec::new(), Vec::new(), Vec::new());
    for (column, ty) in columns.iter().zip(call.types) {
        let rows = Segments::of_rows(nodes, column, ty);
        let flat = rows.values;
        let splits = nodes.splits_by(&rows.ids, &rows.n);
        let lists = Column { values: flat.clone(), splits: vec![splits] };
        let (at, shape) = sparse_parts(nodes, &lists, &Type::var_len(ty.dtype));
        indices.push(at);
        values.push(flat);
        shapes.push(shape);
    }
    let types: Vec<DataType> = call.types.iter().map(|ty| ty.dtype.into()).collect();
    indices.append(&mut values);
    indices.append(&mut shapes);
    (indices, types.into_iter())
}

/// The column of what was crossed.
fn combined(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column], crossed: &Out) -> Column {
    let of = column_of(nodes, crossed, 0);
    let n = nodes.rows(&columns[0], &call.types[0]);
    Column { values: crossed.port(1), splits: vec![nodes.splits_by(&of, &n)] }
}

/// TensorFlow's `FingerprintCat64`, MurmurHash64A's mixing of two words.
fn fingerprint_cat(a: u64, b: u64) -> u64 {
    const MUL: u64 = 0xc6a4_a793_5bd1_e995;
    let mix = |v: u64| v ^ (v >> 47);
    let mut result = a ^ MUL;
    result ^= mix(b.wrapping_mul(MUL)).wrapping_mul(MUL);
    result = result.wrapping_mul(MUL);
    result = mix(result).wrapping_mul(MUL);
    mix(result)
}

/// Nodes of the combinations without `SparseCross`, which ONNX has not: places among a row's combinations,
/// and from these the place of each column's value.
#[expect(clippy::unnecessary_wraps, reason = "as emissions that may fail")]
fn product(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let int = DType::Int64;
    let groups: Vec<Segments> = columns
        .iter()
        .zip(call.types)
        .map(|(column, ty)| Segments::of_rows(nodes, column, ty))
        .collect();
    let counts: Vec<Out> = groups.iter().map(|group| group.counts(nodes)).collect();
    let (zero, one) = (nodes.scalar(0i64), nodes.scalar(1i64));
    let all = counts[1..].iter().fold(counts[0].clone(), |all, n| nodes.ints("Mul", &all, n));
    let (places, row) = nodes.ranges(&zero, &all);
    let (mut parts, mut rest) = (Vec::new(), places);
    for (group, counts) in groups.iter().zip(&counts).rev() {
        let n = nodes.gather(counts, int, &row);
        // Rows of none have no combination.
        let n = nodes.ints("Maximum", &n, &one);
        let place = nodes.ints("FloorMod", &rest, &n);
        rest = nodes.ints("FloorDiv", &rest, &n);
        let splits = nodes.splits_by(&group.ids, &group.n);
        let begins = nodes.gather(&splits, int, &row);
        let at = nodes.ints("AddV2", &begins, &place);
        let value = nodes.gather(&group.values, group.dtype, &at);
        parts.push(match group.dtype {
            DType::String => value,
            dtype => nodes.typed("AsString", dtype, &[&value]),
        });
    }
    let parts: Vec<&Out> = parts.iter().rev().collect();
    let separator = of_text(call.opt_str("separator").unwrap_or(""));
    let attrs = [("N", Attr::I(parts.len() as i64)), ("separator", separator)];
    let values = nodes.node("StringJoin", &parts, attrs);
    Ok(vec![Column { values, splits: vec![nodes.splits_by(&row, &groups[0].n)] }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, ints, lists, refused, texts};

    #[test]
    fn values_are_crossed() {
        let columns =
            [("ss", lists(&[2, 0], texts(&["a", "b"]))), ("ns", lists(&[2, 1], ints(&[1, -2, 3])))];
        let crossed = ["a_X_1", "a_X_-2", "b_X_1", "b_X_-2"];
        check("tf.cross([ss, ns])", &columns, lists(&[4, 0], texts(&crossed)));
        let s = [("s", texts(&["a"])), ("t", texts(&["b"]))];
        check("tf.cross([s, t, s], '-')", &s, lists(&[1], texts(&["a-b-a"])));
        refused(
            "tf.cross([s, x])",
            "`tf.cross`: one of `values` is float32; columns of strings or integers with one list in a row are wanted",
        );
    }

    #[test]
    fn hashes_are_those_of_tensorflow() {
        let t = bytes(&[b"\xff", &[b'x'; 70], b""]);
        let columns =
            [("ss", lists(&[1, 2, 0], texts(&[" ", "  a  b ", &"x".repeat(70)]))), ("t", t)];
        check(
            "tf.cross_hashed([ss, t], 1000)",
            &columns,
            lists(&[1, 2, 0], ints(&[624, 711, 663])),
        );
        check("tf.cross_hashed([ss, t], 1)", &columns, lists(&[1, 2, 0], ints(&[0; 3])));
    }
}
