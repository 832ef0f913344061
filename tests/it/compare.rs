//! Compares two statistics messages field by field, with the tolerance that each field deserves.
//!
//! Integers and strings must be equal. `mean` and `std_dev` may differ in rounding; they mean nothing
//! where the extremes are infinite (the peer's depend on its merge order). Histograms and medians of
//! features with more distinct values than the peer's sketch holds exactly are compared by rank.

use std::collections::BTreeMap;

use serde_json::Value;

/// Distinct values up to which the peer's quantiles are exact (`epsilon` 0.01).
pub(crate) const EXACT: u64 = 5701;

/// What may differ between two messages, and how much.
pub(crate) struct Tolerance {
    /// Features whose quantiles are approximate on either side.
    pub(crate) approximate: Vec<String>,
    /// Share of the number of values by which an approximate rank may differ.
    pub(crate) epsilon: f64,
}

/// Every difference, as `place: ours vs theirs`.
pub(crate) fn differences(ours: &Value, theirs: &Value, tolerance: &Tolerance) -> Vec<String> {
    let mut found = Vec::new();
    walk("", ours, theirs, tolerance, &mut found);
    found
}

fn walk(place: &str, a: &Value, b: &Value, t: &Tolerance, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let infinite = ["min", "max"].iter().any(|end| {
                y.get(*end).is_some_and(|v| matches!(v.as_str(), Some("Infinity" | "-Infinity")))
            });
            let keys: std::collections::BTreeSet<_> = x.keys().chain(y.keys()).collect();
            for key in keys {
                if infinite && (key == "mean" || key == "std_dev") {
                    continue;
                }
                let place = format!("{place}.{key}");
                match (x.get(key), y.get(key)) {
                    (Some(Value::Array(x)), Some(Value::Array(y))) => {
                        lists(&place, key, x, y, t, found);
                    }
                    (Some(x), Some(y)) => walk(&place, x, y, t, found),
                    // Text and JSON leave zero out; whether it is -0.0 says nothing.
                    (x, y) if x.or(y).and_then(number) == Some(0.0) => {}
                    (x, y) => found.push(format!("{place}: {} vs {}", show(x), show(y))),
                }
            }
        }
        _ => {
            if !same(place, a, b, t) {
                found.push(format!("{place}: {} vs {}", show(Some(a)), show(Some(b))));
            }
        }
    }
}

fn show(value: Option<&Value>) -> String {
    let text = value.map_or("nothing".to_owned(), Value::to_string);
    if text.len() > 160 {
        format!("{}…", text.chars().take(160).collect::<String>())
    } else {
        text
    }
}

fn lists(place: &str, key: &str, a: &[Value], b: &[Value], t: &Tolerance, found: &mut Vec<String>) {
    let name = |v: &Value| match key {
        "features" => path(&v["path"]),
        // The peer lists tokens in the order of a hash map.
        "token_statistics" => {
            ["string_token", "int_token"].iter().map(|key| v[*key].to_string()).collect()
        }
        "datasets" | "custom_stats" => v["name"].as_str().unwrap_or("").to_owned(),
        "cross_features" => format!("{} × {}", path(&v["path_x"]), path(&v["path_y"])),
        _ => String::new(),
    };
    if matches!(
        key,
        "features" | "datasets" | "custom_stats" | "cross_features" | "token_statistics"
    ) {
        let x: BTreeMap<String, &Value> = a.iter().map(|v| (name(v), v)).collect();
        let y: BTreeMap<String, &Value> = b.iter().map(|v| (name(v), v)).collect();
        for key in x.keys().chain(y.keys().filter(|key| !x.contains_key(*key))) {
            let place = format!("{place}[{key}]");
            match (x.get(key), y.get(key)) {
                (Some(x), Some(y)) => walk(&place, x, y, t, found),
                // Which slices list a column that is missing in all their rows depends on the
                // peer's batches.
                (x, y) if key_is_slice(&place) && x.or(y).is_some_and(|v| is_empty(v)) => {}
                (x, y) => found.push(format!("{place}: {} vs {}", x.is_some(), y.is_some())),
            }
        }
        return;
    }
    let approximate = t.approximate.iter().any(|name| place.contains(&format!("features[{name}]")));
    let of_values = !place.contains("num_values_histogram");
    if key == "buckets" && approximate && of_values && a.len() == b.len() {
        let mut exact = Vec::new();
        for (x, y) in a.iter().zip(b) {
            walk("", x, y, &Tolerance { approximate: vec![], epsilon: 0.0 }, &mut exact);
        }
        if let Some(worst) = rank_error(a, b)
            && worst > t.epsilon
            && !exact.is_empty()
        {
            found.push(format!("{place}: ranks differ by {worst}"));
        }
        return;
    }
    if a.len() != b.len() {
        found.push(format!("{place}: {} items vs {}", a.len(), b.len()));
        return;
    }
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        walk(&format!("{place}[{i}]"), x, y, t, found);
    }
}

fn key_is_slice(place: &str) -> bool {
    !place.contains("datasets[]") && !place.contains("datasets[All Examples]")
}

/// A feature without a single value.
fn is_empty(feature: &Value) -> bool {
    ["num_stats", "string_stats", "bytes_stats", "struct_stats"].iter().any(|kind| {
        feature[*kind]
            .get("common_stats")
            .is_some_and(|c| c.get("num_non_missing").is_none_or(|n| n == "0"))
    })
}

fn path(path: &Value) -> String {
    let steps = path["step"].as_array().cloned().unwrap_or_default();
    steps.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(".")
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => match s.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The largest difference of cumulative counts at the borders of the other's buckets, as a share.
fn rank_error(a: &[Value], b: &[Value]) -> Option<f64> {
    let points = |buckets: &[Value]| -> Option<Vec<(f64, f64)>> {
        let mut sum = 0.0;
        let mut points = Vec::new();
        for bucket in buckets {
            let low = bucket.get("low_value").map_or(Some(0.0), number)?;
            points.push((low, sum));
            sum += bucket.get("sample_count").map_or(Some(0.0), number)?;
            points.push((bucket.get("high_value").map_or(Some(0.0), number)?, sum));
        }
        Some(points)
    };
    let (a, b) = (points(a)?, points(b)?);
    let total = b.last()?.1.max(1.0);
    let at = |points: &[(f64, f64)], x: f64| -> f64 {
        let mut before = points[0];
        for &point in points {
            if point.0 >= x {
                let width = point.0 - before.0;
                let share = if width > 0.0 { (x - before.0) / width } else { 1.0 };
                return before.1 + share.clamp(0.0, 1.0) * (point.1 - before.1);
            }
            before = point;
        }
        before.1
    };
    let errors = b.iter().map(|&(x, rank)| (at(&a, x) - rank).abs() / total);
    errors.reduce(f64::max)
}

fn same(place: &str, a: &Value, b: &Value, t: &Tolerance) -> bool {
    if a == b {
        return true;
    }
    let (Some(x), Some(y)) = (number(a), number(b)) else { return false };
    if x == y || x.is_nan() && y.is_nan() {
        return true;
    }
    let key = place.rsplit('.').next().unwrap_or("");
    let within = |relative: f64| (x - y).abs() <= relative * x.abs().max(y.abs());
    match key {
        // Single floats in the message.
        "avg_num_values" | "avg_length" | "avg_num_bytes" => within(1e-6),
        "mean" | "std_dev" => within(1e-9) || (x - y).abs() < 1e-12,
        // The peer adds weights up as single floats where they come as such.
        "weighted_num_examples" | "num_non_missing" | "num_missing" | "tot_num_values" => {
            within(1e-7)
        }
        "frequency" | "sample_count" | "lift" | "weighted_lift" | "correlation" | "covariance"
        | "num" | "low_value" | "high_value" | "median" => {
            let approximate =
                t.approximate.iter().any(|name| place.contains(&format!("features[{name}]")));
            within(1e-9) || (approximate && key == "median" && within(5e-2))
        }
        _ => false,
    }
}
