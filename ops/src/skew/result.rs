//! `Skew`: what a comparison found, in TFDV's messages and with what they have no room for.

use std::collections::BTreeMap;

use engine::{Error, ErrorKind, Result};

use super::compare::{Compared, Counts, Differing, Relation, Value, relations};
use super::join::Row;
use super::rows::code;
use super::sides::SidesAcc;
use super::{Side, SkewOptions};
use crate::tfmd::confusion_count::Value as Met;
use crate::tfmd::{ConfusionCount, FeatureSkew, FeatureSkewResults, MatchStats, SkewPair};

/// How TFDV writes the value of an example that has none.
const MISSING_VALUE: &[u8] = b"__MISSING_VALUE__";

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skew {
    /// TFDV's messages, features sorted by name. The examples of the pairs are to be filled in.
    pub results: FeatureSkewResults,
    /// Where the examples of each pair are: base, test.
    pub places: Vec<[Place; 2]>,
    /// Examples of each side that were read.
    pub n_examples: [u64; 2],
    /// Pairs that were compared.
    pub n_compared: u64,
    /// Features whose values are of other types in the base than in the test set.
    pub types: BTreeMap<String, [String; 2]>,
}

/// A row of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Position of the shard in the source.
    pub shard: usize,
    /// Place in the shard, counted in good rows.
    pub row: u64,
}

impl Skew {
    /// The feature that differs in the largest share of the pairs in which a side has it, and that
    /// share; `None` where nothing was compared.
    pub fn worst(&self) -> Option<(&FeatureSkew, f64)> {
        let features = self.results.feature_skew.iter();
        let shares = features.map(|feature| (feature, share(feature)));
        // Of equal ones the first.
        shares.reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
    }
}

/// The share of the pairs with a value on either side in which the sides differ.
pub fn share(feature: &FeatureSkew) -> f64 {
    match feature.base_count + feature.test_only {
        0 => 0.0,
        pairs => feature.diff_count as f64 / pairs as f64,
    }
}

pub(super) fn result(options: &SkewOptions, sides: &SidesAcc, compared: Compared) -> Result<Skew> {
    let names = names(sides)?;
    let name = |code: u64| {
        names.get(&code).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Reconciliation, "a feature that was compared has no name")
                .with_hint("This is a bug: please report it.")
        })
    };
    let mut feature_skew = Vec::with_capacity(compared.features.len());
    for (code, counts) in &compared.features {
        feature_skew.push(message(name(*code)?, counts));
    }
    feature_skew.sort_by(|a, b| a.feature_name.cmp(&b.feature_name));
    let mut types = BTreeMap::new();
    for feature in &feature_skew {
        let [base, test] = sides.types(&feature.feature_name);
        if base != test && !base.is_empty() && !test.is_empty() {
            types.insert(feature.feature_name.clone(), [base, test]);
        }
    }
    let mut skew_pairs = Vec::new();
    let mut places = Vec::new();
    for differing in &compared.sample {
        let (pair, place) = pair(differing, options.confusion.len(), name)?;
        skew_pairs.push(pair);
        places.push(place);
    }
    let [base, test] = &sides.sides;
    let match_stats = MatchStats {
        base_with_id_count: compared.with_id[0],
        test_with_id_count: compared.with_id[1],
        identifiers_count: compared.n_ids,
        ids_missing_in_base_count: compared.missing[0],
        ids_missing_in_test_count: compared.missing[1],
        matching_pairs_count: compared.n_pairs,
        base_missing_id_count: base.n_without_id,
        test_missing_id_count: test.n_without_id,
        duplicate_id_count: compared.n_duplicates,
    };
    let results = FeatureSkewResults {
        match_stats: Some(match_stats),
        feature_skew,
        confusion_counts: confusion(options, compared.confusion.into_iter()),
        skew_pairs,
    };
    let n_examples = [base.n_examples, test.n_examples];
    Ok(Skew { results, places, n_examples, n_compared: compared.n_compared, types })
}

/// The names of features by their codes.
fn names(sides: &SidesAcc) -> Result<BTreeMap<u64, String>> {
    let mut names = BTreeMap::<u64, String>::new();
    for name in sides.names() {
        if let Some(other) = names.insert(code(&name), name.clone()) {
            let message = format!("features `{other}` and `{name}` cannot be told apart");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_detail("Their names have the same hash.")
                .with_hint("Rename one of them."));
        }
    }
    Ok(names)
}

fn message(feature_name: String, counts: &Counts) -> FeatureSkew {
    FeatureSkew {
        feature_name,
        base_count: counts.has[0],
        test_count: counts.has[1],
        match_count: counts.matches,
        base_only: counts.only[0],
        test_only: counts.only[1],
        mismatch_count: counts.mismatches,
        diff_count: counts.only[0] + counts.only[1] + counts.mismatches,
    }
}

fn pair(
    differing: &Differing,
    n_values: usize,
    name: impl Fn(u64) -> Result<String>,
) -> Result<(SkewPair, [Place; 2])> {
    let damaged = || Error::new(ErrorKind::Incompatible, "a sampled pair is damaged");
    let base = Row::read(&mut &*differing.base.0).ok_or_else(damaged)?;
    let test = Row::read(&mut &*differing.test.0).ok_or_else(damaged)?;
    let mut found = Vec::new();
    relations(base.entries, test.entries, |code, relation| found.push((code, relation)));
    let mut pair = SkewPair::default();
    for (code, relation) in found {
        let into = match relation {
            Relation::Match => &mut pair.matched_features,
            Relation::Mismatch => &mut pair.mismatched_features,
            Relation::Only(Side::Base) => &mut pair.base_only_features,
            Relation::Only(Side::Test) => &mut pair.test_only_features,
            Relation::Nothing => continue,
        };
        into.push(name(code)?);
    }
    for names in [
        &mut pair.matched_features,
        &mut pair.mismatched_features,
        &mut pair.base_only_features,
        &mut pair.test_only_features,
    ] {
        names.sort_unstable();
    }
    let place = |row: &Row<'_>| {
        let (shard, row) = row.rest(n_values).and_then(|(_, place)| place).ok_or_else(damaged)?;
        let shard = usize::try_from(shard).map_err(|_| damaged())?;
        Ok::<_, Error>(Place { shard, row })
    };
    Ok((pair, [place(&base)?, place(&test)?]))
}

/// Counts of values that met, with the placeholder for values that were not there.
fn confusion(
    options: &SkewOptions,
    met: impl Iterator<Item = (super::compare::Met, u64)>,
) -> Vec<ConfusionCount> {
    let bytes = |value: Value| value.0.map_or_else(|| MISSING_VALUE.to_vec(), |bytes| bytes.0);
    let mut counts = BTreeMap::<(String, Vec<u8>, Vec<u8>), u64>::new();
    for (met, n) in met {
        let Some(name) = options.confusion.get(met.feature as usize) else { continue };
        *counts.entry((name.clone(), bytes(met.base), bytes(met.test))).or_default() += n;
    }
    let message = |((feature_name, base, test), count)| ConfusionCount {
        feature_name,
        base: Some(Met { bytes_value: base }),
        test: Some(Met { bytes_value: test }),
        count,
    };
    counts.into_iter().map(message).collect()
}
