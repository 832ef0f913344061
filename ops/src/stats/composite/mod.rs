//! Composite features: several columns of an example that belong together by the schema.

use engine::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Column, FeaturePath, Slice};

pub(super) mod sparse;
pub(super) mod weighted;

/// A feature made of a value column and some that must go along with it.
struct Composite {
    path: FeaturePath,
    value: FeaturePath,
    /// Index or weight columns, without repetition, sorted.
    others: Vec<FeaturePath>,
}

/// What is counted of one composite, over the parents that have at least one of its columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parts {
    /// Parents without the value column.
    missing_value: u64,
    /// For each other column: parents without it, and the least and greatest of its length less the
    /// value's length.
    others: Vec<Other>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Other {
    missing: u64,
    diff: Option<(i64, i64)>,
}

impl Other {
    fn widen(&mut self, (low, high): (i64, i64)) {
        let (min, max) = self.diff.unwrap_or((low, high));
        self.diff = Some((min.min(low), max.max(high)));
    }
}

impl Composite {
    fn parts(&self) -> Parts {
        let other = Other { missing: 0, diff: None };
        Parts { missing_value: 0, others: vec![other; self.others.len()] }
    }

    fn add(&self, parts: &mut Parts, slice: &Slice) -> Result<()> {
        let column = |path: &FeaturePath| slice.columns.iter().find(|c| c.path == *path);
        let value = column(&self.value);
        let others: Vec<Option<&Column>> = self.others.iter().map(column).collect();
        let mut present = std::iter::once(value).chain(others.iter().copied()).flatten();
        let Some(first) = present.next() else { return Ok(()) };
        let n_parents = first.levels[0].n_parents;
        if let Some(other) = present.find(|c| c.levels[0].n_parents != n_parents) {
            return Err(Error::invalid(format!(
                "the columns of the composite feature `{}` cannot be paired",
                self.path
            ))
            .with_detail(format!(
                "`{}` has {n_parents} parents in a batch, but `{}` has {}.",
                first.path, other.path, other.levels[0].n_parents
            ))
            .with_hint("Mend the schema: the columns must lie beside each other."));
        }
        let length =
            |column: Option<&Column>, i| column.map_or(0, |c| c.levels[0].length(i) as i64);
        let is_there =
            |column: Option<&Column>, i| column.is_some_and(|c| c.levels[0].is_present(i));
        for i in 0..n_parents {
            let value_is_there = is_there(value, i);
            if !value_is_there && !others.iter().any(|&other| is_there(other, i)) {
                continue;
            }
            parts.missing_value += u64::from(!value_is_there);
            let value_length = length(value, i);
            for (part, &other) in parts.others.iter_mut().zip(&others) {
                part.missing += u64::from(!is_there(other, i));
                let diff = length(other, i) - value_length;
                part.widen((diff, diff));
            }
        }
        Ok(())
    }
}

impl Parts {
    fn merge(&mut self, other: &Parts) {
        self.missing_value += other.missing_value;
        for (a, b) in self.others.iter_mut().zip(&other.others) {
            a.missing += b.missing;
            if let Some(diff) = b.diff {
                a.widen(diff);
            }
        }
    }
}

fn create(composites: &[Composite]) -> Vec<Parts> {
    composites.iter().map(Composite::parts).collect()
}

fn add(composites: &[Composite], acc: &mut [Parts], slice: &Slice) -> Result<()> {
    composites.iter().zip(acc).try_for_each(|(composite, parts)| composite.add(parts, slice))
}

fn merge(acc: &mut [Parts], other: &[Parts]) {
    acc.iter_mut().zip(other).for_each(|(a, b)| a.merge(b));
}
