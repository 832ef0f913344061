//! `Sides`: what each side is made of — its features, and examples without an identifier.

use std::collections::BTreeMap;

use engine::{CombineFn, Error, Result};
use serde::{Deserialize, Serialize};

use super::rows::Fingerprints;
use super::{Side, SkewOptions};
use crate::stats::Kind;
use crate::tfmd::nearest;

/// Gathers what each side is made of.
pub struct Sides;

/// The accumulator of [`Sides`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SidesAcc {
    pub(super) sides: [SideAcc; 2],
}

/// One side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SideAcc {
    pub(super) n_examples: u64,
    pub(super) n_without_id: u64,
    /// By name.
    pub(super) features: BTreeMap<String, FeatureAcc>,
}

/// One feature of a side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FeatureAcc {
    pub(super) n_present: u64,
    /// The types it has: one bit each.
    kinds: u8,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Int, "INT"), (Kind::Float, "FLOAT"), (Kind::String, "BYTES"), (Kind::Struct, "STRUCT")];

impl FeatureAcc {
    /// The types, as TFDV names them.
    pub(super) fn types(&self) -> String {
        let has = |i: &usize| self.kinds >> i & 1 == 1;
        let names: Vec<&str> = (0..KINDS.len()).filter(has).map(|i| KINDS[i].1).collect();
        names.join(" and ")
    }
}

impl SidesAcc {
    /// The features of both sides, each once, ascending.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.sides.iter().flat_map(|side| side.features.keys().cloned());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The types of a feature in both sides; empty where it has no values.
    pub(super) fn types(&self, name: &str) -> [String; 2] {
        let types = |side: &SideAcc| side.features.get(name).map(FeatureAcc::types);
        [types(&self.sides[0]).unwrap_or_default(), types(&self.sides[1]).unwrap_or_default()]
    }

    /// Checks that what the options name is there.
    ///
    /// # Errors
    /// When an identifier is in no example of a side, or of two types, or when a feature to be
    /// counted is nowhere.
    pub(super) fn check(&self, options: &SkewOptions) -> Result<()> {
        for name in &options.identifiers {
            for side in Side::BOTH {
                let acc = &self.sides[side as usize];
                let is_there = acc.features.get(name).is_some_and(|f| f.n_present > 0);
                if acc.n_examples > 0 && !is_there {
                    let message = format!(
                        "no example of the {} has the identifier feature `{name}`",
                        side.name()
                    );
                    let known: Vec<String> = acc.features.keys().cloned().collect();
                    let error = Error::invalid(message).with_detail(listed(&known));
                    return Err(nearest::hint(error, name, &known));
                }
            }
            let [base, test] = self.types(name);
            if !base.is_empty() && !test.is_empty() && base != test {
                let message = format!("the sides have identifier feature `{name}` in two types");
                return Err(Error::invalid(message)
                    .with_detail(format!("It is {base} in the base and {test} in the test set."))
                    .with_hint(
                        "Values of two types are never equal, so no examples would be joined: \
                         write it in the same type on both sides.",
                    ));
            }
        }
        for name in &options.confusion {
            let known = self.names();
            let is_read = self.sides.iter().any(|side| side.n_examples > 0);
            if is_read && !known.contains(name) {
                let error = Error::invalid(format!("no example has the feature `{name}`"))
                    .with_detail(listed(&known));
                return Err(nearest::hint(error, name, &known));
            }
        }
        Ok(())
    }
}

/// A sentence of the features there are.
fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match names {
        [] => "There are no features.".to_owned(),
        names => format!("There are `{}`{more}.", names[..names.len().min(MOST)].join("`, `")),
    }
}

impl CombineFn for Sides {
    type Input = Fingerprints;
    type Accumulator = SidesAcc;
    type Output = SidesAcc;

    fn name(&self) -> &'static str {
        "sides"
    }

    fn create_accumulator(&self) -> SidesAcc {
        SidesAcc::default()
    }

    fn add_input(&self, acc: &mut SidesAcc, input: &Fingerprints) -> Result<()> {
        let acc = &mut acc.sides[input.side as usize];
        acc.n_examples += input.n_rows as u64;
        let without_id = (0..input.n_rows).filter(|&row| input.keys.get(row).is_empty());
        acc.n_without_id += without_id.count() as u64;
        for seen in &input.features {
            if !acc.features.contains_key(&seen.name) {
                acc.features.insert(seen.name.clone(), FeatureAcc::default());
            }
            let Some(feature) = acc.features.get_mut(&seen.name) else { continue };
            feature.n_present += seen.n_present;
            let kind = KINDS.iter().position(|(kind, _)| Some(*kind) == seen.kind);
            feature.kinds |= kind.map_or(0, |kind| 1 << kind);
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut SidesAcc, other: SidesAcc) -> Result<()> {
        for (acc, other) in acc.sides.iter_mut().zip(other.sides) {
            acc.n_examples += other.n_examples;
            acc.n_without_id += other.n_without_id;
            for (name, other) in other.features {
                let feature = acc.features.entry(name).or_default();
                feature.n_present += other.n_present;
                feature.kinds |= other.kinds;
            }
        }
        Ok(())
    }

    fn extract_output(&self, acc: SidesAcc) -> Result<SidesAcc> {
        Ok(acc)
    }
}
