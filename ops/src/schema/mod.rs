//! Schemas: inferred from statistics, compared with each other, checked without data.

mod infer;

pub use infer::{InferOptions, Transformation, create_column, infer_schema};
pub(crate) use infer::{custom_domain, value_counts};
