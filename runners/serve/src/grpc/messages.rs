//! The messages of `tensorflow.serving`, as far as they are read or written here.
//!
//! Fields have the numbers and types of the public interface; what is not here is passed over. An
//! `Option<i64>` is a `google.protobuf.Int64Value`, an example the bytes of a `tensorflow.Example`.

use std::collections::BTreeMap;

use prost::Message;
use prost::bytes::Bytes;

/// Messages, by the numbers, names, types and prost's kinds of their fields.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($tag:literal: $field:ident: $ty:ty = ($($kind:tt)*),)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub(crate) struct $name {
            $(#[prost($($kind)*, tag = $tag)] pub(crate) $field: $ty,)*
        }
    )*};
}

messages! {
    /// Which model, version and signature.
    ModelSpec {
        1: name: String = (string),
        2: version: Option<i64> = (message, optional),
        3: signature_name: String = (string),
        4: version_label: Option<String> = (string, optional),
    }

    TensorShapeProto {
        2: dim: Vec<DimProto> = (message, repeated),
        3: unknown_rank: bool = (bool),
    }

    DimProto { 1: size: i64 = (int64), }

    /// Values as the memory of a machine with the small end first, or in the list of their type.
    TensorProto {
        1: dtype: i32 = (int32),
        2: tensor_shape: Option<TensorShapeProto> = (message, optional),
        4: tensor_content: Bytes = (bytes = "bytes"),
        5: float_val: Vec<f32> = (float, repeated),
        6: double_val: Vec<f64> = (double, repeated),
        7: int_val: Vec<i32> = (int32, repeated),
        8: string_val: Vec<Bytes> = (bytes = "bytes", repeated),
        10: int64_val: Vec<i64> = (int64, repeated),
        11: bool_val: Vec<bool> = (bool, repeated),
        16: uint32_val: Vec<u32> = (uint32, repeated),
    }

    PredictRequest {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: inputs: BTreeMap<String, TensorProto> = (btree_map = "string, message"),
        3: output_filter: Vec<String> = (string, repeated),
    }

    PredictResponse {
        1: outputs: BTreeMap<String, TensorProto> = (btree_map = "string, message"),
        2: model_spec: Option<ModelSpec> = (message, optional),
    }

    /// One of both kinds.
    Input {
        1: example_list: Option<ExampleList> = (message, optional),
        2: example_list_with_context: Option<ExampleList> = (message, optional),
    }

    /// Also an `ExampleListWithContext`.
    ExampleList {
        1: examples: Vec<Bytes> = (bytes = "bytes", repeated),
        2: context: Bytes = (bytes = "bytes"),
    }

    /// Also a `RegressionRequest`.
    ClassificationRequest {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: input: Option<Input> = (message, optional),
    }

    Class {
        1: label: String = (string),
        2: score: f32 = (float),
    }

    Classifications { 1: classes: Vec<Class> = (message, repeated), }

    ClassificationResult { 1: classifications: Vec<Classifications> = (message, repeated), }

    ClassificationResponse {
        1: result: Option<ClassificationResult> = (message, optional),
        2: model_spec: Option<ModelSpec> = (message, optional),
    }

    Regression { 1: value: f32 = (float), }

    RegressionResult { 1: regressions: Vec<Regression> = (message, repeated), }

    RegressionResponse {
        1: result: Option<RegressionResult> = (message, optional),
        2: model_spec: Option<ModelSpec> = (message, optional),
    }

    InferenceTask {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: method_name: String = (string),
    }

    MultiInferenceRequest {
        1: tasks: Vec<InferenceTask> = (message, repeated),
        2: input: Option<Input> = (message, optional),
    }

    /// One of both results.
    InferenceResult {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: classification_result: Option<ClassificationResult> = (message, optional),
        3: regression_result: Option<RegressionResult> = (message, optional),
    }

    MultiInferenceResponse { 1: results: Vec<InferenceResult> = (message, repeated), }

    GetModelMetadataRequest {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: metadata_field: Vec<String> = (string, repeated),
    }

    GetModelMetadataResponse {
        1: model_spec: Option<ModelSpec> = (message, optional),
        2: metadata: BTreeMap<String, Any> = (btree_map = "string, message"),
    }

    /// A message of a type that its address says.
    Any {
        1: type_url: String = (string),
        2: value: Vec<u8> = (bytes = "vec"),
    }

    SignatureDefMap {
        1: signature_def: BTreeMap<String, SignatureDef> = (btree_map = "string, message"),
    }

    SignatureDef {
        1: inputs: BTreeMap<String, TensorInfo> = (btree_map = "string, message"),
        2: outputs: BTreeMap<String, TensorInfo> = (btree_map = "string, message"),
        3: method_name: String = (string),
    }

    TensorInfo {
        1: name: String = (string),
        2: dtype: i32 = (int32),
        3: tensor_shape: Option<TensorShapeProto> = (message, optional),
    }

    GetModelStatusRequest { 1: model_spec: Option<ModelSpec> = (message, optional), }

    GetModelStatusResponse {
        1: model_version_status: Vec<ModelVersionStatus> = (message, repeated),
    }

    ModelVersionStatus {
        1: version: i64 = (int64),
        2: state: i32 = (int32),
        3: status: Option<StatusProto> = (message, optional),
    }

    StatusProto {
        1: error_code: i32 = (int32),
        2: error_message: String = (string),
    }

    /// `grpc.health.v1`'s.
    HealthCheckRequest { 1: service: String = (string), }

    /// `grpc.health.v1`'s.
    HealthCheckResponse { 1: status: i32 = (int32), }
}
