//! What a generator is: a row of a table that makes combiners.

use std::sync::Arc;

use engine::{AnyCombineFn, CombineFn, Error, ErrorKind, Result, State};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Column, FeaturePath, Kind, Logical, Slice, StatsOptions};
use crate::tfmd::feature_name_statistics::Stats;
use crate::tfmd::{
    BytesStatistics, Feature, FeatureNameStatistics, NumericStatistics, StringStatistics,
};

/// A statistic of a single feature: one row of [`super::GENERATORS`].
pub struct Generator {
    /// Name in `--help`, in stored states and in golden files.
    pub name: &'static str,
    /// One line: what it computes.
    pub doc: &'static str,
    /// The combiner for a feature; `None` where the generator does not apply.
    pub new: fn(&FeatureContext<'_>) -> Option<FeatureStats>,
}

/// A combiner over the columns of one feature whose result patches the feature's message.
pub type FeatureStats = Arc<dyn AnyCombineFn<Column, Patch>>;

/// What a generator adds to the message of its feature.
pub type Patch = Box<dyn FnOnce(&mut FeatureNameStatistics) + Send>;

/// A statistic of several features together: one row of [`super::DATASET_GENERATORS`].
pub struct DatasetGenerator {
    /// Name in `--help`, in stored states and in golden files.
    pub name: &'static str,
    /// One line: what it computes.
    pub doc: &'static str,
    /// The combiner for a slice; `None` where the options do not ask for it.
    pub new: fn(&StatsOptions) -> Option<SliceStats>,
}

/// A combiner over the slices of batches whose result patches the slice's message.
pub type SliceStats = Arc<dyn AnyCombineFn<Slice, DatasetPatch>>;

/// What a dataset generator adds to the message of its slice; features are there already, sorted
/// by path, and may be looked up, patched or added to.
pub type DatasetPatch =
    Box<dyn FnOnce(&mut crate::tfmd::DatasetFeatureStatistics) -> Result<()> + Send>;

/// Which message a feature's statistics go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// `num_stats`.
    Numeric,
    /// `string_stats`: text, and numbers that the schema calls categorical.
    String,
    /// `bytes_stats`: text that the schema calls images or the like.
    Bytes,
    /// `struct_stats`.
    Struct,
}

/// All that a generator may know of a feature before it sees values.
pub struct FeatureContext<'a> {
    /// Which feature.
    pub path: &'a FeaturePath,
    /// Its physical type.
    pub kind: Kind,
    /// What the Arrow type said beyond that.
    pub logical: Option<&'a Logical>,
    /// Which message its statistics go into.
    pub variant: Variant,
    /// True when every example has a weight for it.
    pub weighted: bool,
    /// What the schema says of it.
    pub schema: Option<&'a Feature>,
    /// What to compute.
    pub options: &'a StatsOptions,
}

/// The state of one generator, live or as bytes; it is thawed when it is first needed again.
pub(crate) enum Cell<I: 'static, O: 'static> {
    Live(Arc<dyn AnyCombineFn<I, O>>, State),
    Frozen { name: String, version: u32, bytes: Vec<u8> },
}

impl<I, O> Cell<I, O> {
    pub(crate) fn new(f: Arc<dyn AnyCombineFn<I, O>>) -> Self {
        let state = f.create();
        Cell::Live(f, state)
    }

    /// Makes a frozen state live again with the combiner of its name.
    pub(crate) fn thaw(&mut self, f: &Arc<dyn AnyCombineFn<I, O>>) -> Result<()> {
        if let Cell::Frozen { name, version, bytes } = self {
            if name != f.name() || *version != f.version() {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!(
                        "a stored state is of `{name}` version {version}, but `{}` version {} is wanted",
                        f.name(),
                        f.version()
                    ),
                ));
            }
            *self = Cell::Live(f.clone(), f.decode(bytes)?);
        }
        Ok(())
    }

    pub(crate) fn live(&mut self) -> (&Arc<dyn AnyCombineFn<I, O>>, &mut State) {
        match self {
            Cell::Live(f, state) => (f, state),
            Cell::Frozen { .. } => unreachable!("states are thawed before they are used"),
        }
    }

    pub(crate) fn into_live(self) -> (Arc<dyn AnyCombineFn<I, O>>, State) {
        match self {
            Cell::Live(f, state) => (f, state),
            Cell::Frozen { .. } => unreachable!("states are thawed before they are used"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct CellBytes {
    name: String,
    version: u32,
    #[serde(with = "bytes")]
    bytes: Vec<u8>,
}

impl<I, O> Serialize for Cell<I, O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cell = match self {
            Cell::Live(f, state) => CellBytes {
                name: f.name().to_owned(),
                version: f.version(),
                bytes: f.encode(state),
            },
            Cell::Frozen { name, version, bytes } => {
                CellBytes { name: name.clone(), version: *version, bytes: bytes.clone() }
            }
        };
        cell.serialize(serializer)
    }
}

impl<'de, I, O> Deserialize<'de> for Cell<I, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let CellBytes { name, version, bytes } = CellBytes::deserialize(deserializer)?;
        Ok(Cell::Frozen { name, version, bytes })
    }
}

/// Byte strings as one block: serde would otherwise write a `Vec<u8>` value by value.
pub(crate) mod bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Vec<u8>, E> {
                Ok(v.to_vec())
            }
            fn visit_byte_buf<E: Error>(self, v: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(v)
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}

/// Wraps a combiner whose output already is a [`Patch`].
pub fn feature_stats<F: CombineFn<Input = Column, Output = Patch>>(f: F) -> FeatureStats {
    Arc::new(f)
}

/// The numeric part of a feature's message.
///
/// # Panics
/// When the feature is not numeric: a generator asks only where [`Variant`] says so.
pub fn num_stats(message: &mut FeatureNameStatistics) -> &mut NumericStatistics {
    match &mut message.stats {
        Some(Stats::NumStats(stats)) => stats,
        other => panic!("num_stats wanted, found {other:?}"),
    }
}

/// The string part of a feature's message.
///
/// # Panics
/// When the feature is not a string: a generator asks only where [`Variant`] says so.
pub fn string_stats(message: &mut FeatureNameStatistics) -> &mut StringStatistics {
    match &mut message.stats {
        Some(Stats::StringStats(stats)) => stats,
        other => panic!("string_stats wanted, found {other:?}"),
    }
}

/// The bytes part of a feature's message.
///
/// # Panics
/// When the feature is not bytes: a generator asks only where [`Variant`] says so.
pub fn bytes_stats(message: &mut FeatureNameStatistics) -> &mut BytesStatistics {
    match &mut message.stats {
        Some(Stats::BytesStats(stats)) => stats,
        other => panic!("bytes_stats wanted, found {other:?}"),
    }
}

impl Variant {
    /// Which message the statistics of a feature go into (`is_categorical_feature` and
    /// `get_bytes_features` in TFDV's `schema_util.py`).
    pub fn of(kind: Kind, schema: Option<&Feature>) -> Self {
        use crate::tfmd::feature::DomainInfo;
        let domain = schema.and_then(|feature| feature.domain_info.as_ref());
        match kind {
            Kind::Struct => Variant::Struct,
            Kind::String => match domain {
                Some(DomainInfo::ImageDomain(_)) => Variant::Bytes,
                _ => Variant::String,
            },
            Kind::Int => match domain {
                Some(DomainInfo::BoolDomain(_) | DomainInfo::NaturalLanguageDomain(_)) => {
                    Variant::String
                }
                Some(DomainInfo::IntDomain(domain)) if domain.is_categorical.unwrap_or(false) => {
                    Variant::String
                }
                _ => Variant::Numeric,
            },
            Kind::Float => match domain {
                Some(DomainInfo::FloatDomain(domain)) if domain.is_categorical.unwrap_or(false) => {
                    Variant::String
                }
                _ => Variant::Numeric,
            },
        }
    }
}
