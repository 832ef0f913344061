//! A feature of a schema in few words, for tables and diffs.

use crate::tfmd::feature::{DomainInfo, PresenceConstraints, ShapeType};
use crate::tfmd::{Feature, FeaturePresence, FeatureType, Schema, ValueCount, text};

/// A longer list of values ends in an ellipsis.
const VALUES: usize = 6;

/// The type as the schema spells it: `INT`.
pub fn type_name(feature: &Feature) -> &'static str {
    match feature.r#type() {
        FeatureType::TypeUnknown => "unknown",
        FeatureType::Bytes => "BYTES",
        FeatureType::Int => "INT",
        FeatureType::Float => "FLOAT",
        FeatureType::Struct => "STRUCT",
    }
}

/// Whether and how often the feature must be there: `required`, `optional`, `in 90 %`.
pub fn presence(feature: &Feature) -> String {
    if feature.is_retired() {
        return "not validated".to_owned();
    }
    match &feature.presence_constraints {
        Some(PresenceConstraints::Presence(presence)) => {
            let FeaturePresence { min_fraction, min_count } = *presence;
            match (min_fraction.unwrap_or(0.0), min_count.unwrap_or(0)) {
                (1.0.., _) => "required".to_owned(),
                (fraction, _) if fraction > 0.0 => format!("in {} %", fraction * 100.0),
                (_, count @ 2..) => format!("in {count} examples"),
                _ => "optional".to_owned(),
            }
        }
        Some(PresenceConstraints::GroupPresence(group)) if group.required() => {
            "required in group".to_owned()
        }
        _ => "optional".to_owned(),
    }
}

/// How many values an example has: `single`, `[1, 5]`, `2 × 3`; empty if nothing is said.
pub fn valency(feature: &Feature) -> String {
    let range = |count: &ValueCount| match (count.min, count.max) {
        (Some(1), Some(1)) => "single".to_owned(),
        (min, max) => {
            let max = max.map_or_else(|| "∞".to_owned(), |max| max.to_string());
            format!("[{}, {max}]", min.unwrap_or(0))
        }
    };
    match &feature.shape_type {
        None => String::new(),
        Some(ShapeType::Shape(shape)) => {
            let dims: Vec<String> = shape.dim.iter().map(|dim| dim.size().to_string()).collect();
            match dims.join(" × ").as_str() {
                "" | "1" => "single".to_owned(),
                dims => format!("= {dims}"),
            }
        }
        Some(ShapeType::ValueCount(count)) => range(count),
        Some(ShapeType::ValueCounts(levels)) => {
            levels.value_count.iter().map(range).collect::<Vec<_>>().join(" of ")
        }
    }
}

/// Which values are allowed: `[0, 100]`, `'a', 'b', … (17)`, `time`; empty if nothing is said.
pub fn domain(schema: &Schema, feature: &Feature) -> String {
    let Some(domain) = &feature.domain_info else { return String::new() };
    match domain {
        DomainInfo::Domain(name) => match schema.string_domain_of(feature) {
            Some(domain) => values(&domain.value),
            None => format!("'{}', which is not there", plain(name)),
        },
        DomainInfo::StringDomain(domain) => values(&domain.value),
        DomainInfo::IntDomain(domain) => {
            let bound = |x: Option<i64>| x.map(|x| x.to_string());
            let text = range("int", bound(domain.min), bound(domain.max));
            if domain.is_categorical() { format!("{text}, categorical") } else { text }
        }
        DomainInfo::FloatDomain(domain) => {
            let bound = |x: Option<f32>| x.map(|x| x.to_string());
            let mut text = range("float", bound(domain.min), bound(domain.max));
            if domain.disallow_nan() {
                text += ", no NaN";
            }
            if domain.disallow_inf() {
                text += ", no inf";
            }
            text
        }
        DomainInfo::BoolDomain(domain) => match (&domain.true_value, &domain.false_value) {
            (None, None) => "bool".to_owned(),
            (yes, no) => {
                let shown = |value: &Option<String>| {
                    value.as_ref().map_or_else(|| "nothing".to_owned(), |v| quoted(v))
                };
                format!("bool: {} or {}", shown(yes), shown(no))
            }
        },
        DomainInfo::StructDomain(domain) => match domain.feature.len() {
            1 => "1 field".to_owned(),
            n => format!("{n} fields"),
        },
        DomainInfo::NaturalLanguageDomain(_) => "natural language".to_owned(),
        DomainInfo::ImageDomain(_) => "image".to_owned(),
        DomainInfo::MidDomain(_) => "MID".to_owned(),
        DomainInfo::UrlDomain(_) => "URL".to_owned(),
        DomainInfo::TimeDomain(time) => {
            let format = one_line(time);
            if format.is_empty() { "time".to_owned() } else { format!("time, {format}") }
        }
        DomainInfo::TimeOfDayDomain(_) => "time of day".to_owned(),
    }
}

fn range(name: &str, min: Option<String>, max: Option<String>) -> String {
    match (min, max) {
        (None, None) => name.to_owned(),
        (min, max) => {
            let min = min.unwrap_or_else(|| "-∞".to_owned());
            format!("[{min}, {}]", max.unwrap_or_else(|| "∞".to_owned()))
        }
    }
}

/// The first values in quotes, and how many there are if that is not all.
pub(super) fn values(values: &[String]) -> String {
    let shown = values.iter().take(VALUES).map(|value| quoted(value)).collect::<Vec<_>>();
    match values.len() {
        0 => "no value".to_owned(),
        n if n > VALUES => format!("{}, … ({n})", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Text in quotes, control characters as escapes, cut if it is long.
pub(super) fn quoted(value: &str) -> String {
    /// Longer text would hide what is around it.
    const SHOWN: usize = 60;
    let cut: String = value.chars().take(SHOWN).collect();
    let more = if cut.len() < value.len() { "…" } else { "" };
    format!("\"{}{more}\"", plain(&cut).replace('"', "\\\""))
}

/// Text that cannot steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A message on one line: `min: 0 max: 10`.
pub(super) fn one_line<M: prost_reflect::ReflectMessage>(message: &M) -> String {
    let text = text::print(message);
    text.lines().map(str::trim_start).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words() {
        let check = |feature: &str, expected: [&str; 3]| {
            let text = format!(
                "feature {{ name: 'a' {feature} }} string_domain {{ name: 'd' value: ['x', 'y\\n'] }}"
            );
            let schema: Schema = text::parse(&text).unwrap();
            let feature = &schema.feature[0];
            let found = [presence(feature), valency(feature), domain(&schema, feature)];
            assert_eq!(found, expected, "{text}");
        };
        check("", ["optional", "", ""]);
        check("presence { min_fraction: 1 min_count: 1 } shape {}", ["required", "single", ""]);
        check(
            "presence { min_fraction: 0.5 } shape { dim { size: 2 } dim { size: 3 } }",
            ["in 50 %", "= 2 × 3", ""],
        );
        check("presence { min_count: 7 } value_count { max: 3 }", ["in 7 examples", "[0, 3]", ""]);
        check(
            "presence { min_count: 1 } value_counts { value_count { min: 1 } value_count {} }",
            ["optional", "[1, ∞] of [0, ∞]", ""],
        );
        check(
            "lifecycle_stage: ALPHA group_presence { required: true } domain: 'd'",
            ["not validated", "", "\"x\", \"y\\n\""],
        );
        check(
            "group_presence { required: true } domain: 'e'",
            ["required in group", "", "'e', which is not there"],
        );
        check("int_domain {}", ["optional", "", "int"]);
        check(
            "int_domain { min: 0 is_categorical: true }",
            ["optional", "", "[0, ∞], categorical"],
        );
        check(
            "float_domain { max: 1.5 disallow_nan: true }",
            ["optional", "", "[-∞, 1.5], no NaN"],
        );
        check("bool_domain { true_value: 'yes' }", ["optional", "", "bool: \"yes\" or nothing"]);
        check(
            "time_domain { integer_format: UNIX_DAYS }",
            ["optional", "", "time, integer_format: UNIX_DAYS"],
        );
        check("struct_domain { feature {} }", ["optional", "", "1 field"]);
        check(
            "string_domain { value: ['1', '2', '3', '4', '5', '6', '7'] }",
            ["optional", "", "\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", … (7)"],
        );
    }
}
