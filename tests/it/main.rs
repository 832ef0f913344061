//! Everything that takes more than one crate to test: one binary, so that it links once.
#![allow(clippy::unwrap_used)]

mod analyze_cache;
mod anomalies;
mod bert;
mod bert_graph;
mod cache;
mod calibration;
mod cli;
mod cluster;
mod compare;
mod drift;
mod evaluate;
mod explain;
mod exports;
mod golden;
mod ingest;
mod ingest_sequences;
mod laws;
mod laws_of_metrics;
mod laws_of_ops;
#[cfg(feature = "train")]
mod model;
mod ops;
mod oracle;
mod own_analyzer;
#[cfg(feature = "serve")]
mod pushing;
mod rejects;
mod report;
mod schema;
mod schema_cli;
#[cfg(feature = "serve")]
mod serve;
mod skew;
mod support;
mod tft_names;
mod tidy;
mod trained_text;
mod transform;
mod transform_cli;
mod transform_golden;
mod transform_golden_numeric;
mod transform_golden_own;
mod transform_golden_vocabulary;
mod transform_rows;
mod traps;
mod validate;
mod vocabulary;
