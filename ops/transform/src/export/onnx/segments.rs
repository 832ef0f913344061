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

/// How many of an ascending list are not above each value, or are below it. A list that the graph makes is of
/// places: these are counted, in time that does not grow with the product of both.
fn bound(nodes: &mut Nodes, node: &Node<'_>, upper: bool) -> Out {
    let (sorted, values) = (&node.inputs[0], &node.inputs[1]);
    let found = if node.dtype("T") == ElemType::Int64 && !nodes.is_constant(sorted) {
        let [sorted, values] = [sorted, values].map(|list| nodes.reshape(list, &[-1]));
        let zero = nodes.ints(&[0]);
        let all = nodes.concat(&[&values, &zero], 0);
        let top = nodes.reduce("ReduceMax", &all, &[0], true);
        let [one, two] = [1, 2].map(|n| nodes.ints(&[n]));
        let n = nodes.plain("Add", &[&top, &two]);
        let above = nodes.plain("Add", &[&top, &one]);
        let places = nodes.plain("Min", &[&sorted, &above]);
        let none = nodes.int(0);
        let none = nodes.plain("Expand", &[&none, &n]);
        let one = nodes.int(1);
        let ones = nodes.like(&places, &one);
        let counts = nodes.scatter(&none, &places, &ones, "add");
        let mut sums = nodes.cumsum(&counts);
        if !upper {
            sums = nodes.plain("Sub", &[&sums, &counts]);
        }
        nodes.gather(&sums, &values)
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

/// Ids of tokens.
pub(super) fn looked_up(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let other = node.ints(nodes, 2)?[0];
    let (keys, ids) = entries(nodes, &node.def.input[0])?;
    let (keys, ids): (Vec<_>, Vec<i64>) = match keys {
        Keys::Ints(keys) => {
            let attrs = [
                ("keys_int64s", Attr::Ints(keys)),
                ("values_int64s", Attr::Ints(ids)),
                ("default_int64", Attr::I(other)),
            ];
            return Ok(nodes.node("ai.onnx.ml.LabelEncoder", &[&node.inputs[1]], attrs));
        }
        // No text that is fed is one of the others.
        Keys::Texts(keys) => {
            let entries = keys.into_iter().zip(ids);
            entries.filter(|(key, _)| std::str::from_utf8(key).is_ok()).unzip()
        }
    };
    if keys.is_empty() {
        let other = nodes.int(other);
        return Ok(nodes.like(&node.inputs[1], &other));
    }
    let attrs = [
        ("keys_strings", Attr::Strings(keys)),
        ("values_int64s", Attr::Ints(ids)),
        ("default_int64", Attr::I(other)),
    ];
    Ok(nodes.node("ai.onnx.ml.LabelEncoder", &[&node.inputs[1]], attrs))
}

enum Keys {
    Texts(Vec<Vec<u8>>),
    Ints(Vec<i64>),
}

/// What a table holds, by its initializer.
fn entries(nodes: &Nodes, table: &str) -> Translated<(Keys, Vec<i64>)> {
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
        return Ok((Keys::Texts(keys), (0..n).collect()));
    }
    let tensor = |name: &str| {
        let node = all.iter().find(|node| node.name == name)?;
        match &node.attr.get("value")?.value {
            Some(tensorflow::Attr::Tensor(tensor)) => Some(tensor),
            _ => None,
        }
    };
    let keys = tensor(&made.input[1]).ok_or_else(unread)?;
    let ids = tensor(&made.input[2]).ok_or_else(unread)?;
    let ints = |bytes: &[u8]| -> Vec<i64> {
        let parts = bytes.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok());
        parts.map(i64::from_le_bytes).collect()
    };
    let of_texts = keys.dtype == tensorflow::DataType::String as i32;
    let keys = if of_texts {
        Keys::Texts(keys.string_val.clone())
    } else {
        Keys::Ints(ints(&keys.tensor_content))
    };
    Ok((keys, ints(&ids.tensor_content)))
}
