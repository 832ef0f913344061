//! Between a graph and its JSON: what is read is checked as if a stranger had written it.

use std::sync::Arc;

use engine::{Error, ErrorKind, Result};

use super::assets::Assets;
use super::json::{
    self, AssetJson, GraphJson, NamedArgs, NodeJson, OriginJson, OutputJson, WhatJson,
};
use super::tensor::TensorJson;
use crate::bind;
use crate::graph::{Graph, KeyedAsset, Node, Origin, What};
use crate::op::{Arg, Bound, Kind, Ref};
use crate::ops;
use crate::tensor::Tensor;
use crate::types::{Dim, Type};

/// The longest chain of operations.
const DEEPEST: u32 = 10_000;
/// The most values in a row of fixed shape.
const MOST_IN_ROW: usize = 1 << 26;
/// The most dimensions of a row.
const MOST_DIMS: usize = 16;

/// A graph as JSON; its vocabularies and tokenizers go to the assets.
///
/// # Errors
/// When an asset cannot be a file.
pub(super) fn to_json(graph: &Graph, assets: &mut Assets) -> Result<GraphJson> {
    let mut tensors = |values: &[Tensor]| -> Result<Vec<TensorJson>> {
        values.iter().map(|value| TensorJson::new(value, assets)).collect()
    };
    let nodes = graph.nodes.iter().map(|node| {
        let what = match &node.what {
            What::Input(name) => WhatJson::Input(name.clone()),
            What::Constant(values) => WhatJson::Constant(tensors(values)?),
            What::Analyzed(call, values) => {
                WhatJson::Analyzed { call: call.clone(), values: tensors(values)? }
            }
            What::Op(bound) => {
                let params = bound.op.params.iter();
                let args = params.zip(&bound.args);
                let args = args.map(|(param, arg)| (param.name.to_owned(), arg.clone()));
                WhatJson::Op { name: bound.op.name.to_owned(), args: NamedArgs(args.collect()) }
            }
        };
        let at = node.origin.as_ref().map(|origin| OriginJson {
            file: origin.file.to_string(),
            line: origin.line,
            column: origin.column,
        });
        Ok(NodeJson { what, types: node.types.clone(), at })
    });
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let outputs = graph.outputs.iter();
    let outputs = outputs.map(|(name, value)| OutputJson { name: name.clone(), value: *value });
    let keyed = graph.assets.iter().map(|KeyedAsset { key, file, bytes }| {
        Ok(AssetJson {
            key: key.clone(),
            file: assets.add_keyed(file, bytes.as_ref())?,
            bytes: bytes.as_ref().map(|bytes| bytes.len() as u64),
        })
    });
    let keyed = keyed.collect::<Result<Vec<_>>>()?;
    let (format, outputs) = (json::FORMAT.to_owned(), outputs.collect());
    Ok(GraphJson { format, version: json::VERSION, nodes, outputs, assets: keyed })
}

/// The graph that JSON describes.
///
/// # Errors
/// When it names what is not there, or says of anything a type that it does not have.
pub(super) fn from_json(read: GraphJson, assets: &mut Assets) -> Result<Graph> {
    let mut graph = Graph::default();
    // While types are inferred the results of analyzers are not known, as when it was traced.
    let mut analyzed: Vec<(usize, What)> = Vec::new();
    let mut depths: Vec<u32> = Vec::new();
    let mut names = hashbrown::HashSet::<String, foldhash::fast::FixedState>::default();
    for (number, node) in read.nodes.into_iter().enumerate() {
        let wrong = |why: String| wrong(number, &why);
        node.types.iter().try_for_each(|ty| check_type(ty).map_err(|why| wrong(why.to_owned())))?;
        let mut depth = 0;
        let what = match node.what {
            WhatJson::Input(name) => {
                let fits = matches!(&node.types[..], [ty] if !ty.constant && !ty.dtype.is_asset());
                if !fits {
                    return Err(wrong(format!("input `{name}` has no type of a column")));
                }
                if !names.insert(name.clone()) {
                    return Err(wrong(format!("input `{name}` is there twice")));
                }
                What::Input(name)
            }
            WhatJson::Constant(values) => What::Constant(
                constants(values, &node.types, assets).map_err(|e| inside(number, &e))?,
            ),
            WhatJson::Analyzed { call, values } => {
                let values =
                    constants(values, &node.types, assets).map_err(|e| inside(number, &e))?;
                analyzed.push((number, What::Analyzed(call, values)));
                What::Input(String::new())
            }
            WhatJson::Op { name, args } => {
                let bound = bound(&name, args).map_err(|e| inside(number, &e))?;
                for value in bound.inputs() {
                    check_ref(&graph, value).map_err(&wrong)?;
                    depth = depth.max(depths[value.node as usize] + 1);
                }
                if depth > DEEPEST {
                    return Err(wrong(format!("more than {DEEPEST} operations follow each other")));
                }
                let Kind::Map { types, .. } = bound.op.kind else {
                    return Err(wrong(format!("`{name}` is no function of rows")));
                };
                let types = graph.with_call(&bound, types).map_err(|e| inside(number, &e))?;
                if types != node.types {
                    let found = shown(&node.types);
                    let why = format!("`{name}` gives {}, the graph says {found}", shown(&types));
                    return Err(wrong(why));
                }
                What::Op(bound)
            }
        };
        depths.push(depth);
        let origin =
            node.at.map(|at| Origin { file: Arc::from(at.file), line: at.line, column: at.column });
        graph.nodes.push(Node { what, types: node.types, origin });
    }
    for (number, what) in analyzed {
        graph.nodes[number].what = what;
    }
    let damaged =
        |why: String| Error::new(ErrorKind::Input, "the graph is damaged").with_detail(why);
    if read.outputs.is_empty() {
        return Err(damaged("It has no outputs.".to_owned()));
    }
    names.clear();
    for OutputJson { name, value } in read.outputs {
        check_ref(&graph, value).map_err(|why| damaged(format!("Output `{name}`: {why}.")))?;
        if !names.insert(name.clone()) {
            return Err(damaged(format!("Output `{name}` is there twice.")));
        }
        if graph.ty(value).constant {
            return Err(damaged(format!("Output `{name}` is no column.")));
        }
        graph.outputs.push((name, value));
    }
    names.clear();
    for AssetJson { key, file, bytes } in read.assets {
        let (file, bytes) = assets.find_keyed(&file, bytes)?;
        if !names.insert(key.clone()) {
            return Err(damaged(format!("Two assets have the key `{key}`.")));
        }
        graph.assets.push(KeyedAsset { key, file, bytes });
    }
    Ok(graph)
}

/// What is wrong with a node.
fn wrong(number: usize, why: &str) -> Error {
    Error::new(ErrorKind::Input, "the graph is damaged")
        .with_detail(format!("Node {number}: {why}."))
        .with_hint("Copy the directory again, or analyze again.")
}

/// The same error, in the place where it was found.
fn inside(number: usize, error: &Error) -> Error {
    let why = match error.detail() {
        None => format!("{}.", error.message()),
        Some(detail) => format!("{}. {detail}", error.message()),
    };
    let found = Error::new(error.kind(), "the graph cannot be used");
    let found = found.with_detail(format!("Node {number}: {why}"));
    match error.hint() {
        None => found,
        Some(hint) => found.with_hint(hint),
    }
}

fn shown(types: &[Type]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn check_type(ty: &Type) -> Result<(), &'static str> {
    if ty.shape.len() > MOST_DIMS {
        return Err("a type has too many dimensions");
    }
    let n = ty.shape.iter().try_fold(1usize, |n, dim| match dim {
        Dim::Fixed(d) => n.checked_mul((*d as usize).max(1)),
        Dim::Var => Some(n),
    });
    if n.is_none_or(|n| n > MOST_IN_ROW) { Err("a type is too large") } else { Ok(()) }
}

fn check_ref(graph: &Graph, value: Ref) -> Result<(), String> {
    let node = graph.nodes.get(value.node as usize);
    match node {
        None => Err(format!("node {} is not before it", value.node)),
        Some(node) if value.port as usize >= node.types.len() => {
            Err(format!("node {} has no result {}", value.node, value.port))
        }
        Some(_) => Ok(()),
    }
}

fn constants(values: Vec<TensorJson>, types: &[Type], assets: &mut Assets) -> Result<Vec<Tensor>> {
    let damaged = |why: String| Error::new(ErrorKind::Input, why);
    if values.len() != types.len() {
        return Err(damaged(format!("{} values of {} types", values.len(), types.len())));
    }
    let values = values.into_iter().zip(types).map(|(value, ty)| {
        let value = value.into_tensor(assets)?;
        if !ty.constant || value.rows != 1 {
            return Err(damaged(format!("{ty} is no type of a constant")));
        }
        value.check(ty)?;
        Ok(value)
    });
    values.collect()
}

/// The call, with one argument for each parameter of the operation.
fn bound(name: &str, args: NamedArgs) -> Result<Bound> {
    let incompatible = |why: String| {
        Error::new(ErrorKind::Incompatible, why)
            .with_hint("Use the version of Frazil that wrote the graph, or a later one.")
    };
    let op =
        ops::find(name).map_err(|_| incompatible(format!("operation `{name}` is not known")))?;
    let mut given: Vec<Option<Arg>> = vec![None; op.params.len()];
    for (param, arg) in args.0 {
        let place = op.params.iter().position(|known| known.name == param);
        let place =
            place.ok_or_else(|| incompatible(format!("`{name}` has no parameter `{param}`")))?;
        if !bind::admits(&op.params[place], &arg) {
            let why = format!("`{name}` does not take what `{param}` is");
            return Err(Error::new(ErrorKind::Input, why));
        }
        given[place] = Some(arg);
    }
    // A parameter that is younger than the graph is what it is by default.
    let args = op.params.iter().zip(given).map(|(param, arg)| {
        let missing = || Error::new(ErrorKind::Input, format!("`{name}` lacks `{}`", param.name));
        arg.or_else(|| bind::default_arg(param)).ok_or_else(missing)
    });
    Ok(Bound { op, args: args.collect::<Result<_>>()? })
}
