//! Numbers: our scaled and bucketized rows, and analyzers, against those of TFT 1.16.0.

use crate::transform_golden::{Golden, check};

/// Sums that TFT adds in float32, batch by batch.
const FLOAT32: &str = "TFT adds in float32, batch by batch; here sums are exact and rounded once";
/// Parameters of Tukey's distribution whose L-kurtosis is that of the data.
const SEARCH: &str = "TFT's search stops at an L-kurtosis that is 1e-4 off; here at one 1e-8 off";
/// Moments of a column with NaN and with values whose sum is no float32.
const FINITE: &str = "TFT makes NaN 0 and infinity the greatest float32; here they are passed over";

#[test]
fn numbers_of_taxi_rides_are_as_tft_has_them() {
    check(&Golden {
        case: "taxi_numeric",
        module: "numeric_taxi.star",
        // TFT's L-moments are means over batches of 1,000 rows, whatever file they are from.
        data: "taxi/taxi.csv",
        more: &[],
        vocabularies: &[],
        meant: &[
            ("covariance_vec", FLOAT32),
            ("pca2_projected[11376]", FLOAT32),
            ("tukey_hr_f1", SEARCH),
            ("tukey_location_f1", SEARCH),
            ("tukey_scale_f1", SEARCH),
            ("gauss_f0", SEARCH),
            ("gauss_f1", SEARCH),
            (
                "b3_per_key[1748]",
                "TFT scales boundaries in float32, which moves a value that lies on one",
            ),
        ],
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
        meant: &[
            ("mean_float_naninf", FINITE),
            ("var_float_naninf", FINITE),
            ("z_nan", FINITE),
            ("b_nan", "TensorFlow compares a number below the least normal float32 as 0"),
        ],
    });
}
