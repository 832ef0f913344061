//! How far statistics have moved: drift from span to span, and skew between training and serving.
//!
//! [`infinity_norm`], [`jensen_shannon`] and [`normalized_abs_difference`] are TFDV's distances, to
//! the last digit that its own order of additions gives.

mod align;
mod infinity_norm;
mod jensen_shannon;
mod normalized_abs_difference;
mod options;
mod report;
mod values;

pub use align::{Cell, CellValues, align};
pub use infinity_norm::infinity_norm;
pub use jensen_shannon::jensen_shannon;
pub use normalized_abs_difference::normalized_abs_difference;
pub use options::DriftOptions;
pub use report::{
    Comparison, Contributor, DriftPolicy, DriftReport, FeatureDrift, Kind, Measurement, Verdict,
};
pub use values::{Labels, Values, labels_of};

/// A distance and the label that is responsible for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distance {
    /// The distance.
    pub value: f64,
    /// The last label, in order of bytes, that attains it; none where there are no labels.
    pub label: Option<String>,
}
