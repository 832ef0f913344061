//! Runs ranked analyzers in unit tests, without a runner.

use engine::{KeyState, KeyTable, KeyedBlock, Result};

use crate::analyzer::{Analyzer, Columns};
use crate::graph::{Builder, What};
use crate::op::{Args, Kind};
use crate::ranked::{Keys, Ranked};
use crate::tensor::{Strings, Tensor, Values, splits_of};
use crate::types::{DType, Type};

/// A column with its type.
pub(crate) type Column = (Type, Tensor);

fn dtype_of(values: &Values) -> DType {
    match values {
        Values::Bool(_) => DType::Bool,
        Values::Int64(_) => DType::Int64,
        Values::Float32(_) => DType::Float32,
        Values::Float64(_) => DType::Float64,
        Values::String(_) => DType::String,
        Values::Vocabulary(_) => DType::Vocabulary,
        Values::Tokenizer(_) => DType::Tokenizer,
    }
}

/// One value for each row.
pub(crate) fn scalars(values: impl Into<Values>) -> Column {
    let values = values.into();
    (Type::scalar(dtype_of(&values)), Tensor::dense(values.len(), values))
}

/// Rows of these lengths.
pub(crate) fn lists(lengths: &[usize], values: impl Into<Values>) -> Column {
    let values = values.into();
    let splits = splits_of(lengths.iter().copied()).unwrap();
    (Type::var_len(dtype_of(&values)), Tensor::var_len(splits, values))
}

/// Runs a ranked analyzer on columns, cut into batches of so many rows, its keys into blocks of so
/// many keys.
pub(crate) fn rank(
    name: &str,
    columns: &[(&str, Column)],
    more: impl Fn(Args) -> Args,
    batch: usize,
    block: usize,
) -> Result<Vec<Tensor>> {
    let named = columns.iter().map(|(name, (ty, _))| ((*name).to_owned(), ty.clone()));
    let mut builder = Builder::new(named);
    let mut args = Args::default();
    for (name, _) in columns {
        args = args.with(name, builder.input(name)?);
    }
    let node = builder.one(name, more(args))?.node;
    let graph = builder.graph();
    let What::Op(bound) = &graph.nodes[node as usize].what else { panic!("`{name}` is no node") };
    let Kind::Analyze { analyzer, .. } = bound.op.kind else { panic!("`{name}` is no analyzer") };
    let inputs: Vec<&Column> = bound
        .inputs()
        .map(|value| match &graph.nodes[value.node as usize].what {
            What::Input(name) => &columns.iter().find(|(known, _)| known == name).unwrap().1,
            _ => panic!("inputs alone are known"),
        })
        .collect();
    let rows = inputs[0].1.rows;
    let batches: Vec<Columns> = (0..rows)
        .step_by(batch)
        .map(|first| {
            let range = first..rows.min(first + batch);
            let tensors = inputs.iter().map(|(ty, tensor)| rows_of(ty, tensor, &range)).collect();
            Columns { rows: range.len(), shard: 0, first_row: first as u64, tensors }
        })
        .collect();
    match graph.with_call(bound, analyzer)? {
        Analyzer::RankedCounts(ranked) => ranking(&*ranked, &batches, block),
        Analyzer::RankedSums(ranked) => ranking(&*ranked, &batches, block),
        _ => panic!("`{name}` does not rank"),
    }
}

/// Some rows of a column with at most one varying dimension, its first.
fn rows_of(ty: &Type, tensor: &Tensor, rows: &std::ops::Range<usize>) -> Tensor {
    let ends = tensor.row_ends(&ty.shape);
    let range = ends.start(rows.start)..ends.start(rows.end);
    let values = match &tensor.values {
        Values::Bool(v) => v[range].to_vec().into(),
        Values::Int64(v) => v[range].to_vec().into(),
        Values::Float32(v) => v[range].to_vec().into(),
        Values::Float64(v) => v[range].to_vec().into(),
        Values::String(v) => range.map(|i| v.get(i)).collect::<Strings>().into(),
        Values::Vocabulary(_) | Values::Tokenizer(_) => panic!("an asset has no rows"),
    };
    let splits = tensor.splits.iter().map(|_| {
        let lengths = rows.clone().map(|row| ends.range(row).len());
        splits_of(lengths).unwrap()
    });
    Tensor { rows: rows.len(), splits: splits.collect(), values }
}

fn ranking<S: KeyState>(
    analyzer: &dyn Ranked<S>,
    batches: &[Columns],
    block: usize,
) -> Result<Vec<Tensor>> {
    let mut table = KeyTable::<S>::default();
    batches.iter().try_for_each(|batch| analyzer.add(table.group(b"g"), batch))?;
    let mut blocks = vec![KeyedBlock::new(b"g"[..].into())];
    table.drain_sorted(|group, key, state| {
        if blocks.last().unwrap().len() == block {
            blocks.push(KeyedBlock::new(group.clone()));
        }
        blocks.last_mut().unwrap().push(key, state.clone());
    });
    let mut sorted = KeyTable::<S>::default();
    blocks.iter().for_each(|block| analyzer.rank(sorted.group(b"g"), block));
    let mut keys = Vec::new();
    sorted.drain_sorted(|_, key, state| keys.push((key.to_vec(), state.clone())));
    analyzer.finish(&mut List { keys, next: 0 })
}

struct List<S> {
    keys: Vec<(Vec<u8>, S)>,
    next: usize,
}

impl<S: Clone> Keys<S> for List<S> {
    fn next(&mut self) -> Result<Option<(&[u8], S)>> {
        let at = self.next;
        self.next += 1;
        Ok(self.keys.get(at).map(|(key, state)| (&key[..], state.clone())))
    }
}
