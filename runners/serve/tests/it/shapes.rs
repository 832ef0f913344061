//! Answers: their shapes, and the bits of predictions.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use arrow_schema::{DataType, Field};
use model::{Bundle, Task};
use serde_json::json;
use serve::{handle, query};
use std::sync::Arc;

use crate::fixture::{ROW, all, bundle, ok, post};

fn floats(value: &serde_json::Value) -> Vec<f32> {
    // The text of a number has the bits of a float; what a double has more is not in it.
    value.as_array().unwrap().iter().map(|x| x.to_string().parse().unwrap()).collect()
}

#[test]
fn predictions_have_the_bits_of_the_predictor() {
    let n = 50;
    let place = tempfile::tempdir().unwrap();
    let bundle = Bundle::load(&bundle(place.path(), Task::Binary, 2)).unwrap();
    let fares: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).exp() - 3.0).collect();
    let pairs: Vec<f32> = (0..2 * n).map(|i| (i as f32).sin() * 1e-3).collect();
    let codes: Vec<i64> = (0..n).map(|i| i as i64 % 12).collect();
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from(pairs.clone()));
    let lists = FixedSizeListArray::new(item, 2, values, None);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("fare", Arc::new(Float32Array::from(fares.clone()))),
        ("pair", Arc::new(lists)),
        ("code", Arc::new(Int64Array::from(codes.clone()))),
        ("flag", Arc::new(BooleanArray::from(vec![true; n]))),
    ];
    let records = RecordBatch::try_from_iter(columns).unwrap();
    let expected = bundle.predictor.predict(&records).unwrap().records;
    let expected = expected.column(0).as_primitive::<Float32Type>().values().to_vec();
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();

    let models = all();
    let rows: Vec<serde_json::Value> = (0..n)
        .map(|i| json!({ "fare": fares[i], "pair": pairs[2 * i..2 * i + 2], "code": codes[i], "flag": true }))
        .collect();
    let body = json!({ "instances": rows }).to_string();
    let found = ok(&post(&models, "/v1/models/taxi/versions/200:predict", &body));
    assert_eq!(bits(&floats(&found["predictions"])), bits(&expected));
    // The latest, and by columns; `flag` is of the graph, and the model does not read it.
    let pairs: Vec<&[f32]> = pairs.chunks(2).collect();
    let body = json!({ "inputs": { "code": codes, "pair": pairs, "fare": fares } }).to_string();
    let found = ok(&post(&models, "/v1/models/taxi:predict", &body));
    assert_eq!(bits(&floats(&found["outputs"])), bits(&expected));
    // One by one.
    for (row, expected) in rows.iter().zip(&expected) {
        let body = json!({ "instances": [row] }).to_string();
        let found = ok(&post(&models, "/v1/models/taxi:predict", &body));
        assert_eq!(bits(&floats(&found["predictions"])), bits(&[*expected]));
    }
    // Another version is another model.
    let body = json!({ "instances": rows }).to_string();
    let other = ok(&post(&models, "/v1/models/taxi/labels/stable:predict", &body));
    assert_ne!(bits(&floats(&other["predictions"])), bits(&expected));
}

#[test]
fn a_single_input_needs_no_name() {
    let models = all();
    let check = |body: &str, expected: &str| {
        let found = post(&models, "/v1/models/half:predict", body);
        assert_eq!(String::from_utf8(found.body).unwrap(), expected, "{body}");
    };
    check(r#"{"instances": [1.0, 2]}"#, r#"{"predictions":[0.5,1.0]}"#);
    check(r#"{"instances": [[1.0], [[2]]]}"#, r#"{"predictions":[0.5,1.0]}"#);
    check(r#"{"instances": [{"x": 3}]}"#, r#"{"predictions":[1.5]}"#);
    check(r#"{"inputs": [3.0, 4.0]}"#, r#"{"outputs":[1.5,2.0]}"#);
    check(r#"{"inputs": {"x": [[3.0]]}}"#, r#"{"outputs":[1.5]}"#);
    check(r#"{"inputs": []}"#, r#"{"outputs":[]}"#);
    check(
        r#"{"signature_name": "serving_default", "instances": [NaN, Infinity, -Infinity, -0.0]}"#,
        r#"{"predictions":[NaN,Infinity,-Infinity,-0.0]}"#,
    );
    check(
        r#"{"signature_name": "transform", "instances": [1]} trailing"#,
        r#"{"predictions":[0.5]}"#,
    );
}

#[test]
fn transformed_features_come_back() {
    let models = all();
    let row = r#"{"fare": 1, "pair": [[1], [2]], "code": -5, "miles": 2.5, "words": ["a\u00e9", {"b64": "/w"}],
        "flag": false, "nested": [[1, 2], []], "only_for_label": 1}"#;
    let row = row.replace("[[1], [2]]", "[1, 2]");
    let body = format!(
        r#"{{"signature_name": "transform", "instances": [{row}, {{"fare": 2, "pair": [3, 4],
            "code": 6, "flag": true, "miles": null}}]}}"#
    );
    let found = ok(&post(&models, "/v1/models/taxi:predict", &body));
    assert_eq!(
        found,
        json!({ "predictions": [
            { "fare_xf": 1.0, "pair_xf": [1.0, 2.0], "code_xf": -5, "miles_xf": [2.5],
              "words_xf": ["aé", { "b64": "/w==" }], "flag_xf": false, "nested_xf": [[1, 2], []],
              "double": 2.0 },
            { "fare_xf": 2.0, "pair_xf": [3.0, 4.0], "code_xf": 6, "miles_xf": [], "words_xf": [],
              "flag_xf": true, "nested_xf": [], "double": 4.0 },
        ] })
    );
    let columns = r#"{"signature_name": "transform", "inputs": {"fare": [1, 2], "pair": [[1, 2], [3, 4]],
        "code": [0, 1], "flag": [true, false], "words": [["x"], []]}}"#;
    let found = ok(&post(&models, "/v1/models/taxi:predict", columns));
    assert_eq!(found["outputs"]["words_xf"], json!([["x"], []]));
    assert_eq!(found["outputs"]["miles_xf"], json!([[], []]));
    assert_eq!(found["outputs"]["double"], json!([2.0, 4.0]));
}

#[test]
fn classes_and_numbers_of_examples() {
    let models = all();
    let body = format!(r#"{{"instances": [{ROW}]}}"#);
    let examples = format!(r#"{{"examples": [{ROW}]}}"#);
    let score = ok(&post(&models, "/v1/models/taxi:predict", &body))["predictions"][0].clone();
    let found = ok(&post(&models, "/v1/models/taxi:classify", &examples));
    assert_eq!(found["results"][0][1], json!(["1", score]));
    assert_eq!(found["results"][0][0][0], "0");
    let sum: f64 = (0..2).map(|i| found["results"][0][i][1].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{found}");
    // A context holds for every example; the rest of a tf.Example is passed over.
    let context = r#"{"signature_name": "classify", "context": {"pair": [1.0, -2.5], "code": 7, "flag": 1},
        "examples": [{"fare": 12.5, "code": 3, "unknown": ["a"]}]}"#;
    assert_eq!(ok(&post(&models, "/v1/models/taxi:classify", context)), found);
    let found = ok(&post(&models, "/v1/models/classes:classify", &examples));
    assert_eq!(found["results"][0].as_array().unwrap().len(), 3);
    let predicted = ok(&post(&models, "/v1/models/classes:predict", &body));
    let row = &predicted["predictions"][0];
    assert_eq!(found["results"][0][2], json!(["2", row["probabilities"][2]]));
    assert!(row["class"].is_i64(), "{row}");
    let found = ok(&post(&models, "/v1/models/money:regress", &examples));
    let predicted = ok(&post(&models, "/v1/models/money:predict", &body));
    assert_eq!(found, json!({ "results": predicted["predictions"] }));
}

#[test]
fn states_and_signatures_are_said() {
    let models = all();
    let get = |path: &str| ok(&handle(&models, "GET", path, b""));
    let state = |version: &str| {
        json!({ "version": version, "state": "AVAILABLE",
                "status": { "error_code": "OK", "error_message": "" } })
    };
    let all_versions = json!({ "model_version_status": [state("200"), state("123")] });
    assert_eq!(get("/v1/models/taxi"), all_versions);
    let one = json!({ "model_version_status": [state("123")] });
    assert_eq!(get("/v1/models/taxi/versions/123"), one);
    assert_eq!(get("/v1/models/taxi/labels/stable"), one);
    let dim = |size: &str| json!({ "size": size, "name": "" });
    let found = get("/v1/models/half/metadata");
    assert_eq!(
        found["model_spec"],
        json!({ "name": "half", "signature_name": "", "version": "1" })
    );
    assert_eq!(
        found["metadata"]["signature_def"]["signature_def"]["serving_default"],
        json!({
            "inputs": { "x": { "dtype": "DT_FLOAT", "name": "x:0",
                "tensor_shape": { "dim": [dim("-1")], "unknown_rank": false } } },
            "outputs": { "y": { "dtype": "DT_FLOAT", "name": "y:0",
                "tensor_shape": { "dim": [dim("-1")], "unknown_rank": false } } },
            "method_name": "tensorflow/serving/predict",
            "defaults": {},
        })
    );
    let found = get("/v1/models/taxi/metadata");
    let signatures = &found["metadata"]["signature_def"]["signature_def"];
    let names: Vec<&String> = signatures.as_object().unwrap().keys().collect();
    assert_eq!(names, ["classify", "serving_default", "transform"]);
    let inputs = signatures["serving_default"]["inputs"].as_object().unwrap();
    assert_eq!(inputs.keys().collect::<Vec<_>>(), ["code", "fare", "pair"]);
    let inputs = signatures["transform"]["inputs"].as_object().unwrap();
    assert!(!inputs.contains_key("only_for_label") && inputs.contains_key("nested"));
    let nested = &inputs["nested"];
    assert_eq!(nested["tensor_shape"]["dim"], json!([dim("-1"), dim("-1"), dim("-1")]));
    assert_eq!(nested["dtype"], "DT_INT64");
}

#[test]
fn golden_rows_are_asked_and_answered() {
    let place = tempfile::tempdir().unwrap();
    for (i, task) in
        [Task::Binary, Task::Multiclass { classes: 4 }, Task::Regression].into_iter().enumerate()
    {
        let directory = bundle(place.path(), task, i as u64);
        let servable = serve::Servable::load(&directory).unwrap();
        assert!(query(servable, &directory).unwrap() >= 8, "{task:?}");
    }
}
