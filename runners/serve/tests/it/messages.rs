//! Errors: TensorFlow Serving's codes and messages.

use serve::handle;

use crate::fixture::{ROW, all, error, post};

const PATH: &str = "/v1/models/taxi:predict";

#[test]
fn requests_that_are_no_requests() {
    let models = all();
    let check = |method: &str, path: &str, code: u16, message: &str| {
        let found = error(&handle(&models, method, path, b"{}"));
        assert_eq!(found, (code, message.to_owned()), "{method} {path}");
    };
    check("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo");
    check("POST", "/v1/foo", 400, "Malformed request: POST /v1/foo");
    check("PUT", PATH, 400, "Malformed request: PUT /v1/models/taxi:predict");
    check("GET", "/v1/models", 400, "Missing model name in request.");
    check("GET", "/v1/models/foo", 404, "Could not find any versions of model foo");
    check("GET", "/v1/models/none", 404, "Could not find any versions of model none");
    check("GET", "/v1/models/taxi/versions/5", 404, "Could not find version 5 of model taxi");
    check("GET", "/v1/models/foo/versions/5", 404, "Could not find version 5 of model foo");
    check("GET", "/v1/models/taxi/labels/x", 400, "Unrecognized servable version label: x");
    let path = "/v1/models/foo/metadata";
    check("GET", path, 404, "Servable not found for request: Latest(foo)");
    for path in ["/", "/v2/models", "/v1", "/statuspage"] {
        let response = handle(&models, "GET", path, b"");
        assert_eq!((response.status, response.body.len()), (404, 0), "{path}");
    }
}

#[test]
fn models_versions_and_labels_that_are_not_there() {
    let models = all();
    let body = format!(r#"{{"instances": [{ROW}]}}"#);
    let check = |path: &str, code: u16, message: &str| {
        let path = format!("/v1/models/{path}:predict");
        assert_eq!(error(&post(&models, &path, &body)), (code, message.to_owned()), "{path}");
    };
    check("foo", 404, "Servable not found for request: Latest(foo)");
    check("none", 404, "Servable not found for request: Latest(none)");
    check("foo/versions/50", 404, "Servable not found for request: Specific(foo, 50)");
    check("taxi/versions/99", 404, "Servable not found for request: Specific(taxi, 99)");
    check("taxi/labels/gone", 404, "Servable not found for request: Specific(taxi, 4)");
    check("taxi/labels/x", 400, "Unrecognized servable version label: x");
    check(
        "foo/versions/18446744073709551615",
        400,
        "Failed to convert version: 18446744073709551615 to numeric.",
    );
}

#[test]
fn bodies_that_are_no_bodies() {
    let models = all();
    let check = |body: &str, message: &str| {
        assert_eq!(error(&post(&models, PATH, body)), (400, message.to_owned()), "{body}");
    };
    check("", "JSON Parse error: The document is empty");
    check("   ", "JSON Parse error: The document is empty. at offset: 3");
    check("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0");
    check(
        r#"{"instances": [1, 2}"#,
        "JSON Parse error: Missing a comma or ']' after an array element. at offset: 19",
    );
    check("[1]", "JSON Value: [1] Is not object");
    check("{}", "Missing 'inputs' or 'instances' key");
    check(
        r#"{"signature_name": 100}"#,
        "JSON Value: {\"signature_name\": 100} not formatted correctly. 'signature_name' key must be a \
         string value.",
    );
    check(
        r#"{"signature_name": "x", "instances": [1]}"#,
        "Serving signature name: \"x\" not found in signature def",
    );
    check(
        r#"{"inputs": 1, "instances": 2}"#,
        "JSON Value: {\"inputs\": 1, \"instances\": 2} Not formatted correctly expecting only one of \
         'inputs' or 'instances' keys to exist ",
    );
    let message = "JSON Value: {\"instances\": 2} Expecting 'instances' to be an list/array";
    check(r#"{"instances": 2}"#, message);
    let message = "JSON Value: {\"instances\": []} No values in 'instances' array";
    check(r#"{"instances": []}"#, message);
    check(
        r#"{"instances": [1.0, 2.0]}"#,
        "instances is a plain list, but expecting list of objects as multiple input tensors required \
         as per tensorinfo_map",
    );
    check(
        r#"{"inputs": [1.0, 2.0]}"#,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required as \
         per tensorinfo_map",
    );
    check(
        &format!(r#"{{"instances": [{ROW}, [1]]}}"#),
        "Expecting object but got list at item 1 of input list",
    );
    let half = post(&models, "/v1/models/half:predict", r#"{"instances": [1, {"x": 1}]}"#);
    let message = "Expecting value/list but got object at item 1 of input list";
    assert_eq!(error(&half), (400, message.to_owned()));
}

#[test]
fn values_that_do_not_fit() {
    let models = all();
    let check = |with: &str, message: &str| {
        let row = ROW.replacen('{', &format!("{{{with}, "), 1);
        let signature = r#""signature_name": "transform""#;
        let body = format!(r#"{{{signature}, "instances": [{ROW}, {row}]}}"#);
        let (code, found) = error(&post(&models, PATH, &body));
        assert_eq!(code, 400, "{with}");
        let key = with.split('"').nth(1).unwrap();
        let start = format!(
            "Failed to process element: 1 key: {key} of 'instances' list. Error: INVALID_ARGUMENT: "
        );
        let found = found.strip_prefix(&start).unwrap_or_else(|| panic!("{found}"));
        assert_eq!(found, message, "{with}");
    };
    check(r#""typo": 1"#, "JSON object: does not have named input: typo");
    let message = "JSON Value: \"x\" Type: String is not of expected type: float";
    check(r#""fare": "x""#, message);
    check(r#""fare": null"#, "JSON Value: null Type: Null is not of expected type: float");
    check(r#""fare": [1, 2]"#, "Expecting tensor size: 1 but got: 2");
    check(r#""fare": []"#, "Expecting tensor size: 1 but got: 0");
    check(r#""pair": [1]"#, "Expecting tensor size: 2 but got: 1");
    check(
        r#""pair": 1"#,
        "JSON Value: 1 found at incorrect level: 1 in the JSON DOM. Expected at level: 1",
    );
    check(r#""pair": [[1], 2]"#, "Encountered list at unexpected level: 1 expected < 1");
    check(r#""code": 3.0"#, "JSON Value: 3.0 Type: Number is not of expected type: int64");
    let message = "JSON Value: 9223372036854775808 Type: Number is not of expected type: int64";
    check(r#""code": 9223372036854775808"#, message);
    check(r#""flag": 1"#, "JSON Value: 1 Type: Number is not of expected type: bool");
    check(r#""miles": ["a"]"#, "JSON Value: \"a\" Type: String is not of expected type: double");
    check(r#""miles": [[1]]"#, "Encountered list at unexpected level: 1 expected < 1");
    check(r#""fare": 1, "fare": 2"#, "The key is there twice");
}

#[test]
fn rows_that_lack_something() {
    let models = all();
    let body = format!(r#"{{"instances": [{ROW}, {{"fare": 1, "code": 2, "miles": []}}]}}"#);
    let (code, message) = error(&post(&models, PATH, &body));
    assert_eq!(code, 400);
    assert_eq!(
        message,
        "Failed to process element: 1 of 'instances' list. JSON object: {\"fare\": 1, \"code\": 2, \
         \"miles\": []} keys must be equal to: fare,pair,code. Missing but required: {pair}."
    );
    let check = |inputs: &str, message: &str| {
        let body = format!("{{\"inputs\": {inputs}}}");
        assert_eq!(error(&post(&models, PATH, &body)), (400, message.to_owned()));
    };
    check(r#"{"fare": [1]}"#, "Missing named input: pair in 'inputs' object.");
    check("{}", "Missing named input: fare in 'inputs' object.");
    check(
        r#"{"fare": [1], "pair": [[1, 2], [3, 4]]}"#,
        "Tensor name: pair has inconsistent batch size: 2 expecting: 1",
    );
    check(
        r#"{"fare": 1}"#,
        "Named input: fare. JSON Value: 1 is no list with a value for each row",
    );
    check(r#"{"typo": [1]}"#, "JSON object: does not have named input: typo");
}

#[test]
fn examples_that_are_none() {
    let models = all();
    let check = |body: &str, message: &str| {
        let found = post(&models, "/v1/models/taxi:classify", body);
        assert_eq!(error(&found), (400, message.to_owned()), "{body}");
    };
    check(
        "{}",
        "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
    );
    let message = "JSON Value: {\"examples\": {}} Expecting 'examples' value to be an list/array";
    check(r#"{"examples": {}}"#, message);
    let message = "JSON Value: {\"examples\": []} 'examples' value is an empty array";
    check(r#"{"examples": []}"#, message);
    let message = "Example must be JSON object but got JSON Array";
    check(r#"{"examples": [[]]}"#, message);
    check(r#"{"context": [], "examples": [{}]}"#, message);
    let check = |feature: &str, message: &str| {
        check(&format!("{{\"examples\": [{{\"names\": {feature}}}]}}"), message);
    };
    check("[10, null]", "Feature: names has element with unexpected JSON type: Null");
    check("[10, 10.0]", "Unexpected element type in feature: names expecting type: int64");
    check("[1.5, \"a\"]", "Unexpected element type in feature: names expecting type: float");
    check("[10, {\"test\": 10}]", "Feature: names has element with unexpected JSON type: Object");
    check("[[10], 20]", "Feature: names has element with unexpected JSON type: Array");
    check(
        "[20, 18446744073709551603]",
        "Feature: names has uint64_t element. Only int64_t is supported.",
    );
    check("1", "Example: 0, Feature: fare (data type: float) is required but could not be found.");
}

#[test]
fn methods_that_are_not_the_models() {
    let models = all();
    let check = |path: &str, signature: &str, message: &str| {
        let body = format!(r#"{{"signature_name": "{signature}", "examples": [{ROW}]}}"#);
        let found = post(&models, &format!("/v1/models/{path}"), &body);
        assert_eq!(error(&found), (400, message.to_owned()), "{path}");
    };
    check(
        "taxi:regress",
        "",
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: \
         tensorflow/serving/classify",
    );
    check(
        "money:classify",
        "",
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: \
         tensorflow/serving/regress",
    );
    check(
        "half:classify",
        "serving_default",
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: \
         tensorflow/serving/predict",
    );
    check("taxi:classify", "x", "No signature was found with the name: x");
}
