//! The one door to the messages of `tensorflow_metadata`: statistics, schemas and anomalies.
//!
//! The definitions in `ops/proto` are written anew from names and numbers of fields, so that the
//! bytes, the text and the JSON of every message agree with those that TFDV reads and writes. The
//! Rust types are generated from them once and committed.
//!
//! **Invariant:** files are written by [`encode`], [`text::print`] and [`json::print`] and read by
//! their counterparts, never by the protobuf library's own methods, whose bytes differ from TFDV's.

#[cfg(test)]
mod every_field;
mod features;
mod float;
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    reason = "generated code; the kinds of anomalies explain themselves by their names"
)]
mod generated;
mod index;
pub mod json;
mod load;
pub(crate) mod nearest;
mod path;
mod plain;
#[cfg(test)]
mod regenerate;
#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
mod view;
mod wire;

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

pub use generated::metadata::*;
pub use generated::skew::{
    ConfusionCount, FeatureSkew, FeatureSkewResults, MatchStats, SkewPair, confusion_count,
};
pub use generated::slicing::{SlicingConfig, SlicingSpec};
pub(crate) use index::SchemaIndex;
pub use load::{load_anomalies, load_schema, load_slicing_config, load_statistics};
pub use prost_reflect::ReflectMessage;
pub use prost_reflect::prost_types::Any;
pub use view::{ALL_EXAMPLES, DatasetView, FeatureView};
pub use wire::{encode, pack, unpack};

/// The descriptions of all messages, by which text and JSON are printed and parsed.
pub static DESCRIPTOR_POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!("generated/descriptors.bin").as_slice())
        .expect("the committed descriptors are those the messages were generated from")
});
