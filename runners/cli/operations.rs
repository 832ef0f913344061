//! `frazil ops`: the table of operations, with the names that modules may call them by.

use std::fmt::Write as _;

use engine::{Error, ErrorKind};
use serde_json::{Value, json};
use transform::ops::{OPS, find};
use transform::{Default, Kind, Op, Param, Takes};

use crate::args::OpsArgs;
use crate::failure::Done;
use crate::output;

pub(crate) fn run(args: &OpsArgs) -> Done {
    let Some(name) = &args.name else {
        return output::print(&if args.json {
            format!("{:#}\n", json!({ "ops": OPS.iter().map(as_json).collect::<Vec<_>>() }))
        } else {
            list()
        });
    };
    // TensorFlow's names and whole namespaces are names, too.
    let known = preprocessing::aliases().get(name.as_str()).copied();
    let within: Vec<&Op> = OPS
        .iter()
        .filter(|op| op.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')))
        .collect();
    if known.is_none() && !within.is_empty() {
        return output::print(&if args.json {
            format!("{:#}\n", json!({ "ops": within.into_iter().map(as_json).collect::<Vec<_>>() }))
        } else {
            table(&within)
        });
    }
    let op = find(known.unwrap_or(name)).map_err(|e| {
        let error = Error::new(ErrorKind::NotFound, e.message());
        match e.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })?;
    output::print(&if args.json { format!("{:#}\n", as_json(op)) } else { page(op) })
}

/// All operations, namespace by namespace.
fn list() -> String {
    let mut namespaces: Vec<&str> = Vec::new();
    for op in OPS {
        let namespace = namespace(op);
        if !namespaces.contains(&namespace) {
            namespaces.push(namespace);
        }
    }
    namespaces.sort_unstable();
    let mut text = String::new();
    for namespace_ in namespaces {
        let ops: Vec<&Op> = OPS.iter().filter(|op| namespace(op) == namespace_).collect();
        let _ = writeln!(text, "{namespace_}:");
        text += &table(&ops);
        text.push('\n');
    }
    text + "`frazil ops NAME` says what an operation does, with its parameters and examples.\n"
}

/// A line for each operation.
fn table(ops: &[&Op]) -> String {
    let mut rows: Vec<(String, &str)> = ops.iter().map(|op| (signature(op), op.doc)).collect();
    rows.sort();
    let mut text = String::new();
    for (signature, doc) in rows {
        let _ = writeln!(text, "  {signature}\n      {doc}");
    }
    text
}

fn namespace(op: &Op) -> &'static str {
    op.name.rsplit_once('.').map_or("", |(namespace, _)| namespace)
}

/// `tft.mean(x, reduce_instance_dims=True)`.
fn signature(op: &Op) -> String {
    let params = op.params.iter().map(|param| match default(param) {
        None => param.name.to_owned(),
        Some(value) => format!("{}={value}", param.name),
    });
    format!("{}({})", op.name, params.collect::<Vec<_>>().join(", "))
}

fn default(param: &Param) -> Option<String> {
    Some(match param.default {
        Default::Required => return None,
        Default::None => "None".to_owned(),
        Default::Bool(true) => "True".to_owned(),
        Default::Bool(false) => "False".to_owned(),
        Default::Int(value) => value.to_string(),
        Default::Float(value) => format!("{value:?}"),
        Default::Str(value) => format!("{value:?}"),
    })
}

fn takes(param: &Param) -> &'static str {
    match param.takes {
        Takes::Value { .. } => "column or constant",
        Takes::Values => "list of columns",
        Takes::Int => "whole number",
        Takes::Float => "number",
        Takes::Bool => "True or False",
        Takes::Str => "string",
        Takes::DType => "type",
        Takes::File => "name of a file in the module's folder",
        Takes::Literal => "literal",
    }
}

/// What it is made of, as a user sees it.
fn kind(op: &Op) -> &'static str {
    match op.kind {
        Kind::Map { .. } => "of each row alone",
        Kind::Analyze { .. } => "a pass over all data; the result is a constant",
        Kind::Compose(_) => "made of other operations",
    }
}

fn other_names(op: &Op) -> Vec<&'static str> {
    let aliases = preprocessing::aliases().iter();
    aliases
        .filter(|(alias, name)| **name == op.name && alias.as_str() != op.name)
        .map(|(alias, _)| alias.as_str())
        .collect()
}

/// Everything about one operation.
fn page(op: &Op) -> String {
    let mut text = format!("{}\n\n{}: {}.\n", signature(op), op.doc, kind(op));
    let others = other_names(op);
    if !others.is_empty() {
        let _ = writeln!(text, "Also: {}.", others.join(", "));
    }
    let _ = writeln!(text, "\n{}", wrapped(op.semantics, 88));
    if !op.params.is_empty() {
        text.push_str("\nParameters:\n");
        let width = op.params.iter().map(|param| param.name.len()).max().unwrap_or(0);
        for param in op.params {
            let default = default(param).map_or(String::new(), |value| format!(", {value}"));
            let _ = writeln!(
                text,
                "  {:width$}  {} ({}{default})",
                param.name,
                param.doc,
                takes(param)
            );
        }
    }
    text.push_str("\nExamples:\n");
    for example in op.examples {
        let _ = writeln!(text, "  {example}");
    }
    text
}

fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn as_json(op: &Op) -> Value {
    let params = op.params.iter().map(|param| {
        let default = match param.default {
            Default::Required | Default::None => Value::Null,
            Default::Bool(value) => json!(value),
            Default::Int(value) => json!(value),
            Default::Float(value) => json!(value),
            Default::Str(value) => json!(value),
        };
        json!({
            "name": param.name,
            "doc": param.doc,
            "takes": takes(param),
            "required": param.default == Default::Required,
            "default": default,
        })
    });
    json!({
        "name": op.name,
        "doc": op.doc,
        "semantics": op.semantics,
        "kind": match op.kind {
            Kind::Map { .. } => "map",
            Kind::Analyze { .. } => "analyze",
            Kind::Compose(_) => "compose",
        },
        "also": other_names(op),
        "params": params.collect::<Vec<_>>(),
        "examples": op.examples,
    })
}
