//! Distinct and most frequent values from sketches: bounded memory, bounded error.
//!
//! A frequency is that of [`MisraGries`] plus its error: never too low, and too high by at most
//! the number of values (the sum of weights) divided by the number of buckets + 1. `unique` is that
//! of [`Kmv`]: exact below 16,384, then within 0.8 % (one standard error). Features with at most
//! two thousand distinct values are exact.

use arrow_array::Array;
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::generator::{FeatureContext, feature_stats, string_stats};
use super::top_k::{BYTES_VALUE, label, lists};
use super::value_counts::{KeyKind, each_valid, float_key, int_key};
use super::{Column, Generator, Kind, Patch, StatsOptions, Values, Variant};
use crate::sketch::kmv::Kmv;
use crate::sketch::misra_gries::MisraGries;
use crate::tfmd::string_domain::Categorical;
use crate::tfmd::{StringDomain, WeightedStringStatistics};

pub(super) const GENERATOR: Generator = Generator {
    name: "top_k_sketch",
    doc: "distinct and most frequent values within an error bound, where sketches are asked for",
    new: |feature| {
        let categorical = categorical(feature);
        let wanted = feature.options.use_sketch_based_topk_uniques
            && feature.variant == Variant::String
            && categorical != Categorical::No;
        let keys = match feature.kind {
            Kind::Int => KeyKind::Int,
            Kind::Float => KeyKind::Float,
            Kind::String | Kind::Struct => KeyKind::Text,
        };
        wanted.then(|| {
            feature_stats(TopKSketch {
                keys,
                any_length: categorical == Categorical::Yes,
                lists: Lists::of(feature.options),
            })
        })
    },
};

/// What stands for all text of more than [`LARGE`] bytes.
const LARGE_BYTES: &str = "__LARGE_BYTES__";
const LARGE: usize = 1024;
const KMV_BUCKETS: usize = 16_384;
const MISRA_GRIES_BUCKETS: usize = 1024;

/// What the schema says: is the text of this feature one of a few values?
fn categorical(feature: &FeatureContext<'_>) -> Categorical {
    let domain = feature.schema.and_then(|field| {
        feature.options.schema.as_ref().and_then(|schema| schema.string_domain_of(field))
    });
    let said = domain.map(StringDomain::is_categorical);
    said.unwrap_or(Categorical::Unspecified)
}

/// How long the lists are and where they end.
#[derive(Clone)]
struct Lists(StatsOptions);

impl Lists {
    fn of(options: &StatsOptions) -> Self {
        // Neither the schema nor vocabularies are of interest here.
        Lists(StatsOptions {
            num_top_values: options.num_top_values,
            num_rank_histogram_buckets: options.num_rank_histogram_buckets,
            frequency_threshold: options.frequency_threshold,
            weighted_frequency_threshold: options.weighted_frequency_threshold,
            ..StatsOptions::default()
        })
    }

    fn k(&self) -> usize {
        self.0.num_top_values.max(self.0.num_rank_histogram_buckets)
    }
}

struct TopKSketch {
    keys: KeyKind,
    /// The schema calls long values categories too.
    any_length: bool,
    lists: Lists,
}

/// The accumulator of [`TopKSketch`].
#[derive(Serialize, Deserialize)]
struct SketchAcc {
    distinct: Kmv,
    counts: MisraGries,
    weights: Option<MisraGries>,
}

impl SketchAcc {
    /// Adds a value. Values go in one by one, in the order of rows: any gathering by batch would
    /// show in what the sketch lets go of.
    #[inline]
    fn add(&mut self, sketch: &TopKSketch, value: &[u8], weight: Option<f64>) {
        let hash = MisraGries::hash(value);
        let known = self.counts.add_known(hash, value, 1.0);
        let mut shown = value;
        if !known {
            self.distinct.add(hash);
            shown = sketch.shown(value);
            self.counts.add(shown, 1.0);
        }
        if let (Some(weights), Some(weight)) = (&mut self.weights, weight) {
            if known {
                shown = sketch.shown(value);
            }
            weights.add(shown, weight);
        }
    }
}

impl TopKSketch {
    /// The value under which a value is counted.
    fn shown<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        if self.keys != KeyKind::Text {
            value
        } else if std::str::from_utf8(value).is_err() {
            BYTES_VALUE.as_bytes()
        } else if value.len() > LARGE && !self.any_length {
            LARGE_BYTES.as_bytes()
        } else {
            value
        }
    }

    /// Best first; numbers tie by their text, as all values do.
    fn ranked(&self, sketch: &MisraGries) -> impl Iterator<Item = (f64, String)> + use<> {
        let error = sketch.error();
        let entries = sketch.iter().map(|(key, count)| (count + error, label(self.keys, key)));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
        entries.into_iter().take(self.lists.k())
    }
}

impl CombineFn for TopKSketch {
    type Input = Column;
    type Accumulator = SketchAcc;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> SketchAcc {
        let buckets = MISRA_GRIES_BUCKETS.max(self.lists.k());
        SketchAcc {
            distinct: Kmv::new(KMV_BUCKETS),
            counts: MisraGries::new(buckets),
            weights: None,
        }
    }

    fn add_input(&self, acc: &mut SketchAcc, column: &Column) -> Result<()> {
        let weights = column.weights_of(column.levels.len());
        if weights.is_some() && acc.weights.is_none() {
            acc.weights = Some(MisraGries::new(MISRA_GRIES_BUCKETS.max(self.lists.k())));
        }
        let weight = |i: usize| weights.as_ref().map(|weights| weights[i]);
        match &column.values {
            Values::Bytes(values) => {
                each_valid(values, |i| acc.add(self, values.value(i), weight(i)));
            }
            Values::Dictionary { codes, values } => each_valid(codes, |i| {
                let code = codes.value(i) as usize;
                if values.is_valid(code) {
                    acc.add(self, values.value(code), weight(i));
                }
            }),
            Values::Int(values) => each_valid(values, |i| {
                acc.add(self, &int_key(values.value(i)).to_be_bytes(), weight(i));
            }),
            Values::Float32(values) => each_valid(values, |i| {
                acc.add(self, &float_key(values.value(i).into()).to_be_bytes(), weight(i));
            }),
            Values::Float64(values) => each_valid(values, |i| {
                acc.add(self, &float_key(values.value(i)).to_be_bytes(), weight(i));
            }),
            Values::Unknown(_) | Values::Struct(_) => {}
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut SketchAcc, other: SketchAcc) -> Result<()> {
        acc.distinct.merge(&other.distinct);
        acc.counts.merge(other.counts);
        match (&mut acc.weights, other.weights) {
            (Some(into), Some(other)) => into.merge(other),
            (into @ None, other) => *into = other,
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn compact(&self, acc: &mut SketchAcc) {
        acc.distinct.shrink();
    }

    fn extract_output(&self, acc: SketchAcc) -> Result<Patch> {
        let unique = acc.distinct.estimate();
        let options = &self.lists.0;
        let counts = lists(self.ranked(&acc.counts), options.frequency_threshold as f64, options);
        let weighted = acc.weights.map(|weights| {
            lists(self.ranked(&weights), options.weighted_frequency_threshold, options)
        });
        Ok(Box::new(move |message| {
            let stats = string_stats(message);
            stats.unique = unique;
            (stats.top_values, stats.rank_histogram) = counts;
            if let Some((top_values, rank_histogram)) = weighted.filter(|w| w.1.is_some()) {
                stats.weighted_string_stats =
                    Some(WeightedStringStatistics { top_values, rank_histogram });
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Int64Array};

    use super::super::FeaturePath;
    use super::super::testing::{flat, weighted};
    use super::*;
    use crate::tfmd::feature_name_statistics::Stats;
    use crate::tfmd::{Feature, FeatureNameStatistics, Schema, StringStatistics};

    fn options() -> StatsOptions {
        StatsOptions { use_sketch_based_topk_uniques: true, ..StatsOptions::default() }
    }

    fn stats(options: &StatsOptions, columns: &[Column]) -> Option<StringStatistics> {
        let path = FeaturePath::column("x");
        let f = (GENERATOR.new)(&FeatureContext {
            path: &path,
            kind: columns[0].kind().unwrap(),
            logical: None,
            variant: Variant::String,
            weighted: columns[0].weights.is_some(),
            schema: options.schema_feature(&path),
            options,
        })?;
        let mut state = f.create();
        for column in columns {
            let mut part = f.create();
            f.add(&mut part, column).unwrap();
            f.compact(&mut part);
            f.merge(&mut state, f.decode(&f.encode(&part)).unwrap()).unwrap();
        }
        let mut message = FeatureNameStatistics {
            stats: Some(Stats::StringStats(StringStatistics::default())),
            ..Default::default()
        };
        f.extract(state).unwrap()(&mut message);
        Some(string_stats(&mut message).clone())
    }

    fn texts(values: &[&[u8]]) -> Values {
        Values::Bytes(BinaryArray::from(values.to_vec()))
    }

    fn top(stats: &StringStatistics) -> Vec<(&str, f64)> {
        stats.top_values.iter().map(|top| (&*top.value, top.frequency)).collect()
    }

    #[test]
    fn placeholders_gather_bytes_and_long_text() {
        let (x, y) = (vec![b'x'; 1025], vec![b'y'; 1 << 20]);
        let values: [&[u8]; 7] = [b"\xff", &x, b"", b"\xfe", &y, b"\xff", b""];
        let columns = [flat(texts(&values[..3])), flat(texts(&values[3..]))];
        let found = stats(&options(), &columns).unwrap();
        assert_eq!(top(&found), [(BYTES_VALUE, 3.0), (LARGE_BYTES, 2.0), ("", 2.0)]);
        assert_eq!(found.unique, 5);
    }

    #[test]
    fn the_schema_says_what_is_categorical() {
        let with = |said: Categorical| {
            let domain = StringDomain { is_categorical: Some(said as i32), ..Default::default() };
            let info = crate::tfmd::feature::DomainInfo::StringDomain(domain);
            let feature =
                Feature { name: Some("x".into()), domain_info: Some(info), ..Default::default() };
            let schema = Schema { feature: vec![feature], ..Default::default() };
            StatsOptions { schema: Some(Arc::new(schema)), ..options() }
        };
        let long = "x".repeat(2000);
        let column = [flat(texts(&[long.as_bytes()]))];
        assert_eq!(top(&stats(&with(Categorical::Yes), &column).unwrap()), [(&*long, 1.0)]);
        assert!(stats(&with(Categorical::No), &column).is_none());
    }

    #[test]
    fn numbers_tie_by_text() {
        let column = flat(Values::Int(Int64Array::from(vec![9, 10, -5, 100, 9, 10])));
        let found = stats(&options(), &[column]).unwrap();
        assert_eq!(top(&found), [("9", 2.0), ("10", 2.0), ("100", 1.0), ("-5", 1.0)]);
    }

    #[test]
    fn weights_have_lists_of_their_own() {
        let column = weighted(texts(&[b"a", b"b", b"a", b"c"]), vec![0.5, 7.0, 1.0, 0.25]);
        let found = stats(&options(), &[column.clone(), column]).unwrap();
        assert_eq!(top(&found), [("a", 4.0), ("c", 2.0), ("b", 2.0)]);
        let weighted = found.weighted_string_stats.unwrap();
        let weighted: Vec<_> =
            weighted.top_values.iter().map(|top| (&*top.value, top.frequency)).collect();
        assert_eq!(weighted, [("b", 14.0), ("a", 3.0)]);
    }

    #[test]
    fn where_batches_are_cut_does_not_matter() {
        let values: Vec<Vec<u8>> = (0..20_000u64)
            .map(|i| (i * i % 6007 % (1 + i % 5000)).to_string().into_bytes())
            .collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let sketch = TopKSketch { keys: KeyKind::Text, any_length: false, lists: Lists(options()) };
        let bytes = |batch: usize| {
            let mut acc = sketch.create_accumulator();
            for batch in values.chunks(batch) {
                sketch.add_input(&mut acc, &flat(texts(batch))).unwrap();
            }
            sketch.compact(&mut acc);
            postcard::to_stdvec(&acc).unwrap()
        };
        assert!(bytes(1) == bytes(20_000) && bytes(777) == bytes(20_000));
    }
}
