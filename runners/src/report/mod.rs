//! Statistics, anomalies and drift as one HTML file: a pure function from messages to a page.
//!
//! The page needs nothing from anywhere: charts are SVG, styles and script are inline, and its own
//! content security policy forbids every request. It holds the rows of all features as text; the
//! first ones are in the document, which is all there is without JavaScript, and the script adds
//! others as they are scrolled to, searched or sorted for. A summary is in the page as JSON.
//!
//! **Invariant:** the same statistics give the same bytes. **Invariant:** text from the data goes
//! through `html.rs`.

mod anomalies;
mod detail;
mod drift;
mod evaluation;
mod features;
mod heat;
mod histograms;
mod html;
mod page;
mod phrases;
mod ranks;
mod sha256;
mod trends;

use std::collections::BTreeMap;

use ops::tfmd::anomaly_info::Severity;
use ops::tfmd::{
    Anomalies, DatasetFeatureStatistics, DatasetFeatureStatisticsList, DatasetView, Path, Schema,
};
use ops::validate::Validation;

pub use drift::{
    Against, Contributor, Distance, Distances, distances_of_anomalies, distances_of_report,
};
pub use evaluation::render_evaluation_page;

use self::anomalies::Anomaly;

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The spans, the oldest first; the last one is judged.
    pub spans: Vec<Span<'a>>,
    /// What every span was compared with; the span before it otherwise.
    pub previous: Option<Data<'a>>,
    /// What the last span was compared with for skew.
    pub serving: Option<Data<'a>>,
    /// The schema, and the fingerprint of its file.
    pub schema: Option<(&'a Schema, String)>,
    /// What was found wrong with the last span; none if nobody looked.
    pub anomalies: Option<&'a Anomalies>,
    /// The evidence for them, if it was this program that looked.
    pub validation: Option<&'a Validation>,
}

/// A span and how far it has moved.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// Its statistics.
    pub data: Data<'a>,
    /// Its distances.
    pub distances: Distances,
}

/// Statistics, and what to call them.
#[derive(Clone, Debug)]
pub struct Data<'a> {
    /// A short name.
    pub label: String,
    /// The fingerprint of the file: see [`fingerprint`].
    pub fingerprint: String,
    /// The statistics.
    pub statistics: &'a DatasetFeatureStatisticsList,
}

/// The SHA-256 of a file's bytes, as `sha256sum` prints it.
pub fn fingerprint(bytes: &[u8]) -> String {
    sha256::hex(bytes)
}

/// The report as an HTML page.
///
/// ```
/// use runners::report::{Data, Report, Span, fingerprint, render};
///
/// let bytes = br#"{"datasets": [{"numExamples": "3"}]}"#;
/// let statistics = ops::tfmd::load_statistics(bytes)?;
/// let data = Data {
///     label: "today".to_owned(),
///     fingerprint: fingerprint(bytes),
///     statistics: &statistics,
/// };
/// let page = render(&Report {
///     spans: vec![Span { data, distances: Default::default() }],
///     previous: None,
///     serving: None,
///     schema: None,
///     anomalies: None,
///     validation: None,
/// });
/// assert!(page.starts_with("<!doctype html>") && page.contains("3 examples"));
/// # Ok::<(), engine::Error>(())
/// ```
pub fn render(report: &Report<'_>) -> String {
    page::render(report)
}

/// What all parts of the page need to know.
struct Context<'a> {
    /// The datasets that are drawn together, the baseline first.
    data: Vec<&'a Data<'a>>,
    labels: Vec<String>,
    /// Which of them is judged.
    current: usize,
    /// The spans, and their statistics of all examples.
    spans: Vec<(&'a Span<'a>, Option<DatasetView<'a>>)>,
    schema: Option<&'a Schema>,
    anomalies: Vec<Anomaly<'a>>,
    validation: Option<&'a Validation>,
    severities: BTreeMap<Path, Severity>,
    distances: Distances,
    has_distances: bool,
}

impl<'a> Context<'a> {
    /// None without any span.
    fn new(report: &'a Report<'a>) -> Option<Context<'a>> {
        let (last, earlier) = report.spans.split_last()?;
        let baseline = report.previous.as_ref().or(earlier.last().map(|span| &span.data));
        let data: Vec<&Data<'_>> =
            baseline.into_iter().chain([&last.data]).chain(&report.serving).collect();
        let judged_by = report.anomalies.and_then(|anomalies| anomalies.baseline_schema.as_ref());
        let judged_by = judged_by.map(|schema| match schema {
            ops::tfmd::anomalies::BaselineSchema::Baseline(schema)
            | ops::tfmd::anomalies::BaselineSchema::BaselineV1(schema) => schema,
        });
        let anomalies = report.anomalies.map(anomalies::all).unwrap_or_default();
        let mut severities = BTreeMap::new();
        for anomaly in &anomalies {
            if let Some(path) = &anomaly.path {
                let severity = severities.entry(path.clone()).or_insert(Severity::Unknown);
                *severity = anomaly.severity().max(*severity);
            }
        }
        let mut distances = last.distances.clone();
        if distances.is_empty()
            && let Some(anomalies) = report.anomalies
        {
            distances = distances_of_anomalies(anomalies);
        }
        Some(Context {
            labels: data.iter().map(|data| data.label.clone()).collect(),
            current: usize::from(baseline.is_some()),
            spans: report
                .spans
                .iter()
                .map(|span| (span, main_slice(span.data.statistics).map(DatasetView::new)))
                .collect(),
            data,
            schema: report.schema.as_ref().map(|(schema, _)| *schema).or(judged_by),
            anomalies,
            validation: report.validation,
            severities,
            has_distances: !distances.is_empty(),
            distances,
        })
    }

    fn severity(&self, path: &Path) -> Option<Severity> {
        self.severities.get(path).copied()
    }

    fn distances(&self, path: &Path) -> &[Distance] {
        self.distances.get(path).map_or(&[], Vec::as_slice)
    }

    /// The slices of the judged dataset, that of all examples first.
    fn slices(&self) -> Vec<&'a DatasetFeatureStatistics> {
        let statistics = self.data[self.current].statistics;
        let main = main_slice(statistics);
        let others = statistics.datasets.iter();
        let others = others.filter(|dataset| main.is_none_or(|main| !std::ptr::eq(main, *dataset)));
        main.into_iter().chain(others).collect()
    }

    /// A slice of every dataset that is drawn.
    fn views(&self, slice: &'a DatasetFeatureStatistics) -> Vec<Option<DatasetView<'a>>> {
        let is_main = |statistics| {
            main_slice(statistics)
                .is_some_and(|main: &DatasetFeatureStatistics| std::ptr::eq(main, slice))
        };
        let is_main = is_main(self.data[self.current].statistics);
        let by_weight = DatasetView::new(slice).is_by_weight();
        let of = |data: &&'a Data<'a>| {
            let found = if is_main {
                main_slice(data.statistics)
            } else {
                data.statistics.datasets.iter().find(|dataset| dataset.name == slice.name)
            };
            found.map(|dataset| DatasetView::by_weight_if(dataset, by_weight))
        };
        self.data.iter().map(of).collect()
    }
}

/// The statistics of all examples, or else the first.
fn main_slice(statistics: &DatasetFeatureStatisticsList) -> Option<&DatasetFeatureStatistics> {
    statistics.all_examples().ok().or(statistics.datasets.first())
}
