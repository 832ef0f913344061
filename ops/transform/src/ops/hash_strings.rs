//! `tft.hash_strings`: strings into a given number of buckets.

use engine::Result;

use super::elementwise::of_dtype;
use crate::export::Export;
use crate::export::tensorflow::{Attr, ListValue};
use crate::hash::{fingerprint64, sip_hash};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Param, Takes, function};
use crate::tensor::Tensor;
use crate::types::{DType, Type};

/// The bucket of every string.
pub(super) const HASH_STRINGS: Op = Op {
    name: "tft.hash_strings",
    doc: "the bucket of each string, by a hash",
    semantics: "FarmHash Fingerprint64 of the bytes, modulo `hash_buckets`; with a key of two words \
        SipHash-2-4. Any bytes are hashed; missing values stay missing.",
    examples: &[
        "tft.hash_strings(s, 100)",
        "tft.hash_strings(ss, 4611686018427387904)",
        "tft.hash_strings(svec, 7, key=[123, 456])",
        "tft.hash_strings(nested, 1)",
    ],
    params: &[
        Param {
            name: "x",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a column of strings",
        },
        Param {
            name: "hash_buckets",
            takes: Takes::Int,
            default: Default::Required,
            doc: "how many buckets there are",
        },
        Param {
            name: "key",
            takes: Takes::Literal,
            default: Default::None,
            doc: "two whole numbers from 0: a key that makes collisions hard to find",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            buckets(call)?;
            key(call)?;
            let x = of_dtype(call, "x", DType::String)?;
            Ok(vec![Type { constant: call.is_constant(), ..x.with_dtype(DType::Int64) }])
        },
        kernel,
        // TFT attaches no domain: a bucket is no vocabulary's entry.
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let n = ("num_buckets", Attr::I(buckets(call)?.cast_signed()));
            let x = &[&columns[0].values];
            let hashed = match key(call)? {
                None => nodes.node("StringToHashBucketFast", x, [n]),
                Some(key) => {
                    let i = key.map(u64::cast_signed).to_vec();
                    let key = Attr::List(ListValue { i, ..ListValue::default() });
                    nodes.node("StringToHashBucketStrong", x, [n, ("key", key)])
                }
            };
            Ok(vec![columns[0].with_values(hashed)])
        }),
    },
};

fn buckets(call: &Call<'_>) -> Result<u64> {
    call.int_from("hash_buckets", 1).map(i64::cast_unsigned)
}

fn key(call: &Call<'_>) -> Result<Option<[u64; 2]>> {
    let wrong = || call.wrong("`key` is no list of two whole numbers from 0");
    match call.literal("key") {
        Literal::None => Ok(None),
        Literal::List(words) => match words[..] {
            [Literal::Int(a), Literal::Int(b)] => match (u64::try_from(a), u64::try_from(b)) {
                (Ok(a), Ok(b)) => Ok(Some([a, b])),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let n = buckets(call)?;
    Ok(match key(call)? {
        None => function(move |_, inputs| Ok(hashed(inputs[0], |text| fingerprint64(text) % n))),
        Some(key) => {
            function(move |_, inputs| Ok(hashed(inputs[0], |text| sip_hash(key, text) % n)))
        }
    })
}

fn hashed(x: &Tensor, hash: impl Fn(&[u8]) -> u64) -> Tensor {
    let buckets: Vec<i64> = x.strings().iter().map(|text| hash(text).cast_signed()).collect();
    x.with_values(buckets)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, ints, refused, texts};
    use super::*;

    #[test]
    fn buckets_are_those_of_tensorflow() {
        let column = || [("s", texts(&["", "a", "a\nb"]))];
        let of = |hash: fn(&[u8]) -> u64, n: u64| {
            let texts: [&[u8]; 3] = [b"", b"a", b"a\nb"];
            ints(&texts.map(|text| (hash(text) % n) as i64))
        };
        check("tft.hash_strings(s, 1)", &column(), ints(&[0; 3]));
        check("tft.hash_strings(s, 1000)", &column(), of(fingerprint64, 1000));
        let keyed = of(|text| sip_hash([1, 2], text), 1 << 62);
        check("tft.hash_strings(s, 4611686018427387904, [1, 2])", &column(), keyed);
        let wrong = "`tft.hash_strings`: `key` is no list of two whole numbers from 0";
        refused("tft.hash_strings(s, 5, [1])", wrong);
        refused("tft.hash_strings(s, 5, [-1, 2])", wrong);
        refused(
            "tft.hash_strings(s, 0)",
            "`tft.hash_strings`: `hash_buckets` is 0; at least 1 is wanted",
        );
    }
}
