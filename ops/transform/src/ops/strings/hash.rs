//! `strings.to_hash_bucket_fast`, `to_hash_bucket_strong`: TensorFlow's names of `tft.hash_strings`.

use super::super::params::{X, required};
use crate::op::{Args, Kind, Op, Param, Takes};

const BUCKETS: Param = required("num_buckets", Takes::Int, "how many buckets there are");

/// By FarmHash.
pub(in super::super) const TO_HASH_BUCKET_FAST: Op = Op {
    name: "strings.to_hash_bucket_fast",
    doc: "the bucket of each string, by FarmHash",
    semantics: "`tft.hash_strings` without a key.",
    examples: &["strings.to_hash_bucket_fast(s, 10)", "strings.to_hash_bucket_fast(ss, 7)"],
    params: &[X, BUCKETS],
    kind: Kind::Compose(|builder, call| {
        let args = Args::default().arg(call.get("x")).arg(call.get("num_buckets"));
        builder.call("tft.hash_strings", args)
    }),
};

/// By SipHash.
pub(in super::super) const TO_HASH_BUCKET_STRONG: Op = Op {
    name: "strings.to_hash_bucket_strong",
    doc: "the bucket of each string, by SipHash with a key",
    semantics: "`tft.hash_strings` with that key.",
    examples: &["strings.to_hash_bucket_strong(ss, 10, [5, 6])"],
    params: &[X, BUCKETS, required("key", Takes::Literal, "two whole numbers from 0")],
    kind: Kind::Compose(|builder, call| {
        let args = Args::default().arg(call.get("x")).arg(call.get("num_buckets"));
        builder.call("tft.hash_strings", args.with("key", call.get("key")))
    }),
};
