//! `tft.bucketize_per_key`: buckets of about as many values each, of the values of each key.

use std::sync::Arc;

use engine::{KeyState, KeyTable, KeyedBlock, KeyedCombineFn, PCollection, Result, Sorted, order};
use ops::sketch::{Quantiles, Weight};

use super::key_index::KEY_INDEX;
use super::{KEY, Pairs, by_key, key_dtype, keys_tensor, x_and_key};
use crate::analyzer::{Analyzer, Columns, Keyed, Pending, Sums};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, sizes};
use crate::op::{Args, Call, Default, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::{Broadcast, number, of_dtype, together};
use crate::ops::numeric::X;
use crate::ops::numeric::buckets::{Compared, search};
use crate::ops::numeric::quantiles::{EPSILON, NUM_BUCKETS, WEIGHTS, epsilon, interior};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

/// The analyzer.
pub(in crate::ops) const QUANTILES_PER_KEY: Op = Op {
    name: "tft.quantiles_per_key",
    doc: "the boundaries that cut the values of each key into parts of equal weight",
    semantics: "Keys, ascending by their bytes (integers by value), then num_buckets - 1 boundaries for \
        each, as `tft.quantiles` has them: float32, NaN not looked at. Distinct values are counted \
        exactly for each key, on disk where memory is short; a key with more of them than \
        `tft.quantiles` is exact for is off by epsilon / 3 of its weight at most. A key with NaN alone \
        is not there.",
    examples: &[
        "tft.apply_buckets_per_key(xs, n, tft.quantiles_per_key(xs, key, 2)[1])",
        "tft.apply_buckets_per_key(x, k, tft.quantiles_per_key(x, k, 3, weights=weight)[1])",
    ],
    params: &[X, KEY, NUM_BUCKETS, EPSILON, WEIGHTS],
    kind: Kind::Analyze {
        types: |call| {
            Pairs::of(call)?;
            weights(call)?;
            let num_buckets = call.int_from("num_buckets", 2)?;
            epsilon(call, num_buckets as usize)?;
            let n = u32::try_from(num_buckets - 1).ok().filter(|n| *n < 1 << 24);
            let n = n.ok_or_else(|| call.wrong("`num_buckets` is more than 2^24"))?;
            Ok(vec![
                Type::constant(key_dtype(call)?, [Dim::Var]),
                Type::constant(DType::Float32, [Dim::Var, Dim::Fixed(n)]),
            ])
        },
        analyzer: |call| {
            let num_buckets = call.int_from("num_buckets", 2)? as usize;
            let (pairs, weights) = (Pairs::of(call)?, weights(call)?);
            let weighted = weights.is_some();
            let epsilon = epsilon(call, num_buckets)?;
            let all = Arc::new(PerKey { pairs, weights, num_buckets, epsilon });
            Ok(if weighted { Analyzer::Sums(all) } else { Analyzer::Counts(all) })
        },
    },
};

/// The mapper with its analyzer.
pub(in crate::ops) const BUCKETIZE_PER_KEY: Op = Op {
    name: "tft.bucketize_per_key",
    doc: "a column cut into buckets of about as many values each, for each key",
    semantics: "`tft.quantiles_per_key`, then the number of the key's boundaries <= x, compared as \
        float32; -1 for a key that was not seen in analysis; NaN in the last bucket. TFT scales all \
        keys' boundaries into one list in float32, which moves some values that lie on a boundary; \
        here they are compared as they are.",
    examples: &[
        "tft.bucketize_per_key(x, key, 3)",
        "tft.bucketize_per_key(ns, k, 2, epsilon=0.1)",
        "tft.bucketize_per_key(xs, ss, 3)",
        "tft.bucketize_per_key(d, s, 4, weights=weight)",
    ],
    params: &[X, KEY, NUM_BUCKETS, EPSILON, WEIGHTS],
    kind: Kind::Compose(|builder, call| {
        let (x, key) = x_and_key(builder, call)?;
        let args = Args::default().arg(x).arg(key);
        let args = ["num_buckets", "epsilon", "weights"]
            .into_iter()
            .fold(args, |args, name| args.with(name, call.get(name)));
        let found = builder.call(QUANTILES_PER_KEY.name, args)?;
        let index = builder.one(KEY_INDEX.name, Args::default().arg(key).arg(found[0]))?;
        let args = Args::default().arg(x).arg(index).arg(found[1]);
        builder.call(APPLY_BUCKETS_PER_KEY.name, args)
    }),
};

/// The row-local half.
pub(in crate::ops) const APPLY_BUCKETS_PER_KEY: Op = Op {
    name: "tft.apply_buckets_per_key",
    doc: "the numbers of the buckets that values are in, each by a list of boundaries of its own",
    semantics: "The number of boundaries of list `index` that are <= x, compared as float32; NaN is in \
        the last bucket; -1 where there is no such list. The known range is 0 to the number of \
        boundaries, as in TFT, though -1 may come out.",
    examples: &[
        "tft.apply_buckets_per_key(x, n, [[0.0, 1.0], [5.0, 6.0]])",
        "tft.apply_buckets_per_key(ns, ns, [[0.0], [1.0]])",
        "tft.apply_buckets_per_key(vec, k, [[0.0], [1.0]])",
    ],
    params: &[
        X,
        Param {
            name: "index",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "which list",
        },
        Param {
            name: "boundaries",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "constant lists that ascend, all of one length",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let x = number(call, "x")?;
            of_dtype(call, "index", DType::Int64)?;
            let boundaries = of_dtype(call, "boundaries", DType::Float32)?;
            if !boundaries.constant || !matches!(boundaries.shape.as_slice(), [_, Dim::Fixed(_)]) {
                return Err(call.wrong_type("boundaries", "constant lists of numbers"));
            }
            let ty = together(call, &["x", "index"])?.0;
            if ty.shape != x.shape {
                return Err(call.wrong("`index` has more dimensions than `x`"));
            }
            Ok(vec![ty.with_dtype(DType::Int64)])
        },
        kernel: |call| {
            let broadcast = together(call, &["x", "index"])?.1;
            let each = match call.ty("boundaries")?.shape.last() {
                Some(Dim::Fixed(n)) => *n as usize,
                _ => 0,
            };
            let lists = call.constant("boundaries")?.floats().to_vec();
            if each > 0 && lists.chunks_exact(each).any(|list| !list.is_sorted()) {
                return Err(call.wrong("`boundaries` do not ascend"));
            }
            let n_lists = lists.len().checked_div(each).unwrap_or(0);
            Ok(function(move |rows, inputs| {
                let index = broadcast.expand::<i64>(1, rows, &inputs[..2]);
                let buckets: Vec<i64> = f32::each(inputs[0], |x| {
                    x.iter()
                        .zip(index.iter())
                        .map(|(x, list)| match usize::try_from(*list) {
                            Ok(list) if list < n_lists => {
                                search(&lists[list * each..(list + 1) * each], *x) as i64
                            }
                            _ => -1,
                        })
                        .collect()
                });
                Ok(broadcast.result(rows, &inputs[..2], buckets))
            }))
        },
        domain: Some(|call| match call.opt_ty("boundaries")?.shape.last() {
            Some(Dim::Fixed(n)) => Some((0, i64::from(*n))),
            _ => None,
        }),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(assigned),
    },
};

/// How weights meet values, if there are any.
fn weights(call: &Call<'_>) -> Result<Option<Broadcast>> {
    if call.opt_ty("weights").is_none() {
        return Ok(None);
    }
    number(call, "weights")?;
    let (ty, broadcast) = together(call, &["x", "key", "weights"])?;
    if ty.shape != call.ty("x")?.shape {
        return Err(call.wrong("`weights` have more dimensions than `x`"));
    }
    Ok(Some(broadcast))
}

/// Distinct values of each key, counted or weighed.
struct PerKey {
    pairs: Pairs,
    weights: Option<Broadcast>,
    num_buckets: usize,
    epsilon: f64,
}

impl PerKey {
    /// Calls `f` with key and value as one key, for values that count.
    fn each(&self, input: &Columns, mut f: impl FnMut(&[u8], usize)) {
        let mut pair = Vec::new();
        let mut i = 0;
        self.pairs.each(input, |key, x| {
            // One zero, and single precision, as the boundaries have.
            let x = f64::from(x as f32) + 0.0;
            if !x.is_nan() {
                pair.clear();
                order::push_descending_bytes(&mut pair, key);
                order::push_descending_f64(&mut pair, x);
                f(&pair, i);
            }
            i += 1;
        });
    }

    /// Reads the pairs back, key by key.
    fn boundaries<S: KeyState, W: Weight>(
        &self,
        mut keys: engine::SortedKeys<S>,
        weight: fn(&S) -> W,
    ) -> Result<Vec<Tensor>> {
        // Descending, as the pairs are.
        let mut found: Vec<(Vec<u8>, Vec<f64>)> = Vec::new();
        let mut current: Option<(Vec<u8>, Quantiles<W>)> = None;
        let mut key = Vec::new();
        let mut close = |group: Option<(Vec<u8>, Quantiles<W>)>| {
            if let Some((key, mut quantiles)) = group {
                found.push((key, interior(&mut quantiles, self.num_buckets)));
            }
        };
        while keys.next_group()?.is_some() {
            while let Some((mut pair, state)) = keys.next_key()? {
                let read = order::read_descending_bytes(&mut pair, &mut key);
                let Some(x) = read.and_then(|()| order::read_descending_f64(&mut pair)) else {
                    continue;
                };
                if current.as_ref().is_none_or(|(last, _)| *last != key) {
                    close(current.take());
                }
                let (_, quantiles) =
                    current.get_or_insert_with(|| (key.clone(), Quantiles::new(self.epsilon)));
                quantiles.push_weighted(x, weight(&state));
            }
        }
        close(current);
        found.reverse();
        let keys = found.iter().map(|(key, _)| key.as_slice());
        let keys = keys_tensor(self.pairs.keys, keys)?;
        let all = found.iter().flat_map(|(_, boundaries)| boundaries);
        let all: Vec<f32> = all.map(|boundary| *boundary as f32).collect();
        Ok(vec![keys, by_key(found.len(), all)?])
    }
}

impl Keyed<u64> for PerKey {
    fn name(&self) -> &'static str {
        QUANTILES_PER_KEY.name
    }

    fn add(&self, table: &mut KeyTable<u64>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        self.each(input, |pair, _| group.update(pair, |n| *n += 1));
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<u64>>) -> Pending {
        let sorted: Sorted<u64> = blocks.sort_per_key(Select { group, state: |n| *n });
        Box::new(move |outputs| self.boundaries(sorted.output(outputs)?, |n: &u64| *n))
    }
}

impl Keyed<Sums> for PerKey {
    fn name(&self) -> &'static str {
        QUANTILES_PER_KEY.name
    }

    fn add(&self, table: &mut KeyTable<Sums>, group: &[u8], input: &Columns) -> Result<()> {
        let Some(broadcast) = &self.weights else { return Ok(()) };
        let operands: Vec<&Tensor> = input.tensors.iter().collect();
        let own = operands[2].to_doubles();
        let at = broadcast.indices(2, input.rows, &operands);
        let group = table.group(group);
        self.each(input, |pair, i| {
            let weight = own[at.at(i)];
            if weight > 0.0 && weight.is_finite() {
                let mut one = Sums::default();
                one.add(&[weight]);
                group.add(pair, &one);
            }
        });
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<Sums>>) -> Pending {
        let sorted: Sorted<Sums> = blocks.sort_per_key(Select { group, state: Clone::clone });
        Box::new(move |outputs| {
            self.boundaries(sorted.output(outputs)?, |sums: &Sums| {
                sums.sums.first().map_or(0.0, ops::sketch::ExactSum::value)
            })
        })
    }
}

/// The keys of one analyzer among all blocks, to be sorted.
struct Select<S> {
    group: Vec<u8>,
    state: fn(&S) -> S,
}

impl<S: KeyState> KeyedCombineFn for Select<S> {
    type Input = KeyedBlock<S>;
    type State = S;

    fn name(&self) -> &'static str {
        "values by key"
    }
    fn add_input(&self, table: &mut KeyTable<S>, block: &KeyedBlock<S>) -> Result<()> {
        if *block.group == *self.group {
            let group = table.group(&self.group);
            block.iter().for_each(|(key, state)| group.add(key, &(self.state)(state)));
        }
        Ok(())
    }
}

fn assigned(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, &["x", "index"], columns)?;
    let (int, float, x) = (DType::Int64, DType::Float32, call.ty("x")?);
    let each = match call.ty("boundaries")?.shape.last() {
        Some(Dim::Fixed(n)) => i64::from(*n),
        _ => 0,
    };
    let boundaries = &call.constant("boundaries")?.values;
    let n = (boundaries.len() as i64).checked_div(each).unwrap_or(0);
    // The number of a list for each value, and any list for values that have none.
    let zeros = nodes.like(&operands[0], x.dtype, int, 0.0);
    let index = nodes.ints("AddV2", &zeros, &operands[1]);
    let index = nodes.reshape(&index, int, &[-1]);
    let [zero, minus, end] = [0, -1, n].map(|n| nodes.scalar(n));
    let there = nodes.within(&index, &zero, &end);
    let safe = nodes.select(&there, &index, &zero, int);
    let lists = nodes.constant(boundaries, &[n, each]);
    let lists = nodes.gather(&lists, float, &safe);
    let values = nodes.cast(&operands[0], x.dtype, float);
    let values = nodes.reshape(&values, float, &[-1, 1]);
    let found = nodes.not_below(&values, &lists, float, 1, each);
    let found = nodes.select(&there, &found, &minus, int);
    let values = nodes.reshape(&found, int, &sizes(&ty));
    Ok(vec![Column { values, ..structure }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Literal;
    use crate::ops::numeric::testing::map;

    #[test]
    fn each_value_is_compared_with_its_own_list() {
        let column = |values: Vec<f32>| (Type::scalar(DType::Float32), Tensor::dense(6, values));
        let x = column(vec![0.0, 5.0, 5.5, f32::NAN, 1.0, 9.0]);
        let index = (Type::scalar(DType::Int64), Tensor::dense(6, vec![0i64, 1, 1, 0, -1, 2]));
        let found = map("tft.apply_buckets_per_key", &[x, index], |v| {
            let lists = vec![Literal::from(vec![0.0, 1.0]), Literal::from(vec![5.0, 6.0])];
            Args::default().arg(v[0]).arg(v[1]).arg(Literal::List(lists))
        });
        assert_eq!(found.ints(), [1, 1, 1, 2, -1, -1]);
    }
}
