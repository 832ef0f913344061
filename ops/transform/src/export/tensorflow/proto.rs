//! The messages of a TensorFlow SavedModel, as far as an export writes them: `saved_model.proto`,
//! `meta_graph.proto`, `graph.proto`, `node_def.proto`, `attr_value.proto`, `tensor.proto` of TensorFlow.
//! Maps are ordered, so that the same graph gives the same bytes.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

use crate::types::DType;

/// `tensorflow.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum DataType {
    /// `tf.float32`
    Float = 1,
    /// `tf.float64`
    Double = 2,
    /// `tf.int32`
    Int32 = 3,
    /// `tf.uint8`
    UInt8 = 4,
    /// `tf.string`
    String = 7,
    /// `tf.int64`
    Int64 = 9,
    /// `tf.bool`
    Bool = 10,
    /// `tf.uint64`
    UInt64 = 23,
}

impl From<DType> for DataType {
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::Bool => DataType::Bool,
            DType::Int64 | DType::Timestamp => DataType::Int64,
            DType::Float32 => DataType::Float,
            DType::Float64 => DataType::Double,
            DType::String | DType::Vocabulary | DType::Tokenizer => DataType::String,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SavedModel {
    #[prost(int64, tag = "1")]
    pub(super) saved_model_schema_version: i64,
    #[prost(message, repeated, tag = "2")]
    pub(super) meta_graphs: Vec<MetaGraphDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetaGraphDef {
    #[prost(message, optional, tag = "1")]
    pub(super) meta_info_def: Option<MetaInfoDef>,
    #[prost(message, optional, tag = "2")]
    pub(super) graph_def: Option<GraphDef>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(super) collection_def: BTreeMap<String, CollectionDef>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub(super) signature_def: BTreeMap<String, SignatureDef>,
    #[prost(message, repeated, tag = "6")]
    pub(super) asset_file_def: Vec<AssetFileDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetaInfoDef {
    #[prost(string, repeated, tag = "4")]
    pub(super) tags: Vec<String>,
    #[prost(string, tag = "5")]
    pub(super) tensorflow_version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CollectionDef {
    #[prost(message, optional, tag = "1")]
    pub(super) node_list: Option<NodeList>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeList {
    #[prost(string, repeated, tag = "1")]
    pub(super) value: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AssetFileDef {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_info: Option<TensorInfo>,
    #[prost(string, tag = "2")]
    pub(super) filename: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SignatureDef {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) inputs: BTreeMap<String, TensorInfo>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(super) outputs: BTreeMap<String, TensorInfo>,
    #[prost(string, tag = "3")]
    pub(super) method_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "2")]
    pub(super) dtype: i32,
    #[prost(message, optional, tag = "3")]
    pub(super) tensor_shape: Option<TensorShape>,
    #[prost(message, optional, tag = "4")]
    pub(super) coo_sparse: Option<CooSparse>,
    #[prost(message, optional, tag = "5")]
    pub(super) composite_tensor: Option<CompositeTensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompositeTensor {
    #[prost(message, optional, tag = "1")]
    pub(super) type_spec: Option<TypeSpec>,
    #[prost(message, repeated, tag = "2")]
    pub(super) components: Vec<TensorInfo>,
}

/// `tensorflow.TypeSpecProto` of `struct.proto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeSpec {
    #[prost(int32, tag = "1")]
    pub(super) type_spec_class: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) type_state: Option<StructuredValue>,
    #[prost(string, tag = "3")]
    pub(super) type_spec_class_name: String,
    #[prost(int32, tag = "4")]
    pub(super) num_flat_components: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StructuredValue {
    #[prost(sint64, optional, tag = "12")]
    pub(super) int64_value: Option<i64>,
    #[prost(message, optional, tag = "31")]
    pub(super) tensor_shape_value: Option<TensorShape>,
    #[prost(int32, optional, tag = "32")]
    pub(super) tensor_dtype_value: Option<i32>,
    #[prost(message, optional, tag = "52")]
    pub(super) tuple_value: Option<TupleValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TupleValue {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<StructuredValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CooSparse {
    #[prost(string, tag = "1")]
    pub(super) values_tensor_name: String,
    #[prost(string, tag = "2")]
    pub(super) indices_tensor_name: String,
    #[prost(string, tag = "3")]
    pub(super) dense_shape_tensor_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeDef>,
    #[prost(message, optional, tag = "4")]
    pub(super) versions: Option<VersionDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionDef {
    #[prost(int32, tag = "1")]
    pub(super) producer: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NodeDef {
    #[prost(string, tag = "1")]
    pub(in super::super) name: String,
    #[prost(string, tag = "2")]
    pub(in super::super) op: String,
    #[prost(string, repeated, tag = "3")]
    pub(in super::super) input: Vec<String>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub(in super::super) attr: BTreeMap<String, AttrValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct AttrValue {
    #[prost(oneof = "Attr", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub(in super::super) value: Option<Attr>,
}

/// What an attribute of a node is.
#[derive(Clone, PartialEq, Oneof)]
pub enum Attr {
    /// A list.
    #[prost(message, tag = "1")]
    List(ListValue),
    /// A text.
    #[prost(bytes, tag = "2")]
    S(Vec<u8>),
    /// An integer.
    #[prost(int64, tag = "3")]
    I(i64),
    /// A number.
    #[prost(float, tag = "4")]
    F(f32),
    /// A truth value.
    #[prost(bool, tag = "5")]
    B(bool),
    /// A [`DataType`].
    #[prost(int32, tag = "6")]
    Type(i32),
    /// A shape.
    #[prost(message, tag = "7")]
    Shape(TensorShape),
    /// A constant.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

/// Lists of values.
#[derive(Clone, PartialEq, Message)]
pub struct ListValue {
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub s: Vec<Vec<u8>>,
    /// Integers.
    #[prost(int64, repeated, tag = "3")]
    pub i: Vec<i64>,
    /// Types.
    #[prost(int32, repeated, tag = "6")]
    pub r#type: Vec<i32>,
    /// Shapes.
    #[prost(message, repeated, tag = "7")]
    pub shape: Vec<TensorShape>,
}

/// `tensorflow.TensorShapeProto`: −1 is any size.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShape {
    /// Its sizes.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<ShapeDim>,
    /// Whether nothing is known.
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// One size.
#[derive(Clone, PartialEq, Message)]
pub struct ShapeDim {
    /// The size, or −1.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

impl From<&[i64]> for TensorShape {
    fn from(sizes: &[i64]) -> Self {
        let dim = sizes.iter().map(|&size| ShapeDim { size }).collect();
        TensorShape { dim, unknown_rank: false }
    }
}

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// A [`DataType`].
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShape>,
    /// Values, in little-endian bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub tensor_content: Vec<u8>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
}
