//! Sequences of numbers and texts, and what is said of them.

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, ListArray};

use super::*;
use crate::stats::{StatsOptions, laws};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::natural_language_statistics::token_statistics::Token as Name;
use crate::tfmd::sequence_value_constraints::Value;
use crate::tfmd::{
    Feature, FeatureCoverageConstraints, FeatureNameStatistics, Schema, SequenceLengthConstraints,
    SequenceValueConstraints, custom_statistic, unpack,
};

fn options(domain: NaturalLanguageDomain, lines: Option<&[&str]>) -> StatsOptions {
    let feature = Feature {
        name: Some("x".into()),
        domain_info: Some(DomainInfo::NaturalLanguageDomain(domain)),
        ..Default::default()
    };
    let schema = Schema { feature: vec![feature], ..Default::default() };
    let lines = lines.map(|lines| {
        let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        ("v".to_owned(), Arc::new(lines))
    });
    StatsOptions {
        schema: Some(Arc::new(schema)),
        vocabularies: lines.into_iter().collect(),
        num_quantiles_histogram_buckets: 2,
        ..Default::default()
    }
}

fn domain(vocabulary: bool) -> NaturalLanguageDomain {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let sought = |value| SequenceValueConstraints { value: Some(value), ..Default::default() };
    NaturalLanguageDomain {
        vocabulary: vocabulary.then(|| "v".into()),
        coverage: Some(FeatureCoverageConstraints {
            excluded_string_tokens: texts(&["[PAD]"]),
            excluded_int_tokens: vec![99],
            oov_string_tokens: texts(&["[UNK]"]),
            ..Default::default()
        }),
        token_constraints: vec![
            sought(Value::StringValue("the".into())),
            sought(Value::IntValue(1)),
            sought(Value::StringValue("the".into())),
            sought(Value::StringValue("never".into())),
        ],
        sequence_length_constraints: Some(SequenceLengthConstraints {
            excluded_int_value: vec![0],
            excluded_string_value: texts(&["[PAD]"]),
            ..Default::default()
        }),
    }
}

const LINES: &[&str] = &["[PAD]", "[UNK]", "the ", "cat", "naïve"];

fn run(options: &StatsOptions, column: ArrayRef) -> Option<NaturalLanguageStatistics> {
    let message = laws::feature(&GENERATOR, options, column, |a, b| a == b);
    statistics(&message)
}

fn statistics(message: &FeatureNameStatistics) -> Option<NaturalLanguageStatistics> {
    let stat = message.custom_stats.first()?;
    assert_eq!((stat.name.as_str(), message.custom_stats.len()), ("nl_statistics", 1));
    let Some(custom_statistic::Val::Any(any)) = &stat.val else { panic!("{stat:?}") };
    unpack(any)
}

fn numbers(rows: &[Option<&[i64]>]) -> ArrayRef {
    let rows = rows.iter().map(|row| row.map(|row| row.iter().copied().map(Some)));
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
}

fn texts(rows: &[&[&str]]) -> ArrayRef {
    let mut builder =
        arrow_array::builder::ListBuilder::new(arrow_array::builder::BinaryBuilder::new());
    for row in rows {
        row.iter().for_each(|text| builder.values().append_value(text));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn ranks(statistics: &NaturalLanguageStatistics) -> Vec<(String, f64)> {
    let ranks = statistics.rank_histogram.iter().flat_map(|ranks| &ranks.buckets);
    ranks.map(|bucket| (bucket.label.clone(), bucket.sample_count)).collect()
}

fn tokens(statistics: &NaturalLanguageStatistics) -> Vec<(Name, [f64; 5])> {
    let tokens = statistics.token_statistics.iter();
    tokens
        .map(|t| {
            let numbers = [
                t.frequency,
                t.fraction_of_sequences,
                t.per_sequence_min_frequency,
                t.per_sequence_avg_frequency,
                t.per_sequence_max_frequency,
            ];
            (t.token.clone().unwrap(), numbers)
        })
        .collect()
}

#[test]
fn numbers_with_a_vocabulary() {
    let rows: &[Option<&[i64]>] =
        &[Some(&[2, 3, 1, 0]), None, Some(&[]), Some(&[4, 2, 2, 99, 7, -1, 0, 0])];
    let found = run(&options(domain(true), Some(LINES)), numbers(rows)).unwrap();
    // Counted are the, cat, [UNK]; naïve, the, the, 7, -1: known are five of eight.
    assert_eq!(found.feature_coverage, 5.0 / 8.0);
    assert_eq!(found.avg_token_length, (3.0 + 3.0 + 5.0 + 3.0 + 3.0) / 5.0);
    // [PAD] is excluded as 0 and as a text: it takes two off.
    assert_eq!((found.min_sequence_length, found.max_sequence_length), (2, 4));
    let pair = |text: &str, n: f64| (text.to_owned(), n);
    assert_eq!(ranks(&found), [pair("the", 3.0), pair("cat", 1.0), pair("naïve", 1.0)]);
    assert_eq!(
        found.reported_sequences,
        [
            "['naïve', 'the', 'the', 99, 7, -1, '[PAD]', '[PAD]']",
            "['the', 'cat', '[UNK]', '[PAD]']",
            "['the', 'cat', '[UNK]', '[PAD]']",
            "['naïve', 'the', 'the', 99, 7, -1, '[PAD]', '[PAD]']",
        ]
    );
    assert_eq!(
        tokens(&found),
        [
            (Name::StringToken("the".into()), [3.0, 2.0 / 3.0, 1.0, 1.5, 2.0]),
            (Name::IntToken(1), [1.0, 1.0 / 3.0, 0.0, 1.0, 1.0]),
            (Name::StringToken("never".into()), [0.0; 5]),
        ]
    );
    let positions = found.token_statistics[0].positions.as_ref().unwrap();
    let positions: Vec<_> =
        positions.buckets.iter().map(|b| (b.low_value, b.high_value, b.sample_count)).collect();
    assert_eq!(positions, [(0.0, 0.1, 1.0), (0.1, 0.2, 1.0), (0.2, 0.3, 1.0)]);
    let lengths = found.token_length_histogram.unwrap();
    let lengths: Vec<_> =
        lengths.buckets.iter().map(|b| (b.low_value, b.high_value, b.sample_count)).collect();
    assert_eq!(lengths, [(3.0, 3.0, 4.0), (3.0, 5.0, 1.0)]);
}

#[test]
fn texts_with_and_without_a_vocabulary() {
    let rows: &[&[&str]] = &[&["the", "dog", "[PAD]"], &["[UNK]", "the", "the", "it's"]];
    for (vocabulary, n_sought) in [(true, 3), (false, 2)] {
        let options = options(domain(vocabulary), Some(LINES).filter(|_| vocabulary));
        let found = run(&options, texts(rows)).unwrap();
        assert_eq!(found.feature_coverage, 5.0 / 6.0);
        assert_eq!(found.avg_token_length, 16.0 / 5.0);
        let pair = |text: &str, n: f64| (text.to_owned(), n);
        assert_eq!(ranks(&found), [pair("the", 3.0), pair("dog", 1.0), pair("it's", 1.0)]);
        // 0 is a number that texts have by the vocabulary alone.
        let least = if vocabulary { 1 } else { 2 };
        assert_eq!((found.min_sequence_length, found.max_sequence_length), (least, 4));
        assert_eq!(found.token_statistics.len(), n_sought);
        assert_eq!(
            found.reported_sequences,
            [
                "['[UNK]', 'the', 'the', \"it's\"]",
                "['the', 'dog', '[PAD]']",
                "['[UNK]', 'the', 'the', \"it's\"]",
                "['the', 'dog', '[PAD]']",
            ]
        );
    }
}

#[test]
fn numbers_without_a_vocabulary() {
    let found = run(&options(domain(false), None), numbers(&[Some(&[1, 99, 1])])).unwrap();
    assert_eq!(found.feature_coverage, 0.0);
    assert_eq!(found.rank_histogram, None);
    assert_eq!(found.token_length_histogram, None);
    assert_eq!(found.reported_sequences, ["[1, 99, 1]", "[1, 99, 1]"]);
    assert_eq!(tokens(&found), [(Name::IntToken(1), [2.0, 1.0, 2.0, 2.0, 2.0])]);
}

#[test]
fn nothing_to_count() {
    let options = options(domain(true), Some(LINES));
    let empty = NaturalLanguageStatistics::default();
    assert_eq!(run(&options, numbers(&[Some(&[]), None])), Some(empty));
    assert_eq!(run(&StatsOptions::default(), numbers(&[Some(&[1])])), None);
    let flat = run(&options, Arc::new(Int64Array::from(vec![Some(2), None, Some(3)])));
    assert_eq!(flat.unwrap().max_sequence_length, 1);
    let no_rules = NaturalLanguageDomain::default();
    assert_eq!(run(&self::options(no_rules, None), numbers(&[Some(&[1])])), None);
}

#[test]
fn a_vocabulary_that_is_not_given_is_an_error() {
    let options = options(domain(true), None);
    let path = crate::stats::FeaturePath::column("x");
    let context = crate::stats::FeatureContext {
        path: &path,
        kind: Kind::Int,
        logical: None,
        variant: crate::stats::Variant::String,
        weighted: false,
        schema: options.schema_feature(&path),
        options: &options,
    };
    let f = (GENERATOR.new)(&context).unwrap();
    let column = crate::stats::testing::flat(crate::stats::Values::Int(vec![1].into()));
    let error = f.add(&mut f.create(), &column).unwrap_err();
    assert_eq!(error.message(), "the vocabulary `v` of feature `x` is not given");
}

#[test]
fn weights_count_tokens() {
    let options = options(domain(true), Some(LINES));
    let path = crate::stats::FeaturePath::column("x");
    let context = crate::stats::FeatureContext {
        path: &path,
        kind: Kind::Int,
        logical: None,
        variant: crate::stats::Variant::String,
        weighted: true,
        schema: options.schema_feature(&path),
        options: &options,
    };
    let f = (GENERATOR.new)(&context).unwrap();
    let values = crate::stats::Values::Int(vec![2, 3, 7].into());
    let column = crate::stats::testing::weighted(values, vec![0.5, 2.0, 1.5]);
    let mut state = f.create();
    f.add(&mut state, &column).unwrap();
    let mut message = FeatureNameStatistics::default();
    f.extract(f.decode(&f.encode(&state)).unwrap()).unwrap()(&mut message);
    let weighted = statistics(&message).unwrap().weighted_nl_statistics.unwrap();
    assert_eq!((weighted.feature_coverage, weighted.avg_token_length), (2.5 / 4.0, 3.0));
    let ranks: Vec<_> = weighted.rank_histogram.unwrap().buckets;
    let ranks: Vec<_> = ranks.iter().map(|b| (b.label.as_str(), b.sample_count)).collect();
    assert_eq!(ranks, [("cat", 2.0), ("the", 0.5)]);
}
