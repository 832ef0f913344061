//! The error for a name that does not exist, with the nearest name that does.

use engine::{Error, Result};

/// Checks that `name` is among `known`.
pub(crate) fn known<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    if known.clone().any(|candidate| candidate == name) {
        return Ok(());
    }
    let error = Error::invalid(format!("there is no {what} `{name}`"));
    let nearest = known.clone().map(|candidate| (distance(name, candidate), candidate)).min();
    Err(match nearest {
        Some((far, nearest)) if far <= name.chars().count().div_ceil(3) => {
            error.with_hint(format!("Did you mean `{nearest}`?"))
        }
        Some(_) => {
            let names: Vec<&str> = known.clone().take(20).collect();
            let more = known.count().saturating_sub(20);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            error.with_detail(format!("There are `{}`{more}.", names.join("`, `")))
        }
        None => error,
    })
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, in any case.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (a, b) = (fold(a), fold(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered() {
        let check = |name: &str, expected: &str| {
            let names = ["trip_miles", "fare", "company"];
            let error = known("column", name, names.into_iter()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("Fares", "there is no column `Fares`\n  hint: Did you mean `fare`?");
        check("trip_mlies", "there is no column `trip_mlies`\n  hint: Did you mean `trip_miles`?");
        check("x", "there is no column `x`\n  detail: There are `trip_miles`, `fare`, `company`.");
        assert!(known("column", "fare", ["fare"].into_iter()).is_ok());
    }
}
