//! Vocabularies and tokens: our ids, hashes, n-grams and files against those of TFT 1.16.0.

use crate::transform_golden::{Golden, check};

/// More tokens than counters: which of the rare ones is left depends on the order of merging.
const APPROXIMATE: &str = "a sketch of 12 counters over 50 companies, merged in another order";

#[test]
fn vocabularies_of_taxi_rides_are_as_tft_has_them() {
    check(&Golden {
        case: "taxi_vocab",
        module: "vocabulary.star",
        data: "taxi/tfrecord_gz/*.gz",
        more: &[],
        vocabularies: &[],
        meant: &[
            (
                "approx[1, 457, 2264, 2308, 3124, 6603, 8535, 11161, 11336, 12305, 13194, 13386, \
                 13758, 13843, 13896]",
                APPROXIMATE,
            ),
            ("v_approx", APPROXIMATE),
        ],
    });
}

#[test]
fn vocabularies_of_hard_tokens_are_as_tft_has_them() {
    check(&Golden {
        case: "edge",
        module: "vocabulary_edge.star",
        data: "edge/edge-*.tfrecord",
        more: &[],
        vocabularies: &[],
        meant: &[],
    });
}

#[test]
fn tokens_of_sentences_are_as_tft_has_them() {
    check(&Golden {
        case: "text_cola",
        module: "text_cola.star",
        data: "text/cola_train.csv",
        more: &[("validation", "text/cola_validation.csv")],
        vocabularies: &[],
        meant: &[],
    });
}

#[test]
fn tokens_of_paraphrases_are_as_tft_has_them() {
    check(&Golden {
        case: "text_mrpc",
        module: "text_mrpc.star",
        data: "text/mrpc_train.csv",
        more: &[("validation", "text/mrpc_validation.csv")],
        vocabularies: &[],
        meant: &[],
    });
}
