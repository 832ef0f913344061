//! The name that was probably meant.

use engine::Error;

/// Adds a hint to an error about an unknown name, if one of the known names is close to it.
pub(crate) fn hint(error: Error, name: &str, known: &[String]) -> Error {
    match nearest(name, known) {
        Some(close) => error.with_hint(format!("Did you mean `{close}`?")),
        None => error,
    }
}

/// The first of the closest names, unless it differs in more than a third of its letters.
pub(crate) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let limit = name.chars().count().min(60) / 3;
    known
        .iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit.max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_str())
}

/// How many letters must be inserted, removed, replaced or exchanged with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // The last three rows of the table of distances between beginnings.
    let mut earlier: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut before = None;
    // Names in our messages are short: anything longer is far from all of them.
    for (i, x) in a.chars().take(100).enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != *y);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if j > 0 && before == Some(*y) && b[j - 1] == x {
                least = least.min(earlier[j - 1] + 1);
            }
            row.push(least);
        }
        before = Some(x);
        earlier = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        fn check(name: &str, expected: Option<&str>) {
            let known = ["feature", "string_domain", "is_categorical"].map(String::from);
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
        check("featrue", Some("feature"));
        check("features", Some("feature"));
        check("Feature", Some("feature"));
        check("string_domian", Some("string_domain"));
        check("etaf", None);
        assert_eq!(
            ["tpye", "ytep", "tyep", "typ", ""].map(|name| distance(name, "type")),
            [1, 2, 1, 1, 4]
        );
        check("x", None);
        check("", None);
        check("presence", None);
        check(&"feature".repeat(1000), None);
    }
}
