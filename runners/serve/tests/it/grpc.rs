//! gRPC without sockets: what clients send by TensorFlow Serving's definitions, and what they get.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};
use serve::{About, Code, Failure, Models, grpc, handle};

use crate::fixture::{all, ok, post};
use crate::hostile::Random;

const PREDICTION: &str = "/tensorflow.serving.PredictionService/";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let files = protox::compile(["serving.proto"], [folder]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
});

/// A message, from protobuf's JSON.
pub(crate) fn message(name: &str, value: &Value) -> Vec<u8> {
    let ty = POOL.get_message_by_name(&format!("tensorflow.serving.{name}")).unwrap();
    DynamicMessage::deserialize(ty, value).unwrap().encode_to_vec()
}

/// A message, as protobuf's JSON.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Value {
    let ty = POOL.get_message_by_name(&format!("tensorflow.serving.{name}")).unwrap();
    let message = DynamicMessage::decode(ty, bytes).unwrap();
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

fn call(models: &Models, path: &str, request: &str, value: &Value) -> Result<Vec<u8>, Failure> {
    grpc(models, path, message(request, value).into()).1
}

fn predict(models: &Models, value: &Value) -> Value {
    let answer = call(models, &format!("{PREDICTION}Predict"), "PredictRequest", value);
    read("PredictResponse", &answer.unwrap_or_else(|failure| panic!("{value}: {failure}")))
}

/// A tensor; `list` is a type's field and its values.
fn tensor(dtype: &str, shape: &[i64], list: &str, values: Value) -> Value {
    let dim: Vec<Value> = shape.iter().map(|size| json!({ "size": size })).collect();
    let mut tensor = json!({ "dtype": dtype, "tensor_shape": { "dim": dim } });
    tensor[list] = values;
    tensor
}

fn content(dtype: &str, shape: &[i64], bytes: impl AsRef<[u8]>) -> Value {
    tensor(dtype, shape, "tensor_content", STANDARD.encode(bytes).into())
}

/// The inputs of two rows.
fn inputs() -> Value {
    json!({
        "fare": tensor("DT_FLOAT", &[2], "float_val", json!([12.5, 0.1])),
        "pair": tensor("DT_FLOAT", &[2, 2], "float_val", json!([1, -2.5, 3, 4])),
        "code": tensor("DT_INT64", &[2], "int64_val", json!([3, 4])),
    })
}

fn with(name: &str, tensor: Value) -> Value {
    let mut inputs = inputs();
    inputs[name] = tensor;
    inputs
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.to_string().parse().unwrap()).collect()
}

#[test]
fn tensors_of_every_form_are_answered_with_the_bits_of_rest() {
    let models = all();
    let rows = r#"{"fare": 12.5, "pair": [1, -2.5], "code": 3},
        {"fare": 0.1, "pair": [3, 4], "code": 4}"#;
    let rest =
        ok(&post(&models, "/v1/models/taxi:predict", &format!(r#"{{"instances": [{rows}]}}"#)));
    let expected = floats(&rest["predictions"]);
    let scores = |inputs: &Value| -> Vec<f32> {
        let found =
            predict(&models, &json!({ "model_spec": { "name": "taxi" }, "inputs": inputs }));
        let score = &found["outputs"]["score"];
        assert_eq!(score["dtype"], "DT_FLOAT");
        assert_eq!(score["tensor_shape"], json!({ "dim": [{ "size": "2" }] }));
        let found = score["float_val"].as_array().unwrap();
        found.iter().map(|x| x.as_f64().unwrap() as f32).collect()
    };
    let check = |inputs: Value| assert_eq!(scores(&inputs), expected, "{inputs}");
    check(inputs());
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    check(with("fare", content("DT_FLOAT", &[2], bytes(&[12.5, 0.1]))));
    check(with("fare", tensor("DT_FLOAT", &[2, 1, 1], "float_val", json!([12.5, 0.1]))));
    check(with(
        "code",
        content("DT_INT64", &[2, 1], [3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]),
    ));
    check(with("code", content("DT_INT16", &[2], [3, 0, 4, 0])));
    check(with("code", content("DT_UINT8", &[2], [3, 4])));
    for ty in ["DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT16", "DT_UINT8"] {
        check(with("code", tensor(ty, &[2], "int_val", json!([3, 4]))));
    }
    check(with("code", tensor("DT_UINT32", &[2], "uint32_val", json!([3, 4]))));
    let ints = with("pair", content("DT_INT8", &[2, 2], [1, 254, 3, 4]));
    let same = with("pair", tensor("DT_FLOAT", &[2, 2], "float_val", json!([1, -2, 3, 4])));
    assert_eq!(scores(&ints), scores(&same));
    assert_ne!(scores(&ints), expected);
    // What the whole graph reads and this signature does not.
    check(with("flag", tensor("DT_BOOL", &[2], "bool_val", json!([true]))));
    check(with("only_for_label", tensor("DT_FLOAT", &[1], "float_val", json!([1]))));
}

#[test]
fn the_answer_says_who_has_answered() {
    let models = all();
    let check = |spec: Value, version: &str, signature: &str| {
        let half = tensor("DT_FLOAT", &[1], "float_val", json!([3]));
        let inputs = if spec["name"] == "half" { json!({ "x": half }) } else { inputs() };
        let found = predict(&models, &json!({ "model_spec": spec, "inputs": inputs }));
        let expected = json!({ "name": spec["name"], "version": { "value": version },
            "signature_name": signature });
        assert_eq!(found["model_spec"], expected);
        found
    };
    check(json!({ "name": "taxi" }), "200", "serving_default");
    check(json!({ "name": "taxi", "version": { "value": 123 } }), "123", "serving_default");
    check(json!({ "name": "taxi", "version_label": "stable" }), "123", "serving_default");
    let found = check(json!({ "name": "half", "signature_name": "transform" }), "1", "transform");
    assert_eq!(found["outputs"]["y"]["float_val"], json!([1.5]));
}

#[test]
fn lists_of_any_length_have_their_forms() {
    let models = all();
    let check = |name: &str, sent: Option<Value>, expected: &[(&str, Value)]| {
        let mut inputs = with("flag", tensor("DT_BOOL", &[2], "bool_val", json!([true, false])));
        if let Some(sent) = sent {
            inputs[name] = sent;
        }
        let spec = json!({ "name": "taxi", "signature_name": "transform" });
        let output = format!("{name}_xf");
        let request = json!({ "model_spec": spec, "inputs": inputs, "output_filter": [output] });
        let found = predict(&models, &request)["outputs"].take();
        assert_eq!(found.as_object().unwrap().len(), expected.len(), "{found}");
        for (part, expected) in expected {
            assert_eq!(found[format!("{output}{part}")], *expected, "{found}");
        }
    };
    let sent = |shape: &[i64], values| Some(tensor("DT_DOUBLE", shape, "double_val", values));
    let parts = |splits: Value, values: Value| {
        let n = values.as_array().map_or(0, Vec::len);
        let mut values = tensor("DT_DOUBLE", &[n as i64], "double_val", values);
        values["tensor_shape"] = json!({ "dim": [{ "size": n.to_string() }] });
        if n == 0 {
            values = json!({ "dtype": "DT_DOUBLE", "tensor_shape": { "dim": [{}] } });
        }
        let shape = json!({ "dim": [{ "size": "3" }] });
        let splits = json!({ "dtype": "DT_INT64", "tensor_shape": shape, "int64_val": splits });
        [("/row_splits", splits), ("/values", values)]
    };
    let miles = json!([0.5, 1.5, 2.5, -3.5]);
    check("miles", sent(&[2, 2], miles.clone()), &parts(json!(["0", "2", "4"]), miles));
    let miles = json!([0.5, 1.5]);
    check("miles", sent(&[2], miles.clone()), &parts(json!(["0", "1", "2"]), miles));
    check("miles", sent(&[2, 0], json!([])), &parts(json!(["0", "0", "0"]), json!([])));
    check("miles", None, &parts(json!(["0", "0", "0"]), json!([])));
    // Floats are good for doubles, and a list that is too short goes on with its last value.
    let short = Some(tensor("DT_FLOAT", &[2, 2], "float_val", json!([7, 0.5])));
    check("miles", short, &parts(json!(["0", "2", "4"]), json!([7.0, 0.5, 0.5, 0.5])));
    let strings = |values: &[&str]| -> Value {
        values.iter().map(|value| STANDARD.encode(value)).collect::<Vec<_>>().into()
    };
    let words = |sent: Value| {
        let shape = |n: &str| json!({ "dim": [{ "size": n }] });
        let splits = json!({ "dtype": "DT_INT64", "tensor_shape": shape("3"),
            "int64_val": ["0", "1", "2"] });
        let values = json!({ "dtype": "DT_STRING", "tensor_shape": shape("2"),
            "string_val": strings(&["ab", "\u{e9}"]) });
        check("words", Some(sent), &[("/row_splits", splits), ("/values", values)]);
    };
    words(tensor("DT_STRING", &[2, 1], "string_val", strings(&["ab", "\u{e9}"])));
    words(content("DT_STRING", &[2, 1], "\u{2}\u{2}ab\u{e9}"));
    let nested = tensor("DT_INT64", &[2, 1, 2], "int64_val", json!([1, 2, 3, 4]));
    let shape = |n: &str| json!({ "dim": [{ "size": n }] });
    let ints = |n: &str, list: Value| json!({ "dtype": "DT_INT64", "tensor_shape": shape(n), "int64_val": list });
    let expected = [
        ("/row_splits", ints("3", json!(["0", "1", "2"]))),
        ("/row_splits_1", ints("3", json!(["0", "2", "4"]))),
        ("/values", ints("4", json!(["1", "2", "3", "4"]))),
    ];
    check("nested", Some(nested), &expected);
    let flags =
        json!({ "dtype": "DT_BOOL", "tensor_shape": shape("2"), "bool_val": [true, false] });
    check("flag", None, &[("", flags)]);
}

#[test]
fn wrong_calls_have_the_codes_and_messages() {
    let models = all();
    let fails = |method: &str, request: &str, value: &Value, code: Code, expected: &str| {
        let failure = call(&models, method, request, value).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (code, expected), "{value}");
    };
    let predict = |value: Value, code: Code, message: &str| {
        fails(&format!("{PREDICTION}Predict"), "PredictRequest", &value, code, message);
    };
    let spec = |spec: Value| json!({ "model_spec": spec, "inputs": inputs() });
    let invalid = Code::InvalidArgument;
    predict(json!({ "inputs": inputs() }), invalid, "Missing ModelSpec");
    predict(spec(json!({})), invalid, "ModelSpec has no name specified.");
    let message = "Servable not found for request: Latest(foo)";
    predict(spec(json!({ "name": "foo" })), Code::NotFound, message);
    let message = "Servable not found for request: Specific(taxi, 5)";
    predict(spec(json!({ "name": "taxi", "version": { "value": 5 } })), Code::NotFound, message);
    let message = "Unrecognized servable version label: x";
    predict(spec(json!({ "name": "taxi", "version_label": "x" })), invalid, message);
    let message = "Serving signature key \"x\" not found.";
    let found = spec(json!({ "name": "taxi", "signature_name": "x" }));
    predict(found, Code::FailedPrecondition, message);
    let filter = |names: Value| json!({ "model_spec": { "name": "taxi" }, "inputs": inputs(), "output_filter": names });
    let message =
        "output tensor alias not found in signature: x Outputs expected to be in the set {score}.";
    predict(filter(json!(["x"])), invalid, message);
    let message = "duplicate output tensor alias: score";
    predict(filter(json!(["score", "score"])), invalid, message);

    let inputs_of = |inputs: Value| json!({ "model_spec": { "name": "taxi" }, "inputs": inputs });
    let x = tensor("DT_FLOAT", &[1], "float_val", json!([1]));
    let message = "input size does not match signature: 1!=3 len({x}) != len({code,fare,pair}). Sent \
        extra: {x}. Missing but required: {fare,pair,code}.";
    predict(inputs_of(json!({ "x": x })), invalid, message);
    let wrong = |name: &str, tensor: Value, message: &str| {
        predict(inputs_of(with(name, tensor)), invalid, message);
    };
    let one = json!([1]);
    let message = "Tensor name: pair has inconsistent batch size: 1 expecting: 2";
    wrong("pair", tensor("DT_FLOAT", &[1, 2], "float_val", one.clone()), message);
    let message = "Tensor name: pair has shape [2, 3] expecting: [?, 2]";
    wrong("pair", tensor("DT_FLOAT", &[2, 3], "float_val", one.clone()), message);
    let message = "Tensor name: fare has shape [] expecting: [?]";
    wrong("fare", tensor("DT_FLOAT", &[], "float_val", one.clone()), message);
    let message = "tensor parsing error: fare: its type has number 2, which is no float";
    wrong("fare", tensor("DT_DOUBLE", &[2], "double_val", one.clone()), message);
    let message = "tensor parsing error: fare: its type has number 19, which is no float";
    wrong("fare", tensor("DT_HALF", &[2], "half_val", one.clone()), message);
    let message = "tensor parsing error: fare: its type has number 3, which is no float";
    wrong("fare", tensor("DT_INT32", &[2], "int_val", one.clone()), message);
    let message = "tensor parsing error: fare: a dimension is -2";
    wrong("fare", tensor("DT_FLOAT", &[-2], "float_val", one.clone()), message);
    let message = "tensor parsing error: fare: its shape has more than 65537 values";
    wrong("fare", tensor("DT_FLOAT", &[1 << 40], "float_val", one.clone()), message);
    let huge = [1 << 32, 1 << 32, 1 << 32];
    wrong("fare", tensor("DT_FLOAT", &huge, "float_val", one.clone()), message);
    let message = "tensor parsing error: fare: there are 3 values where its shape has 2";
    wrong("fare", tensor("DT_FLOAT", &[2], "float_val", json!([1, 2, 3])), message);
    let message = "tensor parsing error: fare: 2 values are 8 bytes, not 7";
    wrong("fare", content("DT_FLOAT", &[2], [0; 7]), message);
    let mut unknown = tensor("DT_FLOAT", &[2], "float_val", one);
    unknown["tensor_shape"]["unknown_rank"] = true.into();
    wrong("fare", unknown, "tensor parsing error: fare: its shape is not known");

    let unimplemented = |path: &str, message: &str| {
        fails(path, "PredictRequest", &json!({}), Code::Unimplemented, message);
    };
    unimplemented(
        "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
        "models are named on the command line; their directories are looked at for new versions",
    );
    unimplemented(
        "/tensorflow.serving.SessionService/SessionRun",
        "there is no method /tensorflow.serving.SessionService/SessionRun",
    );
    unimplemented("/", "there is no method /");
    let (about, answer) = grpc(&models, &format!("{PREDICTION}Predict"), b"\x0a"[..].into());
    assert!(answer.unwrap_err().message.starts_with("cannot read the message: "));
    assert_eq!(about, About { method: "predict", ..About::default() });
}

/// Features as protobuf's JSON, of JSON's examples.
fn example(features: &Value) -> Value {
    let feature = features.as_object().unwrap().iter().map(|(name, value)| {
        let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let kind = match list.first() {
            Some(Value::String(_)) => "bytes_list",
            Some(number) if number.is_i64() => "int64_list",
            _ => "float_list",
        };
        let encode = |value: Value| match value {
            Value::String(text) => STANDARD.encode(text).into(),
            other => other,
        };
        let list: Vec<Value> = list.into_iter().map(encode).collect();
        (name.clone(), json!({ kind: { "value": list } }))
    });
    json!({ "features": { "feature": Value::Object(feature.collect()) } })
}

#[test]
fn examples_are_classified_and_regressed_as_in_rest() {
    let models = all();
    let examples = json!([
        { "fare": 12.5, "pair": [1.0, -2.5], "code": 3, "other": "x", "miles": [0.5, 1.5] },
        { "fare": 2, "pair": [0.5, 0.25] },
    ]);
    let context = json!({ "code": 4, "fare": 9.5 });
    let body = json!({ "examples": examples, "context": context }).to_string();
    let list: Vec<Value> = examples.as_array().unwrap().iter().map(example).collect();
    let list = json!({ "examples": list, "context": example(&context) });
    let input = json!({ "example_list_with_context": list });
    let check = |model: &str, method: &str, request: &str, response: &str| {
        let rest =
            ok(&post(&models, &format!("/v1/models/{model}:{}", method.to_lowercase()), &body));
        let value = json!({ "model_spec": { "name": model }, "input": input });
        let answer = call(&models, &format!("{PREDICTION}{method}"), request, &value).unwrap();
        let found = read(response, &answer);
        assert_eq!(found["model_spec"]["signature_name"], "serving_default");
        let float = |value: &Value| value.as_f64().unwrap() as f32;
        let text = |value: &Value| value.to_string().parse::<f32>().unwrap();
        let rest = rest["results"].as_array().unwrap();
        if method == "Regress" {
            let found = found["result"]["regressions"].as_array().unwrap();
            let found: Vec<f32> = found.iter().map(|of| float(&of["value"])).collect();
            assert_eq!(found, rest.iter().map(text).collect::<Vec<f32>>());
            return found[0];
        }
        let found = found["result"]["classifications"].as_array().unwrap();
        assert_eq!(found.len(), rest.len());
        for (found, rest) in found.iter().zip(rest) {
            let found = found["classes"].as_array().unwrap();
            let found: Vec<(String, f32)> = found
                .iter()
                .map(|of| (of["label"].as_str().unwrap().to_owned(), float(&of["score"])))
                .collect();
            let rest = rest.as_array().unwrap().iter();
            let rest: Vec<(String, f32)> =
                rest.map(|of| (of[0].as_str().unwrap().to_owned(), text(&of[1]))).collect();
            assert_eq!(found, rest);
        }
        float(&found[0]["classes"][0]["score"])
    };
    check("taxi", "Classify", "ClassificationRequest", "ClassificationResponse");
    let first = check("classes", "Classify", "ClassificationRequest", "ClassificationResponse");
    check("money", "Regress", "RegressionRequest", "RegressionResponse");

    let multi = |tasks: Value| {
        let value = json!({ "tasks": tasks, "input": input });
        call(&models, &format!("{PREDICTION}MultiInference"), "MultiInferenceRequest", &value)
    };
    let task = |model: &str, signature: &str, method: &str| {
        let spec = json!({ "name": model, "signature_name": signature });
        json!({ "model_spec": spec, "method_name": format!("tensorflow/serving/{method}") })
    };
    let tasks = json!([task("classes", "", "classify"), task("classes", "classify", "classify")]);
    let found = read("MultiInferenceResponse", &multi(tasks).unwrap());
    let results = found["results"].as_array().unwrap();
    let names = ["serving_default", "classify"];
    assert_eq!(results.len(), names.len());
    for (result, name) in results.iter().zip(names) {
        assert_eq!(result["model_spec"]["signature_name"], name);
        let class = &result["classification_result"]["classifications"][0]["classes"][0];
        assert_eq!(class["score"].as_f64().unwrap() as f32, first);
    }
    let fails = |tasks: Value, code: Code, message: &str| {
        let failure = multi(tasks).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (code, message));
    };
    let invalid = Code::InvalidArgument;
    fails(json!([]), invalid, "Missing ModelSpec");
    fails(
        json!([task("classes", "", "classify"), task("taxi", "", "classify")]),
        invalid,
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    );
    fails(
        json!([task("classes", "", "classify"), task("classes", "serving_default", "regress")]),
        invalid,
        "Duplicate evaluation of signature: serving_default",
    );
    fails(
        json!([task("classes", "", "predict")]),
        Code::Unimplemented,
        "Unsupported signature method_name: tensorflow/serving/predict",
    );
    fails(
        json!([task("classes", "", "regress")]),
        invalid,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: \
         tensorflow/serving/classify",
    );

    let fails = |input: Value, message: &str| {
        let value = json!({ "model_spec": { "name": "money" }, "input": input });
        let failure = call(&models, &format!("{PREDICTION}Regress"), "RegressionRequest", &value);
        assert_eq!(failure.unwrap_err().message, message);
    };
    let one = |features: Value| json!({ "example_list": { "examples": [example(&features)] } });
    fails(json!({}), "Input is empty.");
    fails(json!({ "example_list": {} }), "Input is empty.");
    let message =
        "Example: 0, Feature: fare (data type: float) is required but could not be found.";
    fails(one(json!({})), message);
    let message = "Example: 0, Key: fare.  Data types don't match. Data type: string but expected type: \
        float";
    fails(one(json!({ "fare": "x" })), message);
    let message = "Example: 0, Key: fare.  Number of float values != expected.  values size: 2 but output \
        size: 1";
    fails(one(json!({ "fare": [1.5, 2.5] })), message);
}

#[test]
fn serialized_examples_are_the_only_input_of_predict() {
    let models = all();
    let rows = json!([
        { "fare": 12.5, "pair": [1.0, -2.5], "code": 3 , "flag": 1, "words": ["a", "b"] },
        { "fare": 2.5, "pair": [0.5, 0.25], "code": 4, "flag": 0, "miles": [0.5] },
    ]);
    let examples = rows.as_array().unwrap().iter().map(|row| message("Example", &example(row)));
    let examples: Vec<String> = examples.map(|bytes| STANDARD.encode(bytes)).collect();
    let check = |signature: &str| {
        let instances = rows.to_string().replace("\"flag\":1", "\"flag\":true");
        let instances = instances.replace("\"flag\":0", "\"flag\":false");
        let rest = |instances: &str| {
            let body = format!(r#"{{"signature_name": "{signature}", "instances": {instances}}}"#);
            ok(&post(&models, "/v1/models/taxi:predict", &body))
        };
        let expected = rest(&instances);
        let b64: Vec<Value> = examples.iter().map(|bytes| json!({ "b64": bytes })).collect();
        let one: Vec<Value> = b64.iter().map(|bytes| json!({ "examples": bytes })).collect();
        assert_eq!(rest(&Value::from(one).to_string()), expected);
        let body = json!({ "signature_name": signature, "inputs": { "examples": b64 } });
        let columns = ok(&post(&models, "/v1/models/taxi:predict", &body.to_string()));
        let shape: &[i64] = if signature == "transform" { &[2] } else { &[2, 1] };
        let inputs =
            json!({ "examples": tensor("DT_STRING", shape, "string_val", json!(examples)) });
        let spec = json!({ "name": "taxi", "signature_name": signature });
        let found = predict(&models, &json!({ "model_spec": spec, "inputs": inputs }));
        let (name, columns) = match signature {
            "transform" => ("double", &columns["outputs"]["double"]),
            _ => ("score", &columns["outputs"]),
        };
        let found = found["outputs"][name]["float_val"].as_array().unwrap();
        let found: Vec<f32> = found.iter().map(|x| x.as_f64().unwrap() as f32).collect();
        assert_eq!(found, floats(columns));
        let row = |row: usize| match signature {
            "transform" => expected["predictions"][row]["double"].clone(),
            _ => expected["predictions"][row].clone(),
        };
        assert_eq!(found, floats(&json!([row(0), row(1)])));
    };
    check("serving_default");
    check("transform");
    let body = r#"{"instances": [{"examples": {"b64": "Cg=="}}]}"#;
    let response = post(&models, "/v1/models/taxi:predict", body);
    let expected = r#"{"error":"Could not parse example input 0"}"#;
    assert_eq!((response.status, response.body.as_slice()), (400, expected.as_bytes()));
}

#[test]
fn models_are_described_as_in_rest() {
    let models = all();
    let spec = json!({ "name": "taxi" });
    let request = json!({ "model_spec": spec, "metadata_field": ["signature_def"] });
    let path = format!("{PREDICTION}GetModelMetadata");
    let answer = call(&models, &path, "GetModelMetadataRequest", &request).unwrap();
    let found = read("GetModelMetadataResponse", &answer);
    assert_eq!(found["model_spec"], json!({ "name": "taxi", "version": { "value": "200" } }));
    let any = &found["metadata"]["signature_def"];
    assert_eq!(any["type_url"], "type.googleapis.com/tensorflow.serving.SignatureDefMap");
    let map = STANDARD.decode(any["value"].as_str().unwrap()).unwrap();
    let found = read("SignatureDefMap", &map)["signature_def"].take();
    let rest = ok(&handle(&models, "GET", "/v1/models/taxi/metadata", b""));
    let rest = &rest["metadata"]["signature_def"]["signature_def"];
    // REST writes what is empty, too.
    let rest =
        rest.to_string().replace("\"name\":\"\",", "").replace(",\"unknown_rank\":false", "");
    let rest = rest.replace("\"defaults\":{},", "").replace("\"dim\":[],", "");
    assert_eq!(found, serde_json::from_str::<Value>(&rest).unwrap());
    let fails = |request: Value, message: &str| {
        let failure = call(&models, &path, "GetModelMetadataRequest", &request).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (Code::InvalidArgument, message));
    };
    let message = "GetModelMetadataRequest must specify at least one metadata_field";
    fails(json!({ "model_spec": spec }), message);
    let fields = json!({ "model_spec": spec, "metadata_field": ["x"] });
    fails(fields, "Metadata field x is not supported");
    fails(json!({ "metadata_field": ["signature_def"] }), "Missing ModelSpec");

    let path = "/tensorflow.serving.ModelService/GetModelStatus";
    let status = |spec: Value| {
        call(&models, path, "GetModelStatusRequest", &json!({ "model_spec": spec }))
            .map(|answer| read("GetModelStatusResponse", &answer))
    };
    let found = status(spec).unwrap();
    let of = |version: &str| json!({ "version": version, "state": "AVAILABLE", "status": {} });
    assert_eq!(found["model_version_status"], json!([of("200"), of("123")]));
    let found = status(json!({ "name": "taxi", "version": { "value": 123 } })).unwrap();
    assert_eq!(found["model_version_status"], json!([of("123")]));
    let failure = status(json!({ "name": "none" })).unwrap_err();
    let message = "Could not find any versions of model none";
    assert_eq!((failure.code, failure.message.as_str()), (Code::NotFound, message));
}

#[test]
fn broken_messages_get_an_answer() {
    let models = all();
    let row = example(&json!({ "fare": 12.5, "pair": [1.0, -2.5], "code": 3, "words": ["a"] }));
    let list = json!({ "example_list_with_context": { "examples": [row, {}], "context": row } });
    let strings =
        tensor("DT_STRING", &[2], "string_val", json!([STANDARD.encode(message("Example", &row))]));
    let transform = json!({ "name": "taxi", "signature_name": "transform" });
    let words = content("DT_STRING", &[2, 2], "\u{1}\u{1}\u{1}\u{1}abcd");
    let bodies = [
        (
            "Predict",
            message(
                "PredictRequest",
                &json!({ "model_spec": { "name": "taxi" }, "inputs": inputs() }),
            ),
        ),
        (
            "Predict",
            message(
                "PredictRequest",
                &json!({ "model_spec": transform, "inputs": with("words", words) }),
            ),
        ),
        (
            "Predict",
            message(
                "PredictRequest",
                &json!({ "model_spec": transform, "inputs": { "examples": strings } }),
            ),
        ),
        (
            "Classify",
            message(
                "ClassificationRequest",
                &json!({ "model_spec": { "name": "taxi" }, "input": list }),
            ),
        ),
    ];
    let mut random = Random(2);
    let mut answers = [0; 2];
    for i in 0..20_000 {
        let (method, body) = &bodies[i % bodies.len()];
        let mut body = body.clone();
        for _ in 0..=random.below(2) {
            let at = random.below(body.len());
            match random.below(8) {
                0 => drop(body.remove(at)),
                1 => body.insert(at, random.below(256) as u8),
                _ => body[at] = random.below(256) as u8,
            }
        }
        let (_, answer) = grpc(&models, &format!("{PREDICTION}{method}"), body.into());
        answers[usize::from(answer.is_ok())] += 1;
    }
    assert!(answers[0] > 2_000 && answers[1] > 1_000, "{answers:?}");
}
