//! Messages of many kinds of fields in all three forms, as Python's protobuf library writes them.

use prost_reflect::ReflectMessage;

use super::{Anomalies, DatasetFeatureStatisticsList, Schema, encode, json, text};

fn check<M: ReflectMessage + Default>(binary: &[u8], expected_text: &str, expected_json: &str) {
    let message = M::decode(binary).unwrap();
    assert_eq!(text::print(&message), expected_text);
    assert_eq!(json::print(&message, &json::JsonOptions::default()) + "\n", expected_json);
    assert_eq!(encode(&message), binary);
    assert_eq!(encode(&text::parse::<M>(expected_text).unwrap()), binary);
    assert_eq!(encode(&json::parse::<M>(expected_json.as_bytes()).unwrap()), binary);
}

macro_rules! sample {
    ($name:ident, $message:ty) => {
        #[test]
        fn $name() {
            check::<$message>(
                include_bytes!(concat!("testdata/", stringify!($name), ".pb")),
                include_str!(concat!("testdata/", stringify!($name), ".pbtxt")),
                include_str!(concat!("testdata/", stringify!($name), ".json")),
            );
        }
    };
}

sample!(statistics, DatasetFeatureStatisticsList);
sample!(schema, Schema);
sample!(anomalies, Anomalies);
