//! Schemas: inferred from statistics, compared with each other, checked without data.

mod check;
pub mod describe;
mod diff;
mod effect;
mod infer;
mod suggest;

pub use check::{CHECKS, Check, Finding, Severity, check};
pub use diff::{Change, ChangeKind, SchemaDiff, diff};
pub use effect::Effect;
pub use infer::{InferOptions, Transformation, create_column, infer_schema};
pub(crate) use infer::{custom_domain, value_counts};
pub use suggest::{SUGGESTIONS, Suggested, Suggestion, SuggestionKind, suggest};
