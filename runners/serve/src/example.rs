//! Serialized tf.Examples, as rows of what a graph reads.
//!
//! Features that the model does not read are passed over. Integers are good for a float that the model
//! reads, 0 and 1 for a boolean.

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use prost::{Message, Oneof};
use transform::Tensor;

use crate::columns::Columns;
use crate::failure::Failure;
use crate::servable::Signature;

#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(oneof = "List", tags = "1, 2, 3")]
    list: Option<List>,
}

/// The values of a feature.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum List {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Float(FloatList),
    #[prost(message, tag = "3")]
    Int64(Int64List),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BytesList {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) value: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FloatList {
    #[prost(float, repeated, tag = "1")]
    pub(crate) value: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Int64List {
    #[prost(int64, repeated, tag = "1")]
    pub(crate) value: Vec<i64>,
}

impl List {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            List::Bytes(list) => list.value.len(),
            List::Float(list) => list.value.len(),
            List::Int64(list) => list.value.len(),
        }
    }

    /// TensorFlow's name of their type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            List::Bytes(_) => "string",
            List::Float(_) => "float",
            List::Int64(_) => "int64",
        }
    }
}

/// The number of rows, and a tensor for each of the inputs. What an example lacks is taken of `context`,
/// which is one, too.
pub(crate) fn rows<'a>(
    signature: &Signature<'_>,
    examples: impl Iterator<Item = &'a [u8]>,
    context: &[u8],
) -> Result<(usize, Vec<Tensor>), Failure> {
    let unreadable = |what: &str| Failure::invalid(format!("Could not parse {what}"));
    let context = Example::decode(context).map_err(|_| unreadable("the context of examples"))?;
    let mut columns = Columns::new(signature.inputs());
    let mut n = 0;
    for bytes in examples {
        // A message that is read into another one replaces what both have.
        let mut example = context.clone();
        example.merge(bytes).map_err(|_| unreadable(&format!("example input {n}")))?;
        let features = example.features.unwrap_or_default().feature;
        let failed = |why: String| Failure::invalid(format!("Example: {n}, {why}"));
        for (input, (name, _)) in signature.inputs().iter().enumerate() {
            if let Some(Feature { list: Some(list) }) = features.get(name) {
                columns.list(input, list).map_err(failed)?;
            }
        }
        columns.end_example(n).map_err(failed)?;
        n += 1;
    }
    Ok((n, columns.finish()?))
}
