//! TensorFlow's nodes as those of ONNX, each by its exact meaning: what comes of NaN, of integers divided and
//! of numbers that do not fit is the same.

use super::nodes::Nodes;
use super::proto::{Attr, ElemType};
use super::{segments, strings};
use crate::export::tensorflow::{self, NodeDef, Out, TensorProto};

/// What a node is in ONNX, or why it is nothing there.
pub(super) type Translated<T = Out> = Result<T, String>;

/// A node of TensorFlow with what its inputs are here.
pub(super) struct Node<'a> {
    pub(super) def: &'a NodeDef,
    pub(super) inputs: Vec<Out>,
}

impl Node<'_> {
    fn attr(&self, name: &str) -> Option<&tensorflow::Attr> {
        self.def.attr.get(name)?.value.as_ref()
    }

    /// A type among the attributes; int32 where it is left out, as TensorFlow's types of sizes are.
    pub(super) fn dtype(&self, name: &str) -> ElemType {
        match self.attr(name) {
            Some(tensorflow::Attr::Type(ty)) => elem_type(*ty),
            _ => ElemType::Int32,
        }
    }

    pub(super) fn int(&self, name: &str) -> i64 {
        match self.attr(name) {
            Some(tensorflow::Attr::I(value)) => *value,
            Some(tensorflow::Attr::B(value)) => i64::from(*value),
            _ => 0,
        }
    }

    pub(super) fn text(&self, name: &str) -> Vec<u8> {
        match self.attr(name) {
            Some(tensorflow::Attr::S(text)) => text.clone(),
            _ => Vec::new(),
        }
    }

    /// The integers of a constant input.
    pub(super) fn ints(&self, nodes: &Nodes, input: usize) -> Translated<Vec<i64>> {
        let found = nodes.ints_of(&self.inputs[input]);
        found.ok_or_else(|| format!("`{}` there is of constant axes", self.def.op))
    }
}

fn elem_type(dtype: i32) -> ElemType {
    use tensorflow::DataType as T;
    match dtype {
        dtype if dtype == T::Float as i32 => ElemType::Float,
        dtype if dtype == T::Double as i32 => ElemType::Double,
        dtype if dtype == T::UInt8 as i32 => ElemType::UInt8,
        dtype if dtype == T::String as i32 => ElemType::String,
        dtype if dtype == T::Int64 as i32 => ElemType::Int64,
        dtype if dtype == T::Bool as i32 => ElemType::Bool,
        dtype if dtype == T::UInt64 as i32 => ElemType::UInt64,
        _ => ElemType::Int32,
    }
}

/// The results of a node.
pub(super) fn node(nodes: &mut Nodes, def: &NodeDef) -> Translated<Vec<Out>> {
    let input = |name: &String| nodes.known.get(name).cloned().unwrap_or(Out(name.clone()));
    let node = Node { def, inputs: def.input.iter().map(input).collect() };
    let inputs: Vec<&Out> = node.inputs.iter().collect();
    let plain = match def.op.as_str() {
        "AddV2" => "Add",
        "RealDiv" | "TruncateDiv" => "Div",
        "IsNan" => "IsNaN",
        "LessEqual" => "LessOrEqual",
        "GreaterEqual" => "GreaterOrEqual",
        "LogicalAnd" => "And",
        "LogicalOr" => "Or",
        "LogicalNot" => "Not",
        "BroadcastTo" => "Expand",
        op @ ("Abs" | "Ceil" | "Cos" | "Equal" | "Exp" | "Floor" | "Greater" | "Identity"
        | "IsInf" | "Less" | "Log" | "Mul" | "Neg" | "Range" | "Reciprocal" | "Sign"
        | "Sin" | "Sqrt" | "Sub") => op,
        "Const" => return constant(nodes, &node).map(|out| vec![out]),
        // Known to the nodes that look in it.
        "HashTableV2" | "InitializeTableV2" | "InitializeTableFromTextFileV2" => {
            return Ok(Vec::new());
        }
        "StringSplitV2" => return strings::split(nodes, &node),
        "RaggedRange" => return Ok(segments::ranges(nodes, &node)),
        "RaggedCountSparseOutput" => return Ok(segments::counts(nodes, &node)),
        "UniqueV2" => {
            let unordered = [("sorted", Attr::I(0))];
            let found = nodes.results("Unique", &[&node.inputs[0]], unordered, 3);
            return Ok(vec![found[0].clone(), found[2].clone()]);
        }
        _ => return other(nodes, &node).map(|out| vec![out]),
    };
    Ok(vec![nodes.plain(plain, &inputs)])
}

fn constant(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let Some(tensorflow::Attr::Tensor(tensor)) = node.attr("value") else {
        return Err("it has a constant of no type there".to_owned());
    };
    let TensorProto { tensor_shape, tensor_content, string_val, .. } = tensor.clone();
    let dims = tensor_shape.unwrap_or_default().dim;
    let dims: Vec<i64> = dims.iter().map(|dim| dim.size).collect();
    Ok(nodes.constant(elem_type(tensor.dtype), &dims, tensor_content, string_val))
}

/// Nodes that are more than one, or that have attributes.
fn other(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let inputs = &node.inputs;
    let ty = node.dtype("T");
    let is_float = matches!(ty, ElemType::Float | ElemType::Double);
    Ok(match node.def.op.as_str() {
        "Maximum" | "Minimum" => extreme(nodes, node, is_float),
        "FloorDiv" if is_float => {
            let quotient = nodes.plain("Div", &[&inputs[0], &inputs[1]]);
            nodes.plain("Floor", &[&quotient])
        }
        "FloorDiv" => {
            let (x, y) = (&inputs[0], &inputs[1]);
            let quotient = nodes.plain("Div", &[x, y]);
            let rest = nodes.node("Mod", &[x, y], [("fmod", Attr::I(1))]);
            let odd = has_other_sign(nodes, &rest, y, ty);
            let one = nodes.int(1);
            let less = nodes.plain("Sub", &[&quotient, &one]);
            nodes.select(&odd, &less, &quotient, ty)
        }
        "FloorMod" => {
            let (x, y) = (&inputs[0], &inputs[1]);
            let rest = nodes.node("Mod", &[x, y], [("fmod", Attr::I(1))]);
            let odd = has_other_sign(nodes, &rest, y, ty);
            let sum = nodes.plain("Add", &[&rest, y]);
            nodes.select(&odd, &sum, &rest, ty)
        }
        "TruncateMod" => nodes.node("Mod", &[&inputs[0], &inputs[1]], [("fmod", Attr::I(1))]),
        "Pow" if is_float => nodes.plain("Pow", &[&inputs[0], &inputs[1]]),
        "Pow" => power(nodes, &inputs[0], &inputs[1]),
        "NotEqual" => {
            let equal = nodes.plain("Equal", &[&inputs[0], &inputs[1]]);
            nodes.plain("Not", &[&equal])
        }
        "SelectV2" => nodes.select(&inputs[0], &inputs[1], &inputs[2], ty),
        "Square" => nodes.plain("Mul", &[&inputs[0], &inputs[0]]),
        "SquaredDifference" => {
            let difference = nodes.plain("Sub", &[&inputs[0], &inputs[1]]);
            nodes.plain("Mul", &[&difference, &difference])
        }
        "DivNoNan" | "MulNoNan" => {
            let op = if node.def.op == "DivNoNan" { "Div" } else { "Mul" };
            let found = nodes.plain(op, &[&inputs[0], &inputs[1]]);
            let zero = nodes.number(ty, 0.0);
            let none = nodes.plain("Equal", &[&inputs[1], &zero]);
            nodes.select(&none, &zero, &found, ty)
        }
        "IsFinite" => {
            let nan = nodes.plain("IsNaN", &[&inputs[0]]);
            let infinite = nodes.plain("IsInf", &[&inputs[0]]);
            let not = nodes.plain("Or", &[&nan, &infinite]);
            nodes.plain("Not", &[&not])
        }
        "Round" if is_float => nodes.plain("Round", &[&inputs[0]]),
        "Round" => inputs[0].clone(),
        "Tanh" => {
            // onnxruntime's loses what is near to the least numbers.
            let near = nodes.number(ty, if ty == ElemType::Float { 1e-4 } else { 1e-9 });
            let size = nodes.plain("Abs", &[&inputs[0]]);
            let near = nodes.plain("Less", &[&size, &near]);
            let found = nodes.plain("Tanh", &[&inputs[0]]);
            nodes.plain("Where", &[&near, &inputs[0], &found])
        }
        "Sigmoid" | "Expm1" | "Log1p" => function(nodes, &node.def.op, &inputs[0], ty),
        "Cast" => cast(nodes, &inputs[0], node.dtype("SrcT"), node.dtype("DstT")),
        "AsString" => return strings::as_string(nodes, node, ty),
        "StringToHashBucketFast" if node.int("num_buckets") == 1 => {
            let zero = nodes.int(0);
            nodes.like(&inputs[0], &zero)
        }
        "StringLower" => return strings::cased(nodes, node, "LOWER"),
        "StringUpper" => return strings::cased(nodes, node, "UPPER"),
        "StaticRegexReplace" => return strings::replaced(nodes, node),
        // Strings are UTF-8 there.
        "UnicodeTranscode" => inputs[0].clone(),
        "StringToNumber" if node.dtype("out_type") == ElemType::Int64 => {
            nodes.cast(&inputs[0], ElemType::Int64)
        }
        "StringJoin" => return strings::join(nodes, node),
        "UnsortedSegmentJoin" => return strings::joined(nodes, node),
        "StaticRegexFullMatch" => {
            let attrs = [("pattern", Attr::S(node.text("pattern")))];
            nodes.node("RegexFullMatch", &[&inputs[0]], attrs)
        }
        "LookupTableFindV2" => return segments::looked_up(nodes, node),
        _ => return segments::node(nodes, node),
    })
}

/// Whether a remainder is not 0 and has another sign than its divisor.
fn has_other_sign(nodes: &mut Nodes, rest: &Out, y: &Out, ty: ElemType) -> Out {
    let zero = nodes.number(ty, 0.0);
    let none = nodes.plain("Equal", &[rest, &zero]);
    let some = nodes.plain("Not", &[&none]);
    let below = nodes.plain("Less", &[rest, &zero]);
    let y_below = nodes.plain("Less", &[y, &zero]);
    let other = nodes.plain("Xor", &[&below, &y_below]);
    nodes.plain("And", &[&some, &other])
}

/// NaN if either is.
fn extreme(nodes: &mut Nodes, node: &Node<'_>, is_float: bool) -> Out {
    let (x, y) = (&node.inputs[0], &node.inputs[1]);
    let greatest = node.def.op == "Maximum";
    if !is_float {
        return nodes.plain(if greatest { "Max" } else { "Min" }, &[x, y]);
    }
    let before = nodes.plain(if greatest { "Greater" } else { "Less" }, &[x, y]);
    let nan = nodes.plain("IsNaN", &[x]);
    let first = nodes.plain("Or", &[&before, &nan]);
    nodes.plain("Where", &[&first, x, y])
}

/// Powers of integers, which wrap: ONNX's go through doubles. `y` is not negative.
fn power(nodes: &mut Nodes, x: &Out, y: &Out) -> Out {
    let bits = match nodes.ints_of(y).as_deref() {
        Some([y]) => 64 - y.max(&0).leading_zeros(),
        _ => 63,
    };
    let (one, two) = (nodes.int(1), nodes.int(2));
    let (mut base, mut rest) = (x.clone(), y.clone());
    let mut result = one.clone();
    for bit in 0..bits {
        let odd = nodes.plain("Mod", &[&rest, &two]);
        let odd = nodes.plain("Equal", &[&odd, &one]);
        let factor = nodes.plain("Where", &[&odd, &base, &one]);
        result = nodes.plain("Mul", &[&result, &factor]);
        if bit + 1 < bits {
            base = nodes.plain("Mul", &[&base, &base]);
            rest = nodes.plain("Div", &[&rest, &two]);
        }
    }
    if bits == 0 { nodes.like(x, &one) } else { result }
}

/// `Sigmoid` of onnxruntime is an approximation that ends at ±18; the others are not in ONNX.
fn function(nodes: &mut Nodes, op: &str, x: &Out, ty: ElemType) -> Out {
    let [zero, one, minus] = [0.0, 1.0, -1.0].map(|value| nodes.number(ty, value));
    if op == "Sigmoid" {
        let negative = nodes.plain("Neg", &[x]);
        let power = nodes.plain("Exp", &[&negative]);
        let sum = nodes.plain("Add", &[&one, &power]);
        return nodes.plain("Div", &[&one, &sum]);
    }
    if op == "Expm1" {
        // (u − 1) · x / ln u with u = exp x: what rounding takes from u it takes from ln u, too.
        let u = nodes.plain("Exp", &[x]);
        let less = nodes.plain("Sub", &[&u, &one]);
        let log = nodes.plain("Log", &[&u]);
        let ratio = nodes.plain("Div", &[x, &log]);
        let exact = nodes.plain("Mul", &[&less, &ratio]);
        let far = nodes.plain("Equal", &[&less, &minus]);
        let infinite = nodes.plain("IsInf", &[&u]);
        let plain = nodes.plain("Or", &[&far, &infinite]);
        let found = nodes.select(&plain, &less, &exact, ty);
        let near = nodes.plain("Equal", &[&less, &zero]);
        return nodes.select(&near, x, &found, ty);
    }
    // ln(u) · x / (u − 1) with u = 1 + x.
    let u = nodes.plain("Add", &[&one, x]);
    let less = nodes.plain("Sub", &[&u, &one]);
    let log = nodes.plain("Log", &[&u]);
    let ratio = nodes.plain("Div", &[x, &less]);
    let exact = nodes.plain("Mul", &[&log, &ratio]);
    let infinite = nodes.plain("IsInf", &[&u]);
    let found = nodes.select(&infinite, &log, &exact, ty);
    let near = nodes.plain("Equal", &[&less, &zero]);
    nodes.select(&near, x, &found, ty)
}

/// What does not fit into integers is the least of them, on any machine.
fn cast(nodes: &mut Nodes, x: &Out, from: ElemType, to: ElemType) -> Out {
    let is_float = matches!(from, ElemType::Float | ElemType::Double);
    if !is_float || to != ElemType::Int64 {
        return nodes.cast(x, to);
    }
    let limit = -(i64::MIN as f64);
    let [least, most, zero] = [-limit, limit, 0.0].map(|value| nodes.number(from, value));
    let above = nodes.plain("GreaterOrEqual", &[x, &least]);
    let below = nodes.plain("Less", &[x, &most]);
    let fits = nodes.plain("And", &[&above, &below]);
    let safe = nodes.plain("Where", &[&fits, x, &zero]);
    let whole = nodes.cast(&safe, to);
    let other = nodes.int(i64::MIN);
    nodes.plain("Where", &[&fits, &whole, &other])
}

/// Why a node of TensorFlow has no form.
pub(super) fn reason(op: &str) -> String {
    match op {
        "StringToHashBucketFast" | "StringToHashBucketStrong" | "SparseCross" => {
            "none of its operations hashes texts as TensorFlow does".to_owned()
        }
        "WordpieceTokenizeWithOffsets"
        | "RegexSplitWithOffsets"
        | "NormalizeUTF8"
        | "CaseFoldUTF8" => {
            "no tokenizer or normalization of many texts is a part of it".to_owned()
        }
        "StringToNumber" => "a number beyond the greatest would stop it".to_owned(),
        op if op.starts_with("String") || op.contains("Substr") || op.starts_with("Unicode") => {
            "characters of texts cannot be looked at there".to_owned()
        }
        op => format!("nothing there does what TensorFlow's `{op}` does"),
    }
}
