//! `Nodes`: a TensorFlow graph on its way, and what emissions of operations have in common.
//!
//! Two equal nodes are one node: everything that is emitted is a function of its inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use hashbrown::HashMap;
use prost::Message;

use super::proto::{Attr, AttrValue, DataType, ListValue, NodeDef, TensorProto, TensorShape};
use crate::op::Call;
use crate::ops::elementwise::{Side, together};
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// A tensor of a TensorFlow graph: `node` or `node:1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Out(pub(in super::super) String);

impl Out {
    /// Another result of the same node.
    pub fn port(&self, n: usize) -> Out {
        Out(format!("{}:{n}", self.0))
    }
}

/// A value of our graph in a graph of TensorFlow or ONNX.
///
/// Dense columns are tensors of `[rows, …]`, constants of their shape. Of columns with dimensions that vary
/// the values of all rows are in one tensor, whose other dimensions are the fixed ones behind the last that
/// varies; `splits` (int64) are those of a [`Tensor`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// The values. Vocabularies and tokenizers have none: they are known to the call.
    pub values: Out,
    /// Where the items of each varying dimension begin and end, outermost first.
    pub splits: Vec<Out>,
}

impl From<Out> for Column {
    fn from(values: Out) -> Self {
        Column { values, splits: Vec::new() }
    }
}

/// A graph on its way.
#[derive(Default)]
pub struct Nodes {
    pub(in super::super) nodes: Vec<NodeDef>,
    seen: HashMap<Vec<u8>, Out, foldhash::fast::FixedState>,
    /// Nodes that run once, before all others.
    pub(super) initializers: Vec<String>,
    /// Assets, each with the tensor of its name.
    pub(in super::super) assets: Vec<(Out, Arc<Vocabulary>)>,
    /// Vocabularies that are constants of the graph, and files for those who read them by name.
    pub(super) files: Vec<Arc<Vocabulary>>,
}

/// A type as an attribute.
pub fn of_type(dtype: impl Into<DataType>) -> Attr {
    Attr::Type(dtype.into() as i32)
}

/// A text as an attribute.
pub fn of_text(text: &str) -> Attr {
    Attr::S(text.as_bytes().to_vec())
}

/// Types as an attribute.
pub fn of_types(types: impl IntoIterator<Item = DataType>) -> Attr {
    let types = types.into_iter().map(|ty| ty as i32).collect();
    Attr::List(ListValue { r#type: types, ..ListValue::default() })
}

/// The sizes of the fixed dimensions behind the last that varies, which are those of values, the number of
/// items before them.
pub fn sizes(ty: &Type) -> Vec<i64> {
    let last = ty.shape.iter().rposition(|dim| *dim == Dim::Var);
    let behind = &ty.shape[last.map_or(0, |last| last + 1)..];
    let fixed = behind.iter().map(|dim| match dim {
        Dim::Fixed(n) => i64::from(*n),
        Dim::Var => -1,
    });
    let items = (!ty.constant || last.is_some()).then_some(-1);
    items.into_iter().chain(fixed).collect()
}

impl Nodes {
    /// Adds a node; gives its first result.
    pub fn node<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&Out],
        attrs: [(&str, Attr); N],
    ) -> Out {
        let input = inputs.iter().map(|input| input.0.clone()).collect();
        let attr = attrs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), AttrValue { value: Some(value) }));
        self.push("", op, input, attr.collect())
    }

    pub(super) fn push(
        &mut self,
        name: &str,
        op: &str,
        input: Vec<String>,
        attr: BTreeMap<String, AttrValue>,
    ) -> Out {
        let mut node = NodeDef { name: name.to_owned(), op: op.to_owned(), input, attr };
        let key = node.encode_to_vec();
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        if node.name.is_empty() {
            node.name = format!("{op}_{}", self.nodes.len());
        }
        let out = Out(node.name.clone());
        self.nodes.push(node);
        self.seen.insert(key, out.clone());
        out
    }

    /// A node with one type, `T`.
    pub fn typed(&mut self, op: &str, dtype: impl Into<DataType>, inputs: &[&Out]) -> Out {
        self.node(op, inputs, [("T", of_type(dtype))])
    }

    fn constant_of(&mut self, dtype: DataType, sizes: &[i64], content: TensorProto) -> Out {
        let tensor = TensorProto {
            dtype: dtype as i32,
            tensor_shape: Some(TensorShape::from(sizes)),
            ..content
        };
        self.node("Const", &[], [("dtype", of_type(dtype)), ("value", Attr::Tensor(tensor))])
    }

    /// A constant of these sizes.
    pub fn constant(&mut self, values: &Values, sizes: &[i64]) -> Out {
        let content = |bytes| TensorProto { tensor_content: bytes, ..TensorProto::default() };
        let content = match values {
            Values::Bool(values) => content(values.to_vec()),
            Values::Int64(values) => content(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Float32(values) => {
                content(values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Values::Float64(values) => {
                content(values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Values::String(values) => {
                let strings = values.iter().map(<[u8]>::to_vec).collect();
                TensorProto { string_val: strings, ..TensorProto::default() }
            }
            Values::Vocabulary(_) | Values::Tokenizer(_) => return Out::default(),
        };
        self.constant_of(values.dtype().into(), sizes, content)
    }

    /// A single constant.
    pub fn scalar<V>(&mut self, value: V) -> Out
    where
        Vec<V>: Into<Values>,
    {
        self.constant(&vec![value].into(), &[])
    }

    /// A list of constants.
    pub fn list<V>(&mut self, values: Vec<V>) -> Out
    where
        Vec<V>: Into<Values>,
    {
        let n = values.len() as i64;
        self.constant(&values.into(), &[n])
    }

    /// A single text.
    pub fn text(&mut self, text: impl AsRef<[u8]>) -> Out {
        let text: crate::Strings = [text].into_iter().collect();
        self.constant(&text.into(), &[])
    }

    /// A single constant of a number's type.
    pub fn number(&mut self, dtype: DType, value: f64) -> Out {
        match dtype {
            DType::Float32 => self.scalar(value as f32),
            DType::Float64 => self.scalar(value),
            _ => self.scalar(value as i64),
        }
    }

    /// A single int32, as sizes and axes are.
    pub fn int32(&mut self, value: i32) -> Out {
        let bytes = value.to_le_bytes().to_vec();
        let content = TensorProto { tensor_content: bytes, ..TensorProto::default() };
        self.constant_of(DataType::Int32, &[], content)
    }

    /// A list of int32.
    pub fn int32s(&mut self, values: &[i32]) -> Out {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let content = TensorProto { tensor_content: bytes, ..TensorProto::default() };
        self.constant_of(DataType::Int32, &[values.len() as i64], content)
    }

    /// Values as another type.
    pub fn cast(&mut self, x: &Out, from: impl Into<DataType>, to: impl Into<DataType>) -> Out {
        let (from, to) = (from.into(), to.into());
        if from == to {
            return x.clone();
        }
        self.node("Cast", &[x], [("SrcT", of_type(from)), ("DstT", of_type(to))])
    }

    /// Values in another shape; one size may be −1.
    pub fn reshape(&mut self, x: &Out, dtype: impl Into<DataType>, sizes: &[i64]) -> Out {
        let shape = self.list(sizes.to_vec());
        self.node(
            "Reshape",
            &[x, &shape],
            [("T", of_type(dtype)), ("Tshape", of_type(DType::Int64))],
        )
    }

    /// `params[indices]`, by the first dimension; indices are int64.
    pub fn gather(&mut self, params: &Out, dtype: impl Into<DataType>, indices: &Out) -> Out {
        let axis = self.int32(0);
        let attrs = [
            ("Tparams", of_type(dtype)),
            ("Tindices", of_type(DType::Int64)),
            ("Taxis", of_type(DataType::Int32)),
        ];
        self.node("GatherV2", &[params, indices, &axis], attrs)
    }

    /// A part of a list: from `begin`, `size` values or, where that is −1, all.
    pub fn slice(&mut self, x: &Out, dtype: impl Into<DataType>, begin: i64, size: i64) -> Out {
        let (begin, size) = (self.list(vec![begin]), self.list(vec![size]));
        let attrs = [("T", of_type(dtype)), ("Index", of_type(DType::Int64))];
        self.node("Slice", &[x, &begin, &size], attrs)
    }

    /// How many values a tensor has, int64.
    pub fn size(&mut self, x: &Out, dtype: impl Into<DataType>) -> Out {
        self.node("Size", &[x], [("T", of_type(dtype)), ("out_type", of_type(DType::Int64))])
    }

    /// The size of the first dimension, int64.
    pub fn length(&mut self, x: &Out, dtype: impl Into<DataType>) -> Out {
        let shape =
            self.node("Shape", &[x], [("T", of_type(dtype)), ("out_type", of_type(DType::Int64))]);
        let first = self.slice(&shape, DType::Int64, 0, 1);
        self.reshape(&first, DType::Int64, &[])
    }

    /// `[0, 1, … n - 1]`, int64.
    pub fn range(&mut self, n: &Out) -> Out {
        let (zero, one) = (self.scalar(0i64), self.scalar(1i64));
        self.node("Range", &[&zero, n, &one], [("Tidx", of_type(DType::Int64))])
    }

    /// For each value the number of entries of an ascending list that are not above it (`UpperBound`), or
    /// that are below it (`LowerBound`): int64.
    pub fn bound(&mut self, op: &str, sorted: &Out, values: &Out, dtype: DType) -> Out {
        let sorted = self.reshape(sorted, dtype, &[1, -1]);
        let values = self.reshape(values, dtype, &[1, -1]);
        let attrs = [("T", of_type(dtype)), ("out_type", of_type(DType::Int64))];
        let found = self.node(op, &[&sorted, &values], attrs);
        self.reshape(&found, DType::Int64, &[-1])
    }

    /// `a - b` of int64 and the like.
    pub fn ints(&mut self, op: &str, a: &Out, b: &Out) -> Out {
        self.typed(op, DType::Int64, &[a, b])
    }

    /// The lengths of lists, by their splits.
    pub fn lengths(&mut self, splits: &Out) -> Out {
        let (one, n) = (self.scalar(1i64), self.size(splits, DType::Int64));
        let n = self.ints("Sub", &n, &one);
        let n = self.reshape(&n, DType::Int64, &[1]);
        let zero = self.list(vec![0i64]);
        let attrs = [("T", of_type(DType::Int64)), ("Index", of_type(DType::Int64))];
        let begins = self.node("Slice", &[splits, &zero, &n], attrs);
        let ends = self.slice(splits, DType::Int64, 1, -1);
        self.ints("Sub", &ends, &begins)
    }

    /// Rows of a column, int64.
    pub fn rows(&mut self, column: &Column, ty: &Type) -> Out {
        match column.splits.first() {
            None => self.length(&column.values, ty.dtype),
            Some(splits) => {
                let one = self.scalar(1i64);
                let n = self.size(splits, DType::Int64);
                let n = self.ints("Sub", &n, &one);
                let each: i64 = ty
                    .shape
                    .iter()
                    .map_while(|dim| match dim {
                        Dim::Fixed(n) => Some(i64::from(*n)),
                        Dim::Var => None,
                    })
                    .product();
                let each = self.scalar(each.max(1));
                self.ints("FloorDiv", &n, &each)
            }
        }
    }

    /// For each of a number of items the one of a level above that it is in.
    pub fn items(&mut self, splits: &Out, items: &Out) -> Out {
        let ends = self.slice(splits, DType::Int64, 1, -1);
        self.bound("UpperBound", &ends, items, DType::Int64)
    }

    /// For each item of the values of a column with varying dimensions its row, int64.
    pub fn row_ids(&mut self, column: &Column, ty: &Type) -> Out {
        let n = self.length(&column.values, ty.dtype);
        let mut items = self.range(&n);
        let mut splits = column.splits.iter().rev();
        let last = ty.shape.iter().rposition(|dim| *dim == Dim::Var).unwrap_or(0);
        for dim in ty.shape[..=last].iter().rev() {
            items = match (dim, splits.len()) {
                (Dim::Fixed(n), _) => {
                    let n = self.scalar(i64::from(*n).max(1));
                    self.ints("FloorDiv", &items, &n)
                }
                (Dim::Var, 0) => items,
                (Dim::Var, _) => match splits.next() {
                    Some(splits) => self.items(splits, &items),
                    None => items,
                },
            };
        }
        items
    }

    /// The operands of these parameters in shapes that TensorFlow broadcasts to the result, with the
    /// structure and type of the result.
    ///
    /// # Errors
    /// When they do not go together, which the types have ruled out.
    pub fn operands(
        &mut self,
        call: &Call<'_>,
        params: &[&str],
        columns: &[Column],
    ) -> Result<(Vec<Out>, Column, Type)> {
        let (ty, broadcast) = together(call, params)?;
        let positions: Vec<usize> =
            params.iter().filter_map(|param| call.position(param)).collect();
        self.broadcast(call, &positions, columns, ty, &broadcast)
    }

    /// As [`Nodes::operands`], of the positions that `broadcast` is about.
    pub fn broadcast(
        &mut self,
        call: &Call<'_>,
        positions: &[usize],
        columns: &[Column],
        ty: Type,
        broadcast: &crate::ops::elementwise::Broadcast,
    ) -> Result<(Vec<Out>, Column, Type)> {
        let lead = positions[broadcast.leader()];
        let (lead_ty, lead_column) = (&call.types[lead], &columns[lead]);
        let varies = ty.n_var() > 0;
        let of_result = sizes(&ty);
        let mut out = Vec::new();
        for (side, &position) in broadcast.sides().iter().zip(positions) {
            let (own, values) = (&call.types[position], &columns[position].values);
            let dtype = own.dtype;
            out.push(match side {
                Side::One if own.shape.is_empty() => values.clone(),
                Side::One => self.reshape(values, dtype, &[]),
                Side::Cycle => values.clone(),
                Side::Full if own.shape == ty.shape => values.clone(),
                Side::Full => self.reshape(values, dtype, &of_result),
                Side::PerRow if varies => {
                    let rows = self.row_ids(lead_column, lead_ty);
                    let flat = self.reshape(values, dtype, &[-1]);
                    let each = self.gather(&flat, dtype, &rows);
                    let sizes: Vec<i64> =
                        [-1].into_iter().chain(of_result[1..].iter().map(|_| 1)).collect();
                    if sizes.len() == 1 { each } else { self.reshape(&each, dtype, &sizes) }
                }
                Side::PerRow => {
                    let sizes: Vec<i64> =
                        [-1].into_iter().chain(ty.shape.iter().map(|_| 1)).collect();
                    self.reshape(values, dtype, &sizes)
                }
            });
        }
        let splits = if varies { lead_column.splits.clone() } else { Vec::new() };
        Ok((out, Column { values: Out::default(), splits }, ty))
    }

    /// One node for all values, whose type is that of the first operand.
    ///
    /// # Errors
    /// As [`Nodes::operands`].
    pub fn each(&mut self, op: &str, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
        let params: Vec<&str> = call.op.params.iter().map(|param| param.name).collect();
        let params: Vec<&str> = params.into_iter().filter(|p| call.position(p).is_some()).collect();
        let (operands, structure, ty) = self.operands(call, &params, columns)?;
        let operands: Vec<&Out> = operands.iter().collect();
        let values = self.typed(op, ty.dtype, &operands);
        Ok(vec![Column { values, ..structure }])
    }

    /// A table from the tokens of a vocabulary to their ids, int64.
    ///
    /// # Errors
    /// When the tokens cannot be read from their temporary file.
    pub fn table(&mut self, vocabulary: &Arc<Vocabulary>) -> Result<Out> {
        if !is_plain(vocabulary)? {
            if !self.files.iter().any(|known| known.file_name == vocabulary.file_name) {
                self.files.push(vocabulary.clone());
            }
            let (mut tokens, mut ids, mut id) =
                (crate::StringsBuilder::default(), Vec::new(), 0u32);
            vocabulary.tokens.each(|token| {
                // Of a token that is there twice the first counts.
                if vocabulary.id(token)? == Some(id) {
                    tokens.push(token);
                    ids.push(i64::from(id));
                }
                id += 1;
                Ok(())
            })?;
            return Ok(self.table_from(&tokens.finish()?.into(), &ids.into()));
        }
        let shared = format!("{}_table", vocabulary.file_name);
        let attrs = [
            ("key_dtype", of_type(DType::String)),
            ("value_dtype", of_type(DType::Int64)),
            ("shared_name", of_text(&shared)),
        ];
        let before = self.nodes.len();
        let table = self.node("HashTableV2", &[], attrs);
        if self.nodes.len() == before {
            return Ok(table);
        }
        let name = self.text(&vocabulary.file_name);
        self.assets.push((name.clone(), vocabulary.clone()));
        let attrs = [
            ("key_index", Attr::I(-2)),
            ("value_index", Attr::I(-1)),
            ("vocab_size", Attr::I(-1)),
            ("delimiter", of_text("\t")),
            ("offset", Attr::I(0)),
        ];
        let initializer = self.node("InitializeTableFromTextFileV2", &[&table, &name], attrs);
        self.initializers.push(initializer.0);
        Ok(table)
    }

    /// A table from constant keys to their places, the first of those that are there twice.
    ///
    /// # Errors
    /// When keys are longer than 2 GiB.
    pub fn table_of(&mut self, keys: &Tensor) -> Result<Out> {
        let (mut places, mut unique) = (Vec::new(), crate::StringsBuilder::default());
        let mut seen = std::collections::BTreeSet::new();
        let mut add = |key: &[u8], place: i64| {
            let is_new = seen.insert(key.to_vec());
            if is_new {
                places.push(place);
            }
            is_new
        };
        let keys: Values = match &keys.values {
            Values::Int64(keys) => {
                let keys = keys.iter().zip(0..);
                let unique = keys.filter(|(key, place)| add(&key.to_le_bytes(), *place));
                unique.map(|(key, _)| *key).collect::<Vec<i64>>().into()
            }
            _ => {
                for (key, place) in keys.strings().iter().zip(0..) {
                    if add(key, place) {
                        unique.push(key);
                    }
                }
                unique.finish()?.into()
            }
        };
        Ok(self.table_from(&keys, &places.into()))
    }

    /// A table from constant keys, none of which is there twice, to as many constants.
    pub fn table_from(&mut self, keys: &Values, values: &Values) -> Out {
        let (of_keys, of_values) = (keys.dtype(), values.dtype());
        let n = keys.len() as i64;
        let (keys, values) = (self.constant(keys, &[n]), self.constant(values, &[n]));
        let attrs = [
            ("key_dtype", of_type(of_keys)),
            ("value_dtype", of_type(of_values)),
            ("shared_name", of_text(&format!("{}_table", keys.0))),
        ];
        let table = self.node("HashTableV2", &[], attrs);
        let attrs = [("Tkey", of_type(of_keys)), ("Tval", of_type(of_values))];
        let initializer = self.node("InitializeTableV2", &[&table, &keys, &values], attrs);
        if !self.initializers.contains(&initializer.0) {
            self.initializers.push(initializer.0);
        }
        table
    }

    /// As [`Nodes::find`], of keys of any type.
    pub fn find_in(&mut self, table: &Out, dtype: DType, keys: &Out, other: &Out) -> Out {
        let attrs = [("Tin", of_type(dtype)), ("Tout", of_type(DType::Int64))];
        self.node("LookupTableFindV2", &[table, keys, other], attrs)
    }

    /// The ids of tokens in a table, or this one.
    pub fn find(&mut self, table: &Out, tokens: &Out, other: &Out) -> Out {
        self.find_in(table, DType::String, tokens, other)
    }
}

/// Whether TensorFlow reads the lines of a vocabulary's file as its tokens: it takes out carriage returns,
/// and wants no empty token and none twice.
fn is_plain(vocabulary: &Vocabulary) -> Result<bool> {
    if vocabulary.format != FileFormat::Text || vocabulary.frequencies.is_some() {
        return Ok(false);
    }
    let (mut plain, mut id) = (true, 0u32);
    vocabulary.tokens.each(|token| {
        plain &= !token.is_empty() && memchr::memchr2(b'\r', b'\n', token).is_none();
        plain &= vocabulary.id(token)? == Some(id);
        id += 1;
        Ok(())
    })?;
    Ok(plain)
}

/// A constant column.
pub(in super::super) fn constant(nodes: &mut Nodes, tensor: &Tensor, ty: &Type) -> Column {
    let splits = tensor.splits.iter().map(|splits| {
        nodes.list(splits.iter().map(|&split| i64::from(split)).collect::<Vec<i64>>())
    });
    let splits = splits.collect();
    let mut sizes = sizes(ty);
    if let (Some(first), true) = (sizes.first_mut(), ty.n_var() > 0) {
        let each: usize = ty
            .shape
            .iter()
            .rev()
            .map_while(|dim| match dim {
                Dim::Fixed(n) => Some(*n as usize),
                Dim::Var => None,
            })
            .product();
        *first = (tensor.values.len() / each.max(1)) as i64;
    }
    Column { values: nodes.constant(&tensor.values, &sizes), splits }
}

/// Why an operation cannot be exported.
pub fn refused(call: &Call<'_>, why: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("`{}` has no form in TensorFlow: {why}", call.op.name),
    )
}
