//! Measured distances of features, as cells and as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ops::drift::{Comparison, DriftReport, Verdict};
use ops::tfmd::drift_skew_info::measurement::Type;
use ops::tfmd::{Anomalies, Path};
use serde::Serialize;

use super::html::{clip, value};
use super::ranks::points;
use crate::table::format::number;

/// What a dataset was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// An earlier span: drift.
    Previous,
    /// Serving data: skew.
    Serving,
}

/// How far a feature has moved, by one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distance {
    /// What it was compared with.
    pub against: Against,
    /// The metric's name, as in the table of metrics.
    pub metric: String,
    /// The distance.
    pub value: f64,
    /// Anything above is an anomaly.
    pub threshold: Option<f64>,
    /// What chance alone makes of two samples of these sizes.
    pub noise_floor: Option<f64>,
    /// How often chance alone makes as much.
    pub p: Option<f64>,
    /// The same, adjusted for the number of features.
    pub q: Option<f64>,
    /// What follows from it; none if only the threshold was looked at.
    pub verdict: Option<Verdict>,
    /// The verdict in a sentence.
    #[serde(skip)]
    pub why: String,
    /// The values that moved most.
    #[serde(skip)]
    pub contributors: Vec<Contributor>,
}

/// A value or a range of values, and its share of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributor {
    /// Which.
    pub name: String,
    /// Its share of the baseline.
    pub before: f64,
    /// Its share of what is judged.
    pub after: f64,
}

/// The distances of features, each feature's in the order they were measured.
pub type Distances = BTreeMap<Path, Vec<Distance>>;

/// The distances that validation has written beside its anomalies.
pub fn distances_of_anomalies(anomalies: &Anomalies) -> Distances {
    let mut distances = Distances::new();
    for info in &anomalies.drift_skew_info {
        let Some(path) = &info.path else { continue };
        let drift = info.drift_measurements.iter().map(|m| (Against::Previous, m));
        let skew = info.skew_measurements.iter().map(|m| (Against::Serving, m));
        let found = drift.chain(skew).map(|(against, measurement)| Distance {
            against,
            metric: name_of(measurement.r#type()).to_owned(),
            value: measurement.value(),
            threshold: measurement.threshold,
            noise_floor: None,
            p: None,
            q: None,
            verdict: None,
            why: String::new(),
            contributors: Vec::new(),
        });
        distances.entry(path.clone()).or_default().extend(found);
    }
    distances
}

/// The name of a metric that the anomalies' message has a number for.
fn name_of(kind: Type) -> &'static str {
    match kind {
        Type::LInfty => "infinity_norm",
        Type::JensenShannonDivergence => "jensen_shannon_divergence",
        Type::NormalizedAbsoluteDifference => "normalized_abs_difference",
        Type::Unknown => "distance",
    }
}

/// The distances of a comparison that have a threshold; the share of missing values only where it
/// has changed beyond its own.
pub fn distances_of_report(report: &DriftReport) -> Distances {
    let against = match report.comparison {
        Comparison::Drift => Against::Previous,
        Comparison::Skew => Against::Serving,
    };
    let mut distances = Distances::new();
    for feature in &report.features {
        let Ok(path) = feature.path.parse::<Path>() else { continue };
        let judged = feature.measurements.iter().filter(|m| {
            let is_above = m.threshold.is_some_and(|threshold| m.value > threshold);
            m.threshold.is_some() && (is_above || m.metric != "missing_change")
        });
        let judged: Vec<Distance> = judged
            .map(|m| Distance {
                against,
                metric: m.metric.to_owned(),
                value: m.value,
                threshold: m.threshold,
                noise_floor: m.noise_floor,
                p: m.p,
                q: m.q,
                verdict: Some(m.verdict),
                why: feature.why.clone(),
                contributors: m
                    .contributors
                    .iter()
                    .map(|c| Contributor {
                        name: c.name.clone(),
                        before: c.control,
                        after: c.current,
                    })
                    .collect(),
            })
            .collect();
        if !judged.is_empty() {
            distances.entry(path).or_default().extend(judged);
        }
    }
    distances
}

/// Short names of metrics, for narrow columns.
const SHORT: &[(&str, &str)] = &[
    ("infinity_norm", "L∞"),
    ("jensen_shannon_divergence", "JSD"),
    ("normalized_abs_difference", "NAD"),
    ("kolmogorov_smirnov", "KS"),
    ("total_variation", "TV"),
    ("population_stability_index", "PSI"),
    ("missing_change", "missing"),
];

impl Distance {
    /// The distance in thresholds; above 1 is an anomaly.
    pub(super) fn ratio(&self) -> Option<f64> {
        let threshold = self.threshold.filter(|threshold| *threshold >= 0.0)?;
        match (self.value > threshold, threshold > 0.0) {
            (_, true) => Some(self.value / threshold),
            (true, false) => Some(f64::MAX),
            (false, false) => Some(0.0),
        }
    }

    pub(super) fn is_above(&self) -> bool {
        self.ratio().is_some_and(|ratio| ratio > 1.0)
    }

    /// Whether it is an alarm.
    pub(super) fn is_alarm(&self) -> bool {
        match self.verdict {
            Some(verdict) => verdict == Verdict::Drifted,
            None => self.is_above(),
        }
    }

    /// Whether chance explains it.
    pub(super) fn is_noise(&self) -> bool {
        let is_explained = self.verdict == Some(Verdict::Noise);
        is_explained || self.noise_floor.is_some_and(|floor| self.value <= floor)
    }

    /// The metric's short name.
    fn short(&self) -> String {
        let short = SHORT.iter().find(|(name, _)| *name == self.metric);
        short.map_or_else(|| clip(&self.metric, 24), |(_, short)| (*short).to_owned())
    }

    /// The metric's name in words.
    fn long(&self) -> String {
        clip(&self.metric.replace('_', " "), 60)
    }

    /// The verdict in a sentence, without the marks of code.
    fn sentence(&self) -> String {
        clip(&self.why.replace('`', ""), 300)
    }

    /// The verdict in a word or two, and how loud it is.
    fn words(&self) -> (&'static str, &'static str) {
        match (self.verdict, self.is_above(), self.threshold.is_some()) {
            (Some(Verdict::Drifted), ..) => ("drifted", "bad"),
            (Some(Verdict::Incomparable), ..) => ("incomparable", "bad"),
            (Some(Verdict::Noise), ..) => ("noise", "warn"),
            (Some(Verdict::Moved), ..) => ("moved, too little to matter", ""),
            (Some(Verdict::Stable), ..) => ("stable", "none"),
            (None, true, _) => ("above", "bad"),
            (None, false, true) => ("within", "none"),
            (None, false, false) => ("no threshold", "none"),
        }
    }

    pub(super) fn title(&self) -> String {
        let mut title = format!("{} {}", self.long(), number(self.value));
        for (name, x) in [
            ("threshold", self.threshold),
            ("noise floor", self.noise_floor),
            ("p", self.p),
            ("q", self.q),
        ] {
            if let Some(x) = x {
                let _ = write!(title, ", {name} {}", number(x));
            }
        }
        title
    }
}

/// The distance that is farthest beyond its threshold.
pub(super) fn worst(distances: &[Distance]) -> Option<&Distance> {
    distances.iter().max_by(|a, b| {
        let key = |d: &Distance| (d.ratio().unwrap_or(-1.0), d.value);
        let ((ra, va), (rb, vb)) = (key(a), key(b));
        ra.total_cmp(&rb).then(va.total_cmp(&vb))
    })
}

/// The contents of a cell for a feature's distances.
pub(super) fn cell(distances: &[Distance]) -> String {
    let mut out = String::new();
    let mut ordered: Vec<&Distance> = distances.iter().collect();
    ordered.sort_by_key(|distance| !distance.is_alarm());
    for distance in ordered {
        let (tag, mark) = match (distance.is_alarm(), distance.is_above()) {
            (true, _) => ("b class=bad", "▲ "),
            (false, true) => ("b class=warn", ""),
            (false, false) => ("span", ""),
        };
        let end = tag.split(' ').next().unwrap_or_default();
        let of = distance.threshold.map_or(String::new(), |t| format!(" / {}", number(t)));
        let side = match distance.against {
            Against::Previous => "",
            Against::Serving => " skew",
        };
        let noise = if distance.is_above() && distance.is_noise() { " · noise" } else { "" };
        let _ = write!(
            out,
            "<p title=\"{}\"><{tag}>{mark}{}</{end}><small>{}{side}{of}{noise}</small>",
            distance.title(),
            number(distance.value),
            distance.short(),
        );
    }
    out
}

/// The numbers behind an anomaly of a distance.
pub(super) fn facts(
    distances: &[Distance],
    against: Against,
    reason: ops::tfmd::anomaly_info::Type,
) -> String {
    use ops::tfmd::anomaly_info::Type as Reason;
    let metric = name_of(match reason {
        Reason::ComparatorLInftyHigh => Type::LInfty,
        Reason::ComparatorJensenShannonDivergenceHigh => Type::JensenShannonDivergence,
        _ => Type::NormalizedAbsoluteDifference,
    });
    let of_metric = |d: &&Distance| d.against == against && d.metric == metric;
    let mut out = String::new();
    for distance in distances.iter().filter(of_metric) {
        let mut facts = vec![("measured", number(distance.value))];
        facts.extend(distance.threshold.map(|x| ("threshold", number(x))));
        facts.extend(distance.noise_floor.map(|x| ("noise floor", number(x))));
        facts.extend(distance.q.map(|_| ("q", chance(distance.q))));
        if distance.verdict.is_some() {
            let (words, class) = distance.words();
            facts.push(("verdict", format!("<span class={}>{words}</span>", or_plain(class))));
        }
        out.push_str(&super::anomalies::list(&facts));
    }
    out
}

/// Everything that is known about a feature's distances, as a table; none without distances.
pub(super) fn table(distances: &[Distance]) -> Option<String> {
    if distances.is_empty() {
        return None;
    }
    let mut out = String::from(DISTANCES);
    for distance in distances {
        let against = match distance.against {
            Against::Previous => "previous",
            Against::Serving => "serving",
        };
        let _ = write!(out, "<tr><th scope=row>{against}");
        out.push_str(&cells(distance));
    }
    out.push_str("</table>");
    Some(out)
}

/// The head of the table of a feature's distances.
pub(super) const DISTANCES: &str = "<table><caption>Distance<thead><tr><th scope=col>Against\
    <th scope=col>Metric<th scope=col>Value<th scope=col>Threshold<th scope=col>Noise floor\
    <th scope=col>p<th scope=col>q<th scope=col class=t>Verdict\
    <th scope=col class=t>What moved most<tbody>";

fn cells(distance: &Distance) -> String {
    let maybe = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), number);
    let (verdict, class) = distance.words();
    let why = distance.sentence();
    format!(
        "<td>{}<td class={}>{}<td>{}<td>{}<td>{}<td>{}<td class=t><span class={}>{verdict}</span> \
         {why}<td class=t>{}",
        distance.short(),
        or_plain(class),
        number(distance.value),
        maybe(distance.threshold),
        maybe(distance.noise_floor),
        chance(distance.p),
        chance(distance.q),
        or_plain(class),
        moved(distance, 5)
    )
}

/// A probability; what is smaller than anyone can tell apart is said to be so.
fn chance(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 1e-6 => "&lt;10⁻⁶".to_owned(),
        Some(p) if p < 0.001 => format!("{p:.6}"),
        Some(p) => format!("{p:.3}"),
    }
}

/// A class cannot be empty where its quotes are left out.
fn or_plain(class: &str) -> &str {
    if class.is_empty() { "plain" } else { class }
}

/// What moved most, in percentage points.
fn moved(distance: &Distance, most: usize) -> String {
    let moved =
        distance.contributors.iter().take(most).map(|c| {
            format!("<bdi>{}</bdi>&nbsp;{}", value(&c.name, 28), points(c.after - c.before))
        });
    moved.collect::<Vec<_>>().join(", ")
}

/// Rows of the table of one comparison; the tables of features have all.
const RANKED: usize = 25;
const LEAST: usize = 6;

/// One comparison's distances as a table, the worst first; none without distances.
pub(super) fn ranking(
    distances: &Distances,
    link: &dyn Fn(&Path) -> Option<usize>,
) -> Option<String> {
    let mut rows: Vec<(&Path, &Distance)> =
        distances.iter().flat_map(|(path, all)| all.iter().map(move |d| (path, d))).collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|(_, a), (_, b)| {
        let ratio = |d: &Distance| d.ratio().unwrap_or(-1.0);
        let by_value = ratio(b).total_cmp(&ratio(a)).then(b.value.total_cmp(&a.value));
        b.is_alarm().cmp(&a.is_alarm()).then(by_value)
    });
    let n_all = rows.len();
    // What is far below its threshold is not worth a line here.
    let is_worth_it = |d: &Distance| d.ratio().is_none_or(|ratio| ratio > 0.5) || d.is_alarm();
    let n_worth = rows.iter().take_while(|(_, distance)| is_worth_it(distance)).count();
    rows.truncate(n_worth.clamp(LEAST, RANKED));
    let has = |get: fn(&Distance) -> bool| rows.iter().any(|(_, distance)| get(distance));
    let has_floor = has(|d| d.noise_floor.is_some());
    let has_p = has(|d| d.p.is_some() || d.q.is_some());
    let has_moved = has(|d| !d.contributors.is_empty());
    // The bars end at the largest ratio, within limits.
    let ratios = rows.iter().filter_map(|(_, distance)| distance.ratio());
    let widest = ratios.fold(2.0, f64::max).min(8.0);
    let mut out = String::from(
        "<div class=scroll tabindex=0 role=region aria-label=\"Distances\"><table class=rank>\
         <caption class=sr>Distances, the farthest beyond its threshold first<thead><tr>\
         <th scope=col class=t>Feature<th scope=col class=t>Against<th scope=col class=t>Metric\
         <th scope=col>Distance<th scope=col>Threshold<th scope=col class=t>Distance in thresholds",
    );
    if has_floor {
        out.push_str("<th scope=col>Noise floor");
    }
    if has_p {
        out.push_str("<th scope=col>p<th scope=col>q");
    }
    out.push_str("<th scope=col class=t>Verdict");
    if has_moved {
        out.push_str("<th scope=col class=t>What moved most");
    }
    out.push_str("<tbody>");
    for (path, distance) in &rows {
        let name = clip(&path.to_string(), 48);
        let _ = match link(path) {
            Some(i) => write!(out, "<tr><th scope=row><a href=\"#f0-{i}\">{name}</a>"),
            None => write!(out, "<tr><th scope=row>{name}"),
        };
        out.push_str(&rank_cells(distance, widest, has_floor, has_p, has_moved));
    }
    out.push_str("</table></div>");
    if rows.len() < n_all {
        let n = crate::table::format::count((n_all - rows.len()) as u64);
        let _ = write!(out, "<p class=note>{n} more, smaller against their thresholds, are below.");
    }
    Some(out)
}

fn rank_cells(
    distance: &Distance,
    widest: f64,
    has_floor: bool,
    has_p: bool,
    has_moved: bool,
) -> String {
    let maybe = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), number);
    let bar = if distance.is_alarm() { "n" } else { "b" };
    let (verdict, class) = distance.words();
    let class = or_plain(class);
    let against = match distance.against {
        Against::Previous => "previous",
        Against::Serving => "serving",
    };
    // A mark stands where the threshold is.
    let one = 100.0 / widest;
    let width = distance.ratio().map_or(0.0, |ratio| (one * ratio).clamp(0.5, 100.0));
    let floor = match (distance.noise_floor, distance.threshold) {
        (Some(floor), Some(threshold)) if threshold > 0.0 => {
            let x = (one * floor / threshold).clamp(0.0, 100.0);
            format!("<path class=floor d=\"M{x:.1} 1V11\"/>")
        }
        _ => String::new(),
    };
    let ratio = match distance.ratio() {
        Some(f64::MAX) | None => String::new(),
        Some(ratio) => format!("{}×", number((ratio * 100.0).round() / 100.0)),
    };
    let mut out = format!(
        "<td class=t>{against}<td class=t title=\"{}\">{}<td class={class}>{}<td>{}<td class=t>\
         <svg class=r viewBox=\"0 0 100 12\" preserveAspectRatio=none aria-hidden=true>\
         <path class={bar} d=\"M0 3h{width:.1}v6H0z\"/><path class=one d=\"M{one:.1} 0V12\"/>{floor}</svg>\
         {ratio}",
        distance.long(),
        distance.short(),
        number(distance.value),
        maybe(distance.threshold),
    );
    if has_floor {
        let _ = write!(out, "<td>{}", maybe(distance.noise_floor));
    }
    if has_p {
        let _ = write!(out, "<td>{}<td>{}", chance(distance.p), chance(distance.q));
    }
    let why = distance.sentence();
    let _ = write!(out, "<td class=t><span class={class} title=\"{why}\">{verdict}</span>");
    if has_moved {
        let _ = write!(out, "<td class=t>{}", moved(distance, 3));
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn distance(
        value: f64,
        threshold: Option<f64>,
        verdict: Option<Verdict>,
    ) -> Distance {
        Distance {
            against: Against::Previous,
            metric: "total_variation".to_owned(),
            value,
            threshold,
            noise_floor: Some(0.04),
            p: None,
            q: None,
            verdict,
            why: String::new(),
            contributors: Vec::new(),
        }
    }

    #[test]
    fn thresholds() {
        let ratio = |value: f64, threshold: f64| distance(value, Some(threshold), None).ratio();
        assert_eq!(ratio(0.1, 0.05), Some(2.0));
        assert_eq!(ratio(0.0, 0.0), Some(0.0));
        assert_eq!(ratio(0.1, 0.0), Some(f64::MAX));
        assert_eq!(ratio(0.1, f64::NAN), None);
        assert_eq!(distance(0.1, None, None).ratio(), None);
        assert!(distance(0.1, Some(0.05), None).is_alarm());
        assert!(!distance(0.1, Some(0.05), Some(Verdict::Noise)).is_alarm());
    }
}
