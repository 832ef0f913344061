//! The total variation of labels: how large a share would have to move to make both sides equal.

use super::metric::{LABELS, Measured, Metric, not_in_schema};

pub(super) const METRIC: Metric = Metric {
    name: "total_variation",
    doc: "the share of values that would have to change to make both sides alike",
    formula: "Σ |p − q| / 2 over labels; rare ones together",
    noise: "mean and variance over all ways to deal both sides' values out, as a gamma distribution",
    citation: "Levin and Peres, Markov Chains and Mixing Times, section 4.1",
    kinds: LABELS,
    threshold: not_in_schema,
    minimum: |options| Some(options.min_total_variation),
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

fn term(p: f64, q: f64) -> f64 {
    (p - q).abs() / 2.0
}
