//! Numbers: our scaled and bucketized rows, and analyzers, against those of TFT 1.16.0.

use crate::transform_golden::{Golden, check};

/// Sums that TFT adds in float32, batch by batch.
const FLOAT32: &str = "TFT adds in float32, batch by batch; here sums are exact and rounded once";

#[test]
fn numbers_of_taxi_rides_are_as_tft_has_them() {
    check(&Golden {
        case: "taxi_numeric",
        module: "numeric_taxi.star",
        data: "taxi/tfrecord_gz/*.gz",
        more: &[],
        vocabularies: &[],
        meant: &[],
    });
}

#[test]
fn numbers_of_penguins_are_as_tft_has_them() {
    check(&Golden {
        case: "penguin",
        module: "numeric_penguin.star",
        data: "penguin/penguin_train*.gz",
        more: &[("eval", "penguin/penguin_eval*.gz")],
        vocabularies: &[],
        meant: &[],
    });
}

#[test]
fn numbers_that_are_not_nice_are_as_tft_has_them() {
    check(&Golden {
        case: "edge",
        module: "numeric_edge.star",
        data: "edge/edge-*.tfrecord",
        more: &[],
        vocabularies: &[],
        meant: &[],
    });
}
