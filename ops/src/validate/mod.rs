//! Validation: what statistics say against a schema, and the schema that they would agree with.
//!
//! The rules are those of TFDV: [`validate_statistics`] reports what its function of that name
//! reports, in its words, and [`update_schema`] relaxes a schema as its does. Each check is a row of
//! [`CHECKS`]; a check sees the schema as earlier ones have mended it.
//!
//! **Invariant:** a check reports; nothing is dropped on the way to [`Validation`].

mod anomalies;
mod anomalies_of_sets;
mod bool_domain;
mod comparators;
mod composite;
mod data_type;
mod dataset;
mod derived;
mod domain;
mod embedding;
pub mod examples;
mod image_domain;
mod kinds;
mod natural_language_domain;
mod numeric_domain;
mod presence;
mod reason;
mod significance;
mod specification;
mod string_domain;
mod subject;
mod tail;
mod unchecked;
mod unique;
mod update;
mod valency;
mod validation;
mod walk;
mod words;

use std::ops::ControlFlow;

pub use kinds::{KINDS, Kind};
pub use reason::{OffendingValue, Reason, Severities};
pub use unchecked::{Unchecked, unchecked};
pub use update::{UpdateOptions, update_schema};
pub use validation::{Finding, Validation};
pub use walk::{ControlStatistics, ValidateOptions, Validator, validate_statistics};

use subject::Subject;

/// A rule about one feature.
pub struct Check {
    /// The part of the schema that is checked.
    pub name: &'static str,
    /// What is checked, in one line.
    pub doc: &'static str,
    run: fn(&mut Subject<'_>) -> ControlFlow<()>,
}

/// Every check of a feature that is in the schema and in the statistics, in TFDV's order.
pub static CHECKS: &[Check] = &[
    Check {
        name: "specification",
        doc: "the schema's own words about the feature make sense",
        run: specification::check,
    },
    Check { name: "presence", doc: "a required feature is there at all", run: presence::check_any },
    Check {
        name: "environment",
        doc: "the feature belongs to the environment of the data",
        run: presence::check_environment,
    },
    Check {
        name: "value_count",
        doc: "examples have as many values as allowed, at each nest level",
        run: valency::check_value_count,
    },
    Check {
        name: "shape",
        doc: "every example has the fixed number of values",
        run: valency::check_shape,
    },
    Check {
        name: "presence.min",
        doc: "enough examples have the feature",
        run: presence::check_enough,
    },
    Check { name: "type", doc: "the data have the schema's type", run: data_type::check },
    Check { name: "domain", doc: "values lie in the feature's domain", run: domain::check },
    Check {
        name: "embedding_dim",
        doc: "vectors have the length that the schema says",
        run: embedding::check,
    },
    Check {
        name: "unique_constraints",
        doc: "there are as many distinct values as allowed",
        run: unique::check,
    },
    Check {
        name: "drift_comparator",
        doc: "the distribution is close to that of the previous span",
        run: comparators::check_drift,
    },
    Check {
        name: "skew_comparator",
        doc: "the distribution is close to that of serving",
        run: comparators::check_skew,
    },
    Check {
        name: "validation_derived_source",
        doc: "a feature made for validation says what it is made of",
        run: derived::check,
    },
];

/// Runs every check until one says that the rest has nothing to look at.
fn check(subject: &mut Subject<'_>) {
    for check in CHECKS {
        if (check.run)(subject).is_break() {
            return;
        }
    }
}
