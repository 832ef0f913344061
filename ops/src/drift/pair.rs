//! Both sides of one feature, prepared once for all metrics.

use super::curve::Curve;
use super::table::{Counts, Side, Table, all, listed};
use super::{CellValues, DriftOptions, DriftPolicy, Kind, Labels};
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{CommonStatistics, FeatureComparator, FeatureView, Histogram};

/// Both sides of one feature.
pub(super) struct Pair<'a> {
    pub(super) kind: Kind,
    pub(super) current: Sample<'a>,
    pub(super) control: Sample<'a>,
    /// The listed labels.
    pub(super) listed: Table,
    /// What can be tested: labels with enough values, or the control's quantile buckets.
    pub(super) tested: Table,
    pub(super) curves: Option<(Curve, Curve)>,
    /// Which histogram the schema names for Jensen–Shannon.
    pub(super) source: HistogramType,
    /// Above which Jensen–Shannon divergence its noise is worth a simulation; none if it is not asked
    /// for at all.
    pub(super) simulate_above: Option<f64>,
    /// What of false alarms is put up with at these sizes.
    pub(super) alpha: f64,
    pub(super) seed: u64,
}

/// One side of a feature.
#[derive(Default)]
pub(super) struct Sample<'a> {
    /// Values that may be taken for independent: those of one example may say the same.
    pub(super) size: f64,
    pub(super) values: f64,
    pub(super) missing: f64,
    pub(super) present: f64,
    pub(super) labels: Labels<'a>,
    pub(super) standard: Option<&'a Histogram>,
    pub(super) quantiles: Option<&'a Histogram>,
    kind: Option<Kind>,
}

impl<'a> Sample<'a> {
    /// A feature's side; where it has no statistics every example lacks it.
    pub(super) fn of(view: Option<FeatureView<'_, 'a>>, num_examples: u64) -> Sample<'a> {
        let Some(view) = view else {
            return Sample { missing: num_examples as f64, ..Default::default() };
        };
        let none = CommonStatistics::default();
        // How much was seen does not depend on how it is weighted.
        let common = view.statistics().common_stats().unwrap_or(&none);
        let present = common.num_non_missing as f64;
        let each = f64::from(common.avg_num_values);
        let values =
            if common.tot_num_values > 0 { common.tot_num_values as f64 } else { present * each };
        let kind = match (view.numeric(), view.string()) {
            (Some(_), _) => Kind::Numbers,
            (_, Some(_)) => Kind::Labels,
            _ => Kind::Other,
        };
        Sample {
            size: values.min(present),
            values: view.num_values(),
            missing: common.num_missing as f64,
            present,
            labels: view.labels(),
            standard: view.histogram(HistogramType::Standard),
            quantiles: view.histogram(HistogramType::Quantiles),
            kind: Some(kind),
        }
    }

    pub(super) fn histogram(&self, kind: HistogramType) -> Option<&'a Histogram> {
        match kind {
            HistogramType::Standard => self.standard,
            HistogramType::Quantiles => self.quantiles,
        }
    }

    fn side(&self) -> Side<'_> {
        Side { labels: &self.labels, values: self.values, size: self.size }
    }
}

impl<'a> Pair<'a> {
    pub(super) fn new(
        current: Sample<'a>,
        control: Sample<'a>,
        comparator: Option<&FeatureComparator>,
        options: &DriftOptions<'_>,
        seed: u64,
    ) -> Pair<'a> {
        let kind = match (current.kind, control.kind) {
            (Some(one), Some(other)) if one == other => one,
            (Some(one), None) | (None, Some(one)) => one,
            _ => Kind::Other,
        };
        let few = current.size.min(control.size) < options.few;
        let divergence = comparator.and_then(|c| c.jensen_shannon_divergence.as_ref());
        let threshold = divergence.and_then(|divergence| divergence.threshold);
        let simulate_above = match (options.thorough, options.policy) {
            (true, _) => Some(-1.0),
            (false, DriftPolicy::Significant) => threshold,
            (false, DriftPolicy::Tfdv) => threshold.map(|_| f64::INFINITY),
        };
        let source = comparator.map_or(HistogramType::Standard, FeatureComparator::histogram_type);
        let curve = |side: &Sample<'_>| Curve::of(side.quantiles, side.standard);
        let curves =
            (kind == Kind::Numbers).then(|| curve(&current).zip(curve(&control))).flatten();
        let (mut of_listed, mut tested) = (Table::default(), Table::default());
        if kind == Kind::Labels && !current.labels.is_empty() && !control.labels.is_empty() {
            of_listed = listed(&current.side(), &control.side());
            tested = all(&current.side(), &control.side()).testable();
        } else if let Some((x, y)) = &curves {
            tested = buckets(x, current.size, y, control.size);
        }
        Pair {
            kind,
            listed: of_listed,
            tested,
            curves,
            source,
            simulate_above,
            alpha: if few { options.alpha_of_few.min(options.alpha) } else { options.alpha },
            seed,
            current,
            control,
        }
    }

    /// Both sides have values of one kind.
    pub(super) fn is_comparable(&self) -> bool {
        match self.kind {
            Kind::Numbers => self.curves.is_some(),
            Kind::Labels => !self.listed.is_empty(),
            Kind::Other => false,
        }
    }

    /// Whether both sides have values, but not of one kind.
    pub(super) fn is_mixed(&self) -> bool {
        self.current.kind.zip(self.control.kind).is_some_and(|(one, other)| one != other)
    }
}

/// What of both sides lies between the control's quantiles, and what is NaN.
fn buckets(x: &Curve, n: f64, y: &Curve, m: f64) -> Table {
    let bounds = &y.bounds;
    let mut cells = Vec::with_capacity(bounds.len() + 2);
    let (mut before, mut last) = ((0.0, 0.0), None);
    let mut cell = |name: String, upto: (f64, f64)| {
        let (current, control) = ((upto.0 - before.0) * n, (upto.1 - before.1) * m);
        cells.push(Counts { name, current: current.max(0.0), control: control.max(0.0) });
        before = upto;
    };
    let text = |at: f64| CellValues::At(at).to_string();
    for &bound in bounds {
        let name = match last {
            None => format!("up to {}", text(bound)),
            Some(last) => CellValues::Between(last, bound).to_string(),
        };
        cell(name, (x.upto(bound), y.upto(bound)));
        last = Some(bound);
    }
    let above = last.map_or_else(|| "numbers".to_owned(), |last| format!("above {}", text(last)));
    cell(above, (x.numbers, y.numbers));
    if x.numbers < 1.0 || y.numbers < 1.0 {
        cell("NaN".to_owned(), (1.0, 1.0));
    }
    Table::new(cells)
}
