//! Presence and valency: what every feature of every type has, at every nest level.

use engine::Result;
use serde::{Deserialize, Serialize};

use super::{Column, StatsOptions};
use crate::tfmd::CommonStatistics;

/// The state of a feature's common statistics.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CommonAcc {
    /// Present parents, by level.
    n_present: Vec<u64>,
    /// Values, by level.
    n_values: Vec<u64>,
}

impl CommonAcc {
    pub(crate) fn add(&mut self, column: &Column) -> Result<()> {
        self.n_present.resize(column.levels.len(), 0);
        self.n_values.resize(column.levels.len(), 0);
        for (i, level) in column.levels.iter().enumerate() {
            self.n_present[i] += level.n_present() as u64;
            self.n_values[i] += level.lengths().sum::<usize>() as u64;
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: CommonAcc) -> Result<()> {
        for (a, b) in self.n_present.iter_mut().zip(other.n_present) {
            *a += b;
        }
        Ok(())
    }

    /// Number of innermost values, unweighted and weighted: the parents of this feature's children.
    pub(crate) fn n_values(&self) -> (u64, f64) {
        (self.n_values.last().copied().unwrap_or(0), 0.0)
    }

    /// The message, given the number (and weight) of parents the feature could be present in.
    pub(crate) fn message(
        self,
        n_parents: (u64, f64),
        _options: &StatsOptions,
    ) -> CommonStatistics {
        let n_present = self.n_present.first().copied().unwrap_or(0);
        CommonStatistics {
            num_non_missing: n_present,
            num_missing: n_parents.0 - n_present,
            ..Default::default()
        }
    }
}
