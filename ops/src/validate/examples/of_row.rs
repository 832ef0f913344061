//! The statistics of one feature of one example, as far as checks look at them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::reason::Reason;
use crate::stats::column::{Column, Kind, Values};
use crate::stats::generator::Variant;
use crate::tfmd::anomaly_info::Type as Reasons;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::{FieldId, Stats, Type};
use crate::tfmd::histogram::{Bucket, HistogramType};
use crate::tfmd::rank_histogram;
use crate::tfmd::{
    BytesStatistics, CommonStatistics, Feature, FeatureNameStatistics, Histogram,
    NumericStatistics, PresenceAndValencyStatistics, RankHistogram, StringStatistics,
    StructStatistics,
};

/// What stands for values that are not UTF-8.
const BYTES_VALUE: &str = "__BYTES_VALUE__";

/// The statistics of row `row` of a column.
pub(super) fn statistics(column: &Column, row: usize, feature: &Feature) -> FeatureNameStatistics {
    let (common, values) = common(column, row);
    let common_stats = Some(common);
    let kind = column.kind().unwrap_or(Kind::String);
    let variant = Variant::of(kind, Some(feature));
    let stats = match variant {
        Variant::Numeric => {
            let numbers = numbers(column, values, unsuspicious(feature));
            Stats::NumStats(NumericStatistics { common_stats, ..numbers })
        }
        Variant::String => {
            let strings = strings(column, values);
            Stats::StringStats(StringStatistics { common_stats, ..strings })
        }
        Variant::Bytes => {
            let lengths = values.filter_map(|i| bytes(column, i)).map(<[u8]>::len);
            let longest = lengths.max().unwrap_or(0);
            Stats::BytesStats(BytesStatistics {
                common_stats,
                max_num_bytes: longest as f32,
                max_num_bytes_int: i64::try_from(longest).unwrap_or(i64::MAX),
                ..Default::default()
            })
        }
        Variant::Struct => Stats::StructStats(StructStatistics { common_stats }),
    };
    let of = match (kind, variant) {
        (_, Variant::Bytes) => Type::Bytes,
        (Kind::Int, _) => Type::Int,
        (Kind::Float, _) => Type::Float,
        (Kind::String, _) => Type::String,
        (Kind::Struct, _) => Type::Struct,
    };
    FeatureNameStatistics {
        r#type: of as i32,
        field_id: Some(FieldId::Path(column.path.to_proto())),
        stats: Some(stats),
        ..Default::default()
    }
}

/// The value of a row that a reason is about; where the reason does not name it, the first that may be.
pub(super) fn value(column: &Column, row: usize, reason: &Reason) -> Option<String> {
    let first = |is_meant: fn(&[u8]) -> bool| {
        let (_, mut values) = common(column, row);
        values.find_map(|i| match (bytes(column, i), number(column, i)) {
            (Some(bytes), _) if is_meant(bytes) => Some(match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.escape_ascii().to_string(),
            }),
            (None, Some(number)) => Some(number.to_string()),
            _ => None,
        })
    };
    match reason.kind {
        Reasons::SchemaNewColumn => None,
        Reasons::UnexpectedDataType => first(|_| true),
        Reasons::EnumTypeInvalidUtf8 => first(|bytes| std::str::from_utf8(bytes).is_err()),
        _ => {
            let named = reason.values.first().map(|value| value.value.clone());
            named.or_else(|| reason.observed.clone())
        }
    }
}

/// Presence and numbers of values, and where the row's innermost values are.
fn common(column: &Column, row: usize) -> (CommonStatistics, Range<usize>) {
    let mut slots = match &column.examples {
        None => row..row + 1,
        Some(examples) => {
            let row = row as u32;
            examples.partition_point(|&e| e < row)..examples.partition_point(|&e| e <= row)
        }
    };
    let mut levels = Vec::with_capacity(column.levels.len());
    let mut n_parents = slots.len() as u64;
    for level in &column.levels {
        let lengths = || slots.clone().filter(|&i| level.is_present(i)).map(|i| level.length(i));
        let n_present = lengths().count() as u64;
        let n_values = lengths().sum::<usize>() as u64;
        levels.push(PresenceAndValencyStatistics {
            num_non_missing: n_present,
            num_missing: n_parents.saturating_sub(n_present),
            min_num_values: lengths().min().unwrap_or(0) as u64,
            max_num_values: lengths().max().unwrap_or(0) as u64,
            tot_num_values: n_values,
        });
        n_parents = n_values;
        if let Some(offsets) = &level.offsets {
            slots = offsets[slots.start] as usize..offsets[slots.end] as usize;
        }
    }
    let (first, last) = (levels[0], levels[levels.len() - 1]);
    let mut common = CommonStatistics {
        num_non_missing: first.num_non_missing,
        num_missing: first.num_missing,
        tot_num_values: last.tot_num_values,
        min_num_values: first.min_num_values,
        max_num_values: first.max_num_values,
        ..Default::default()
    };
    if levels.len() > 1 {
        common.presence_and_valency_stats = levels;
    }
    (common, slots)
}

/// The number at a place, if there is one.
fn number(column: &Column, i: usize) -> Option<f64> {
    if column.values.nulls().is_some_and(|nulls| nulls.is_null(i)) {
        return None;
    }
    match &column.values {
        Values::Int(values) => Some(values.value(i) as f64),
        Values::Float32(values) => Some(f64::from(values.value(i))),
        Values::Float64(values) => Some(values.value(i)),
        _ => None,
    }
}

/// The bytes at a place, if there are any.
pub(super) fn bytes(column: &Column, i: usize) -> Option<&[u8]> {
    if column.values.nulls().is_some_and(|nulls| nulls.is_null(i)) {
        return None;
    }
    match &column.values {
        Values::Bytes(values) => Some(values.value(i)),
        Values::Dictionary { codes, values } => Some(values.value(codes.value(i) as usize)),
        _ => None,
    }
}

/// A number that the feature's domain allows. TFDV takes 0 for the least of no numbers, and blames
/// examples for it.
fn unsuspicious(feature: &Feature) -> f64 {
    let (min, max) = match &feature.domain_info {
        Some(DomainInfo::IntDomain(domain)) => {
            (domain.min.map(|min| min as f64), domain.max.map(|max| max as f64))
        }
        Some(DomainInfo::FloatDomain(domain)) => {
            (domain.min.map(f64::from), domain.max.map(f64::from))
        }
        _ => (None, None),
    };
    min.filter(|min| *min > 0.0).or(max.filter(|max| *max < 0.0)).unwrap_or(0.0)
}

fn numbers(column: &Column, values: Range<usize>, of_none: f64) -> NumericStatistics {
    let mut numbers: Vec<f64> = values.filter_map(|i| number(column, i)).collect();
    let n_nan = numbers.len();
    numbers.retain(|number| !number.is_nan());
    let n_nan = n_nan - numbers.len();
    numbers.sort_by(f64::total_cmp);
    // Finer than any histogram of many examples: a bucket for each value.
    let bucket = |&value: &f64| Bucket { low_value: value, high_value: value, sample_count: 1.0 };
    let mut histogram = Histogram {
        num_nan: n_nan as u64,
        buckets: numbers.iter().map(bucket).collect(),
        ..Default::default()
    };
    histogram.set_type(HistogramType::Quantiles);
    NumericStatistics {
        min: numbers.first().copied().unwrap_or(of_none),
        max: numbers.last().copied().unwrap_or(of_none),
        histograms: vec![histogram],
        ..Default::default()
    }
}

fn strings(column: &Column, values: Range<usize>) -> StringStatistics {
    let mut labels: BTreeMap<String, u64> = BTreeMap::new();
    let mut n_invalid = 0;
    for i in values {
        let label = match (bytes(column, i), number(column, i)) {
            (Some(bytes), _) => match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    n_invalid += 1;
                    BYTES_VALUE.to_owned()
                }
            },
            (None, Some(number)) => match &column.values {
                Values::Int(values) => values.value(i).to_string(),
                _ => number.to_string(),
            },
            (None, None) => continue,
        };
        *labels.entry(label).or_default() += 1;
    }
    let unique = labels.len() as u64;
    let bucket = |(label, n): (String, u64)| rank_histogram::Bucket {
        label,
        sample_count: n as f64,
        ..Default::default()
    };
    let buckets = labels.into_iter().map(bucket).collect();
    StringStatistics {
        unique,
        invalid_utf8_count: n_invalid,
        rank_histogram: Some(RankHistogram { buckets, ..Default::default() }),
        ..Default::default()
    }
}
