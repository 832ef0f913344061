//! Types of a graph as schemas, as TensorFlow Transform writes them.
//!
//! | type | tf.Example | schema |
//! |---|---|---|
//! | fixed shape | all values of a row, flat | `presence.min_fraction: 1`, `shape` |
//! | `[var]` | the values of a row | a feature without a shape |
//! | sparse | `NAME$sparse_values`, `NAME$sparse_indices_0` … | these, and a `sparse_feature` |
//! | more varying dimensions | `NAME$ragged_values`, `NAME$row_lengths_1` … | a ragged representation |

use std::collections::{BTreeMap, BTreeSet};

use ops::tfmd::feature::{DomainInfo, PresenceConstraints, ShapeType};
use ops::tfmd::sparse_feature::{IndexFeature, ValueFeature};
use ops::tfmd::tensor_representation::ragged_tensor::{Partition, partition};
use ops::tfmd::tensor_representation::{Kind, RaggedTensor, RowPartitionDType};
use ops::tfmd::{
    Annotation, Any, Feature, FeaturePresence, FeatureType, FixedShape, IntDomain, Path, Schema,
    SparseFeature, TensorRepresentation, TensorRepresentationGroup, fixed_shape,
};

use crate::ops::{SPARSE_VALUES, sparse_indices};
use crate::types::{DType, Dim, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// The name of the one group of tensor representations.
const GROUP: &str = "";
/// The type of what is known of a vocabulary: the package of TensorFlow
/// Transform's `annotations.proto`.
const VOCABULARY: &str =
    "type.googleapis.com/third_party.py.tensorflow_transform.annotations.VocabularyMetadata";

/// The schema of columns; the range of integers is given where it is known.
pub(super) fn schema_of<'a>(
    columns: impl Iterator<Item = (&'a str, &'a Type, Option<(i64, i64)>)>,
) -> Schema {
    let columns: Vec<_> = columns.collect();
    let sparse = sparse_features(&columns);
    let positions: BTreeSet<&str> =
        sparse.iter().flat_map(|sparse| &sparse.index_feature).map(IndexFeature::name).collect();
    let mut schema = Schema { sparse_feature: sparse.clone(), ..Schema::default() };
    let mut ragged = BTreeMap::new();
    for (name, ty, domain) in columns {
        let feature = Feature {
            name: Some(name.to_owned()),
            r#type: Some(feature_type(ty.dtype) as i32),
            domain_info: domain.map(|(min, max)| {
                DomainInfo::IntDomain(IntDomain {
                    name: None,
                    min: Some(min),
                    max: Some(max),
                    // Positions are no categories.
                    is_categorical: (!positions.contains(name)).then_some(true),
                })
            }),
            ..Feature::default()
        };
        if let Some(parts) = RaggedNames::of(name, ty) {
            let lengths = parts.row_lengths.iter().flatten().map(|name| Feature {
                name: Some(name.clone()),
                r#type: Some(FeatureType::Int as i32),
                ..Feature::default()
            });
            schema.feature.extend(lengths);
            schema.feature.push(Feature { name: Some(parts.values.clone()), ..feature });
            ragged.insert(name.to_owned(), representation(parts, ty));
        } else if ty.is_dense() {
            let dims = ty.shape.iter().filter_map(|dim| match dim {
                Dim::Fixed(n) => Some(fixed_shape::Dim { size: Some(i64::from(*n)), name: None }),
                Dim::Var => None,
            });
            let presence = FeaturePresence { min_fraction: Some(1.0), min_count: None };
            schema.feature.push(Feature {
                presence_constraints: Some(PresenceConstraints::Presence(presence)),
                shape_type: Some(ShapeType::Shape(FixedShape { dim: dims.collect() })),
                ..feature
            });
        } else {
            schema.feature.push(feature);
        }
    }
    schema.feature.sort_by(|a, b| a.name.cmp(&b.name));
    if !ragged.is_empty() {
        let group = TensorRepresentationGroup { tensor_representation: ragged };
        schema.tensor_representation_group.insert(GROUP.to_owned(), group);
    }
    schema
}

/// The sparse tensors among columns, which their names tell: lists of values, and of their positions
/// along each dimension.
fn sparse_features(columns: &[(&str, &Type, Option<(i64, i64)>)]) -> Vec<SparseFeature> {
    let lists: BTreeMap<&str, DType> = columns
        .iter()
        .filter(|(_, ty, _)| ty.shape == [Dim::Var])
        .map(|(name, ty, _)| (*name, ty.dtype))
        .collect();
    let features = lists.keys().filter_map(|values| {
        let name = values.strip_suffix(SPARSE_VALUES)?;
        let indices = (0..).map(|axis| sparse_indices(name, axis));
        let indices = indices.take_while(|name| lists.get(&**name) == Some(&DType::Int64));
        let index_feature: Vec<_> = indices.map(|name| IndexFeature { name: Some(name) }).collect();
        (!index_feature.is_empty()).then(|| SparseFeature {
            name: Some(name.to_owned()),
            index_feature,
            is_sorted: Some(true),
            value_feature: Some(ValueFeature { name: Some((*values).to_owned()) }),
            ..SparseFeature::default()
        })
    });
    features.collect()
}

/// Adds what is known of vocabularies, as TensorFlow Transform's `VocabularyMetadata`.
pub(super) fn annotate<'a>(
    schema: &mut Schema,
    vocabularies: impl Iterator<Item = &'a Vocabulary>,
) {
    let notes: Vec<Any> = vocabularies.map(metadata).collect();
    if !notes.is_empty() {
        let annotation = Annotation { extra_metadata: notes, ..Annotation::default() };
        schema.annotation = Some(annotation);
    }
}

/// `VocabularyMetadata`: fields 1 to 3 are the file's name without the ending of its format, and the
/// sizes before and after filters.
fn metadata(vocabulary: &Vocabulary) -> Any {
    let name = &*vocabulary.file_name;
    let name = match vocabulary.format {
        FileFormat::Text => name,
        FileFormat::TfrecordGzip => name.strip_suffix(".tfrecord.gz").unwrap_or(name),
    };
    let name = name.as_bytes();
    let mut value = vec![0x0a];
    engine::write_varint(&mut value, name.len() as u64);
    value.extend_from_slice(name);
    for (field, size) in [(0x10, vocabulary.unfiltered_size), (0x18, vocabulary.len() as u64)] {
        value.push(field);
        engine::write_varint(&mut value, size);
    }
    Any { type_url: VOCABULARY.to_owned(), value }
}

fn feature_type(dtype: DType) -> FeatureType {
    match dtype {
        DType::Bool | DType::Int64 | DType::Timestamp => FeatureType::Int,
        DType::Float32 | DType::Float64 => FeatureType::Float,
        DType::String | DType::Vocabulary | DType::Tokenizer => FeatureType::Bytes,
    }
}

/// The features of a tf.Example that hold a column which is ragged more than once.
pub struct RaggedNames {
    /// All values, flat.
    pub values: String,
    /// For each dimension after the first the feature of its lengths; none where it is fixed.
    pub row_lengths: Vec<Option<String>>,
}

impl RaggedNames {
    /// The features of a column; none where its values alone say how it is shaped: shapes without or
    /// with one varying dimension, the outermost.
    pub fn of(name: &str, ty: &Type) -> Option<Self> {
        let inner = ty.shape.get(1..).unwrap_or_default();
        if !inner.contains(&Dim::Var) {
            return None;
        }
        let mut n = 0;
        let row_lengths = inner.iter().map(|dim| match dim {
            Dim::Fixed(_) => None,
            Dim::Var => {
                n += 1;
                Some(format!("{name}$row_lengths_{n}"))
            }
        });
        Some(RaggedNames {
            values: format!("{name}$ragged_values"),
            row_lengths: row_lengths.collect(),
        })
    }
}

fn representation(parts: RaggedNames, ty: &Type) -> TensorRepresentation {
    let inner = ty.shape.iter().skip(1).zip(parts.row_lengths);
    let partitions = inner.map(|(dim, lengths)| Partition {
        kind: Some(match (dim, lengths) {
            (Dim::Fixed(n), _) => partition::Kind::UniformRowLength(i64::from(*n)),
            (Dim::Var, lengths) => partition::Kind::RowLength(lengths.unwrap_or_default()),
        }),
    });
    let tensor = RaggedTensor {
        feature_path: Some(Path { step: vec![parts.values] }),
        partition: partitions.collect(),
        row_partition_dtype: Some(RowPartitionDType::Int64 as i32),
    };
    TensorRepresentation { kind: Some(Kind::RaggedTensor(tensor)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Strings;

    #[test]
    fn vocabularies_are_annotated() {
        let check = |file: &str, format, expected: &[u8]| {
            let mut vocabulary = Vocabulary::new(file, format, Strings::from_iter(["a", "b"]));
            vocabulary.unfiltered_size = 300;
            assert_eq!(metadata(&vocabulary).value, expected);
        };
        check("v", FileFormat::Text, b"\x0a\x01v\x10\xac\x02\x18\x02");
        check("v.tfrecord.gz", FileFormat::TfrecordGzip, b"\x0a\x01v\x10\xac\x02\x18\x02");
        check("v.tfrecord.gz", FileFormat::Text, b"\x0a\x0dv.tfrecord.gz\x10\xac\x02\x18\x02");
    }

    #[test]
    fn coordinates_and_values_are_sparse_features() {
        let list = |dtype| Type::var_len(dtype);
        let columns = [
            ("a$sparse_indices_0", list(DType::Int64), Some((0, 4))),
            ("a$sparse_indices_1", list(DType::Int64), None),
            ("a$sparse_values", list(DType::String), None),
            // These are no tensor.
            ("b$sparse_values", list(DType::Int64), Some((0, 1))),
            ("c$sparse_indices_0", list(DType::Float32), None),
            ("c$sparse_values", list(DType::Int64), None),
        ];
        let schema = schema_of(columns.iter().map(|(name, ty, domain)| (*name, ty, *domain)));
        let text = ops::tfmd::text::print(&schema);
        // As TFT 1.16 writes it.
        let position = "feature {
  name: \"a$sparse_indices_0\"
  type: INT
  int_domain {
    min: 0
    max: 4
  }
}
";
        let whole = "sparse_feature {
  name: \"a\"
  index_feature {
    name: \"a$sparse_indices_0\"
  }
  index_feature {
    name: \"a$sparse_indices_1\"
  }
  is_sorted: true
  value_feature {
    name: \"a$sparse_values\"
  }
}";
        assert!(text.starts_with(position), "{text}");
        assert!(text.contains(whole), "{text}");
        assert_eq!((schema.feature.len(), schema.sparse_feature.len()), (6, 1));
        assert_eq!(text.matches("is_categorical: true").count(), 1);
    }

    #[test]
    fn types_are_features() {
        let columns = [
            ("z", Type::scalar(DType::Float32), None),
            ("v", Type::column(DType::Float64, [Dim::Fixed(3)]), None),
            ("ids", Type::var_len(DType::Int64), Some((-1, 9))),
            ("n", Type::column(DType::String, [Dim::Var, Dim::Var]), None),
        ];
        let schema = schema_of(columns.iter().map(|(name, ty, domain)| (*name, ty, *domain)));
        let text = ops::tfmd::text::print(&schema);
        let expected = "\
feature {
  name: \"ids\"
  type: INT
  int_domain {
    min: -1
    max: 9
    is_categorical: true
  }
}
feature {
  name: \"n$ragged_values\"
  type: BYTES
}
feature {
  name: \"n$row_lengths_1\"
  type: INT
}
feature {
  name: \"v\"
  type: FLOAT
  presence {
    min_fraction: 1.0
  }
  shape {
    dim {
      size: 3
    }
  }
}
feature {
  name: \"z\"
  type: FLOAT
  presence {
    min_fraction: 1.0
  }
  shape {
  }
}
tensor_representation_group {
  key: \"\"
  value {
    tensor_representation {
      key: \"n\"
      value {
        ragged_tensor {
          feature_path {
            step: \"n$ragged_values\"
          }
          row_partition_dtype: INT64
          partition {
            row_length: \"n$row_lengths_1\"
          }
        }
      }
    }
  }
}
";
        assert_eq!(text, expected);
    }
}
