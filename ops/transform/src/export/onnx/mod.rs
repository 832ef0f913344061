//! ONNX: a frozen graph as one file, which onnxruntime and its like run on servers, phones and in browsers.
//!
//! | type | in ONNX |
//! |---|---|
//! | fixed shape | a tensor of `[rows, …]` |
//! | `[var]` | two tensors: the values of all rows, and `NAME.row_splits` (int64, rows + 1), where each begins and ends |
//! | more dimensions that vary | only inside of the graph |
//! | timestamp | int64, microseconds |
//! | string | text in UTF-8: others cannot be fed |
//!
//! Names of ONNX are of inputs or of outputs: an output that has the name of an input is `NAME.out`.
//!
//! Most operations are what they are in TensorFlow, each node of which has its form here
//! ([`Export::AS_TENSORFLOW`]); a row of the table that says something else is asked first.

mod nodes;
mod proto;
mod segments;
mod strings;
mod translate;

use engine::{Error, ErrorKind, Result};
use prost::Message;

pub use self::nodes::Nodes;
pub use self::proto::{Attr, ElemType};
use self::proto::{
    Dimension, GraphProto, ModelProto, NodeProto, OperatorSetId, Shape, Size, TensorType,
    TypeProto, ValueInfo,
};
use super::tensorflow::{self, Column, Out, sizes};
use super::{Export, folded};
use crate::graph::Graph;
use crate::op::{Call, Kind};
use crate::tensor::Tensor;
use crate::types::{DType, Type};

/// The nodes of a call: a column for each of its values, in their order, gives one for each result.
pub type Emit = fn(&mut Nodes, &Call<'_>, &[Column]) -> Result<Vec<Column>>;
/// How an operation is expressed in ONNX.
pub type Onnx = Export<Emit>;

impl Onnx {
    /// By TensorFlow's nodes, each of them translated.
    pub const AS_TENSORFLOW: Self = Export::Nodes(translated);
}

/// The version of the format, and of the operators of ONNX and of `ai.onnx.ml`.
const IR_VERSION: i64 = 9;
const OPSET: i64 = 20;
const OPSET_ML: i64 = 4;

/// A model file.
pub struct Exported {
    /// The file.
    pub bytes: Vec<u8>,
    /// Nodes.
    pub nodes: usize,
}

/// The graph as a model.
///
/// # Errors
/// When an operation, or the type of an input or output, has no form in ONNX.
pub fn model(graph: &Graph) -> Result<Exported> {
    let graph = &folded(graph)?;
    let mut nodes = Nodes::default();
    let inputs: Vec<&str> = graph.inputs().map(|(name, _)| name).collect();
    let named = |name: &str| {
        if inputs.contains(&name) { format!("{name}.out") } else { name.to_owned() }
    };
    let outputs = graph.outputs.iter().map(|(name, _)| named(name));
    for name in inputs.iter().map(|name| (*name).to_owned()).chain(outputs) {
        nodes.taken.insert(splits_name(&name));
        nodes.taken.insert(name);
    }
    let mut input = Vec::new();
    let fed = |_: &mut Nodes, name: &str, ty: &Type| fed(&mut input, name, ty);
    let columns = super::emit(graph, &mut nodes, fed, constant, emit_call)?;
    let mut output = Vec::new();
    for ((name, value), column) in graph.outputs.iter().zip(columns) {
        let (ty, own) = (graph.ty(*value), named(name));
        check_type(name, ty)?;
        comes_out(&mut nodes, &mut output, &own, elem_type(ty.dtype), ty, &column.values);
        if let [splits] = &column.splits[..] {
            let name = splits_name(&own);
            let ty = Type::scalar(DType::Int64);
            comes_out(&mut nodes, &mut output, &name, ElemType::Int64, &ty, splits);
        }
    }
    let (node, initializer) = needed(nodes, &output);
    let mut texts = initializer.iter().flat_map(|constant| &constant.string_data);
    if texts.any(|text| std::str::from_utf8(text).is_err()) {
        let what = "a constant text has no form in ONNX: it is no UTF-8";
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    let n = node.len();
    let graph = GraphProto { node, name: "transform".to_owned(), initializer, input, output };
    let opset = |domain: &str, version| OperatorSetId { domain: domain.to_owned(), version };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "frazil".to_owned(),
        graph: Some(graph),
        opset_import: vec![opset("", OPSET), opset("ai.onnx.ml", OPSET_ML)],
    };
    Ok(Exported { bytes: model.encode_to_vec(), nodes: n })
}

fn splits_name(name: &str) -> String {
    format!("{name}.row_splits")
}

fn elem_type(dtype: DType) -> ElemType {
    match dtype {
        DType::Bool => ElemType::Bool,
        DType::Int64 | DType::Timestamp => ElemType::Int64,
        DType::Float32 => ElemType::Float,
        DType::Float64 => ElemType::Double,
        DType::String | DType::Vocabulary | DType::Tokenizer => ElemType::String,
    }
}

/// How a type is known outside of the graph.
fn check_type(name: &str, ty: &Type) -> Result<()> {
    if ty.n_var() > 1 || (ty.n_var() == 1 && ty.shape.len() > 1) {
        let what = format!("`{name}` is {ty}, which has no form in ONNX's signatures");
        return Err(Error::new(ErrorKind::Unsupported, what).with_hint(
            "Leave it out, or make it dense with `tft.sparse_tensor_to_dense_with_shape`.",
        ));
    }
    Ok(())
}

/// A tensor whose first dimension has a name, and the others these sizes.
fn info(name: &str, dtype: ElemType, first: &str, others: &[i64]) -> ValueInfo {
    let first = [Size::Param(first.to_owned())].into_iter();
    tensor(name, dtype, first.chain(others.iter().map(|&size| Size::Value(size))).collect())
}

fn tensor(name: &str, dtype: ElemType, sizes: Vec<Size>) -> ValueInfo {
    let dim = sizes.into_iter().map(|size| Dimension { size: Some(size) }).collect();
    let tensor_type = TensorType { elem_type: dtype as i32, shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

fn fed(infos: &mut Vec<ValueInfo>, name: &str, ty: &Type) -> Result<Column> {
    check_type(name, ty)?;
    let (dtype, values) = (elem_type(ty.dtype), Out(name.to_owned()));
    if ty.n_var() == 0 {
        infos.push(info(name, dtype, "rows", &sizes(ty)[1..]));
        return Ok(values.into());
    }
    let splits = splits_name(name);
    infos.push(info(name, dtype, &format!("values of {name}"), &[]));
    infos.push(info(&splits, ElemType::Int64, "rows + 1", &[]));
    Ok(Column { values, splits: vec![Out(splits)] })
}

fn comes_out(
    nodes: &mut Nodes,
    infos: &mut Vec<ValueInfo>,
    name: &str,
    dtype: ElemType,
    ty: &Type,
    values: &Out,
) {
    let varies = ty.n_var() > 0;
    let first = match (varies, name.ends_with(".row_splits")) {
        (true, _) => format!("values of {name}"),
        (_, true) => "rows + 1".to_owned(),
        _ => "rows".to_owned(),
    };
    let others = if varies { Vec::new() } else { tensorflow::fixed(&ty.shape) };
    infos.push(info(name, dtype, &first, &others));
    nodes.nodes.push(NodeProto {
        input: vec![values.0.clone()],
        output: vec![name.to_owned()],
        op_type: "Identity".to_owned(),
        ..NodeProto::default()
    });
}

fn constant(nodes: &mut Nodes, tensor: &Tensor, ty: &Type) -> Result<Column> {
    let column = tensorflow::constant(&mut nodes.tensorflow, tensor, ty);
    nodes.translate().map_err(|why| {
        let what = format!("a constant has no form in ONNX: {why}");
        Error::new(ErrorKind::Unsupported, what)
    })?;
    Ok(nodes.resolved(&column))
}

/// The nodes of a call.
fn emit_call(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    match &call.op.kind {
        Kind::Map { onnx: Export::Each(op), .. } => {
            let (operands, structure) = nodes.operands(call, columns)?;
            let operands: Vec<&Out> = operands.iter().collect();
            Ok(vec![Column { values: nodes.plain(op, &operands), ..structure }])
        }
        Kind::Map { onnx: Export::Nodes(emit), .. } => emit(nodes, call, columns),
        Kind::Map { onnx: Export::No(why), .. } => Err(refused(call, why)),
        _ => Err(Error::new(ErrorKind::Incompatible, "the graph is not frozen")),
    }
}

impl Nodes {
    /// A column of TensorFlow's nodes as one of these.
    fn resolved(&self, column: &Column) -> Column {
        let out = |out: &Out| self.known.get(&out.0).unwrap_or(out).clone();
        Column { values: out(&column.values), splits: column.splits.iter().map(out).collect() }
    }

    /// Translates TensorFlow's nodes that are not known here; says why one has no form.
    fn translate(&mut self) -> Result<(), String> {
        while let Some(node) = self.tensorflow.nodes.get(self.translated).cloned() {
            self.translated += 1;
            let outs = translate::node(self, &node)?;
            for (port, out) in outs.into_iter().enumerate() {
                if port == 0 {
                    self.known.insert(node.name.clone(), out.clone());
                }
                self.known.insert(format!("{}:{port}", node.name), out);
            }
        }
        Ok(())
    }

    /// The nodes of a call by TensorFlow's that `emit` gives.
    ///
    /// # Errors
    /// When one of them has no form here.
    pub fn by(
        &mut self,
        call: &Call<'_>,
        columns: &[Column],
        emit: tensorflow::Emit,
    ) -> Result<Vec<Column>> {
        let columns = emit(&mut self.tensorflow, call, columns).map_err(|error| {
            match error.message().split_once(" has no form in TensorFlow: ") {
                Some((_, why)) => refused(call, why),
                None => error,
            }
        })?;
        self.translate().map_err(|why| refused(call, &why))?;
        Ok(columns.iter().map(|column| self.resolved(column)).collect())
    }

    /// The operands of a call in shapes that are broadcast to the result, with its structure.
    ///
    /// # Errors
    /// When they do not go together, which the types have ruled out.
    pub fn operands(&mut self, call: &Call<'_>, columns: &[Column]) -> Result<(Vec<Out>, Column)> {
        let params = call.op.params.iter().map(|param| param.name);
        let params: Vec<&str> = params.filter(|param| call.position(param).is_some()).collect();
        let (operands, structure, _) = self.tensorflow.operands(call, &params, columns)?;
        self.translate().map_err(|why| refused(call, &why))?;
        let operands = operands.into_iter().map(|out| self.resolved(&out.into()).values).collect();
        Ok((operands, self.resolved(&structure)))
    }
}

fn translated(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let columns =
        tensorflow::emit_call(&mut nodes.tensorflow, call, columns).map_err(|error| match error
            .message()
            .split_once(" has no form in TensorFlow: ")
        {
            Some((_, why)) => refused(call, why),
            None => error,
        })?;
    nodes.translate().map_err(|why| refused(call, &why))?;
    Ok(columns.iter().map(|column| nodes.resolved(column)).collect())
}

/// What outputs need, in order.
fn needed(nodes: Nodes, outputs: &[ValueInfo]) -> (Vec<NodeProto>, Vec<proto::TensorProto>) {
    let mut wanted: std::collections::BTreeSet<String> =
        outputs.iter().map(|output| output.name.clone()).collect();
    let mut kept = Vec::new();
    for node in nodes.nodes.into_iter().rev() {
        if node.output.iter().any(|out| wanted.contains(out)) {
            wanted.extend(node.input.iter().cloned());
            let inside = node.attribute.iter().filter_map(|attr| attr.graph.as_ref());
            wanted.extend(inside.flat_map(|body| &body.node).flat_map(|node| node.input.clone()));
            kept.push(node);
        }
    }
    kept.reverse();
    let constants = nodes.constants.into_iter().filter(|constant| wanted.contains(&constant.name));
    (kept, constants.collect())
}

/// Why an operation cannot be exported.
pub fn refused(call: &Call<'_>, why: &str) -> Error {
    let what = format!("`{}` has no form in ONNX: {why}", call.op.name);
    let hint = if call.op.name == "tft.apply_vocabulary" {
        "Give other tokens one bucket or a `default_value`, or export the graph for TensorFlow."
    } else {
        "Leave what needs it out, or export the graph for TensorFlow."
    };
    Error::new(ErrorKind::Unsupported, what).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::op::Args;

    #[test]
    fn names_of_inputs_are_not_those_of_outputs() {
        let x = ("x".to_owned(), Type::var_len(DType::Float32));
        let mut builder = Builder::new([x]);
        let x = builder.input("x").unwrap();
        let twice = builder.one("math.add", Args::default().arg(x).arg(x)).unwrap();
        let graph = builder.finish(vec![("x".into(), twice), ("y".into(), x)]).unwrap();
        let exported = model(&graph).unwrap();
        let model = ModelProto::decode(exported.bytes.as_slice()).unwrap();
        let graph = model.graph.unwrap();
        let names = |infos: &[ValueInfo]| -> Vec<String> {
            infos.iter().map(|info| info.name.clone()).collect()
        };
        assert_eq!(names(&graph.input), ["x", "x.row_splits"]);
        assert_eq!(names(&graph.output), ["x.out", "x.out.row_splits", "y", "y.row_splits"]);
        assert_eq!(exported.nodes, graph.node.len());
        assert_eq!(graph.node.len(), 5);
    }

    #[test]
    fn what_has_no_form_says_why() {
        let s = ("s".to_owned(), Type::scalar(DType::String));
        let mut builder = Builder::new([s]);
        let s = builder.input("s").unwrap();
        let length = builder.one("strings.length", Args::default().arg(s)).unwrap();
        let graph = builder.finish(vec![("s".into(), length)]).unwrap();
        let error = model(&graph).err().unwrap();
        let why = "characters of texts cannot be looked at there";
        assert_eq!(error.message(), format!("`strings.length` has no form in ONNX: {why}"));
        let detail = error.detail().unwrap();
        assert!(detail.starts_with("It is needed for `strings.length(s"), "{detail}");
    }
}
