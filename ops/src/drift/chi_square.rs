//! Pearson's χ² test of whether both sides are samples of one distribution.

use super::metric::{Measured, Metric, VALUES, no_minimum, not_in_schema};
use super::table::Noise;

pub(super) const METRIC: Metric = Metric {
    name: "chi_square",
    doc: "Pearson's statistic of the two-sample table; its p-value decides about labels",
    formula: "Σ (x − e)² / e over both sides of each cell, where e = (x + y) n / (n + m)",
    noise: "χ², with the mean and variance that cells of these sizes give; exact for two cells",
    citation: "Pearson 1900, doi:10.1080/14786440009463897; Cochran 1954, doi:10.2307/3001616",
    kinds: VALUES,
    threshold: not_in_schema,
    minimum: no_minimum,
    measure: |pair, options| {
        let table = &pair.tested;
        (!table.is_empty()).then(|| {
            let term = |p, q| table.pearson(p, q);
            let value = table.sum(term);
            let floor = table.by_chance(term).bound(pair.alpha);
            Measured {
                value,
                noise: Some(Noise { floor, p: table.p_of_one_distribution(value) }),
                contributors: table.contributors(options.contributors, term),
            }
        })
    },
};
