//! TensorFlow: a frozen graph as a TF1-style SavedModel, which TensorFlow 2, TensorFlow Transform and
//! TensorFlow Serving read.
//!
//! ```text
//!   OUT/transform_fn/        what TFT's TFTransformOutput loads: tag `transform`
//!   OUT/transformed_metadata/schema.pbtxt, asset_map
//!   OUT/metadata/schema.pbtxt
//!   OUT/serving/             the same nodes behind serialized tf.Examples: tag `serve`
//! ```
//!
//! | type | in TensorFlow |
//! |---|---|
//! | fixed shape | a tensor of `[rows, …]` |
//! | `[var]` | a `SparseTensor`, as TFX gives and takes features without a shape |
//! | more dimensions that vary | a `RaggedTensor`; none is in tf.Examples, so there is no `serving` then |

pub mod hugging_face;
mod nodes;
mod proto;
mod ragged;
mod segments;
mod strings;
pub mod tf_text;

use std::collections::BTreeMap;

use engine::{Error, ErrorKind, Result};
use prost::Message;

pub(super) use self::nodes::constant;
pub use self::nodes::{Column, Nodes, Out, of_text, of_type, of_types, refused, sizes};
use self::proto::{
    AssetFileDef, CollectionDef, CooSparse, GraphDef, MetaGraphDef, MetaInfoDef, NodeList,
    SavedModel, SignatureDef, TensorInfo, TensorShape, VersionDef,
};
pub use self::proto::{Attr, DataType, ListValue};
pub(super) use self::proto::{AttrValue, NodeDef, TensorProto};
use self::ragged::{is_ragged, ragged_info};
pub use self::segments::{Segments, divided, fixed, result_type};
pub use self::strings::{as_rewrite, quoted};
use super::{Export, folded};
use crate::graph::Graph;
use crate::op::{Call, Kind};
use crate::tensor::Tensor;
use crate::types::{DType, Type};
use crate::vocabulary::Vocabulary;

/// The nodes of a call: a column for each of its values, in their order, gives one for each result.
pub type Emit = fn(&mut Nodes, &Call<'_>, &[Column]) -> Result<Vec<Column>>;
/// How an operation is expressed in TensorFlow.
pub type TensorFlow = Export<Emit>;

/// The version of GraphDefs: TensorFlow 2.16's.
const PRODUCER: i32 = 1645;
const TENSORFLOW: &str = "2.16.1";
/// The signature that TFT looks for.
const TRANSFORM: &str = "transform_signature";
const INIT: &str = "__saved_model_init_op";
const SERVING: &str = "serving_default";

/// A SavedModel: its file, and the vocabularies that are its assets.
pub struct Saved {
    /// `saved_model.pb`.
    pub bytes: Vec<u8>,
    /// The files in `assets/`.
    pub assets: Vec<std::sync::Arc<Vocabulary>>,
    /// Nodes.
    pub nodes: usize,
}

/// The graph behind tensors of its inputs, as TensorFlow Transform saves it. `shape` says what shape rows of
/// an input have outside, where that is another one of as many values: `[1]` for single values, say.
///
/// # Errors
/// When an operation, or the type of an input or output, has no form in TensorFlow.
pub fn transform(graph: &Graph, shape: impl Fn(&str) -> Option<Vec<i64>>) -> Result<Saved> {
    let graph = &folded(graph)?;
    let mut nodes = Nodes::default();
    let mut infos = BTreeMap::new();
    let outputs = emit(graph, &mut nodes, |nodes, name, ty| {
        let (info, column) = placeholder(nodes, infos.len(), ty, shape(name));
        infos.insert(name.to_owned(), info);
        Ok(column)
    })?;
    let outputs = outputs_of(graph, &mut nodes, outputs);
    let signature = SignatureDef { inputs: infos, outputs, method_name: String::new() };
    Ok(saved("transform", nodes, TRANSFORM, signature))
}

/// Whether a graph can be served: whether all that goes in and comes out is a part of tf.Examples.
pub fn is_servable(graph: &Graph) -> bool {
    let mut types = graph.inputs().map(|(_, ty)| ty);
    let mut outputs = graph.outputs.iter().map(|(_, value)| graph.ty(*value));
    !types.any(is_ragged) && !outputs.any(is_ragged)
}

/// The graph behind serialized tf.Examples, as it is served.
///
/// # Errors
/// As [`transform`].
pub fn serving(graph: &Graph) -> Result<Saved> {
    let graph = &folded(graph)?;
    let mut nodes = Nodes::default();
    let examples = nodes.node(
        "Placeholder",
        &[],
        [("dtype", of_type(DType::String)), ("shape", Attr::Shape(TensorShape::from(&[-1][..])))],
    );
    let inputs: Vec<(&str, &Type)> = graph.inputs().collect();
    for (name, value) in &graph.outputs {
        check_served(name, graph.ty(*value))?;
    }
    let parsed = parse(&mut nodes, &examples, &inputs)?;
    let mut parsed = parsed.into_iter();
    let outputs = emit(graph, &mut nodes, |_, _, _| Ok(parsed.next().unwrap_or_default()))?;
    let outputs = outputs_of(graph, &mut nodes, outputs);
    let inputs = BTreeMap::from([("examples".to_owned(), info(&examples, DType::String, &[-1]))]);
    let method_name = "tensorflow/serving/predict".to_owned();
    let signature = SignatureDef { inputs, outputs, method_name };
    Ok(saved("serve", nodes, SERVING, signature))
}

/// Emits the nodes of the whole graph; gives the columns that come out.
fn emit(
    graph: &Graph,
    nodes: &mut Nodes,
    input: impl FnMut(&mut Nodes, &str, &Type) -> Result<Column>,
) -> Result<Vec<Column>> {
    let known = |nodes: &mut Nodes, tensor: &Tensor, ty: &Type| Ok(constant(nodes, tensor, ty));
    super::emit(graph, nodes, input, known, emit_call)
}

/// The nodes of a call.
pub(super) fn emit_call(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
) -> Result<Vec<Column>> {
    match &call.op.kind {
        Kind::Map { tensorflow: Export::Each(op), .. } => nodes.each(op, call, columns),
        Kind::Map { tensorflow: Export::Nodes(emit), .. } => emit(nodes, call, columns),
        Kind::Map { tensorflow: Export::No(why), .. } => Err(refused(call, why)),
        _ => Err(Error::new(ErrorKind::Incompatible, "the graph is not frozen")),
    }
}

/// Whether a type can be behind serialized examples, which hold flat lists.
fn check_served(name: &str, ty: &Type) -> Result<()> {
    if is_ragged(ty) {
        let what = format!("`{name}` is {ty}, which has no form in TensorFlow's served signatures");
        return Err(Error::new(ErrorKind::Unsupported, what).with_hint(
            "Leave it out, or make it dense with `tft.sparse_tensor_to_dense_with_shape`.",
        ));
    }
    Ok(())
}

fn info(out: &Out, dtype: impl Into<DataType>, sizes: &[i64]) -> TensorInfo {
    let name = if out.0.contains(':') { out.0.clone() } else { format!("{}:0", out.0) };
    TensorInfo {
        name,
        dtype: dtype.into() as i32,
        tensor_shape: Some(TensorShape::from(sizes)),
        ..TensorInfo::default()
    }
}

/// A `SparseTensor` of these parts.
fn sparse_info(dtype: DType, values: &Out, indices: &Out, shape: &Out) -> TensorInfo {
    let name = |out: &Out| info(out, dtype, &[]).name;
    TensorInfo {
        name: String::new(),
        dtype: DataType::from(dtype) as i32,
        tensor_shape: Some(TensorShape::from(&[-1, -1][..])),
        coo_sparse: Some(CooSparse {
            values_tensor_name: name(values),
            indices_tensor_name: name(indices),
            dense_shape_tensor_name: name(shape),
        }),
        composite_tensor: None,
    }
}

/// What is fed for an input. Its place tells it from others of the same type.
fn placeholder(
    nodes: &mut Nodes,
    place: usize,
    ty: &Type,
    outside: Option<Vec<i64>>,
) -> (TensorInfo, Column) {
    let mut fed = |part: &str, dtype: DType, sizes: &[i64]| {
        let attrs = [("dtype", of_type(dtype)), ("shape", Attr::Shape(TensorShape::from(sizes)))];
        let attrs = attrs.map(|(name, value)| (name.to_owned(), AttrValue { value: Some(value) }));
        nodes.push(&format!("input_{place}{part}"), "Placeholder", Vec::new(), attrs.into())
    };
    if ty.n_var() == 0 {
        let own = sizes(ty);
        let n = ty.fixed_len().unwrap_or(1) as i64;
        let outside = outside.filter(|dims| dims.iter().product::<i64>() == n);
        let outside = outside.map_or_else(|| own.clone(), |dims| [&[-1], &dims[..]].concat());
        let values = fed("", ty.dtype, &outside);
        let info = info(&values, ty.dtype, &outside);
        let values = if outside == own { values } else { nodes.reshape(&values, ty.dtype, &own) };
        return (info, values.into());
    }
    if is_ragged(ty) {
        return ragged::fed(ty, fed);
    }
    let values = fed("_values", ty.dtype, &[-1]);
    let indices = fed("_indices", DType::Int64, &[-1, 2]);
    let shape = fed("_shape", DType::Int64, &[2]);
    let info = sparse_info(ty.dtype, &values, &indices, &shape);
    let rows_of = column_of(nodes, &indices, 0);
    let n = nodes.slice(&shape, DType::Int64, 0, 1);
    let n = nodes.reshape(&n, DType::Int64, &[]);
    let splits = nodes.splits_by(&rows_of, &n);
    (info, Column { values, splits: vec![splits] })
}

/// A column of a matrix of int64.
pub fn column_of(nodes: &mut Nodes, matrix: &Out, column: i64) -> Out {
    let (begin, size) = (nodes.list(vec![0, column]), nodes.list(vec![-1i64, 1]));
    let attrs = [("T", of_type(DType::Int64)), ("Index", of_type(DType::Int64))];
    let column = nodes.node("Slice", &[matrix, &begin, &size], attrs);
    nodes.reshape(&column, DType::Int64, &[-1])
}

/// The features of serialized examples.
fn parse(nodes: &mut Nodes, examples: &Out, inputs: &[(&str, &Type)]) -> Result<Vec<Column>> {
    for (name, ty) in inputs {
        check_served(name, ty)?;
    }
    /// What tf.Example holds in the place of a type.
    fn stored(dtype: DType) -> DType {
        match dtype {
            DType::Bool | DType::Int64 | DType::Timestamp => DType::Int64,
            DType::Float32 | DType::Float64 => DType::Float32,
            DType::String | DType::Vocabulary | DType::Tokenizer => DType::String,
        }
    }
    let part = |varies: bool| inputs.iter().filter(move |(_, ty)| (ty.n_var() > 0) == varies);
    let keys = |nodes: &mut Nodes, varies: bool| {
        let names: crate::Strings = part(varies).map(|(name, _)| name.as_bytes()).collect();
        let n = names.len() as i64;
        nodes.constant(&names.into(), &[n])
    };
    let (dense, ragged) = (keys(nodes, false), keys(nodes, true));
    let none = nodes.constant(&crate::Strings::default().into(), &[0]);
    let types = |varies| part(varies).map(|(_, ty)| DataType::from(stored(ty.dtype)));
    let mut defaults = Vec::new();
    for (_, ty) in part(false) {
        defaults.push(nodes.constant(&crate::Values::empty(stored(ty.dtype)), &[0]));
    }
    let mut fed = vec![examples, &none, &none, &dense, &ragged];
    fed.extend(&defaults);
    let shapes = part(false).map(|(_, ty)| TensorShape::from(&sizes(ty)[1..])).collect();
    let n_ragged = part(true).count();
    let attrs = [
        ("Tdense", of_types(types(false))),
        ("num_sparse", Attr::I(0)),
        ("sparse_types", of_types([])),
        ("ragged_value_types", of_types(types(true))),
        ("ragged_split_types", of_types((0..n_ragged).map(|_| DataType::Int64))),
        ("dense_shapes", Attr::List(ListValue { shape: shapes, ..ListValue::default() })),
    ];
    let parsed = nodes.node("ParseExampleV2", &fed, attrs);
    let n_dense = defaults.len();
    let (mut dense, mut ragged) = (0, 0);
    let columns = inputs.iter().map(|(_, ty)| {
        let (values, splits) = if ty.n_var() == 0 {
            dense += 1;
            (parsed.port(dense - 1), Vec::new())
        } else {
            ragged += 1;
            let place = n_dense + ragged - 1;
            (parsed.port(place), vec![parsed.port(place + n_ragged)])
        };
        Column { values: nodes.cast(&values, stored(ty.dtype), ty.dtype), splits }
    });
    Ok(columns.collect())
}

fn outputs_of(
    graph: &Graph,
    nodes: &mut Nodes,
    columns: Vec<Column>,
) -> BTreeMap<String, TensorInfo> {
    let outputs = graph.outputs.iter().zip(columns).map(|((name, value), column)| {
        let ty = graph.ty(*value);
        // Names of columns are free, and one node may have several: an output is a node of its own.
        let own = nodes.node("Identity", &[&column.values], [("T", of_type(ty.dtype))]);
        if ty.n_var() == 0 {
            return (name.clone(), info(&own, ty.dtype, &sizes(ty)));
        }
        if is_ragged(ty) {
            let splits = ragged::all_splits(nodes, &column, ty);
            let mut own_splits = Vec::new();
            for splits in &splits {
                own_splits.push(nodes.node("Identity", &[splits], [("T", of_type(DType::Int64))]));
            }
            return (name.clone(), ragged_info(ty, &own, &own_splits));
        }
        let (indices, shape) = sparse_parts(nodes, &column, ty);
        (name.clone(), sparse_info(ty.dtype, &own, &indices, &shape))
    });
    outputs.collect()
}

/// The indices and the dense shape of a `SparseTensor` of `[var]`.
pub fn sparse_parts(nodes: &mut Nodes, column: &Column, ty: &Type) -> (Out, Out) {
    let splits = &column.splits[0];
    let rows = nodes.row_ids(column, ty);
    let begins = nodes.gather(splits, DType::Int64, &rows);
    let n = nodes.length(&column.values, ty.dtype);
    let all = nodes.range(&n);
    let places = nodes.ints("Sub", &all, &begins);
    let axis = |n: i64| [("N", Attr::I(2)), ("T", of_type(DType::Int64)), ("axis", Attr::I(n))];
    let indices = nodes.node("Pack", &[&rows, &places], axis(1));
    let n_rows = nodes.rows(column, ty);
    let lengths = nodes.lengths(splits);
    // Without rows there is none that is longest.
    let zero = nodes.list(vec![0i64]);
    let axis_0 = nodes.int32(0);
    let concat =
        [("N", Attr::I(2)), ("T", of_type(DType::Int64)), ("Tidx", of_type(DataType::Int32))];
    let lengths = nodes.node("ConcatV2", &[&lengths, &zero, &axis_0], concat);
    let first = nodes.int32s(&[0]);
    let longest = nodes.node(
        "Max",
        &[&lengths, &first],
        [("T", of_type(DType::Int64)), ("Tidx", of_type(DataType::Int32))],
    );
    let shape = nodes.node("Pack", &[&n_rows, &longest], axis(0));
    (indices, shape)
}

fn saved(tag: &str, nodes: Nodes, name: &str, signature: SignatureDef) -> Saved {
    let Nodes { mut nodes, initializers, assets, files: more, .. } = nodes;
    let input = initializers.iter().map(|name| format!("^{name}")).collect();
    let init = NodeDef { name: "init".into(), op: "NoOp".into(), input, ..NodeDef::default() };
    nodes.push(init);
    let n = nodes.len();
    let named = |out: &Out| info(out, DType::String, &[]).name;
    let files = assets.iter().map(|(out, vocabulary)| AssetFileDef {
        tensor_info: Some(TensorInfo { name: named(out), ..TensorInfo::default() }),
        filename: vocabulary.file_name.clone(),
    });
    let node_list = NodeList { value: assets.iter().map(|(out, _)| named(out)).collect() };
    let unknown = TensorShape { unknown_rank: true, ..TensorShape::default() };
    let init =
        TensorInfo { name: "init".into(), tensor_shape: Some(unknown), ..TensorInfo::default() };
    let init =
        SignatureDef { outputs: [(INIT.to_owned(), init)].into(), ..SignatureDef::default() };
    let mut collections = BTreeMap::new();
    if !assets.is_empty() {
        collections
            .insert("asset_filepaths".to_owned(), CollectionDef { node_list: Some(node_list) });
    }
    let meta_graph = MetaGraphDef {
        meta_info_def: Some(MetaInfoDef {
            tags: vec![tag.to_owned()],
            tensorflow_version: TENSORFLOW.to_owned(),
        }),
        graph_def: Some(GraphDef {
            node: nodes,
            versions: Some(VersionDef { producer: PRODUCER }),
        }),
        collection_def: collections,
        signature_def: [(name.to_owned(), signature), (INIT.to_owned(), init)].into(),
        asset_file_def: files.collect(),
    };
    let model = SavedModel { saved_model_schema_version: 1, meta_graphs: vec![meta_graph] };
    let assets = assets.into_iter().map(|(_, vocabulary)| vocabulary).chain(more).collect();
    Saved { bytes: model.encode_to_vec(), assets, nodes: n }
}
