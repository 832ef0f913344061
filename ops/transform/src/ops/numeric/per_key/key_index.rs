//! `tft.key_index`, `tft.value_at_index`: from a key to its place, and from there to its value.

use engine::Result;
use hashbrown::HashMap;

use super::{KEY, key_dtype};
use crate::dispatch;
use crate::export::Export;
use crate::export::tensorflow::Column;
use crate::op::{Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::{Native, number, of_dtype};
use crate::tensor::{Strings, StringsBuilder, Tensor, Values};
use crate::types::{DType, Dim, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// From keys to places.
pub(in crate::ops) const KEY_INDEX: Op = Op {
    name: "tft.key_index",
    doc: "the places of keys in a constant list of keys",
    semantics: "int64: 0 for the first key, -1 for a key that is not in the list. Keys are compared as \
        bytes. Missing values stay missing.",
    examples: &[
        "tft.key_index(s, [\"a\", \"\"])",
        "tft.key_index(ns, [3, 1])",
        "tft.key_index(key, tft.mean_and_var_per_key(x, key)[0])",
    ],
    params: &[
        KEY,
        Param {
            name: "keys",
            takes: Takes::Value { like: "key" },
            default: Default::Required,
            doc: "a constant list of keys",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let dtype = key_dtype(call)?;
            list(call, "keys", dtype)?;
            Ok(vec![call.ty("key")?.with_dtype(DType::Int64)])
        },
        kernel: |call| {
            let index = Index::new(call.constant("keys")?)?;
            Ok(function(move |_, inputs| Ok(inputs[0].with_values(index.places(inputs[0])?))))
        },
        domain: None,
        keeps: "key",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let table = nodes.table_of(call.constant("keys")?)?;
            let none = nodes.scalar(-1i64);
            let values = nodes.find_in(&table, call.ty("key")?.dtype, &columns[0].values, &none);
            Ok(vec![Column { values, ..columns[0].clone() }])
        }),
    },
};

/// From places to values.
pub(in crate::ops) const VALUE_AT_INDEX: Op = Op {
    name: "tft.value_at_index",
    doc: "the values at places of a constant list",
    semantics: "The value at each place; 0, or '', at a place that is not in the list, such as -1. \
        Missing places stay missing.",
    examples: &[
        "tft.value_at_index([1.5, 2.5], n)",
        "tft.value_at_index([10, 20, 30], ns)",
        "tft.value_at_index(tft.mean_and_var_per_key(d, k)[1], k)",
        "tft.value_at_index(tft.count_per_key(ss)[0], ns)",
    ],
    params: &[
        Param {
            name: "values",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant list of numbers or strings",
        },
        Param {
            name: "index",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "places from 0",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let values = call.ty("values")?.dtype;
            if values != DType::String {
                number(call, "values")?;
            }
            list(call, "values", values)?;
            Ok(vec![of_dtype(call, "index", DType::Int64)?.with_dtype(values)])
        },
        kernel: |call| {
            let values = call.constant("values")?;
            let dtype = call.ty("values")?.dtype;
            if dtype == DType::String {
                return Ok(string_at_index(values.strings().clone()));
            }
            dispatch!(dtype, T => value_at_index::<T>(values))
                .ok_or_else(|| call.wrong_type("values", "a list of numbers"))
        },
        domain: None,
        keeps: "index",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let values = nodes.at(&call.constant("values")?.values, &columns[1].values);
            Ok(vec![Column { values, ..columns[1].clone() }])
        }),
    },
};

fn list(call: &Call<'_>, name: &str, dtype: DType) -> Result<()> {
    let ty: &Type = of_dtype(call, name, dtype)?;
    match (ty.constant, ty.shape.as_slice()) {
        (true, [Dim::Fixed(_) | Dim::Var]) => Ok(()),
        _ => Err(call.wrong_type(name, "a constant list")),
    }
}

fn value_at_index<T: Native + std::default::Default>(values: &Tensor) -> Box<dyn Kernel> {
    let values = T::of(values).to_vec();
    function(move |_, inputs| {
        let places = inputs[1].ints().iter();
        let found = places.map(|place| {
            let place = usize::try_from(*place).ok();
            place.and_then(|place| values.get(place)).copied().unwrap_or_default()
        });
        Ok(inputs[1].with_values(T::values(found.collect())))
    })
}

fn string_at_index(values: Strings) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let mut found = StringsBuilder::default();
        for place in inputs[1].ints() {
            let place = usize::try_from(*place).ok().filter(|place| *place < values.len());
            found.push(place.map_or(&b""[..], |place| values.get(place)));
        }
        Ok(inputs[1].with_values(found.finish()?))
    })
}

/// The way from a key to its place.
enum Index {
    Strings(Vocabulary),
    Ints(HashMap<i64, i64, foldhash::fast::FixedState>),
}

impl Index {
    fn new(keys: &Tensor) -> Result<Self> {
        Ok(match &keys.values {
            Values::Int64(keys) => {
                let mut places = HashMap::default();
                keys.iter().zip(0..).for_each(|(key, place)| {
                    places.entry(*key).or_insert(place);
                });
                Index::Ints(places)
            }
            _ => {
                let keys = Vocabulary::new("", FileFormat::Text, keys.strings().clone());
                keys.prepare()?;
                Index::Strings(keys)
            }
        })
    }

    fn places(&self, keys: &Tensor) -> Result<Vec<i64>> {
        match self {
            Index::Strings(index) => {
                let keys = keys.strings().iter();
                keys.map(|key| Ok(index.id(key)?.map_or(-1, i64::from))).collect()
            }
            Index::Ints(index) => {
                let keys = keys.ints().iter();
                Ok(keys.map(|key| index.get(key).copied().unwrap_or(-1)).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Args, Literal};
    use crate::ops::numeric::testing::map;

    #[test]
    fn keys_have_places() {
        let strings = Strings::from_iter([&b"b"[..], b"", b"\xff", b"a"]);
        let column = (Type::scalar(DType::String), Tensor::dense(4, strings));
        let found = map("tft.key_index", &[column], |key| {
            Args::default().arg(key[0]).arg(Literal::from(vec!["", "a", "b", "a"]))
        });
        assert_eq!(found.ints(), [2, 0, -1, 1]);
        let ints = (Type::scalar(DType::Int64), Tensor::dense(3, vec![i64::MIN, 0, 7]));
        let found = map("tft.key_index", &[ints], |key| {
            Args::default().arg(key[0]).arg(Literal::from(vec![7i64, i64::MIN]))
        });
        assert_eq!(found.ints(), [1, -1, 0]);
    }

    #[test]
    fn places_have_values() {
        let column = (Type::scalar(DType::Int64), Tensor::dense(4, vec![1i64, -1, 2, i64::MIN]));
        let found = map("tft.value_at_index", &[column], |index| {
            Args::default().arg(Literal::from(vec![1.5, 2.5])).arg(index[0])
        });
        assert_eq!(found.floats(), [2.5, 0.0, 0.0, 0.0]);
        let column = (Type::scalar(DType::Int64), Tensor::dense(3, vec![1i64, -1, 2]));
        let found = map("tft.value_at_index", &[column], |index| {
            Args::default().arg(Literal::from(vec!["a", "b"])).arg(index[0])
        });
        assert_eq!(found.strings().iter().collect::<Vec<_>>(), [&b"b"[..], b"", b""]);
    }
}
