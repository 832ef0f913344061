//! From measurements to verdicts.

use std::fmt::Write;

use super::align::rounded;
use super::probability::FalseDiscovery;
use super::{
    DriftOptions, DriftPolicy, FeatureDrift, Kind, METRICS, Measurement, Verdict, missing,
};

/// One feature's measurements and the chances they have, before it is judged.
pub(super) struct Compared {
    pub(super) drift: FeatureDrift,
    /// How many questions were asked: 0, 1 or 2.
    pub(super) questions: f64,
    /// How often two samples of one distribution differ as much.
    pub(super) distribution: Option<f64>,
    /// How often a share of missing values differs as much by chance.
    pub(super) absence: Option<f64>,
    pub(super) alpha: f64,
    pub(super) has_comparator: bool,
    pub(super) is_comparable: bool,
    pub(super) is_mixed: bool,
    pub(super) is_new: bool,
    pub(super) is_empty: bool,
}

impl Compared {
    pub(super) fn judged(
        mut self,
        adjustment: &FalseDiscovery,
        options: &DriftOptions<'_>,
    ) -> FeatureDrift {
        let adjusted = |p: f64| adjustment.adjust((p * self.questions).min(1.0));
        let is_significant = |p: Option<f64>| p.is_some_and(|p| adjusted(p) <= self.alpha);
        let (distribution, absence) =
            (is_significant(self.distribution), is_significant(self.absence));
        for measurement in &mut self.drift.measurements {
            let is_absence = measurement.metric == missing::METRIC.name;
            measurement.q = measurement.p.map(adjusted);
            if options.policy == DriftPolicy::Tfdv {
                let is_above = measurement.threshold.is_some_and(|most| measurement.value > most);
                measurement.verdict = if is_above { Verdict::Drifted } else { Verdict::Stable };
                continue;
            }
            let metric = METRICS.iter().find(|metric| metric.name == measurement.metric);
            // The schema's own thresholds replace the minimum of distances, not that of absence.
            let has_minimum = if is_absence { !self.is_new } else { !self.has_comparator };
            if measurement.threshold.is_none() && has_minimum {
                measurement.threshold = metric.and_then(|metric| (metric.minimum)(options));
            }
            let is_real = if is_absence { absence } else { distribution }
                && measurement.noise_floor.is_none_or(|floor| measurement.value > floor);
            let is_above = measurement.threshold.is_some_and(|most| measurement.value > most);
            measurement.verdict = match (is_above, is_real) {
                (true, true) => Verdict::Drifted,
                (true, false) => Verdict::Noise,
                (false, true) => Verdict::Moved,
                (false, false) => Verdict::Stable,
            };
        }
        self.drift.q = self.drift.p.map(|p| adjustment.adjust(p));
        let judged = self.drift.measurements.iter().filter(|m| m.threshold.is_some());
        let worst = judged.map(|m| m.verdict).max().unwrap_or(Verdict::Stable);
        let is_lost = !self.is_comparable && self.drift.kind != Kind::Other && !self.is_empty;
        let incomparable = self.is_mixed || self.is_new || is_lost;
        self.drift.verdict = if incomparable { worst.max(Verdict::Incomparable) } else { worst };
        self.drift.why = self.why(options);
        self.drift
    }

    /// The verdict in a sentence.
    fn why(&self, options: &DriftOptions<'_>) -> String {
        let drift = &self.drift;
        let deciding =
            drift.measurements.iter().find(|m| m.threshold.is_some() && m.verdict == drift.verdict);
        let mut why = match (drift.verdict, deciding) {
            (Verdict::Drifted | Verdict::Noise, Some(m)) => self.about(m, options),
            (Verdict::Incomparable, _) if self.is_mixed => {
                "One side holds numbers and the other strings.".to_owned()
            }
            (Verdict::Incomparable, _) if self.is_new => {
                "The other side has no such feature.".to_owned()
            }
            (Verdict::Incomparable, _) => "One side has no values.".to_owned(),
            (Verdict::Moved, Some(m)) => format!(
                "`{}` {} is more than chance, but not above {}.",
                m.metric,
                rounded(m.value, 3),
                rounded(m.threshold.unwrap_or_default(), 3),
            ),
            _ => "Nothing that is judged is above its threshold.".to_owned(),
        };
        let of_numbers = ["infinity_norm", "normalized_abs_difference"];
        let blind = drift
            .measurements
            .iter()
            .find(|m| m.in_schema && drift.kind == Kind::Numbers && of_numbers.contains(&m.metric));
        if let Some(m) = blind {
            let name = m.metric;
            let _ = write!(why, " `{name}` in the schema never sees numbers: it is 0 for them.");
        }
        why
    }

    /// What a measurement above its threshold is worth.
    fn about(&self, m: &Measurement, options: &DriftOptions<'_>) -> String {
        let whose = if m.in_schema { "the schema's threshold" } else { "the least that matters" };
        let above = format!(
            "`{}` {} is above {} ({whose})",
            m.metric,
            rounded(m.value, 3),
            rounded(m.threshold.unwrap_or_default(), 3),
        );
        if options.policy == DriftPolicy::Tfdv {
            return format!("{above}.");
        }
        let floor = m.noise_floor.map_or_else(|| "it".to_owned(), |floor| rounded(floor, 3));
        let sizes = format!(
            "samples of {} and {} values of one distribution",
            rounded(self.drift.current_size, 15),
            rounded(self.drift.control_size, 15)
        );
        let is_below = m.noise_floor.is_some_and(|floor| m.value <= floor);
        match m.verdict {
            Verdict::Drifted => format!(
                "{above} and above {floor}, which {sizes} exceed in {} of all cases.",
                rounded(self.alpha, 3)
            ),
            _ if is_below => format!("{above}, but {sizes} reach {floor} by chance."),
            _ => format!(
                "{above}, but {sizes} differ as much in {} of all cases, which among so many \
                 features is no surprise.",
                rounded(self.drift.p.unwrap_or(1.0), 2)
            ),
        }
    }
}
