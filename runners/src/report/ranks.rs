//! The values of a categorical feature: bars of the most frequent, and a table that names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ops::tfmd::FeatureView;

use super::html::{escape, value};
use crate::table::format::{count, number, percent};

/// Bars of the baseline's most frequent values.
const BARS: usize = 12;
/// Bars of values that the baseline lacks, behind them.
const NEW: usize = 4;
/// Rows of the table.
const ROWS: usize = 20;
/// Characters of a value.
const LENGTH: usize = 48;

/// The values of one dataset, the most frequent first.
pub(super) struct Ranks<'a> {
    ranked: Vec<(&'a str, f64)>,
    by_value: BTreeMap<&'a str, f64>,
    total: f64,
    unique: u64,
}

impl<'a> Ranks<'a> {
    /// None for features without values that are categories.
    pub(super) fn of(feature: &FeatureView<'_, 'a>) -> Option<Ranks<'a>> {
        let string = feature.string()?;
        let mut ranked: Vec<(&str, f64)> = match feature.rank_histogram() {
            Some(ranks) if !ranks.buckets.is_empty() => {
                ranks.buckets.iter().map(|b| (b.label.as_str(), b.sample_count)).collect()
            }
            _ => string.top_values.iter().map(|top| (top.value.as_str(), top.frequency)).collect(),
        };
        ranked.retain(|(_, count)| count.is_finite() && *count > 0.0);
        if ranked.is_empty() {
            return None;
        }
        let by_value = ranked.iter().copied().collect();
        let listed: f64 = ranked.iter().map(|(_, count)| count).sum();
        let total = feature.num_values().max(listed);
        Some(Ranks { ranked, by_value, total, unique: string.unique })
    }

    /// The share of all values that are this one.
    fn share(&self, value: &str) -> f64 {
        self.by_value.get(value).map_or(0.0, |count| count / self.total)
    }

    /// Whether a value that is not listed does not occur.
    fn is_complete(&self) -> bool {
        self.unique <= self.ranked.len() as u64
    }

    /// Whether no value occurs twice: then bars would say nothing.
    fn is_all_distinct(&self) -> bool {
        self.unique > 1 && self.ranked.first().is_some_and(|(_, count)| *count <= 1.0)
    }

    /// The most frequent value and its share.
    pub(super) fn top(&self) -> Option<(&'a str, f64)> {
        let (value, count) = self.ranked.first()?;
        Some((value, count / self.total))
    }

    /// How often a value occurs, as far as that was kept.
    pub(super) fn count(&self, value: &str) -> Option<f64> {
        self.by_value.get(value).copied()
    }
}

/// The values to show: the baseline's first, then those that only others have.
fn shown<'a>(series: &[Option<Ranks<'a>>], most: usize, most_new: usize) -> Vec<(&'a str, bool)> {
    let mut present = series.iter().flatten();
    let Some(baseline) = present.next() else { return Vec::new() };
    let known = baseline.ranked.iter().take(most).map(|(value, _)| (*value, false));
    let mut shown: Vec<(&str, bool)> = known.collect();
    if baseline.is_complete() {
        for other in present {
            for (value, _) in &other.ranked {
                let is_new = !baseline.by_value.contains_key(value);
                if is_new && shown.len() < most + most_new && !shown.contains(&(*value, true)) {
                    shown.push((*value, true));
                }
            }
        }
    }
    shown
}

/// The bars of a feature's datasets, the baseline first.
pub(super) fn draw(name: &str, series: &[Option<Ranks<'_>>]) -> Option<String> {
    let baseline = series.iter().flatten().next()?;
    let (first, _) = *baseline.ranked.first()?;
    if baseline.is_all_distinct() {
        return Some(format!("<p class=x><span>all distinct, such as {}</span>", value(first, 24)));
    }
    let shown = shown(series, BARS, NEW);
    let most =
        series.iter().flatten().flat_map(|ranks| shown.iter().map(|(value, _)| ranks.share(value)));
    let most = most.fold(0.0, f64::max);
    let height = |share: f64| (100.0 - 96.0 * share / most).round().clamp(0.0, 98.0) as i32;
    let mut paths = String::new();
    let mut title = format!("{}, share of each value", escape(name));
    let mut is_baseline = true;
    for (i, ranks) in series.iter().enumerate() {
        let Some(ranks) = ranks else { continue };
        let (mut known, mut new) = (String::new(), String::new());
        for (slot, (value, is_new)) in shown.iter().enumerate() {
            let share = ranks.share(value);
            if share <= 0.0 {
                continue;
            }
            let (x, y) = (5 * slot, height(share));
            let path = if *is_new { &mut new } else { &mut known };
            let _ = if is_baseline {
                write!(path, "M{x} 100V{y}h4V100")
            } else {
                write!(path, "M{x} {y}h4")
            };
        }
        let class = ["b", "l", "m"][i.min(2)];
        for (class, path) in [(class, known), ("n", new)] {
            if !path.is_empty() {
                let _ = write!(paths, "<path class={class} d=\"{path}\"/>");
            }
        }
        is_baseline = false;
    }
    for (text, is_new) in &shown {
        let _ = write!(title, "&#10;{}:", value(text, 24));
        for (i, ranks) in series.iter().flatten().enumerate() {
            let between = if i > 0 { " →" } else { "" };
            let _ = write!(title, "{between} {}", percent(ranks.share(text), 1.0));
        }
        if *is_new {
            title.push_str(" (new)");
        }
    }
    let width = 5 * shown.len().max(8) - 1;
    let new = shown.iter().filter(|(_, is_new)| *is_new).count();
    let new = match new {
        0 => String::new(),
        NEW => format!("<b class=bad>{NEW} or more new</b>"),
        n => format!("<b class=bad>{n} new</b>"),
    };
    let drawn = shown.iter().filter(|(_, is_new)| !is_new).count();
    let of = if drawn as u64 == baseline.unique {
        format!("{drawn} value{}", if drawn == 1 { "" } else { "s" })
    } else {
        format!("{drawn} of {}", count(baseline.unique))
    };
    Some(format!(
        "<svg class=h viewBox=\"0 0 {width} 100\" preserveAspectRatio=none role=img>\
         <title>{title}</title>{paths}</svg><p class=x><span>{}</span>{new}<span>{of}</span>",
        value(first, 18)
    ))
}

/// The table of values with their counts, shares and the differences of shares.
pub(super) fn table(series: &[Option<Ranks<'_>>], labels: &[String]) -> Option<String> {
    let is_all_distinct = series.iter().flatten().all(Ranks::is_all_distinct);
    // Of values that occur once a few tell what they look like.
    let rows = if is_all_distinct { 4 } else { ROWS };
    let shown = shown(series, rows, rows);
    if shown.is_empty() {
        return None;
    }
    let present = || series.iter().zip(labels).filter_map(|(r, label)| Some((r.as_ref()?, label)));
    let is_pair = present().count() > 1;
    let mut out = String::from("<table><caption>Values<thead><tr><th scope=col>Value");
    for (_, label) in present() {
        let _ = write!(out, "<th scope=col>{}<th scope=col>Share", value(label, 24));
    }
    out.push_str(if is_pair { "<th scope=col>Change<tbody>" } else { "<tbody>" });
    for (text, is_new) in &shown {
        let new = if *is_new { " <b class=bad>new</b>" } else { "" };
        let _ = write!(out, "<tr><th scope=row>{}{new}", value(text, LENGTH));
        for (ranks, _) in present() {
            match ranks.count(text) {
                Some(n) => {
                    let share = percent(n, ranks.total);
                    let _ = write!(out, "<td>{}<td>{share}", number(n));
                }
                None => out.push_str("<td><td>"),
            }
        }
        if is_pair {
            let mut shares = present().map(|(ranks, _)| ranks.share(text));
            let (before, after) = (shares.next().unwrap_or(0.0), shares.next().unwrap_or(0.0));
            let _ = write!(out, "<td>{}", points(after - before));
        }
    }
    let kept = present().map(|(ranks, _)| ranks.unique).max().unwrap_or(0);
    let more = kept.saturating_sub(shown.len() as u64);
    let columns = 1 + 2 * present().count() + usize::from(is_pair);
    if more > 0 {
        let _ = write!(out, "<tr><td colspan={columns}>{} more distinct values", count(more));
    }
    out.push_str("</table>");
    Some(out)
}

/// A difference of shares in percentage points, with its sign.
pub(super) fn points(difference: f64) -> String {
    let points = 100.0 * difference;
    if points.abs() < 0.05 { "0".to_owned() } else { format!("{points:+.1}").replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use ops::tfmd::{DatasetFeatureStatistics, DatasetView, Path, text};

    use super::*;

    fn dataset(unique: u64, values: &[(&str, u64)]) -> DatasetFeatureStatistics {
        let total: u64 = values.iter().map(|(_, count)| count).sum();
        let buckets = values
            .iter()
            .map(|(label, count)| format!("buckets {{ label: '{label}' sample_count: {count} }}"));
        text::parse(&format!(
            "features {{ name: 'a' string_stats {{ unique: {unique} rank_histogram {{ {} }}
             common_stats {{ tot_num_values: {total} }} }} }}",
            buckets.collect::<String>()
        ))
        .unwrap()
    }

    fn check(datasets: &[DatasetFeatureStatistics], contains: &[&str]) {
        let views: Vec<_> = datasets.iter().map(DatasetView::new).collect();
        let features = views.iter().map(|view| view.get(&Path::new(["a"])).unwrap());
        let ranks: Vec<_> = features.map(|feature| Ranks::of(&feature)).collect();
        let labels = ["x".to_owned(), "y".to_owned()];
        let drawn = draw("a", &ranks).unwrap_or_default();
        let drawn = drawn + &table(&ranks, &labels).unwrap_or_default();
        for part in contains {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }

    #[test]
    fn shares_of_two_datasets() {
        let before = dataset(2, &[("Cash", 3), ("<Card>", 1)]);
        let after = dataset(3, &[("Cash", 1), ("App", 1)]);
        check(
            &[before, after],
            &[
                "Cash: 75.0% → 50.0%",
                "&lt;Card&gt;: 25.0% → 0%",
                "App: 0% → 50.0% (new)",
                "<path class=b d=\"M0 100V4h4V100M5 100V68h4V100\"/>",
                "<path class=l d=\"M0 36h4\"/><path class=n d=\"M10 36h4\"/>",
                "<span>2 values</span>",
                "1 new",
                "<th scope=row>App <b class=bad>new</b><td><td><td>1<td>50.0%<td>+50.0",
                "−25.0",
            ],
        );
    }

    #[test]
    fn one_dataset() {
        check(&[dataset(2, &[("a", 1), ("b", 1)])], &["all distinct, such as a"]);
        check(&[dataset(9, &[("", 5), ("b", 1)])], &["“”: 83.3%", "2 of 9", "7 more distinct"]);
        check(&[dataset(0, &[])], &[]);
    }
}
