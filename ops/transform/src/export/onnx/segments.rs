//! TensorFlow's nodes of shapes, of groups of values and of tables as those of ONNX.

use super::nodes::Nodes;
use super::proto::{Attr, ElemType};
use super::translate::{Node, Translated, reason};
use crate::export::tensorflow::{self, Out};

/// A node of shapes or groups.
pub(super) fn node(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let inputs = &node.inputs;
    let sizes = |nodes: &mut Nodes, found: Out| match node.dtype("out_type") {
        ElemType::Int64 => found,
        other => nodes.cast(&found, other),
    };
    Ok(match node.def.op.as_str() {
        "Shape" => {
            let shape = nodes.plain("Shape", &[&inputs[0]]);
            sizes(nodes, shape)
        }
        "Size" => {
            let size = nodes.plain("Size", &[&inputs[0]]);
            sizes(nodes, size)
        }
        "Reshape" => {
            let shape = nodes.cast(&inputs[1], ElemType::Int64);
            let shape = if node.dtype("Tshape") == ElemType::Int64 { &inputs[1] } else { &shape };
            nodes.node("Reshape", &[&inputs[0], shape], [("allowzero", Attr::I(1))])
        }
        "BroadcastArgs" => {
            let none = nodes.int(0);
            let one = nodes.plain("Expand", &[&none, &inputs[0]]);
            let both = nodes.plain("Expand", &[&one, &inputs[1]]);
            nodes.plain("Shape", &[&both])
        }
        "Fill" => nodes.plain("Expand", &[&inputs[1], &inputs[0]]),
        "ZerosLike" => {
            let zero = nodes.number(node.dtype("T"), 0.0);
            nodes.like(&inputs[0], &zero)
        }
        "GatherV2" => {
            let axis = node.ints(nodes, 2)?[0];
            nodes.node("Gather", &[&inputs[0], &inputs[1]], [("axis", Attr::I(axis))])
        }
        "Slice" => slice(nodes, node),
        "Pack" => {
            let axis = node.int("axis");
            let parts: Vec<Out> = inputs.iter().map(|part| nodes.unsqueeze(part, axis)).collect();
            let parts: Vec<&Out> = parts.iter().collect();
            nodes.concat(&parts, axis)
        }
        "ConcatV2" => {
            let axis = node.ints(nodes, inputs.len() - 1)?[0];
            let parts: Vec<&Out> = inputs[..inputs.len() - 1].iter().collect();
            nodes.concat(&parts, axis)
        }
        "Cumsum" => {
            let axis = node.ints(nodes, 1)?[0];
            let axis = nodes.int(axis);
            nodes.plain("CumSum", &[&inputs[0], &axis])
        }
        op @ ("Sum" | "Max" | "Min") => {
            let axes = node.ints(nodes, 1)?;
            nodes.reduce(&format!("Reduce{op}"), &inputs[0], &axes, node.int("keep_dims") == 1)
        }
        "OneHot" => {
            let depth = node.ints(nodes, 1)?[0];
            let indices = nodes.unsqueeze(&inputs[0], -1);
            let depth = nodes.ints(&(0..depth).collect::<Vec<i64>>());
            let here = nodes.plain("Equal", &[&indices, &depth]);
            nodes.select(&here, &inputs[2], &inputs[3], node.dtype("T"))
        }
        "Where" if node.dtype("T") == ElemType::Bool => {
            let found = nodes.plain("NonZero", &[&inputs[0]]);
            nodes.node("Transpose", &[&found], [("perm", Attr::Ints(vec![1, 0]))])
        }
        op @ ("UpperBound" | "LowerBound") => bound(nodes, node, op == "UpperBound"),
        op if op.starts_with("UnsortedSegment") => folded(nodes, node)?,
        "DynamicStitch" => {
            let (places, values) = inputs.split_at(inputs.len() / 2);
            let [places, values] =
                [places, values].map(|parts| nodes.concat(&parts.iter().collect::<Vec<&Out>>(), 0));
            let places = nodes.cast(&places, ElemType::Int64);
            nodes.node("ScatterElements", &[&values, &places, &values], [("axis", Attr::I(0))])
        }
        "RaggedTensorToTensor" => dense(nodes, node)?,
        op => return Err(reason(op)),
    })
}

/// −1 is all the rest.
fn slice(nodes: &mut Nodes, node: &Node<'_>) -> Out {
    let [x, begin, size] = [0, 1, 2].map(|input| &node.inputs[input]);
    let end = match (nodes.ints_of(begin), nodes.ints_of(size)) {
        (Some(begin), Some(size)) => {
            let ends = begin.iter().zip(&size);
            let end = |(begin, size): (&i64, &i64)| match size {
                -1 => i64::MAX,
                size => begin.saturating_add(*size),
            };
            nodes.ints(&ends.map(end).collect::<Vec<i64>>())
        }
        _ => {
            let (minus, most) = (nodes.int(-1), nodes.int(i64::MAX));
            let sum = nodes.plain("Add", &[begin, size]);
            let rest = nodes.plain("Equal", &[size, &minus]);
            nodes.plain("Where", &[&rest, &most, &sum])
        }
    };
    nodes.plain("Slice", &[x, begin, &end])
}

/// How many of an ascending list are not above each value, or are below it.
fn bound(nodes: &mut Nodes, node: &Node<'_>, upper: bool) -> Out {
    let (sorted, values) = (&node.inputs[0], &node.inputs[1]);
    let found = if node.dtype("T") == ElemType::Int64 && !nodes.is_constant(sorted) {
        let [sorted, values] = [sorted, values].map(|list| nodes.reshape(list, &[-1]));
        counted(nodes, &sorted, &values, upper)
    } else {
        let values = nodes.reshape(values, &[-1, 1]);
        let counts = if upper {
            // NaN is above all of them.
            let below = nodes.plain("Less", &[&values, sorted]);
            nodes.plain("Not", &[&below])
        } else {
            nodes.plain("Less", &[sorted, &values])
        };
        let counts = nodes.cast(&counts, ElemType::Int64);
        nodes.reduce("ReduceSum", &counts, &[1], false)
    };
    nodes.reshape(&found, &[1, -1])
}

/// The same of places, which are counted: in time that does not grow with the product of both.
pub(super) fn counted(nodes: &mut Nodes, sorted: &Out, values: &Out, upper: bool) -> Out {
    let zero = nodes.ints(&[0]);
    let all = nodes.concat(&[values, &zero], 0);
    let top = nodes.reduce("ReduceMax", &all, &[0], true);
    let [one, two] = [1, 2].map(|n| nodes.ints(&[n]));
    let n = nodes.plain("Add", &[&top, &two]);
    let above = nodes.plain("Add", &[&top, &one]);
    let places = nodes.plain("Min", &[sorted, &above]);
    let none = nodes.int(0);
    let none = nodes.plain("Expand", &[&none, &n]);
    let one = nodes.int(1);
    let ones = nodes.like(&places, &one);
    let counts = nodes.scatter(&none, &places, &ones, "add");
    let mut sums = nodes.cumsum(&counts);
    if !upper {
        sums = nodes.plain("Sub", &[&sums, &counts]);
    }
    nodes.gather(&sums, values)
}

/// `RaggedRange`: the splits of lists of integers from starts up to limits, and the integers.
pub(super) fn ranges(nodes: &mut Nodes, node: &Node<'_>) -> Vec<Out> {
    let (starts, limits) = (&node.inputs[0], &node.inputs[1]);
    let zero = nodes.int(0);
    let lengths = nodes.plain("Sub", &[limits, starts]);
    let lengths = nodes.plain("Max", &[&lengths, &zero]);
    let lengths = nodes.reshape(&lengths, &[-1]);
    let ends = nodes.cumsum(&lengths);
    let first = nodes.ints(&[0]);
    let splits = nodes.concat(&[&first, &ends], 0);
    let n = nodes.slice(&splits, -1, i64::MAX);
    let n = nodes.reshape(&n, &[]);
    let all = nodes.range(&n);
    let of = counted(nodes, &ends, &all, true);
    let starts = nodes.like(&lengths, starts);
    let [begins, starts] = [&splits, &starts].map(|list| nodes.gather(list, &of));
    let places = nodes.plain("Sub", &[&all, &begins]);
    vec![splits, nodes.plain("Add", &[&places, &starts])]
}

/// `RaggedCountSparseOutput`: each value of each list once, ascending, and how often it is there.
pub(super) fn counts(nodes: &mut Nodes, node: &Node<'_>) -> Vec<Out> {
    let (splits, values) = (&node.inputs[0], &node.inputs[1]);
    let n = nodes.plain("Size", &[values]);
    let all = nodes.range(&n);
    let ends = nodes.slice(splits, 1, i64::MAX);
    let of = counted(nodes, &ends, &all, true);
    let [of, values] = [&of, values].map(|list| nodes.unsqueeze(list, 1));
    let pairs = nodes.concat(&[&of, &values], 1);
    let found = nodes.results("Unique", &[&pairs], [("axis", Attr::I(0))], 4);
    vec![found[0].clone(), found[3].clone()]
}

/// Values of each group, folded one after the other.
fn folded(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let ty = node.dtype("T");
    let [values, ids, n] = [0, 1, 2].map(|input| &node.inputs[input]);
    let (how, first) = match (node.def.op.as_str(), ty) {
        ("UnsortedSegmentSum", _) => ("add", nodes.number(ty, 0.0)),
        ("UnsortedSegmentProd", _) => ("mul", nodes.number(ty, 1.0)),
        ("UnsortedSegmentMin", ElemType::Int64) => ("min", nodes.int(i64::MAX)),
        ("UnsortedSegmentMax", ElemType::Int64) => ("max", nodes.int(i64::MIN)),
        ("UnsortedSegmentMin", _) => ("min", nodes.number(ty, f64::INFINITY)),
        ("UnsortedSegmentMax", _) => ("max", nodes.number(ty, f64::NEG_INFINITY)),
        (op, _) => return Err(reason(op)),
    };
    let n = nodes.reshape(n, &[1]);
    let first = nodes.plain("Expand", &[&first, &n]);
    let [values, ids] = [values, ids].map(|list| nodes.reshape(list, &[-1]));
    Ok(nodes.scatter(&first, &ids, &values, how))
}

/// Lists as a fixed shape, filled with a default.
fn dense(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let shape = node.ints(nodes, 0)?;
    let (values, default, splits) = (&node.inputs[1], &node.inputs[2], &node.inputs[3..]);
    let length = |nodes: &mut Nodes, x: &Out| {
        let shape = nodes.plain("Shape", &[x]);
        nodes.slice(&shape, 0, 1)
    };
    // The items of each level; those that are missing are one behind the last.
    let one = nodes.int(1);
    let n = length(nodes, &splits[0]);
    let n = nodes.reshape(&n, &[]);
    let n = nodes.plain("Sub", &[&n, &one]);
    let mut items = nodes.range(&n);
    for (level, splits) in splits.iter().enumerate() {
        let last = nodes.slice(splits, -1, i64::MAX);
        let ends = nodes.concat(&[splits, &last], 0);
        let begin = nodes.gather(&ends, &items);
        let next = nodes.plain("Add", &[&items, &one]);
        let end = nodes.gather(&ends, &next);
        let [begin, end] = [&begin, &end].map(|places| nodes.unsqueeze(places, -1));
        let places = nodes.ints(&(0..shape[level + 1]).collect::<Vec<i64>>());
        let at = nodes.plain("Add", &[&begin, &places]);
        let there = nodes.plain("Less", &[&at, &end]);
        items = nodes.plain("Where", &[&there, &at, &last]);
    }
    let item = nodes.plain("Shape", &[values]);
    let item = nodes.slice(&item, 1, i64::MAX);
    let size = nodes.ints(&[1]);
    let size = nodes.concat(&[&size, &item], 0);
    let default = nodes.plain("Expand", &[default, &size]);
    let all = nodes.concat(&[values, &default], 0);
    Ok(nodes.gather(&all, &items))
}

/// What a table has for keys.
pub(super) fn looked_up(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let (keys, values) = entries(nodes, &node.def.input[0])?;
    let other = &node.inputs[2];
    let default = match &values {
        Entries::Ints(_) => ("default_int64", Attr::I(node.ints(nodes, 2)?[0])),
        Entries::Texts(_) => {
            let text = nodes.text_of(other).unwrap_or_default();
            ("default_string", Attr::S(text.into()))
        }
    };
    // No text that is fed is one that is no UTF-8.
    let kept: Vec<bool> = match &keys {
        Entries::Texts(keys) => keys.iter().map(|key| std::str::from_utf8(key).is_ok()).collect(),
        Entries::Ints(keys) => vec![true; keys.len()],
    };
    if !kept.contains(&true) {
        return Ok(nodes.like(&node.inputs[1], other));
    }
    let attrs = [("keys", keys), ("values", values)].map(|(name, entries)| match entries {
        Entries::Texts(texts) => {
            let texts = texts.into_iter().zip(&kept).filter(|(_, kept)| **kept);
            let texts = texts.map(|(text, _)| text).collect();
            (format!("{name}_strings"), Attr::Strings(texts))
        }
        Entries::Ints(ints) => {
            let ints = ints.into_iter().zip(&kept).filter(|(_, kept)| **kept);
            (format!("{name}_int64s"), Attr::Ints(ints.map(|(int, _)| int).collect()))
        }
    });
    let [(keys_name, keys), (values_name, values)] = attrs;
    let attrs = [(keys_name.as_str(), keys), (values_name.as_str(), values), default];
    Ok(nodes.node("ai.onnx.ml.LabelEncoder", &[&node.inputs[1]], attrs))
}

/// Keys or values of a table.
enum Entries {
    Texts(Vec<Vec<u8>>),
    Ints(Vec<i64>),
}

/// What a table holds, by its initializer.
fn entries(nodes: &Nodes, table: &str) -> Translated<(Entries, Entries)> {
    let unread = || "its vocabulary cannot be read".to_owned();
    let all = &nodes.tensorflow.nodes;
    let made = all.iter().find(|node| {
        node.op.starts_with("InitializeTable") && node.input.first().is_some_and(|of| of == table)
    });
    let made = made.ok_or_else(unread)?;
    if made.op == "InitializeTableFromTextFileV2" {
        let asset = nodes.tensorflow.assets.iter().find(|(name, _)| name.0 == made.input[1]);
        let mut keys = Vec::new();
        let push = |token: &[u8]| {
            keys.push(token.to_vec());
            Ok(())
        };
        asset.ok_or_else(unread)?.1.tokens.each(push).map_err(|_| unread())?;
        let n = keys.len() as i64;
        return Ok((Entries::Texts(keys), Entries::Ints((0..n).collect())));
    }
    let of = |name: &String| {
        let node = all.iter().find(|node| node.name == *name)?;
        let Some(tensorflow::Attr::Tensor(tensor)) = &node.attr.get("value")?.value else {
            return None;
        };
        if tensor.dtype == tensorflow::DataType::String as i32 {
            return Some(Entries::Texts(tensor.string_val.clone()));
        }
        let parts = tensor.tensor_content.chunks_exact(8);
        let parts = parts.filter_map(|bytes| bytes.try_into().ok());
        Some(Entries::Ints(parts.map(i64::from_le_bytes).collect()))
    };
    Ok((of(&made.input[1]).ok_or_else(unread)?, of(&made.input[2]).ok_or_else(unread)?))
}
