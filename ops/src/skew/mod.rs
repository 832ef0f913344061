//! Feature skew: how the features of two sets of examples differ, pair by pair of the same
//! identifier (TFDV's `DetectFeatureSkew`).
//!
//! ```text
//!  batches of both sides ──► Fingerprint: of each row a key, and a hash of every feature
//!                               │ combine_per_key        │ combine_globally
//!                               ▼ Join                   ▼ Sides
//!                     rows of both sides by key     names, types, rows without identifier
//!                               │ combine_globally       │
//!                               ▼ Compare                │
//!                      counts of each feature ───────────┴──► FeatureSkewResults
//! ```
//!
//! **Invariant:** rows of one key are a multiset, and all that is counted are integers: no order of
//! shards, batches or workers can be seen in the result.

mod compare;
mod fingerprint;
mod identifier;
mod join;
mod result;
mod round;
mod rows;
mod show;
mod sides;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use engine::{Batch, Combined, Outputs, PCollection, Result};

pub use compare::{Compare, Compared};
pub use join::{Join, Rows};
pub use result::{Place, Skew, share};
pub use rows::{Fingerprint, Fingerprints};
pub use show::shown;
pub use sides::{Sides, SidesAcc};

/// What to compare, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkewOptions {
    /// The features that say which examples belong together.
    pub identifiers: Vec<String>,
    /// Features that are not compared; identifiers never are.
    pub ignore: Vec<String>,
    /// Digits after the point to which floats are rounded before they are compared.
    pub float_digits: Option<u32>,
    /// Compare floats in 32 bits, for when one side holds no more.
    pub single_floats: bool,
    /// Compare all pairs of an identifier that several examples of a side have; otherwise it is
    /// counted and passed over.
    pub allow_duplicates: bool,
    /// Features of one string whose values are counted by pairs.
    pub confusion: Vec<String>,
    /// How many pairs that differ are wanted.
    pub sample: usize,
}

/// One of the two sets of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What is compared with: training, yesterday.
    Base = 0,
    /// What is compared: serving, today.
    Test = 1,
}

impl Side {
    /// Both, the base first.
    pub const BOTH: [Side; 2] = [Side::Base, Side::Test];

    /// How messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Base => "base",
            Side::Test => "test set",
        }
    }
}

/// Adds the comparison to a pipeline whose first `base_shards` shards are the base, and whose others
/// are the test set.
pub fn detect_feature_skew(
    batches: &PCollection<Batch>,
    base_shards: usize,
    options: Arc<SkewOptions>,
) -> SkewHandle {
    let rows = batches.par_do(Fingerprint::new(options.clone(), base_shards));
    let sides = rows.combine_globally(Sides);
    let joined = rows.combine_per_key(Join::new(options.clone()));
    let compared = joined.combine_globally(Compare::new(options.clone()));
    SkewHandle { options, sides, compared }
}

/// A handle on the skew that a run will find.
pub struct SkewHandle {
    options: Arc<SkewOptions>,
    sides: Combined<Sides>,
    compared: Combined<Compare>,
}

impl SkewHandle {
    /// What was found.
    ///
    /// # Errors
    /// When a side has no such identifier, or the sides have it in different types; when a feature
    /// to be counted does not exist; when a state cannot be read.
    pub fn output(&self, outputs: &mut Outputs) -> Result<Skew> {
        let sides = self.sides.output(outputs)?;
        sides.check(&self.options)?;
        result::result(&self.options, &sides, self.compared.output(outputs)?)
    }
}
