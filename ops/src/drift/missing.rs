//! The change of the share of examples that lack a feature.

use super::Contributor;
use super::metric::{ANY, Measured, Metric, not_in_schema};
use super::probability::{normal_bound, two_shares};
use super::table::Noise;

pub(super) const METRIC: Metric = Metric {
    name: "missing_change",
    doc: "how much the share of examples that lack the feature has changed",
    formula: "|missing / examples − missing / examples|",
    noise: "Fisher's exact test of two shares, and its normal limit",
    citation: "Fisher 1922, doi:10.2307/2340521; Yates 1934, doi:10.2307/2983604",
    kinds: ANY,
    threshold: not_in_schema,
    minimum: |options| Some(options.min_missing_change),
    measure: |pair, _| {
        let (x, y) = (pair.current.missing, pair.control.missing);
        let (n, m) = (x + pair.current.present, y + pair.control.present);
        if n <= 0.0 || m <= 0.0 {
            return None;
        }
        let (p, q) = (x / n, y / m);
        let pooled = (x + y) / (n + m);
        let sd = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
        let noise = Noise { floor: sd * normal_bound(pair.alpha / 2.0), p: two_shares(x, n, y, m) };
        let contributors =
            vec![Contributor { name: "(missing)".to_owned(), current: p, control: q, share: 1.0 }];
        Some(Measured { value: (p - q).abs(), noise: Some(noise), contributors })
    },
};
