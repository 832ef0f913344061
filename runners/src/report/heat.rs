//! Drift as heat: features against spans.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ops::tfmd::Path;

use super::drift::{Against, Distance, Distances};
use super::html::{clip, escape, value};

/// Rows of a heat map.
const ROWS: usize = 200;
/// One column of the heat map: a span and its distances.
pub(super) struct Column<'a> {
    pub(super) label: &'a str,
    pub(super) examples: String,
    pub(super) distances: Option<&'a Distances>,
}

/// Features against spans, the last span's worst first; none with less than two comparisons.
pub(super) fn heat_map(
    columns: &[Column<'_>],
    link: &dyn Fn(&Path) -> Option<usize>,
) -> Option<String> {
    if columns.iter().filter(|c| c.distances.is_some_and(|d| !d.is_empty())).count() < 2 {
        return None;
    }
    let mut rows: BTreeMap<&Path, Vec<Option<&Distance>>> = BTreeMap::new();
    for (i, column) in columns.iter().enumerate() {
        for (path, distances) in column.distances.into_iter().flatten() {
            let row = rows.entry(path).or_insert_with(|| vec![None; columns.len()]);
            row[i] = distances
                .iter()
                .filter(|d| d.against == Against::Previous)
                .max_by(|a, b| a.ratio().unwrap_or(-1.0).total_cmp(&b.ratio().unwrap_or(-1.0)));
        }
    }
    rows.retain(|_, row| row.iter().any(Option::is_some));
    let mut rows: Vec<(&Path, Vec<Option<&Distance>>)> = rows.into_iter().collect();
    let ratio = |cell: Option<&Distance>| cell.and_then(Distance::ratio).unwrap_or(-1.0);
    let key = |row: &[Option<&Distance>]| {
        let most = row.iter().copied().map(ratio).fold(-1.0, f64::max);
        let is_alarm = row.last().copied().flatten().is_some_and(Distance::is_alarm);
        (f64::from(u8::from(is_alarm)), row.last().copied().map_or(-1.0, ratio), most)
    };
    rows.sort_by(|(_, a), (_, b)| {
        let (a, b) = (key(a), key(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
    });
    let labels: Vec<&str> = columns.iter().map(|column| column.label).collect();
    let shared = shared_start(&labels);
    let mut out = format!(
        "<div class=scroll tabindex=0 role=region aria-label=\"Drift by feature and span\">\
         <table class=heat><caption class=sr>Distance of each feature in each span, the last \
         span's worst first<thead><tr><td class=from>{}",
        if shared > 0 { escape(&labels[0][..shared]) + "…" } else { String::new() }
    );
    // So many columns share a label that labels do not meet; the last span always has one.
    let step = columns.len().div_ceil(16);
    for (i, column) in columns.iter().enumerate() {
        let hidden = if (columns.len() - 1 - i).is_multiple_of(step) { "" } else { " class=sr" };
        let _ = write!(
            out,
            "<th scope=col title=\"{}: {}\"><span{hidden}>{}</span>",
            clip(column.label, 60),
            column.examples,
            value(&column.label[shared..], 12)
        );
    }
    out.push_str("<tbody>");
    for (path, row) in rows.iter().take(ROWS) {
        let name = clip(&path.to_string(), 48);
        let _ = match link(path) {
            Some(i) => write!(out, "<tr><th scope=row><a href=\"#f0-{i}\">{name}</a>"),
            None => write!(out, "<tr><th scope=row>{name}"),
        };
        for (cell, column) in row.iter().zip(columns) {
            let Some(distance) = cell else {
                out.push_str("<td class=hx>");
                continue;
            };
            // What chance explains is marked so, however far above the threshold it is.
            let step = match (distance.is_noise(), distance.ratio()) {
                (true, Some(ratio)) if ratio > 1.0 => "hn hz",
                (true, _) => "hn",
                (false, None | Some(..=0.5)) => "h0",
                (false, Some(..=1.0)) => "h1",
                (false, Some(..=2.0)) => "h2",
                (false, Some(_)) => "h3",
            };
            let shown = if distance.value < 0.0995 {
                format!("{:.3}", distance.value)
            } else {
                format!("{:.2}", distance.value)
            };
            let _ = write!(
                out,
                "<td class=\"{step}\" title=\"{}: {}\">{shown}",
                clip(column.label, 24),
                distance.title()
            );
        }
    }
    out.push_str("</table></div>");
    if rows.len() > ROWS {
        let _ = write!(
            out,
            "<p class=note>The {ROWS} features that are farthest beyond their thresholds in the \
             last span are drawn, of {}.",
            crate::table::format::count(rows.len() as u64)
        );
    }
    Some(out)
}

/// How many bytes all labels begin with, up to the end of a word: they are said once.
fn shared_start(labels: &[&str]) -> usize {
    let Some((first, others)) = labels.split_first() else { return 0 };
    let same = |label: &&str| {
        let pairs = first.char_indices().zip(label.chars());
        pairs
            .take_while(|((_, a), b)| a == b)
            .map(|((i, a), _)| i + a.len_utf8())
            .last()
            .unwrap_or(0)
    };
    let same = others.iter().map(same).min().unwrap_or(0);
    let word = first[..same].rfind(|c: char| !c.is_alphanumeric());
    let end = word.map_or(0, |at| at + first[at..].chars().next().map_or(0, char::len_utf8));
    if labels.iter().all(|label| label.len() > end) { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use ops::drift::Verdict;

    use super::super::drift::tests::distance;
    use super::*;

    #[test]
    fn labels_share_whole_words() {
        let check = |labels: &[&str], expected: usize| {
            assert_eq!(shared_start(labels), expected, "{labels:?}");
        };
        check(&["2024-03-01", "2024-03-12"], 8);
        check(&["span-10", "span-11"], 5);
        check(&["span10", "span11"], 0);
        check(&["día·1", "día·2"], 6);
        check(&["a-", "a-"], 0);
        check(&["a-b"], 0);
        check(&[], 0);
    }

    #[test]
    fn heat() {
        let of = |rows: &[(&str, f64)]| -> Distances {
            let drifted = |x: f64| if x > 0.05 { Verdict::Drifted } else { Verdict::Stable };
            rows.iter()
                .map(|(name, x)| {
                    (Path::new([*name]), vec![distance(*x, Some(0.05), Some(drifted(*x)))])
                })
                .collect()
        };
        let spans = [of(&[("a", 0.01), ("b", 0.3)]), of(&[("a", 0.07), ("b", 0.045)])];
        let columns: Vec<Column<'_>> = spans
            .iter()
            .map(|distances| Column {
                label: "x<",
                examples: "3 examples".to_owned(),
                distances: Some(distances),
            })
            .collect();
        let map = heat_map(&columns, &|_| None).unwrap();
        // The last span's worst is first, though the other was worse before.
        let (a, b) = (map.find("<tr><th scope=row>a").unwrap(), map.find("row>b").unwrap());
        assert!(a < b);
        for part in
            ["class=\"hn\"", "class=\"h2\"", "class=\"h3\"", "class=\"h1\"", ">0.070", "x&lt;"]
        {
            assert!(map.contains(part), "{part}: {map}");
        }
        // One comparison is no map.
        assert!(heat_map(&columns[..1], &|_| None).is_none());
    }
}
