//! `Builder`: writes a graph down, call by call.

use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use hashbrown::HashMap;

use crate::bind;
use crate::graph::{Graph, KeyedAsset, Node, Origin, What};
use crate::op::{Args, Bound, Kind, Literal, Op, Ref};
use crate::ops;
use crate::tensor::Tensor;
use crate::types::{DType, Type};

/// Writes a graph down, call by call.
pub struct Builder {
    graph: Graph,
    inputs: HashMap<String, Ref, foldhash::fast::FixedState>,
    names: Vec<String>,
    /// Nodes by what they compute.
    seen: HashMap<String, u32, foldhash::fast::FixedState>,
    files: HashMap<String, Arc<[u8]>, foldhash::fast::FixedState>,
    /// Values that are sparse as outputs, with the shape of a row if it is known.
    sparse: HashMap<Ref, Option<Ref>, foldhash::fast::FixedState>,
    origin: Option<Origin>,
}

impl Builder {
    /// A graph that may use these columns.
    pub fn new(inputs: impl IntoIterator<Item = (String, Type)>) -> Self {
        let mut builder = Builder {
            graph: Graph::default(),
            inputs: HashMap::default(),
            names: Vec::new(),
            seen: HashMap::default(),
            files: HashMap::default(),
            sparse: HashMap::default(),
            origin: None,
        };
        for (name, ty) in inputs {
            let value = builder.push(What::Input(name.clone()), vec![ty]);
            builder.inputs.insert(name.clone(), Ref { node: value, port: 0 });
            builder.names.push(name);
        }
        builder
    }

    /// What is built next was written here.
    pub fn at(&mut self, origin: Option<Origin>) {
        self.origin = origin;
    }

    /// Gives the bytes of a file that calls may name.
    pub fn add_file(&mut self, name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) {
        self.files.insert(name.into(), bytes.into());
    }

    /// The bytes of a file that a call names.
    ///
    /// # Errors
    /// When they were not given.
    pub fn file(&self, name: &str) -> Result<Arc<[u8]>> {
        self.files.get(name).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no file `{name}`"))
                .with_hint("Give the builder its bytes with `add_file` first.")
        })
    }

    /// Whether a vocabulary or tokenizer that was made has this file.
    pub fn has_asset(&self, file: &str) -> bool {
        ops::asset_files(&self.graph).any(|(known, _)| known == file)
    }

    /// Gives a file a key, in place of the one that has it.
    pub(crate) fn add_asset(&mut self, asset: KeyedAsset) {
        self.graph.assets.retain(|known| known.key != asset.key);
        self.graph.assets.push(asset);
    }

    /// Makes a value sparse wherever it is an output, within a shape if one is given.
    pub(crate) fn annotate_sparse(&mut self, value: Ref, shape: Option<Ref>) {
        let known = self.sparse.entry(value).or_insert(shape);
        *known = shape.or(*known);
    }

    /// Names of the columns that there are, in their order.
    pub fn input_names(&self) -> &[String] {
        &self.names
    }

    /// A column that is fed in.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn input(&self, name: &str) -> Result<Ref> {
        self.inputs.get(name).copied().ok_or_else(|| {
            let known = self.names.iter().map(String::as_str);
            let error = Error::invalid(format!("there is no input `{name}`"));
            match bind::nearest(name, known) {
                Some(near) => error.with_hint(format!("Is `{near}` meant?")),
                None => error.with_detail(format!("Inputs are: {}.", self.names.join(", "))),
            }
        })
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The type of a value.
    pub fn ty(&self, value: Ref) -> &Type {
        self.graph.ty(value)
    }

    /// A constant.
    pub fn constant(&mut self, ty: Type, tensor: Tensor) -> Ref {
        let key = format!("{ty} {:?} {:?}", tensor.splits, bind::key_of(&tensor));
        if let Some(&node) = self.seen.get(&key) {
            return Ref { node, port: 0 };
        }
        let node = self.push(What::Constant(vec![tensor]), vec![ty]);
        self.seen.insert(key, node);
        Ref { node, port: 0 }
    }

    /// A literal as a constant, of this type if one is wanted.
    ///
    /// # Errors
    /// When it is no value, or not of that type.
    pub fn literal(&mut self, literal: &Literal, dtype: Option<DType>) -> Result<Ref> {
        let (ty, tensor) = bind::constant(literal, dtype)?;
        Ok(self.constant(ty, tensor))
    }

    /// Calls an operation that has one result.
    ///
    /// # Errors
    /// As [`Builder::call`].
    pub fn one(&mut self, name: &str, args: Args) -> Result<Ref> {
        let results = self.call(name, args)?;
        results.first().copied().ok_or_else(|| Error::invalid(format!("`{name}` has no result")))
    }

    /// Calls an operation by its name; gives its results.
    ///
    /// # Errors
    /// When there is no such operation, or the arguments do not fit: naming the operation, the
    /// columns, their types, and where it was written.
    pub fn call(&mut self, name: &str, args: Args) -> Result<Vec<Ref>> {
        self.called(ops::find(name)?, args)
    }

    /// Calls an operation that is not in the table: an analyzer of one's own, or what is composed of
    /// such and of others. `runners/examples/own_analyzer.rs` has one.
    ///
    /// Results of analyzers are constants of a frozen graph, which is saved, loaded and applied by
    /// those who do not have the analyzer.
    ///
    /// # Errors
    /// As [`Builder::call`]; and when it is a function of rows, which whoever loads the graph must
    /// have, or has the name of an operation of the table.
    pub fn call_op(&mut self, op: &'static Op, args: Args) -> Result<Vec<Ref>> {
        if let Kind::Map { .. } = op.kind {
            return Err(Error::invalid(format!("`{}` is a function of rows", op.name))
                .with_detail("A frozen graph names such an operation, so that all must have it.")
                .with_hint("Compose it of operations of the table, or add it there."));
        }
        if ops::find(op.name).is_ok() {
            return Err(Error::invalid(format!("`{}` is an operation of the table", op.name))
                .with_hint("Give your own another name."));
        }
        self.called(op, args)
    }

    fn called(&mut self, op: &'static Op, args: Args) -> Result<Vec<Ref>> {
        let bound = bind::bind(self, op, args).map_err(|e| self.located(e, None))?;
        let result = match &op.kind {
            Kind::Compose(compose) => compose(self, &bound),
            Kind::Analyze { .. } if bound.inputs().next().is_some_and(|x| self.ty(x).constant) => {
                Err(bound
                    .wrong("a constant is given to an analyzer, which takes columns")
                    .with_hint("An analyzer looks at all rows; a constant has none."))
            }
            Kind::Map { types, .. } | Kind::Analyze { types, .. } => {
                self.graph.with_call(&bound, types).map(|types| self.node(&bound, types))
            }
        };
        result.map_err(|e| self.located(e, Some(&bound)))
    }

    /// A node of a call, or the one that computes the same.
    fn node(&mut self, bound: &Bound, types: Vec<Type>) -> Vec<Ref> {
        let n = types.len() as u32;
        let key = serde_json::to_string(&(bound.op.name, &bound.args))
            .expect("arguments are plain data, which always serializes");
        let node = match self.seen.get(&key) {
            Some(&node) => node,
            None => {
                let node = self.push(What::Op(bound.clone()), types);
                self.seen.insert(key, node);
                node
            }
        };
        (0..n).map(|port| Ref { node, port }).collect()
    }

    fn push(&mut self, what: What, types: Vec<Type>) -> u32 {
        let node = self.graph.nodes.len() as u32;
        self.graph.nodes.push(Node { what, types, origin: self.origin.clone() });
        node
    }

    /// The error with the place and the arguments' types, if it does not say them yet.
    fn located(&self, error: Error, bound: Option<&Bound>) -> Error {
        if error.detail().is_some() {
            return error;
        }
        let mut detail = String::new();
        if let Some(origin) = &self.origin {
            detail = format!("At {origin}. ");
        }
        if let Some(bound) = bound {
            let values: Vec<String> = bound
                .inputs()
                .take(8)
                .map(|value| format!("`{}` is {}", self.graph.show(value), self.ty(value)))
                .collect();
            if !values.is_empty() {
                detail.push_str(&values.join(", "));
                detail.push('.');
            }
        }
        let detail = detail.trim_end();
        if detail.is_empty() { error } else { error.with_detail(detail) }
    }

    /// The outputs, those that are sparse as the columns that they are made of.
    fn with_sparse(&mut self, outputs: Vec<(String, Ref)>) -> Result<Vec<(String, Ref)>> {
        let mut columns = Vec::with_capacity(outputs.len());
        for (name, value) in outputs {
            match self.sparse.get(&value).copied() {
                Some(shape) => columns.extend(ops::sparse_columns(self, &name, value, shape)?),
                None => columns.push((name, value)),
            }
        }
        Ok(columns)
    }

    /// The finished graph, with these outputs.
    ///
    /// # Errors
    /// When an output is no column, or two have one name, or there are none.
    pub fn finish(mut self, outputs: Vec<(String, Ref)>) -> Result<Graph> {
        if outputs.is_empty() {
            return Err(Error::invalid("the preprocessing function returns no outputs"));
        }
        let outputs = self.with_sparse(outputs)?;
        let mut names = hashbrown::HashSet::<&str, foldhash::fast::FixedState>::default();
        for (name, value) in &outputs {
            let ty = self.graph.ty(*value);
            if name.is_empty() {
                return Err(Error::invalid("an output has no name"));
            }
            if !names.insert(name) {
                return Err(Error::invalid(format!("two outputs are named `{name}`")));
            }
            if ty.constant {
                return Err(Error::invalid(format!("output `{name}` is a {ty}, not a column"))
                    .with_hint(
                        "The result of an analyzer is the same for every row: combine it with a \
                         column, such as `tf.zeros_like(x) + tft.mean(x)`.",
                    ));
            }
        }
        drop(names);
        let own = self.graph.assets.iter().filter(|asset| asset.bytes.is_some());
        if let Some(asset) = own.into_iter().find(|asset| self.has_asset(&asset.file)) {
            let (key, file) = (&asset.key, &asset.file);
            return Err(Error::invalid(format!("two assets are named `{file}`"))
                .with_detail(format!("One has the key `{key}`, one was made after it."))
                .with_hint("Call `tft.annotate_asset` after what makes the file."));
        }
        self.graph.outputs = outputs;
        Ok(self.graph.pruned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_rows_are_those_of_the_table() {
        const OWN: Op = Op {
            name: "own.rows",
            doc: "",
            semantics: "",
            examples: &[],
            params: &[],
            kind: Kind::Compose(|_, _| Ok(Vec::new())),
        };
        static ROWS: Op = Op {
            kind: Kind::Map {
                types: |_| unreachable!(),
                kernel: |_| unreachable!(),
                domain: None,
                keeps: "",
                onnx: crate::export::Export::AS_TENSORFLOW,
                tensorflow: crate::op::UNSAID,
            },
            ..OWN
        };
        static KNOWN: Op = Op { name: "tft.mean", ..OWN };
        static COMPOSED: Op = OWN;
        let mut builder = Builder::new([]);
        let mut refused =
            |op| builder.call_op(op, Args::default()).unwrap_err().message().to_owned();
        assert_eq!(refused(&ROWS), "`own.rows` is a function of rows");
        assert_eq!(refused(&KNOWN), "`tft.mean` is an operation of the table");
        assert_eq!(builder.call_op(&COMPOSED, Args::default()).unwrap(), []);
    }
}
