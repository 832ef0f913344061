//! The population stability index, which credit scoring watches its populations by.

use super::metric::{Measured, Metric, VALUES, no_minimum, not_in_schema};

pub(super) const METRIC: Metric = Metric {
    name: "population_stability_index",
    doc: "PSI: by custom 0.1 is a small and 0.25 a large shift",
    formula: "Σ (p − q) ln(p / q) over labels or the control's deciles; shares below 0.0001 count as that",
    noise: "mean and variance over all ways to deal both sides' values out, as a gamma distribution",
    citation: "Yurdakul, Statistical Properties of Population Stability Index, 2018",
    kinds: VALUES,
    threshold: not_in_schema,
    minimum: no_minimum,
    measure: |pair, options| {
        let table = &pair.tested;
        (!table.is_empty()).then(|| {
            let value = table.sum(term);
            Measured {
                value,
                noise: Some(table.noise(value, pair.alpha, term)),
                contributors: table.contributors(options.contributors, term),
            }
        })
    },
};

/// What an empty cell counts as: without it one new label would be infinitely far.
const LEAST: f64 = 1e-4;

fn term(p: f64, q: f64) -> f64 {
    (p - q) * (p.max(LEAST) / q.max(LEAST)).ln()
}
