//! Whether enough examples have the feature, and whether they may.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::{Subject, retire};
use crate::tfmd::Feature;
use crate::tfmd::feature::PresenceConstraints;

/// A required feature that no example has. Ends the checks: there is nothing else to look at.
pub(super) fn check_any(subject: &mut Subject<'_>) -> ControlFlow<()> {
    if subject.view.num_present() != 0.0 {
        return ControlFlow::Continue(());
    }
    if subject.is_required() {
        subject.report(text::not_present(), retire);
    }
    ControlFlow::Break(())
}

/// A feature that does not belong to the environment of the data.
pub(super) fn check_environment(subject: &mut Subject<'_>) -> ControlFlow<()> {
    if let Some(environment) = subject.environment
        && !subject.is_in_environment()
    {
        let by_default =
            subject.index.schema().default_environment.iter().any(|name| name == environment);
        let reason = text::not_in_environment(&subject.view.path().to_string(), environment);
        subject.report(reason, |feature| {
            feature.not_in_environment.retain(|name| name != environment);
            if !by_default {
                feature.in_environment.push(environment.to_owned());
            }
        });
    }
    ControlFlow::Continue(())
}

/// How many examples have the feature, and which share of them.
pub(super) fn check_enough(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let Some(presence) = subject.feature.presence().copied() else {
        return ControlFlow::Continue(());
    };
    let present = subject.view.num_present();
    if let Some(min_count) = presence.min_count.filter(|&min| present < min as f64) {
        let actual = present as i64;
        subject.report(text::low_number_present(min_count, actual), |feature| {
            edit(feature, |presence| presence.min_count = Some(actual));
        });
    }
    let (Some(mut min_fraction), Some(fraction)) =
        (presence.min_fraction, subject.view.fraction_present())
    else {
        return ControlFlow::Continue(());
    };
    let missing = subject.view.num_missing();
    if fraction < min_fraction {
        let reason = text::low_fraction_present(min_fraction, fraction, missing);
        subject.report(reason, |feature| {
            edit(feature, |presence| presence.min_fraction = Some(fraction));
        });
        min_fraction = fraction;
    }
    if min_fraction == 1.0 && missing != 0.0 {
        // So few are missing that the fraction rounds to 1.
        subject.report(text::not_everywhere(missing), |feature| {
            edit(feature, |presence| presence.min_fraction = Some(0.9999));
        });
    }
    ControlFlow::Continue(())
}

fn edit(feature: &mut Feature, change: impl FnOnce(&mut crate::tfmd::FeaturePresence)) {
    if let Some(PresenceConstraints::Presence(presence)) = &mut feature.presence_constraints {
        change(presence);
    }
}
