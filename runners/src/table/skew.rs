//! Feature skew for people: how many examples met, which features differ, and how.

use std::cmp::Reverse;
use std::fmt::Write as _;

use ops::skew::{Skew, share};
use ops::tfmd::{ConfusionCount, FeatureSkew, confusion_count};

use super::TableOptions;
use super::format::{Paint, Style, count, percent, printable};
use super::layout::{Column, KEPT, Table};

/// How many different values that met are listed for each feature.
const MET: usize = 10;

/// A pair of examples that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPair {
    /// The identifier features and their values.
    pub identifier: String,
    /// Every feature that differs, with its values in the base and in the test set.
    pub features: Vec<[String; 3]>,
}

/// The skew as text, lines ended by line feeds. Features that match in every pair are counted only.
pub fn render_skew(skew: &Skew, pairs: &[ShownPair], options: &TableOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    let mut hidden = Vec::new();
    let mut draw = |table: Table, out: &mut String| {
        hidden.extend(table.render(options.width, paint, out));
        out.push('\n');
    };
    draw(sides(skew), &mut out);
    let stats = skew.results.match_stats.unwrap_or_default();
    let _ = write!(
        out,
        "{} of {} compared",
        plural(skew.n_compared, "pair"),
        plural(stats.identifiers_count, "identifier"),
    );
    let skipped = stats.matching_pairs_count - skew.n_compared.min(stats.matching_pairs_count);
    if stats.duplicate_id_count > 0 {
        let ids = plural(stats.duplicate_id_count, "identifier");
        let _ = write!(out, "; {ids} occur several times on a side");
        if skipped > 0 {
            let _ = write!(out, ", their {} were skipped", plural(skipped, "pair"));
        }
    }
    out.push('\n');
    let features = &skew.results.feature_skew;
    let mut differing: Vec<&FeatureSkew> = features.iter().filter(|f| f.diff_count > 0).collect();
    differing.sort_by(|a, b| share(b).total_cmp(&share(a)));
    if !differing.is_empty() {
        out.push('\n');
        draw(table(skew, &differing), &mut out);
    }
    let equal = (features.len() - differing.len()) as u64;
    if skew.n_compared > 0 {
        let _ = writeln!(out, "{} without a difference", plural(equal, "feature"));
    }
    if let Some(table) = confusion(&skew.results.confusion_counts) {
        let _ = writeln!(out, "\n{}", paint.bold("Values that met, but for equal ones"));
        draw(table, &mut out);
        out.pop();
    }
    if !pairs.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("Some pairs that differ"));
        draw(sample(pairs), &mut out);
        out.pop();
    }
    if !hidden.is_empty() {
        let line = format!("not shown, for want of width: {}", hidden.join(", "));
        let _ = writeln!(out, "\n{}", paint.dim(&line));
    }
    out
}

fn plural(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

fn sides(skew: &Skew) -> Table {
    let stats = skew.results.match_stats.unwrap_or_default();
    let mut columns = [
        Column::text("", KEPT, 4),
        Column::new("examples", KEPT),
        Column::new("without identifier", 50),
        Column::new("identifiers only here", 40),
    ];
    let rows = [
        ("base", stats.base_missing_id_count, stats.ids_missing_in_test_count),
        ("test", stats.test_missing_id_count, stats.ids_missing_in_base_count),
    ];
    for ((name, without, only), examples) in rows.into_iter().zip(skew.n_examples) {
        let odd = |n: u64| if n > 0 { Style::Odd } else { Style::Plain };
        let cells = [
            (name.to_owned(), Style::Name),
            (count(examples), Style::Plain),
            (count(without), odd(without)),
            (count(only), odd(only)),
        ];
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    Table { columns: columns.into() }
}

fn table(skew: &Skew, features: &[&FeatureSkew]) -> Table {
    let mut columns = [
        Column::name("feature"),
        Column::new("differ", KEPT),
        Column::new("share", KEPT),
        Column::new("mismatch", 60),
        Column::new("base only", 50),
        Column::new("test only", 50),
        Column::new("match", 30),
        Column::text("types", 70, 14),
    ];
    for feature in features {
        let part = share(feature);
        let style = match part {
            0.05.. => Style::Bad,
            _ => Style::Odd,
        };
        let types = skew.types.get(&feature.feature_name);
        let types = types.map_or(String::new(), |[base, test]| format!("{base} ≠ {test}"));
        let some = |n: u64| (if n > 0 { count(n) } else { String::new() }, Style::Plain);
        let cells = [
            (printable(&feature.feature_name), Style::Name),
            (count(feature.diff_count), Style::Plain),
            (percent(part, 1.0), style),
            some(feature.mismatch_count),
            some(feature.base_only),
            some(feature.test_only),
            some(feature.match_count),
            (types, Style::Bad),
        ];
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    Table { columns: columns.into() }
}

/// The most frequent pairs of unequal values.
fn confusion(counts: &[ConfusionCount]) -> Option<Table> {
    let mut columns = [
        Column::name("feature"),
        Column::text("base", KEPT, 16),
        Column::text("test", KEPT, 16),
        Column::new("pairs", KEPT),
    ];
    for feature in counts.chunk_by(|a, b| a.feature_name == b.feature_name) {
        let mut met: Vec<_> = feature.iter().filter(|met| met.base != met.test).collect();
        met.sort_by_key(|met| Reverse(met.count));
        for met in met.into_iter().take(MET) {
            let cells = [
                (printable(&met.feature_name), Style::Name),
                (value(met.base.as_ref()), Style::Plain),
                (value(met.test.as_ref()), Style::Plain),
                (count(met.count), Style::Plain),
            ];
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.cells.push(cell);
            }
        }
    }
    (!columns[0].cells.is_empty()).then(|| Table { columns: columns.into() })
}

fn value(value: Option<&confusion_count::Value>) -> String {
    let bytes = value.map_or(&[][..], |value| &value.bytes_value);
    match std::str::from_utf8(bytes) {
        Ok(text) => printable(text),
        Err(_) => format!("b\"{}\"", bytes.escape_ascii()),
    }
}

fn sample(pairs: &[ShownPair]) -> Table {
    let mut columns = [
        Column::text("identifier", KEPT, 16),
        Column::name("feature"),
        Column::text("base", KEPT, 16),
        Column::text("test", KEPT, 16),
    ];
    for pair in pairs {
        for (i, [feature, base, test]) in pair.features.iter().enumerate() {
            let identifier = if i == 0 { printable(&pair.identifier) } else { String::new() };
            let cells = [
                (identifier, Style::Name),
                (printable(feature), Style::Plain),
                (printable(base), Style::Plain),
                (printable(test), Style::Plain),
            ];
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.cells.push(cell);
            }
        }
    }
    Table { columns: columns.into() }
}

#[cfg(test)]
mod tests {
    use ops::tfmd::{FeatureSkewResults, MatchStats};

    use super::*;

    fn feature(name: &str, matches: u64, mismatches: u64, only: [u64; 2]) -> FeatureSkew {
        FeatureSkew {
            feature_name: name.into(),
            base_count: matches + mismatches + only[0],
            test_count: matches + mismatches + only[1],
            match_count: matches,
            base_only: only[0],
            test_only: only[1],
            mismatch_count: mismatches,
            diff_count: mismatches + only[0] + only[1],
        }
    }

    #[test]
    fn what_differs_most_comes_first() {
        let bytes = |text: &str| Some(confusion_count::Value { bytes_value: text.into() });
        let met = |base: &str, test: &str, count| ConfusionCount {
            feature_name: "city".into(),
            base: bytes(base),
            test: bytes(test),
            count,
        };
        let results = FeatureSkewResults {
            match_stats: Some(MatchStats {
                base_with_id_count: 1_000,
                test_with_id_count: 990,
                identifiers_count: 1_000,
                ids_missing_in_test_count: 15,
                matching_pairs_count: 989,
                base_missing_id_count: 1,
                duplicate_id_count: 3,
                ..Default::default()
            }),
            feature_skew: vec![
                feature("city", 975, 10, [0, 0]),
                feature("equal", 985, 0, [0, 0]),
                feature("fare", 400, 500, [70, 15]),
            ],
            confusion_counts: vec![met("a", "a", 975), met("a", "b", 3), met("b", "a\u{7}", 7)],
            skew_pairs: Vec::new(),
        };
        let types = [("fare".to_owned(), ["INT".to_owned(), "FLOAT".to_owned()])];
        let skew = Skew {
            results,
            n_examples: [1_001, 990],
            n_compared: 985,
            types: types.into(),
            ..Skew::default()
        };
        let pairs = [ShownPair {
            identifier: "id=7".into(),
            features: vec![
                ["city".into(), "a".into(), "b".into()],
                ["fare".into(), "1.5".into(), String::new()],
            ],
        }];
        // A first line of its own keeps the blanks of the table's first line.
        let expected = "
      examples  without identifier  identifiers only here
base     1,001                   1                     15
test       990                   0                      0

985 pairs of 1,000 identifiers compared; 3 identifiers occur several times on a side, their 4 pairs were skipped

feature  differ  share  mismatch  base only  test only  match  types
fare        585  59.4%       500         70         15    400  INT ≠ FLOAT
city         10   1.0%        10                          975

1 feature without a difference

Values that met, but for equal ones
feature  base  test    pairs
city     b     a\\u{7}      7
city     a     b           3

Some pairs that differ
identifier  feature  base  test
id=7        city     a     b
            fare     1.5
";
        let found = render_skew(&skew, &pairs, &TableOptions::default());
        assert_eq!(found, expected[1..], "{found}");
        let none = Skew { results: FeatureSkewResults::default(), ..Skew::default() };
        let found = render_skew(&none, &[], &TableOptions::default());
        assert!(found.contains("0 pairs of 0 identifiers compared\n"), "{found}");
    }
}
