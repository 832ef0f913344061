//! Numbers of examples, and their weight.

use crate::evaluate::metric::{Kind, Metric, Task};
use crate::evaluate::sums::{Sums, Term};

/// TFMA's `ExampleCount`.
pub(crate) const EXAMPLE_COUNT: Metric = Metric {
    name: "ExampleCount",
    aliases: &[],
    key: "example_count",
    doc: "Number of examples that have a label.",
    kinds: &[
        (Task::Binary, Kind::Count(count)),
        (Task::Multiclass, Kind::Count(count)),
        (Task::Regression, Kind::Count(count)),
    ],
    parameters: &[],
};

/// TFMA's `WeightedExampleCount`.
pub(crate) const WEIGHTED_EXAMPLE_COUNT: Metric = Metric {
    name: "WeightedExampleCount",
    aliases: &[],
    key: "weighted_example_count",
    doc: "Sum of the weights of examples that have a label.",
    kinds: &[
        (Task::Binary, Kind::Count(weight)),
        (Task::Multiclass, Kind::Count(weight)),
        (Task::Regression, Kind::Count(weight)),
    ],
    parameters: &[],
};

fn count(sums: &Sums) -> f64 {
    sums.n as f64
}

fn weight(sums: &Sums) -> f64 {
    sums.get(Term::Weight)
}
