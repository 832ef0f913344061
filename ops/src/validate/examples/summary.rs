//! How often there is which reason, and where first.

use std::collections::BTreeMap;

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::CheckedExamples;
use crate::tfmd::anomaly_info::Type;

/// Counts reasons by feature and kind.
pub struct SummarizeReasons;

/// The accumulator of [`SummarizeReasons`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SummaryAcc {
    examples: u64,
    rejected: u64,
    /// By path and number of the kind.
    reasons: BTreeMap<(String, i32), Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    count: u64,
    shard: u64,
    row: u64,
    description: String,
    value: Option<String>,
}

/// Which reasons there were for rejecting examples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasonSummary {
    /// How many examples were looked at.
    pub examples: u64,
    /// How many have a reason.
    pub rejected: u64,
    /// The reasons, most frequent first.
    pub reasons: Vec<ReasonCount>,
}

/// One kind of reason of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct ReasonCount {
    /// The feature, as anomalies name it.
    pub path: String,
    /// What is wrong.
    pub kind: Type,
    /// Of how many examples.
    pub count: u64,
    /// Shard of the first of them, by its position in the source.
    pub first_shard: usize,
    /// Row of the first of them in its shard, counted from 0 in good rows.
    pub first_row: u64,
    /// The first one's description.
    pub description: String,
    /// The first one's value, if it has one.
    pub value: Option<String>,
}

impl CombineFn for SummarizeReasons {
    type Input = CheckedExamples;
    type Accumulator = SummaryAcc;
    type Output = ReasonSummary;

    fn name(&self) -> &'static str {
        "reasons"
    }

    fn create_accumulator(&self) -> SummaryAcc {
        SummaryAcc::default()
    }

    fn add_input(&self, acc: &mut SummaryAcc, input: &CheckedExamples) -> Result<()> {
        acc.examples += input.batch.records.num_rows() as u64;
        acc.rejected += input.num_rejected();
        // An example may have two reasons of one kind, which are next to each other or nearly so.
        let mut of_row: Vec<(&str, Type)> = Vec::new();
        let mut row = usize::MAX;
        for found in &input.reasons {
            if found.row != row {
                row = found.row;
                of_row.clear();
            }
            let key = (&*found.path, found.reason.kind);
            if of_row.contains(&key) {
                continue;
            }
            of_row.push(key);
            let first = || Entry {
                count: 0,
                shard: input.batch.shard as u64,
                row: input.batch.first_row + row as u64,
                description: found.reason.description.clone(),
                value: found.value.as_deref().map(str::to_owned),
            };
            let key = (found.path.to_string(), i32::from(found.reason.kind));
            acc.reasons.entry(key).or_insert_with(first).count += 1;
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut SummaryAcc, other: SummaryAcc) -> Result<()> {
        acc.examples += other.examples;
        acc.rejected += other.rejected;
        for (key, entry) in other.reasons {
            match acc.reasons.get_mut(&key) {
                None => drop(acc.reasons.insert(key, entry)),
                Some(into) => {
                    let count = into.count + entry.count;
                    if (entry.shard, entry.row) < (into.shard, into.row) {
                        *into = entry;
                    }
                    into.count = count;
                }
            }
        }
        Ok(())
    }

    fn extract_output(&self, acc: SummaryAcc) -> Result<ReasonSummary> {
        let count = |((path, kind), entry): ((String, i32), Entry)| ReasonCount {
            path,
            kind: Type::try_from(kind).unwrap_or(Type::UnknownType),
            count: entry.count,
            first_shard: usize::try_from(entry.shard).unwrap_or(usize::MAX),
            first_row: entry.row,
            description: entry.description,
            value: entry.value,
        };
        let mut reasons: Vec<ReasonCount> = acc.reasons.into_iter().map(count).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        Ok(ReasonSummary { examples: acc.examples, rejected: acc.rejected, reasons })
    }
}
