//! The likelihood-ratio test of whether both sides are samples of one distribution.

use super::metric::{Measured, Metric, VALUES, no_minimum, not_in_schema};

pub(super) const METRIC: Metric = Metric {
    name: "g_test",
    doc: "the likelihood ratio of two distributions to one",
    formula: "2 Σ x ln(x / e) over both sides of each cell, where e = (x + y) n / (n + m)",
    noise: "mean and variance over all ways to deal both sides' values out, as a gamma distribution",
    citation: "Wilks 1938, doi:10.1214/aoms/1177732360",
    kinds: VALUES,
    threshold: not_in_schema,
    minimum: no_minimum,
    measure: |pair, options| {
        let table = &pair.tested;
        (!table.is_empty()).then(|| {
            let term = |p, q| table.likelihood_ratio(p, q);
            let value = table.sum(term);
            Measured {
                value,
                noise: Some(table.noise(value, pair.alpha, term)),
                contributors: table.contributors(options.contributors, term),
            }
        })
    },
};
