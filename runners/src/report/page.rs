//! The page as a whole: what it says first, its sections in order, and what its script reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ops::tfmd::anomaly_info::Severity;
use ops::tfmd::{Anomalies, DatasetView, Path};
use serde::Serialize;

use super::drift::{self, Against, Distances};
use super::features::{self, Kind, Record, Row, severity_name};
use super::heat::{self, Column};
use super::html::{clip, json};
use super::phrases::{PHRASES, shorten};
use super::{Context, Data, Report, anomalies, main_slice, sha256};
use crate::table::format::{count, number};

/// Features of each table that are in the document from the start.
const FIRST: usize = 60;
/// Rows of all slices together; slices beyond are left out.
const MOST_ROWS: usize = 20_000;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The summary that is in the page as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    format: &'static str,
    version: u32,
    generator: &'static str,
    verdict: &'static str,
    datasets: Vec<Dataset<'a>>,
    spans: Vec<Dataset<'a>>,
    schema: Option<&'a str>,
    anomalies: Vec<AnomalyRecord<'a>>,
    columns: BTreeMap<&'static str, Vec<&'static str>>,
    /// Which of `datasets` is judged.
    current: usize,
    slices: Vec<Slice<'a>>,
    /// What single characters in the rows stand for.
    phrases: BTreeMap<char, &'static str>,
}

#[derive(Serialize)]
struct Dataset<'a> {
    role: &'static str,
    label: &'a str,
    sha256: &'a str,
    examples: u64,
    features: usize,
}

#[derive(Serialize)]
struct AnomalyRecord<'a> {
    feature: Option<String>,
    severity: &'static str,
    types: Vec<&'static str>,
    short_description: &'a str,
    description: &'a str,
}

#[derive(Serialize)]
struct Slice<'a> {
    name: &'a str,
    examples: Vec<Option<f64>>,
    features: Vec<Record>,
}

/// Whether the data passed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Failed,
    Warned,
    Passed,
    Unjudged,
}

impl Verdict {
    fn of(report: &Report<'_>, ctx: &Context<'_>) -> Verdict {
        let Some(anomalies) = report.anomalies else { return Verdict::Unjudged };
        let severities = || ctx.anomalies.iter().map(anomalies::Anomaly::severity);
        if anomalies.data_missing() || severities().any(|s| s == Severity::Error) {
            Verdict::Failed
        } else if severities().next().is_some() {
            Verdict::Warned
        } else {
            Verdict::Passed
        }
    }

    fn name(self) -> &'static str {
        match self {
            Verdict::Failed => "failed",
            Verdict::Warned => "warned",
            Verdict::Passed => "passed",
            Verdict::Unjudged => "unjudged",
        }
    }

    /// The verdict in words.
    fn words(self, report: &Report<'_>, ctx: &Context<'_>) -> String {
        let n = |severity: &str| {
            ctx.anomalies.iter().filter(|a| severity_name(a.severity()) == severity).count()
        };
        let counts = [("error", n("error")), ("warning", n("warning"))];
        let counts = counts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| plural(*n, name));
        let counts = counts.collect::<Vec<_>>().join(", ");
        match self {
            Verdict::Failed if report.anomalies.is_some_and(Anomalies::data_missing) => {
                "✖ Failed: no examples".to_owned()
            }
            Verdict::Failed => format!("✖ Failed: {counts}"),
            Verdict::Warned => format!("▲ Passed with {counts}"),
            Verdict::Passed => "✔ Passed: no anomalies".to_owned(),
            Verdict::Unjudged => "○ Not validated".to_owned(),
        }
    }
}

fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// The report as a page.
pub(super) fn render(report: &Report<'_>) -> String {
    let Some(ctx) = Context::new(report) else {
        let note = "<main><p class=note>There are no statistics.</main>";
        return fill(&[("title", "No statistics"), ("body", note), ("data", "")]);
    };
    let verdict = Verdict::of(report, &ctx);
    let mut slices: Vec<(Slice<'_>, Vec<Row>)> = Vec::new();
    let (mut n_rows, mut left_out) = (0, 0);
    let mut main_views = Vec::new();
    for (i, dataset) in ctx.slices().into_iter().enumerate() {
        if i > 0 && n_rows + dataset.features.len() > MOST_ROWS {
            left_out += 1;
            continue;
        }
        let views = ctx.views(dataset);
        let (features, rows) = features::rows(&ctx, &views, i == 0);
        n_rows += rows.len();
        let examples = views.iter().map(|v| v.as_ref().map(DatasetView::num_examples)).collect();
        slices.push((Slice { name: &dataset.name, examples, features }, rows));
        if i == 0 {
            main_views = views;
        }
    }
    if main_views.is_empty() {
        main_views.resize_with(ctx.data.len(), || None);
    }
    let places: BTreeMap<&Path, usize> = slices
        .first()
        .into_iter()
        .flat_map(|(_, rows)| rows.iter().enumerate().map(|(i, row)| (&row.path, i)))
        .collect();
    let link = |path: &Path| places.get(path).copied();

    let title = format!("{} · {}", clip(&ctx.labels[ctx.current], 60), verdict.name());
    let mut body = header(report, &ctx, verdict);
    body.push_str("<main>");
    body.push_str(&anomalies_section(report, &ctx, &main_views, &link));
    body.push_str(&drift_section(report, &ctx, &link));
    body.push_str(&features_section(&ctx, &slices, left_out));
    body.push_str("</main>");

    let mut data = String::new();
    for (s, (slice, rows)) in slices.iter().enumerate() {
        let _ = write!(data, "<script type=\"text/plain\" id=rows-{s}>");
        let mut seen = [0; 3];
        for (i, (row, record)) in rows.iter().zip(&slice.features).enumerate() {
            let seen = &mut seen[record.kind as usize];
            *seen += 1;
            // What is in the document already need not be here again.
            if s > 0 || *seen > FIRST {
                data.push_str(&shorten(&row.html(s, i)));
            }
            data.push('\t');
            data.push_str(&shorten(&row.detail));
            data.push('\n');
        }
        data.push_str("</script>\n");
    }
    let summary = summary(report, &ctx, verdict, slices.into_iter().map(|(s, _)| s).collect());
    let _ =
        writeln!(data, "<script type=\"application/json\" id=summary>{}</script>", json(&summary));
    fill(&[("title", &title), ("body", &body), ("data", &data)])
}

/// The template with its gaps filled, each once, so that what is filled in is never looked at.
pub(super) fn fill(parts: &[(&str, &str)]) -> String {
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        sha256::base64(SCRIPT.as_bytes()),
        sha256::base64(STYLE.as_bytes())
    );
    let own = [("policy", policy.as_str()), ("style", STYLE), ("script", SCRIPT)];
    let size: usize = parts.iter().map(|(_, text)| text.len()).sum();
    let mut out = String::with_capacity(size + STYLE.len() + SCRIPT.len() + TEMPLATE.len());
    for (i, piece) in TEMPLATE.split("{{").enumerate() {
        let gap = piece.split_once("}}").filter(|_| i > 0);
        let Some((name, rest)) = gap else {
            out.push_str(piece);
            continue;
        };
        let filled = parts.iter().chain(&own).find(|(known, _)| *known == name);
        out.push_str(filled.map_or("", |(_, text)| text));
        out.push_str(rest);
    }
    out
}

fn examples(data: &Data<'_>) -> String {
    let main = main_slice(data.statistics);
    let plain = main.map_or(0, |dataset| dataset.num_examples);
    let weight = main.map_or(0.0, |dataset| dataset.weighted_num_examples);
    let plural = if plain == 1 { "" } else { "s" };
    if weight > 0.0 {
        format!("{} example{plural} of weight {}", count(plain), number(weight))
    } else {
        format!("{} example{plural}", count(plain))
    }
}

/// A fingerprint's first digits, with all of them behind.
fn short(fingerprint: &str) -> String {
    let short: String = fingerprint.chars().take(12).collect();
    format!("<code title=\"SHA-256 {}\">{}</code>", clip(fingerprint, 80), clip(&short, 12))
}

fn header(report: &Report<'_>, ctx: &Context<'_>, verdict: Verdict) -> String {
    let current = ctx.data[ctx.current];
    let features = main_slice(current.statistics).map_or(0, |dataset| dataset.features.len());
    let mut out = format!(
        "<header><div class=top><h1>{}</h1><p class=\"verdict {}\">{}</p>\
         <button id=theme type=button hidden>Theme</button></div><p class=meta>\
         <span class=k{}>{}, {}</span> {}",
        clip(&current.label, 80),
        verdict.name(),
        verdict.words(report, ctx),
        ctx.current.min(2),
        examples(current),
        plural(features, "feature"),
        short(&current.fingerprint)
    );
    for (i, data) in ctx.data.iter().enumerate().filter(|(i, _)| *i != ctx.current) {
        let role = if i < ctx.current { "against" } else { "and serving" };
        let role = if role == "and serving" && ctx.current == 0 { "against serving" } else { role };
        let _ = write!(
            out,
            " {role} <span class=k{}>{}</span> ({}) {}",
            i.min(2),
            clip(&data.label, 80),
            examples(data),
            short(&data.fingerprint)
        );
    }
    if let Some((schema, fingerprint)) = &report.schema {
        let n = plural(schema.feature.len(), "feature");
        let _ = write!(out, " · schema of {n} {}", short(fingerprint));
    }
    out.push_str("</header>");
    out
}

type Link<'a> = dyn Fn(&Path) -> Option<usize> + 'a;

fn anomalies_section(
    report: &Report<'_>,
    ctx: &Context<'_>,
    views: &[Option<DatasetView<'_>>],
    link: &Link<'_>,
) -> String {
    let mut out = String::from("<section id=anomalies><h2>Anomalies");
    if !ctx.anomalies.is_empty() {
        let _ = write!(out, " <small>{}</small>", count(ctx.anomalies.len() as u64));
    }
    out.push_str("</h2>");
    match (report.anomalies, anomalies::table(ctx, views, link)) {
        (_, Some(table)) => out.push_str(&table),
        (None, _) => out.push_str("<p class=note>Nothing was validated for this report."),
        (Some(anomalies), _) if anomalies.data_missing() => {
            out.push_str("<p class=note>There was no example to look at.");
        }
        (Some(_), _) => out.push_str("<p class=note>None: the statistics are as the schema says."),
    }
    out.push_str("</section>");
    out
}

fn drift_section(report: &Report<'_>, ctx: &Context<'_>, link: &Link<'_>) -> String {
    let last = report.spans.len() - 1;
    let columns: Vec<Column<'_>> = report
        .spans
        .iter()
        .enumerate()
        .map(|(i, span)| Column {
            label: &span.data.label,
            examples: examples(&span.data),
            distances: Some(if i == last { &ctx.distances } else { &span.distances }),
        })
        .collect();
    let map = heat::heat_map(&columns, link);
    let ranking = drift::ranking(&ctx.distances, link);
    if map.is_none() && ranking.is_none() {
        return String::new();
    }
    let has = |side: Against| ctx.distances.values().flatten().any(|d| d.against == side);
    let title = match (has(Against::Previous), has(Against::Serving)) {
        (_, false) => "Drift",
        (false, true) => "Skew",
        (true, true) => "Drift and skew",
    };
    let mut against: Vec<String> = Vec::new();
    if has(Against::Previous) || map.is_some() {
        against.push(match &report.previous {
            Some(previous) => clip(&previous.label, 60),
            None => "the span before".to_owned(),
        });
    }
    if let (true, Some(serving)) = (has(Against::Serving), &report.serving) {
        against.push(clip(&serving.label, 60));
    }
    let against = against.join(" and ");
    let mut out = format!("<section id=drift><h2>{title} <small>against {against}</small></h2>");
    if let Some(map) = map {
        out.push_str(
            "<p class=legend><span class=h0>up to half the threshold</span>\
             <span class=h1>up to the threshold</span><span class=h2>above</span>\
             <span class=h3>above twice</span>",
        );
        let is_noise = |distances: &Distances| {
            distances.values().flatten().any(|distance| distance.noise_floor.is_some())
        };
        if columns.iter().filter_map(|column| column.distances).any(is_noise) {
            out.push_str("<span class=hn>no more than sampling noise</span>");
        }
        out.push_str("</p>");
        out.push_str(&map);
    }
    if let Some(ranking) = ranking {
        let open = if report.spans.len() > 1 { "" } else { " open" };
        let n = plural(ctx.distances.values().map(Vec::len).sum(), "distance");
        let label = clip(&ctx.labels[ctx.current], 60);
        let _ = write!(out, "<details{open}><summary>{n} of {label}</summary>{ranking}</details>");
    }
    out.push_str("</section>");
    out
}

fn features_section(
    ctx: &Context<'_>,
    slices: &[(Slice<'_>, Vec<Row>)],
    left_out: usize,
) -> String {
    let mut out = String::from(
        "<section id=features><h2>Features</h2><form class=tools id=tools hidden>\
         <label>Filter <input id=q type=search placeholder=\"name or /regex/\" \
         autocomplete=off spellcheck=false></label><label>Show <select id=show>\
         <option value=all>all<option value=anomalies>with anomalies<option value=drift>above a \
         drift threshold<option value=missing>with missing values</select></label>",
    );
    if slices.len() > 1 {
        out.push_str("<label>Slice <select id=slice>");
        for (i, (slice, _)) in slices.iter().enumerate() {
            let examples = slice.examples.get(ctx.current).copied().flatten().unwrap_or(0.0);
            let name = if slice.name.is_empty() { "All Examples" } else { slice.name };
            let _ =
                write!(out, "<option value={i}>{} ({} examples)", clip(name, 60), number(examples));
        }
        out.push_str("</select></label>");
    }
    out.push_str("<output id=found aria-live=polite></output></form>");
    if left_out > 0 {
        let _ = write!(
            out,
            "<p class=note>{} had no room: a report holds {} rows.",
            plural(left_out, "slice"),
            count(MOST_ROWS as u64)
        );
    }
    let empty = (Vec::new(), Vec::new());
    let (records, rows) =
        slices.first().map_or((&empty.0, &empty.1), |(slice, rows)| (&slice.features, rows));
    if rows.is_empty() {
        out.push_str("<p class=note>There are no features.");
    }
    for kind in Kind::ALL {
        // A slice can have features of a kind that all examples together have not.
        let is_in = |slice: &Slice<'_>| slice.features.iter().any(|r| r.kind == kind);
        if !slices.iter().any(|(slice, _)| is_in(slice)) {
            continue;
        }
        let n = records.iter().filter(|record| record.kind == kind).count();
        let name = kind.name();
        let _ = write!(
            out,
            "<section class=part><h3>{} <small id=n-{name}>{}</small></h3>\
             <div class=wide><table class=features data-kind={name}><caption class=sr>{}</caption>\
             <thead><tr>",
            kind.title(),
            count(n as u64),
            kind.title()
        );
        let head = |key: &str, title: &str, class: &str| {
            format!("<th scope=col{class} data-sort={key}><button type=button>{title}</button>")
        };
        out.push_str(&head("name", "Feature", " class=t"));
        if ctx.data.len() > 1 {
            out.push_str("<th scope=col class=t>Data");
        }
        for (key, title) in kind.columns() {
            out.push_str(&head(key, title, ""));
        }
        out.push_str("<th scope=col class=t>Distribution");
        if ctx.has_distances {
            out.push_str(&head("ratio", "Distance", ""));
        }
        let of_kind = rows.iter().zip(records).enumerate().filter(|(_, (_, r))| r.kind == kind);
        for (i, (row, _)) in of_kind.take(FIRST) {
            out.push_str(&row.html(0, i));
        }
        out.push_str("</table></div>");
        if n > FIRST {
            let _ = write!(
                out,
                "<noscript><p class=note>{} more need JavaScript; their numbers are in the \
                 page's JSON summary, too.</noscript>",
                count((n - FIRST) as u64)
            );
        }
        out.push_str("</section>");
    }
    out.push_str("</section>");
    out
}

fn summary<'a>(
    report: &'a Report<'a>,
    ctx: &'a Context<'a>,
    verdict: Verdict,
    slices: Vec<Slice<'a>>,
) -> Summary<'a> {
    let dataset = |role: &'static str, data: &'a Data<'a>| {
        let main = main_slice(data.statistics);
        Dataset {
            role,
            label: &data.label,
            sha256: &data.fingerprint,
            examples: main.map_or(0, |dataset| dataset.num_examples),
            features: main.map_or(0, |dataset| dataset.features.len()),
        }
    };
    let role = |i: usize| match i.cmp(&ctx.current) {
        std::cmp::Ordering::Less => "previous",
        std::cmp::Ordering::Equal => "current",
        std::cmp::Ordering::Greater => "serving",
    };
    let anomalies = ctx.anomalies.iter().map(|anomaly| AnomalyRecord {
        feature: anomaly.path.as_ref().map(Path::to_string),
        severity: severity_name(anomaly.severity()),
        types: anomaly.info.reason.iter().map(|reason| reason.r#type().as_str_name()).collect(),
        short_description: anomaly.info.short_description(),
        description: anomaly.info.description(),
    });
    let columns = Kind::ALL
        .iter()
        .map(|kind| (kind.name(), kind.columns().iter().map(|(key, _)| *key).collect::<Vec<_>>()));
    Summary {
        format: "frazil report",
        version: 1,
        generator: concat!("frazil ", env!("CARGO_PKG_VERSION")),
        verdict: verdict.name(),
        datasets: ctx.data.iter().enumerate().map(|(i, data)| dataset(role(i), data)).collect(),
        spans: report.spans.iter().map(|span| dataset("span", &span.data)).collect(),
        schema: report.schema.as_ref().map(|(_, fingerprint)| fingerprint.as_str()),
        anomalies: anomalies.collect(),
        columns: columns.collect(),
        current: ctx.current,
        slices,
        phrases: PHRASES.iter().copied().collect(),
    }
}
