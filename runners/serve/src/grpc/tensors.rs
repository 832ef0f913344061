//! TensorProtos as rows of what a graph reads, and its answers as TensorProtos.
//!
//! | a graph reads, of each row | tensors of shape |
//! |---|---|
//! | one value | `[n]`, or `[n, 1]`, `[n, 1, 1]`, … |
//! | `[a, b]` values | `[n, a, b]`, or `[n, a * b]` |
//! | any number of values | `[n, k]`: `k` values in each row, or `[n]`: one in each; or the input is left out |
//! | lists of lists | `[n, k, l]` |
//!
//! Rows whose numbers of values differ are no tensor: they are sent as serialized tf.Examples, in a tensor
//! of strings that is the only input and called `examples`. Outputs that vary in length are answered by the
//! parts of a `tf.RaggedTensor`: `x/values`, `x/row_splits`, and `x/row_splits_1` where lists are in lists.
//!
//! Types are converted where no value is lost: integers of up to 32 bits to `int64` and `double`, up to 16
//! bits to `float`, `float` to `double`. Others are refused, also half, bfloat16, uint64 and quantized ones.

use std::collections::{BTreeMap, BTreeSet};

use transform::{DType, Dim, StringsBuilder, Tensor, Type, Values};

use super::messages::{DimProto, TensorProto, TensorShapeProto};
use crate::columns::{Wrong, name_of};
use crate::example;
use crate::failure::Failure;
use crate::servable::{EXAMPLES, Output, Signature};

/// How many more values a tensor may have than its message: a list that is too short goes on with its last
/// value.
const MOST_REPEATED: usize = 1 << 16;

/// TensorFlow's numbers of types.
const FLOAT: i32 = 1;
const DOUBLE: i32 = 2;
const STRING: i32 = 7;
const INT64: i32 = 9;
const BOOL: i32 = 10;

/// The number of a type.
pub(crate) fn number_of(dtype: DType) -> i32 {
    match dtype {
        DType::Bool => BOOL,
        DType::Int64 | DType::Timestamp => INT64,
        DType::Float32 => FLOAT,
        DType::Float64 => DOUBLE,
        DType::String | DType::Vocabulary | DType::Tokenizer => STRING,
    }
}

/// The number of rows, and a tensor for each input of a signature.
pub(super) fn rows(
    inputs: &BTreeMap<String, TensorProto>,
    signature: &Signature<'_>,
) -> Result<(usize, Vec<Tensor>), Failure> {
    if let (1, Some(examples), Some(of_examples)) =
        (inputs.len(), inputs.get(EXAMPLES), signature.of_examples())
    {
        let (_, ty) = &of_examples.inputs()[0];
        let examples = tensor(EXAMPLES, ty, examples).map_err(Failure::invalid)?;
        return example::rows(signature, examples.strings().iter(), b"");
    }
    check_names(inputs, signature)?;
    let mut tensors = Vec::with_capacity(signature.inputs().len());
    let mut rows: Option<usize> = None;
    for (name, ty) in signature.inputs() {
        let Some(proto) = inputs.get(name) else {
            tensors.push(None);
            continue;
        };
        let tensor = tensor(name, ty, proto).map_err(Failure::invalid)?;
        let (n, expected) = (tensor.rows, *rows.get_or_insert(tensor.rows));
        if n != expected {
            return Err(Failure::invalid(format!(
                "Tensor name: {name} has inconsistent batch size: {n} expecting: {expected}"
            )));
        }
        tensors.push(Some(tensor));
    }
    let n = rows.ok_or_else(|| Failure::invalid("no input says how many rows there are"))?;
    let tensors = tensors.into_iter().zip(signature.inputs());
    let tensors = tensors.map(|(tensor, (_, ty))| tensor.unwrap_or_else(|| missing(n, ty)));
    Ok((n, tensors.collect()))
}

fn check_names(
    inputs: &BTreeMap<String, TensorProto>,
    signature: &Signature<'_>,
) -> Result<(), Failure> {
    let sent: BTreeSet<&str> = inputs.keys().map(String::as_str).collect();
    let read: BTreeSet<&str> = signature.inputs().iter().map(|(name, _)| name.as_str()).collect();
    let is_extra = |name: &&&str| !read.contains(*name) && !signature.is_known(name.as_bytes());
    let extra: Vec<&str> = sent.iter().filter(is_extra).copied().collect();
    let missing = signature.inputs().iter().filter(|(_, ty)| ty.is_dense());
    let missing: Vec<&str> =
        missing.map(|(name, _)| name.as_str()).filter(|name| !sent.contains(name)).collect();
    if extra.is_empty() && missing.is_empty() {
        return Ok(());
    }
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(",");
    Err(Failure::invalid(format!(
        "input size does not match signature: {}!={} len({{{}}}) != len({{{}}}). Sent extra: {{{}}}. Missing \
         but required: {{{}}}.",
        sent.len(),
        read.len(),
        list(&sent),
        list(&read),
        extra.join(","),
        missing.join(",")
    )))
}

/// Rows without values of a type that may be without any.
fn missing(n: usize, ty: &Type) -> Tensor {
    let sizes = ty.shape.iter().map(|dim| match dim {
        Dim::Fixed(size) => *size as usize,
        Dim::Var => 0,
    });
    let splits = fit(n, &sizes.collect::<Vec<_>>(), &ty.shape).expect("these are its own sizes");
    let splits = splits.into_iter().map(Into::into).collect();
    Tensor { rows: n, splits, values: Values::empty(ty.dtype) }
}

fn tensor(name: &str, ty: &Type, proto: &TensorProto) -> Result<Tensor, Wrong> {
    let wrong = |why: String| format!("tensor parsing error: {name}: {why}");
    let dims = dims(proto).map_err(wrong)?;
    let (rows, splits) = dims
        .split_first()
        .and_then(|(n, dims)| Some((*n, fit(*n, dims, &ty.shape)?)))
        .ok_or_else(|| {
            let expected = ty.shape.iter().map(|dim| match dim {
                Dim::Fixed(n) => n.to_string(),
                Dim::Var => "?".to_owned(),
            });
            let expected: Vec<String> = std::iter::once("?".to_owned()).chain(expected).collect();
            format!("Tensor name: {name} has shape {dims:?} expecting: [{}]", expected.join(", "))
        })?;
    let values = values(proto, ty.dtype, dims.iter().product()).map_err(wrong)?;
    let splits = splits.into_iter().map(Into::into).collect();
    Ok(Tensor { rows, splits, values })
}

/// The shape of a tensor, which is no larger than its message, or not by much.
fn dims(proto: &TensorProto) -> Result<Vec<usize>, Wrong> {
    let shape = proto.tensor_shape.as_ref();
    if shape.is_some_and(|shape| shape.unknown_rank) {
        return Err("its shape is not known".to_owned());
    }
    let dims = shape.map_or(&[][..], |shape| &shape.dim);
    let given = proto.tensor_content.len()
        + proto.float_val.len()
        + proto.double_val.len()
        + proto.int_val.len()
        + proto.string_val.len()
        + proto.int64_val.len()
        + proto.bool_val.len()
        + proto.uint32_val.len();
    let most = (given + MOST_REPEATED).min(i32::MAX as usize);
    let mut n = 1usize;
    let mut sizes = Vec::new();
    for dim in dims {
        let size = usize::try_from(dim.size).map_err(|_| format!("a dimension is {}", dim.size))?;
        // Of rows without values, too, there is a number.
        n = n
            .checked_mul(size.max(1))
            .filter(|n| *n <= most)
            .ok_or_else(|| format!("its shape has more than {most} values"))?;
        sizes.push(size);
    }
    Ok(sizes)
}

/// The splits of rows of these dimensions, if they fit the shape of a type.
fn fit(n: usize, dims: &[usize], shape: &[Dim]) -> Option<Vec<Vec<i32>>> {
    let fixed: Option<usize> = shape.iter().try_fold(1, |n, dim| match dim {
        Dim::Fixed(size) => Some(n * *size as usize),
        Dim::Var => None,
    });
    let fits = |(size, dim): (&usize, &Dim)| match dim {
        Dim::Fixed(wanted) => *size == *wanted as usize,
        Dim::Var => true,
    };
    let is_single = fixed == Some(1) && dims.iter().all(|size| *size == 1);
    if is_single || fixed.is_some_and(|fixed| dims == [fixed]) {
        return Some(Vec::new());
    }
    let one_in_each = shape == [Dim::Var] && dims.is_empty();
    let dims = if one_in_each { &[1][..] } else { dims };
    if dims.len() != shape.len() || !dims.iter().zip(shape).all(fits) {
        return None;
    }
    let mut items = n;
    let mut splits = Vec::new();
    for (size, dim) in dims.iter().zip(shape) {
        if *dim == Dim::Var {
            splits.push((0..=items).map(|item| (item * size) as i32).collect());
        }
        items *= size;
    }
    Some(splits)
}

/// A type of TensorFlow's.
trait Element: Sized {
    const DTYPE: i32;

    /// `n` values.
    fn read(proto: &TensorProto, n: usize) -> Result<Vec<Self>, Wrong>;
}

macro_rules! elements {
    ($($dtype:literal $ty:ty, $list:ident;)*) => {$(
        impl Element for $ty {
            const DTYPE: i32 = $dtype;

            fn read(proto: &TensorProto, n: usize) -> Result<Vec<Self>, Wrong> {
                let TensorProto { tensor_content: content, $list: list, .. } = proto;
                numbers(content, list, n, <$ty>::from_le_bytes, |value| value as $ty)
            }
        }
    )*};
}
elements! {
    1 f32, float_val;
    2 f64, double_val;
    3 i32, int_val;
    4 u8, int_val;
    5 i16, int_val;
    6 i8, int_val;
    9 i64, int64_val;
    17 u16, int_val;
    22 u32, uint32_val;
}

fn numbers<const WIDTH: usize, L: Copy, T: Clone + Default>(
    content: &[u8],
    list: &[L],
    n: usize,
    from_bytes: fn([u8; WIDTH]) -> T,
    from_list: fn(L) -> T,
) -> Result<Vec<T>, Wrong> {
    if content.is_empty() {
        return repeated(list.iter().map(|value| from_list(*value)).collect(), n);
    }
    match content.as_chunks() {
        (chunks, []) if chunks.len() == n => {
            Ok(chunks.iter().map(|chunk| from_bytes(*chunk)).collect())
        }
        _ => Err(format!("{n} values are {} bytes, not {}", n * WIDTH, content.len())),
    }
}

/// A list that goes on with its last value, or with zeros.
fn repeated<T: Clone + Default>(mut list: Vec<T>, n: usize) -> Result<Vec<T>, Wrong> {
    if list.len() > n {
        return Err(format!("there are {} values where its shape has {n}", list.len()));
    }
    let last = list.last().cloned().unwrap_or_default();
    list.resize(n, last);
    Ok(list)
}

/// Values of a type that is one of these.
macro_rules! values_of {
    ($proto:ident, $n:ident, $dtype:ident, $to:ty: $($from:ty),*) => {
        match $proto.dtype {
            $(<$from as Element>::DTYPE => {
                let values = <$from>::read($proto, $n)?.into_iter();
                values.map(<$to>::from).collect::<Vec<$to>>().into()
            })*
            _ => return Err(unexpected($proto, $dtype)),
        }
    };
}

fn unexpected(proto: &TensorProto, wanted: DType) -> Wrong {
    format!("its type has number {}, which is no {}", proto.dtype, name_of(wanted))
}

fn values(proto: &TensorProto, dtype: DType, n: usize) -> Result<Values, Wrong> {
    Ok(match dtype {
        DType::Float32 => values_of!(proto, n, dtype, f32: f32, i16, i8, u16, u8),
        DType::Float64 => values_of!(proto, n, dtype, f64: f64, f32, i32, i16, i8, u32, u16, u8),
        DType::Int64 | DType::Timestamp => {
            values_of!(proto, n, dtype, i64: i64, i32, i16, i8, u32, u16, u8)
        }
        DType::Bool if proto.dtype == BOOL => {
            let TensorProto { tensor_content: content, bool_val: list, .. } = proto;
            numbers(content, list, n, |[byte]: [u8; 1]| u8::from(byte != 0), u8::from)?.into()
        }
        DType::String if proto.dtype == STRING => strings(proto, n)?.into(),
        _ => return Err(unexpected(proto, dtype)),
    })
}

fn strings(proto: &TensorProto, n: usize) -> Result<transform::Strings, Wrong> {
    let mut values = StringsBuilder::default();
    if proto.tensor_content.is_empty() {
        let last = proto.string_val.last().map_or(&b""[..], |last| last);
        // Few bytes can be many: each of them is copied.
        let more = n.saturating_sub(proto.string_val.len()).saturating_mul(last.len());
        if more > MOST_REPEATED || proto.string_val.len() > n {
            let found = proto.string_val.len();
            return Err(format!("there are {found} values where its shape has {n}"));
        }
        proto.string_val.iter().for_each(|value| values.push(value));
        (proto.string_val.len()..n).for_each(|_| values.push(last));
    } else {
        // All lengths, then all bytes.
        let cut = || "its strings are cut off".to_owned();
        let mut rest = proto.tensor_content.as_ref();
        let mut lengths = Vec::new();
        for _ in 0..n {
            lengths.push(prost::decode_length_delimiter(&mut rest).map_err(|_| cut())?);
        }
        for length in lengths {
            let (value, others) = rest.split_at_checked(length).ok_or_else(cut)?;
            values.push(value);
            rest = others;
        }
        if !rest.is_empty() {
            return Err(format!("{} bytes are behind its strings", rest.len()));
        }
    }
    values.finish().map_err(|error| error.message().to_owned())
}

/// An output, or its parts where it varies in length.
pub(super) fn write(output: &Output<'_>, to: &mut BTreeMap<String, TensorProto>) {
    let Output { name, ty, tensor } = output;
    let mut shape = vec![tensor.rows];
    let mut splits = tensor.splits.iter().enumerate();
    for dim in &ty.shape {
        match dim {
            Dim::Fixed(n) => shape.push(*n as usize),
            Dim::Var => {
                let Some((level, splits)) = splits.next() else { continue };
                let list = splits.iter().map(|split| i64::from(*split)).collect();
                let part = TensorProto { int64_val: list, ..empty(INT64, &[splits.len()]) };
                let behind = if level == 0 { String::new() } else { format!("_{level}") };
                to.insert(format!("{name}/row_splits{behind}"), part);
                shape = vec![splits.last().map_or(0, |end| *end as usize)];
            }
        }
    }
    let name = if ty.is_dense() { name.to_string() } else { format!("{name}/values") };
    let mut proto = empty(number_of(ty.dtype), &shape);
    match &tensor.values {
        Values::Bool(values) => proto.bool_val = values.iter().map(|value| *value != 0).collect(),
        Values::Int64(values) => proto.int64_val = values.to_vec(),
        Values::Float32(values) => proto.float_val = values.to_vec(),
        Values::Float64(values) => proto.double_val = values.to_vec(),
        Values::String(values) => {
            proto.string_val = values.iter().map(|value| value.to_vec().into()).collect();
        }
        // Constants are no outputs.
        Values::Vocabulary(_) | Values::Tokenizer(_) => {}
    }
    to.insert(name, proto);
}

fn empty(dtype: i32, shape: &[usize]) -> TensorProto {
    let dim = shape.iter().map(|size| DimProto { size: *size as i64 }).collect();
    let tensor_shape = Some(TensorShapeProto { dim, unknown_rank: false });
    TensorProto { dtype, tensor_shape, ..TensorProto::default() }
}
