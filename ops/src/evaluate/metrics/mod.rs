//! The metrics: one small family in each file; the table is `METRICS`.

pub(super) mod auc;
pub(super) mod calibration_plot;
pub(super) mod classes;
pub(super) mod confusion;
pub(super) mod correlation;
pub(super) mod counts;
pub(super) mod cross_entropy;
pub(super) mod errors;
pub(super) mod means;
pub(super) mod operating_point;
pub(super) mod precision_recall;
