//! Every number in the statistics of a feature, with how it was made.

use std::fmt::Write;

use engine::Result;

use super::{columns, find, paragraph, printable};
use crate::drift::short;
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{
    CommonStatistics, DatasetFeatureStatistics, DatasetView, FeatureView, Histogram,
};

/// A number in statistics, explained.
pub struct Number {
    /// Its name in the message.
    pub name: &'static str,
    /// How it is made, as a sentence.
    pub how: &'static str,
    /// The number, with the others it follows from where it follows from some.
    pub(super) value: fn(&FeatureView<'_, '_>) -> Option<String>,
}

fn common<'a>(view: &FeatureView<'_, 'a>) -> Option<&'a CommonStatistics> {
    view.statistics().common_stats()
}

/// Every number, in the order of the message.
pub static NUMBERS: &[Number] = &[
    Number {
        name: "num_non_missing",
        how: "Examples in which the feature is there: not null, though a list may be empty.",
        value: |view| Some(common(view)?.num_non_missing.to_string()),
    },
    Number {
        name: "num_missing",
        how: "The other examples; in files that lack the column, all of them.",
        value: |view| {
            let common = common(view)?;
            let all = common.num_missing + common.num_non_missing;
            let share = 100.0 * common.num_missing as f64 / all.max(1) as f64;
            Some(format!(
                "{} = {all} − {}, {} %",
                common.num_missing,
                common.num_non_missing,
                short(share)
            ))
        },
    },
    Number {
        name: "min_num_values",
        how: "The least number of values in an example that has the feature.",
        value: |view| Some(common(view)?.min_num_values.to_string()),
    },
    Number {
        name: "max_num_values",
        how: "The greatest number of values in an example.",
        value: |view| Some(common(view)?.max_num_values.to_string()),
    },
    Number {
        name: "tot_num_values",
        how: "All values together.",
        value: |view| Some(common(view)?.tot_num_values.to_string()),
    },
    Number {
        name: "avg_num_values",
        how: "tot_num_values / num_non_missing, in single precision.",
        value: |view| {
            let common = common(view)?;
            let (values, examples) = (common.tot_num_values, common.num_non_missing);
            Some(format!("{} = {values} / {examples}", short(f64::from(common.avg_num_values))))
        },
    },
    Number {
        name: "num_values_histogram",
        how: "Quantile buckets of the number of values in an example.",
        value: |view| common(view)?.num_values_histogram.as_ref().map(buckets),
    },
    Number {
        name: "presence_and_valency_stats",
        how: "The same numbers for each nest level of lists of lists, from the outermost.",
        value: |view| {
            let levels = &common(view)?.presence_and_valency_stats;
            let text = |l: &crate::tfmd::PresenceAndValencyStatistics| {
                format!(
                    "{} missing, {} to {} values",
                    l.num_missing, l.min_num_values, l.max_num_values
                )
            };
            (levels.len() > 1).then(|| levels.iter().map(text).collect::<Vec<_>>().join("; "))
        },
    },
    Number {
        name: "weighted_common_stats",
        how: "What the examples weigh instead of how many there are.",
        value: |view| {
            let weighted = common(view)?.weighted_common_stats.as_ref()?;
            let (present, missing) = (short(weighted.num_non_missing), short(weighted.num_missing));
            Some(format!("{present} present, {missing} missing"))
        },
    },
    Number {
        name: "mean",
        how: "The sum of the finite values / their number; infinite or NaN if infinite values occur. NaN \
              values are left out.",
        value: |view| Some(short(view.numeric()?.mean)),
    },
    Number {
        name: "std_dev",
        how: "√(Σ (value − mean)² / number): of the population, not of a sample; 0 if infinite values \
              occur.",
        value: |view| Some(short(view.numeric()?.std_dev)),
    },
    Number {
        name: "num_zeros",
        how: "How many values are 0 or −0.",
        value: |view| Some(view.numeric()?.num_zeros.to_string()),
    },
    Number {
        name: "min",
        how: "The smallest value that is not NaN.",
        value: |view| Some(short(view.numeric()?.min)),
    },
    Number {
        name: "median",
        how: "The value in the middle of 1,001 quantiles; its rank is off by a third of `epsilon` of the \
              values at most, and exact up to 5,701 distinct ones by default.",
        value: |view| Some(short(view.numeric()?.median)),
    },
    Number {
        name: "max",
        how: "The largest value that is not NaN.",
        value: |view| Some(short(view.numeric()?.max)),
    },
    Number {
        name: "histograms STANDARD",
        how: "Buckets of equal width from the smallest to the largest finite value. What is in each \
              follows from 1,001 quantiles, as if values lay evenly between two of them, so counts may be \
              fractions; infinite values have buckets of their own.",
        value: |view| view.histogram(HistogramType::Standard).map(buckets),
    },
    Number {
        name: "histograms QUANTILES",
        how: "Buckets of equally many values. Buckets that end at the same value share what is up to it.",
        value: |view| view.histogram(HistogramType::Quantiles).map(buckets),
    },
    Number {
        name: "num_nan",
        how: "How many values are not a number; they are in no other number but tot_num_values.",
        value: |view| Some(view.numeric()?.histograms.first()?.num_nan.to_string()),
    },
    Number {
        name: "weighted_numeric_stats",
        how: "The same with each value counted as often as its example weighs.",
        value: |view| {
            let weighted = view.numeric()?.weighted_numeric_stats.as_ref()?;
            let (mean, sd, median) = (weighted.mean, weighted.std_dev, weighted.median);
            Some(format!("mean {}, std_dev {}, median {}", short(mean), short(sd), short(median)))
        },
    },
    Number {
        name: "unique",
        how: "How many distinct values there are: exact, or a sketch within 0.8 % with `--approximate`.",
        value: |view| {
            let of_bytes = view.bytes().map(|bytes| bytes.unique);
            Some(view.num_unique().or(of_bytes)?.to_string())
        },
    },
    Number {
        name: "avg_length",
        how: "Bytes of all values / their number, in single precision.",
        value: |view| Some(short(f64::from(view.string()?.avg_length))),
    },
    Number {
        name: "invalid_utf8_count",
        how: "How many values are not UTF-8; the ranking shows them all under one name.",
        value: |view| Some(view.string()?.invalid_utf8_count.to_string()),
    },
    Number {
        name: "top_values",
        how: "The values that occur most often; of equally frequent ones those that come later by bytes \
              first.",
        value: |view| {
            let top = view.string()?.top_values.iter().take(8);
            let top: Vec<String> = top
                .map(|value| format!("{} {}", printable(&value.value), short(value.frequency)))
                .collect();
            (!top.is_empty()).then(|| top.join(", "))
        },
    },
    Number {
        name: "rank_histogram",
        how: "All values by frequency, as far as `num_rank_histogram_buckets` goes. Domains, L-infinity \
              and drift of labels see these only.",
        value: |view| {
            let listed = view.labels();
            let sum: f64 = listed.values().sum();
            let all = view.num_values();
            let share = if all > 0.0 { 100.0 * sum / all } else { 100.0 };
            let (n, sum, all, share) = (listed.len(), short(sum), short(all), short(share));
            view.string()?;
            Some(format!("{n} labels for {sum} of {all} values, {share} %"))
        },
    },
    Number {
        name: "weighted_string_stats",
        how: "The same ranking by what the examples weigh.",
        value: |view| {
            let weighted = view.string()?.weighted_string_stats.as_ref()?;
            let n = weighted.rank_histogram.as_ref().map_or(0, |ranks| ranks.buckets.len());
            Some(format!("{n} labels"))
        },
    },
    Number {
        name: "num_bytes",
        how: "The shortest, mean and longest value in bytes, in single precision.",
        value: |view| {
            let bytes = view.bytes()?;
            let [least, mean, most] =
                [bytes.min_num_bytes, bytes.avg_num_bytes, bytes.max_num_bytes]
                    .map(|x| short(f64::from(x)));
            Some(format!("{least}, {mean}, {most}"))
        },
    },
    Number {
        name: "custom_stats",
        how: "What further generators found: `frazil generators` says what each is.",
        value: |view| {
            let stats = &view.statistics().custom_stats;
            let names: Vec<&str> = stats.iter().map(|stat| stat.name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        },
    },
];

/// `0 to 1: 5, 1 to 2: 3`, and where it ends.
fn buckets(histogram: &Histogram) -> String {
    let text = |b: &crate::tfmd::histogram::Bucket| {
        let (low, high) = (short(b.low_value), short(b.high_value));
        let range = if low == high { low } else { format!("{low} to {high}") };
        format!("{range}: {}", short(b.sample_count))
    };
    let shown: Vec<String> = histogram.buckets.iter().take(12).map(text).collect();
    let more = histogram.buckets.len().saturating_sub(12);
    shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// All numbers of one feature.
///
/// # Errors
/// There is no such feature; similar names are in the hint.
pub fn explain_feature(statistics: &DatasetFeatureStatistics, name: &str) -> Result<String> {
    let view = DatasetView::new(statistics);
    let feature = find(&view, name)?;
    let kind = feature.data_type().as_str_name();
    let mut out = String::new();
    let _ = writeln!(out, "{}: {kind}, {} examples\n", feature.path(), statistics.num_examples);
    for number in NUMBERS {
        if let Some(value) = (number.value)(&feature) {
            out += &paragraph(2, &format!("{}: {value}", number.name));
            out += &paragraph(6, number.how);
        }
    }
    Ok(out)
}

/// What there is to explain in statistics, where no feature was named.
pub fn explain_statistics(statistics: &DatasetFeatureStatistics) -> String {
    let view = DatasetView::new(statistics);
    let mut rows = Vec::new();
    for feature in view.features() {
        let missing = feature.fraction_present().map_or(0.0, |present| 100.0 * (1.0 - present));
        let missing = format!("{} % missing", short((missing * 1000.0).round() / 1000.0));
        rows.push(vec![
            feature.path().to_string(),
            feature.data_type().as_str_name().into(),
            missing,
        ]);
    }
    let mut out = format!("{} examples, {} features\n\n", statistics.num_examples, rows.len());
    out += &columns(2, &rows);
    out + "\nName one of them to see how its numbers are made.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfmd::text::parse;

    #[test]
    fn every_number_of_a_feature() {
        let statistics: DatasetFeatureStatistics = parse(
            "num_examples: 10
             features { path { step: 'fare' } type: FLOAT num_stats {
               common_stats { num_missing: 2 num_non_missing: 8 tot_num_values: 16 avg_num_values: 2 }
               mean: 1.5 histograms { buckets { high_value: 1 sample_count: 16 } } } }
             features { path { step: 'tips' } type: STRING string_stats { unique: 3 } }",
        )
        .unwrap();
        let text = explain_feature(&statistics, "fare").unwrap();
        for part in [
            "fare: FLOAT, 10 examples",
            "num_missing: 2 = 10 − 8, 20 %",
            "2 = 16 / 8",
            "0 to 1: 16",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("unique"));
        assert!(explain_feature(&statistics, "tips").unwrap().contains("unique: 3"));
        let error = explain_feature(&statistics, "fares").unwrap_err();
        assert_eq!(error.hint(), Some("Did you mean `fare`?"));
        assert!(explain_statistics(&statistics).contains("20 % missing"));
        assert!(NUMBERS.iter().all(|number| number.how.ends_with('.')));
    }
}
