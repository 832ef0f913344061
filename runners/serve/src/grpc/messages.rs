//! The messages of `tensorflow.serving`, as far as they are read or written here.
//!
//! Fields have the numbers and types of the public interface; what is not here is passed over. An
//! `Option<i64>` is a `google.protobuf.Int64Value`, an example the bytes of a `tensorflow.Example`.

use std::collections::BTreeMap;

use prost::Message;
use prost::bytes::Bytes;

/// Which model, version and signature.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) version: Option<i64>,
    #[prost(string, tag = "3")]
    pub(crate) signature_name: String,
    #[prost(string, optional, tag = "4")]
    pub(crate) version_label: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorShapeProto {
    #[prost(message, repeated, tag = "2")]
    pub(crate) dim: Vec<DimProto>,
    #[prost(bool, tag = "3")]
    pub(crate) unknown_rank: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DimProto {
    #[prost(int64, tag = "1")]
    pub(crate) size: i64,
}

/// Values as the memory of a machine with the small end first, or in the list of their type.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorProto {
    #[prost(int32, tag = "1")]
    pub(crate) dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) tensor_shape: Option<TensorShapeProto>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) tensor_content: Bytes,
    #[prost(float, repeated, tag = "5")]
    pub(crate) float_val: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    pub(crate) double_val: Vec<f64>,
    #[prost(int32, repeated, tag = "7")]
    pub(crate) int_val: Vec<i32>,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    pub(crate) string_val: Vec<Bytes>,
    #[prost(int64, repeated, tag = "10")]
    pub(crate) int64_val: Vec<i64>,
    #[prost(bool, repeated, tag = "11")]
    pub(crate) bool_val: Vec<bool>,
    #[prost(uint32, repeated, tag = "16")]
    pub(crate) uint32_val: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PredictRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) inputs: BTreeMap<String, TensorProto>,
    #[prost(string, repeated, tag = "3")]
    pub(crate) output_filter: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PredictResponse {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) outputs: BTreeMap<String, TensorProto>,
    #[prost(message, optional, tag = "2")]
    pub(crate) model_spec: Option<ModelSpec>,
}

/// One of both kinds.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Input {
    #[prost(message, optional, tag = "1")]
    pub(crate) example_list: Option<ExampleList>,
    #[prost(message, optional, tag = "2")]
    pub(crate) example_list_with_context: Option<ExampleList>,
}

/// Also an `ExampleListWithContext`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExampleList {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) examples: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) context: Bytes,
}

/// Also a `RegressionRequest`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClassificationRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) input: Option<Input>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Class {
    #[prost(string, tag = "1")]
    pub(crate) label: String,
    #[prost(float, tag = "2")]
    pub(crate) score: f32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Classifications {
    #[prost(message, repeated, tag = "1")]
    pub(crate) classes: Vec<Class>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClassificationResult {
    #[prost(message, repeated, tag = "1")]
    pub(crate) classifications: Vec<Classifications>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClassificationResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) result: Option<ClassificationResult>,
    #[prost(message, optional, tag = "2")]
    pub(crate) model_spec: Option<ModelSpec>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Regression {
    #[prost(float, tag = "1")]
    pub(crate) value: f32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RegressionResult {
    #[prost(message, repeated, tag = "1")]
    pub(crate) regressions: Vec<Regression>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RegressionResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) result: Option<RegressionResult>,
    #[prost(message, optional, tag = "2")]
    pub(crate) model_spec: Option<ModelSpec>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct InferenceTask {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(string, tag = "2")]
    pub(crate) method_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MultiInferenceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) tasks: Vec<InferenceTask>,
    #[prost(message, optional, tag = "2")]
    pub(crate) input: Option<Input>,
}

/// One of both results.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InferenceResult {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) classification_result: Option<ClassificationResult>,
    #[prost(message, optional, tag = "3")]
    pub(crate) regression_result: Option<RegressionResult>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MultiInferenceResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) results: Vec<InferenceResult>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetModelMetadataRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) metadata_field: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetModelMetadataResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) metadata: BTreeMap<String, Any>,
}

/// A message of a type that its address says.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignatureDefMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) signature_def: BTreeMap<String, SignatureDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignatureDef {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) inputs: BTreeMap<String, TensorInfo>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) outputs: BTreeMap<String, TensorInfo>,
    #[prost(string, tag = "3")]
    pub(crate) method_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorInfo {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) dtype: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) tensor_shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetModelStatusRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) model_spec: Option<ModelSpec>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetModelStatusResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) model_version_status: Vec<ModelVersionStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelVersionStatus {
    #[prost(int64, tag = "1")]
    pub(crate) version: i64,
    #[prost(int32, tag = "2")]
    pub(crate) state: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) status: Option<StatusProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StatusProto {
    #[prost(int32, tag = "1")]
    pub(crate) error_code: i32,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `grpc.health.v1`'s.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

/// `grpc.health.v1`'s.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
}
