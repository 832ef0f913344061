//! The change of the number of values.

use super::Contributor;
use super::metric::{ANY, Measured, Metric, no_minimum, not_in_schema};
use super::probability::{normal_bound, normal_tail};
use super::table::Noise;

pub(super) const METRIC: Metric = Metric {
    name: "volume_change",
    doc: "by which part the smaller side has fewer examples with this feature",
    formula: "|n − m| / max(n, m) of examples that have the feature",
    noise: "Poisson counts: z √(n + m) / max(n, m); the number of examples varies for other reasons, too",
    citation: "Przyborowski and Wilenski 1940, doi:10.1093/biomet/31.3-4.313",
    kinds: ANY,
    threshold: not_in_schema,
    minimum: no_minimum,
    measure: |pair, _| {
        let (n, m) = (pair.current.present, pair.control.present);
        let most = n.max(m);
        (most > 0.0).then(|| {
            let noise = Noise {
                floor: (normal_bound(pair.alpha / 2.0) * (n + m).sqrt() / most).min(1.0),
                p: (2.0 * normal_tail((n - m).abs() / (n + m).sqrt())).min(1.0),
            };
            let contributors = vec![Contributor {
                name: "(present)".to_owned(),
                current: n,
                control: m,
                share: 1.0,
            }];
            Measured { value: (n - m).abs() / most, noise: Some(noise), contributors }
        })
    },
};
