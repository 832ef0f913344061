//! How many distinct values there may be.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::Subject;

/// The number of distinct values. Unlike in TFDV, a bound that is not set is no bound.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let Some(bounds) = subject.feature.unique_constraints else {
        return ControlFlow::Continue(());
    };
    let Some(actual) = subject.view.num_unique() else {
        subject.report(text::no_unique(), |feature| feature.unique_constraints = None);
        return ControlFlow::Continue(());
    };
    let count = i64::try_from(actual).unwrap_or(i64::MAX);
    let edit = |feature: &mut crate::tfmd::Feature, min: Option<i64>, max: Option<i64>| {
        if let Some(bounds) = &mut feature.unique_constraints {
            (bounds.min, bounds.max) = (min, max);
        }
    };
    let mut min = bounds.min;
    if let Some(least) = bounds.min.filter(|&least| count < least) {
        min = Some(count);
        subject.report(text::low_unique(least, actual), |f| edit(f, min, bounds.max));
    }
    if let Some(most) = bounds.max.filter(|&most| count > most) {
        subject.report(text::high_unique(most, actual), |f| edit(f, min, Some(count)));
    }
    ControlFlow::Continue(())
}
