//! Schemas: no bytes make reading panic, and what was read comes back from all three forms.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ops::schema::{check, diff};
use ops::tfmd::{Schema, encode, json, load_schema, text};

fuzz_target!(|data: &[u8]| {
    let loaded = load_schema(data);
    if let Err(error) = &loaded {
        assert!(error.to_string().len() < 2000, "an error as long as its input");
    }
    let Ok(input) = str::from_utf8(data) else { return };
    let (schema, places) = match text::parse_with_places::<Schema>(input) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(error.message().starts_with("line "), "{error}");
            return;
        }
    };
    let bytes = encode(&schema);
    let printed = text::print(&schema);
    let again: Schema = text::parse(&printed).expect("what is printed can be read");
    assert_eq!(text::print(&again), printed);
    // Text does not keep the sign of NaN, and shortens floats no further than they need.
    if !printed.contains("nan") {
        assert_eq!(encode(&again), bytes);
        assert!(diff(&schema, &again).is_ok_and(|found| found.same_bytes));
    }
    let as_json = json::print(&schema, &json::JsonOptions::default());
    if let Ok(from_json) = json::parse::<Schema>(as_json.as_bytes()) {
        assert_eq!(text::print(&from_json), printed);
    }
    let _ = check(&schema, Some(&places));
});
