//! How many values examples have: value counts and shapes.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::Subject;
use crate::schema::value_counts;
use crate::tfmd::Feature;
use crate::tfmd::feature::ShapeType;

/// The least and the greatest number of values, at each nest level.
pub(super) fn check_value_count(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let expected = match &subject.feature.shape_type {
        Some(ShapeType::ValueCount(count)) => vec![*count],
        Some(ShapeType::ValueCounts(counts)) => counts.value_count.clone(),
        _ => return ControlFlow::Continue(()),
    };
    let is_nested = matches!(subject.feature.shape_type, Some(ShapeType::ValueCounts(_)));
    let levels = subject.view.values_by_level();
    if levels.len() != expected.len() {
        let reason = if is_nested {
            text::nestedness_of_value_counts(expected.len(), levels.len())
        } else {
            text::nestedness_of_value_count(levels.len())
        };
        let view = subject.view;
        subject.report(reason, |feature| feature.shape_type = value_counts(view));
        return ControlFlow::Continue(());
    }
    for (i, (expected, &(least, most))) in expected.iter().zip(&levels).enumerate() {
        let level = is_nested.then_some(i);
        if let Some(min) = expected.min.filter(|&min| least < min) {
            subject.report(text::too_few_values(level, min, least), |feature| {
                edit(feature, i, |count| count.min = (least != 0).then_some(least));
            });
        }
        if let Some(max) = expected.max.filter(|&max| most > max) {
            subject.report(text::too_many_values(level, max, most), |feature| {
                edit(feature, i, |count| count.max = Some(most));
            });
        }
    }
    ControlFlow::Continue(())
}

fn edit(feature: &mut Feature, level: usize, change: impl FnOnce(&mut crate::tfmd::ValueCount)) {
    match &mut feature.shape_type {
        Some(ShapeType::ValueCount(count)) => change(count),
        Some(ShapeType::ValueCounts(counts)) => change(&mut counts.value_count[level]),
        _ => {}
    }
}

/// A fixed number of values everywhere.
pub(super) fn check_shape(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let Some(shape) = subject.feature.shape() else { return ControlFlow::Continue(()) };
    let expected = shape.dim.iter().fold(1i64, |product, dim| product.saturating_mul(dim.size()));
    let levels = subject.view.values_by_level();
    let missing: f64 = subject.view.missing_by_level().iter().sum();
    let varying = levels.iter().find(|&&(least, most)| least != most || least == 0);
    let reason = if let Some((least, most)) = varying {
        text::shape_of_varying(expected, &format!("{least} to {most} values"))
    } else if missing != 0.0 {
        text::shape_of_varying(expected, &format!("{missing} missing"))
    } else {
        let actual = levels.iter().fold(1i64, |product, level| product.saturating_mul(level.0));
        if actual == expected {
            return ControlFlow::Continue(());
        }
        text::shape_of_other_length(expected, actual)
    };
    subject.report(reason, |feature| feature.shape_type = None);
    ControlFlow::Continue(())
}
