//! The frozen transform graph: typed columnar ops, full-pass analyzers, text.

pub mod text;
