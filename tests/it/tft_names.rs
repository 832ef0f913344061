//! Every function of TFT, with its parameters: what a module may type, by position or by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use transform::ops::OPS;

/// Functions of TFT that are not operations, and why.
const NOT_THERE: &[(&str, &str)] = &[
    ("tft.apply_pyfunc", "Python cannot be served; TFT has it for TensorFlow 1 alone"),
    (
        "tft.experimental.ptransform_analyzer",
        "modules hold no Beam transforms: a `CombineFn` in Rust, as `runners/examples/own_analyzer.rs`",
    ),
    ("tft.get_analyze_input_columns", "asked about a module: `frazil graph columns`"),
    ("tft.get_transform_input_columns", "asked about a module: `frazil graph columns`"),
];

#[test]
fn every_function_of_tft_is_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path.join("tests/golden/transform/signatures.json")).unwrap();
    let signatures: BTreeMap<String, Vec<String>> = serde_json::from_slice(&text).unwrap();
    let (mut missing, mut otherwise) = (BTreeSet::new(), BTreeSet::new());
    for (function, parameters) in &signatures {
        if let Some((_, own)) = preprocessing::FUNCTIONS.iter().find(|known| known.0 == function) {
            assert_eq!(own, parameters, "{function}");
            continue;
        }
        let Some(op) = OPS.iter().find(|op| op.name == *function) else {
            missing.insert(function.as_str());
            continue;
        };
        let mut place = 0;
        for parameter in parameters {
            // The name of a node is accepted everywhere; of a function its results are passed on.
            let parameter = match parameter.as_str() {
                "name" => continue,
                "key_fn" => "keys",
                "lookup_fn" => "lookup",
                other => preprocessing::parameter(function, other),
            };
            let found = op.params.iter().position(|param| param.name == parameter);
            if found != Some(place) {
                otherwise.insert((function.as_str(), parameter));
            }
            place += 1;
        }
    }
    let not_there: BTreeSet<&str> = NOT_THERE.iter().map(|(name, _)| *name).collect();
    assert_eq!(missing, not_there);
    assert_eq!(otherwise, BTreeSet::new(), "parameters that are missing or stand elsewhere");
}
