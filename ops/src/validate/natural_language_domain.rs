//! Text: how much of it a vocabulary covers, and how often tokens occur.

use super::anomalies as text;
use super::reason::Reason;
use super::subject::Subject;
use crate::tfmd::custom_statistic::Val;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::natural_language_statistics::TokenStatistics;
use crate::tfmd::natural_language_statistics::token_statistics::Token;
use crate::tfmd::sequence_value_constraints::Value;
use crate::tfmd::{
    NaturalLanguageDomain, NaturalLanguageStatistics, SequenceValueConstraints, unpack,
};

/// The constraints of a domain of natural language.
pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(DomainInfo::NaturalLanguageDomain(domain)) = &subject.feature.domain_info else {
        return;
    };
    let mut domain = domain.clone();
    let statistics = match subject.view.custom_stat("nl_statistics").map(|stat| &stat.val) {
        // Statistics of another kind under this name are none of ours.
        Some(Some(Val::Any(any))) => match unpack::<NaturalLanguageStatistics>(any) {
            Some(statistics) => Some(statistics),
            None => return,
        },
        Some(_) => return,
        None => None,
    };
    let coverage = domain.coverage.clone().unwrap_or_default();
    let is_constrained = coverage.min_coverage.is_some()
        || coverage.min_avg_token_length.is_some()
        || !domain.token_constraints.is_empty();
    // TFDV does not look at lengths of sequences, so it does not miss their statistics.
    let has_lengths = domain.sequence_length_constraints.is_some() && statistics.is_some();
    if !is_constrained && !has_lengths {
        return;
    }
    let mut reasons = Vec::new();
    let is_complete = match &statistics {
        Some(statistics) => judge(statistics, &mut domain, &mut reasons),
        None => false,
    };
    if !is_complete {
        reasons.push(text::no_natural_language_statistics());
    }
    if reasons.is_empty() {
        return;
    }
    subject.reasons.extend(reasons);
    subject.feature.to_mut().domain_info =
        is_complete.then_some(DomainInfo::NaturalLanguageDomain(domain));
}

/// Compares, and relaxes the domain; false if there are no statistics of a token.
fn judge(
    statistics: &NaturalLanguageStatistics,
    domain: &mut NaturalLanguageDomain,
    reasons: &mut Vec<Reason>,
) -> bool {
    if let Some(coverage) = &mut domain.coverage {
        let actual = statistics.feature_coverage;
        if let Some(min) = coverage.min_coverage.filter(|&min| f64::from(min) > actual) {
            reasons.push(text::low_coverage(min, actual));
            coverage.min_coverage = Some(actual as f32);
        }
        let actual = statistics.avg_token_length;
        if let Some(min) = coverage.min_avg_token_length.filter(|&min| actual < f64::from(min)) {
            reasons.push(text::short_tokens(min, actual));
            coverage.min_avg_token_length = Some(actual as f32);
        }
    }
    if let Some(lengths) = &mut domain.sequence_length_constraints {
        let actual = statistics.min_sequence_length;
        if let Some(min) = lengths.min_sequence_length.filter(|&min| actual < min) {
            reasons.push(text::short_sequences(min, actual));
            lengths.min_sequence_length = Some(actual);
        }
        let actual = statistics.max_sequence_length;
        if let Some(max) = lengths.max_sequence_length.filter(|&max| actual > max) {
            reasons.push(text::long_sequences(max, actual));
            lengths.max_sequence_length = Some(actual);
        }
    }
    for constraint in &mut domain.token_constraints {
        let (token, shown) = match &constraint.value {
            Some(Value::IntValue(value)) => (Token::IntToken(*value), value.to_string()),
            Some(Value::StringValue(value)) => (Token::StringToken(value.clone()), value.clone()),
            None => continue,
        };
        let mut tokens = statistics.token_statistics.iter();
        match tokens.find(|known| known.token.as_ref() == Some(&token)) {
            Some(known) => judge_token(known, &shown, constraint, reasons),
            None => return false,
        }
    }
    true
}

fn judge_token(
    token: &TokenStatistics,
    shown: &str,
    constraint: &mut SequenceValueConstraints,
    reasons: &mut Vec<Reason>,
) {
    let fraction = token.fraction_of_sequences;
    if let Some(min) = constraint.min_fraction_of_sequences.filter(|&m| f64::from(m) > fraction) {
        reasons.push(text::token_in_few_sequences(shown, min, fraction));
        constraint.min_fraction_of_sequences = Some(fraction as f32);
    }
    if let Some(max) = constraint.max_fraction_of_sequences.filter(|&m| f64::from(m) < fraction) {
        reasons.push(text::token_in_many_sequences(shown, max, fraction));
        constraint.max_fraction_of_sequences = Some(fraction as f32);
    }
    let least = token.per_sequence_min_frequency;
    if let Some(min) = constraint.min_per_sequence.filter(|&min| min as f64 > least) {
        reasons.push(text::token_too_rare(shown, min, least));
        constraint.min_per_sequence = Some(least as i64);
    }
    let most = token.per_sequence_max_frequency;
    if let Some(max) = constraint.max_per_sequence.filter(|&max| (max as f64) < most) {
        reasons.push(text::token_too_frequent(shown, max, most));
        constraint.max_per_sequence = Some(most as i64);
    }
}
