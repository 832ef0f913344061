//! How often optional features are there, and how long lists are.

use super::{ENOUGH, Find, SuggestionKind, count};
use crate::tfmd::feature::{PresenceConstraints, ShapeType};

/// How many standard errors the share of another dataset may be below this one's.
const ERRORS: f64 = 4.0;
/// What remains of a share that falls for other reasons than chance.
const SLACK: f64 = 0.9;

pub(super) const MIN_FRACTION: SuggestionKind = SuggestionKind {
    name: "min_fraction",
    doc: "a feature that some examples lack is there about as often",
    find: Find::Feature(|candidate, feature| {
        let (present, examples) = (candidate.present(), candidate.examples());
        // Fields of structs are counted in structs.
        if examples < ENOUGH || present == 0 || candidate.path.step.len() > 1 {
            return None;
        }
        let Some(PresenceConstraints::Presence(presence)) = &mut feature.presence_constraints
        else {
            return None;
        };
        let share = candidate.view.fraction_present()?;
        let error = (share * (1.0 - share) / examples as f64).sqrt();
        let least = ((share - ERRORS * error) * SLACK * 100.0).floor() / 100.0;
        if presence.min_fraction.is_some() || least <= 0.0 {
            return None;
        }
        presence.min_fraction = Some(least);
        Some(format!(
            "{} of {} examples have it; {ERRORS} standard errors and a tenth are left as room.",
            count(present),
            count(examples)
        ))
    }),
};

pub(super) const LIST_LENGTH: SuggestionKind = SuggestionKind {
    name: "list_length",
    doc: "lists become at most twice as long as the longest",
    find: Find::Feature(|candidate, feature| {
        let most = candidate.most_values();
        if candidate.present() < ENOUGH || candidate.view.is_nested() || most < 1 {
            return None;
        }
        let (least, limit) = match candidate.view.values_by_level().first() {
            Some((least, most)) => (*least, most.checked_mul(2)?),
            None => return None,
        };
        match &mut feature.shape_type {
            Some(ShapeType::ValueCount(range)) if range.max.is_none() => range.max = Some(limit),
            None if least == 0 && most > 0 => {
                let range = crate::tfmd::ValueCount { min: None, max: Some(limit) };
                feature.shape_type = Some(ShapeType::ValueCount(range));
            }
            _ => return None,
        }
        let lists = count(candidate.present());
        Some(format!("the longest of {lists} lists has {}.", plural(most, "value")))
    }),
};

fn plural(n: i64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", count(n.unsigned_abs())) }
}
