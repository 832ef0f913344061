//! `Graph`: what a preprocessing function computes.
//!
//! Nodes come after what they use, so a graph is its own order of evaluation.
//!
//! **Invariant:** two nodes of a graph never compute the same (common subexpressions are one node),
//! and every node of a finished graph is used by an output or by a vocabulary or tokenizer that the data
//! gives: that is a file of its own, which others read.

use std::fmt;
use std::sync::Arc;

use engine::Result;

use crate::bind;
pub use crate::builder::Builder;
use crate::op::{Arg, Bound, Call, Kind, Ref};
use crate::ops;
use crate::tensor::Tensor;
use crate::types::Type;

/// Where in a module a node was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The module's file.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a node is.
#[derive(Clone)]
pub enum What {
    /// A column that is fed in.
    Input(String),
    /// Values that are known.
    Constant(Vec<Tensor>),
    /// The results of an analyzer that has run; the text says which.
    Analyzed(String, Vec<Tensor>),
    /// A call of an operation.
    Op(Bound),
}

/// A node of a graph.
#[derive(Clone)]
pub struct Node {
    /// What it is.
    pub what: What,
    /// Types of its results.
    pub types: Vec<Type>,
    /// Where it was written.
    pub origin: Option<Origin>,
}

impl Node {
    /// The values it uses.
    pub fn inputs(&self) -> Vec<Ref> {
        match &self.what {
            What::Op(bound) => bound.inputs().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it is an analyzer that has not run.
    pub fn is_analyzer(&self) -> bool {
        matches!(&self.what, What::Op(bound) if matches!(bound.op.kind, Kind::Analyze { .. }))
    }

    /// Whether it is an analyzer, run or not, whose result is a vocabulary or a tokenizer.
    fn is_asset(&self) -> bool {
        let analyzer = self.is_analyzer() || matches!(self.what, What::Analyzed(..));
        analyzer && self.types.iter().any(|ty| ty.dtype.is_asset())
    }

    /// Its results, if they are known.
    pub fn values(&self) -> Option<&[Tensor]> {
        match &self.what {
            What::Constant(values) | What::Analyzed(_, values) => Some(values),
            _ => None,
        }
    }
}

/// A file among the assets of a graph, under a key that others find it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedAsset {
    /// The key.
    pub key: String,
    /// Name of the file among the assets.
    pub file: String,
    /// Its bytes; none where it is the file of a vocabulary or tokenizer of the graph.
    pub bytes: Option<Arc<[u8]>>,
}

/// A traced graph: columns in, columns out.
#[derive(Clone, Default)]
pub struct Graph {
    /// The nodes; every node comes after those it uses.
    pub nodes: Vec<Node>,
    /// What comes out, in the order in which it was named.
    pub outputs: Vec<(String, Ref)>,
    /// Files that have keys, in the order in which they were named.
    pub assets: Vec<KeyedAsset>,
}

impl Graph {
    /// The columns that are needed, in the order of their nodes.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.nodes.iter().filter_map(|node| match &node.what {
            What::Input(name) => Some((&**name, &node.types[0])),
            _ => None,
        })
    }

    /// The file that has this key.
    pub fn asset(&self, key: &str) -> Option<&KeyedAsset> {
        self.assets.iter().find(|asset| asset.key == key)
    }

    /// The type of a value.
    pub fn ty(&self, value: Ref) -> &Type {
        &self.nodes[value.node as usize].types[value.port as usize]
    }

    /// The value, if it is a known constant.
    pub fn constant(&self, value: Ref) -> Option<&Tensor> {
        self.nodes[value.node as usize].values().map(|values| &values[value.port as usize])
    }

    /// Calls `f` with what is known of a call.
    pub fn with_call<T>(&self, bound: &Bound, f: impl FnOnce(&Call<'_>) -> T) -> T {
        self.with_known(bound, |value| self.constant(value), |_| None, f)
    }

    /// Calls `f` with what is known of a call, and with constants and ranges from elsewhere.
    pub(crate) fn with_known<'a, T>(
        &self,
        bound: &Bound,
        constant: impl Fn(Ref) -> Option<&'a Tensor>,
        domain: impl Fn(Ref) -> Option<(i64, i64)>,
        f: impl FnOnce(&Call<'_>) -> T,
    ) -> T {
        let inputs: Vec<Ref> = bound.inputs().collect();
        let types: Vec<Type> = inputs.iter().map(|&value| self.ty(value).clone()).collect();
        let constants: Vec<_> = inputs.iter().map(|&value| constant(value)).collect();
        let domains: Vec<_> = inputs.iter().map(|&value| domain(value)).collect();
        let structures: Vec<_> = inputs.iter().map(|&value| self.structure(value)).collect();
        f(&Call {
            bound,
            types: &types,
            constants: &constants,
            domains: &domains,
            structures: &structures,
        })
    }

    /// The value that a value's varying dimensions come from: `x` for `tf.cast(x, tf.int64) + 1`.
    pub fn structure(&self, value: Ref) -> Ref {
        let mut value = value;
        while let What::Op(bound) = &self.nodes[value.node as usize].what {
            let Kind::Map { keeps, .. } = bound.op.kind else { break };
            let param = bound.op.params.iter().position(|param| param.name == keeps);
            // The operand that has the varying dimensions, where several may.
            let n_var = self.ty(value).n_var();
            let kept = param.map(|param| &bound.args[param]).and_then(|arg| match arg {
                Arg::Value(value) if self.ty(*value).n_var() == n_var => Some(*value),
                _ => bound.inputs().find(|input| self.ty(*input).n_var() == n_var),
            });
            match kept {
                Some(kept) if n_var > 0 => value = kept,
                _ => break,
            }
        }
        value
    }

    /// The range of the integers that a value holds, where its operation knows it.
    pub fn domain(&self, value: Ref) -> Option<(i64, i64)> {
        // Node by node, since parts are shared and may be deep. Only first results have ranges.
        let mut domains = vec![None; value.node as usize + 1];
        let known = |domains: &[Option<(i64, i64)>], value: Ref| {
            (value.port == 0).then(|| domains[value.node as usize]).flatten()
        };
        for number in self.needed([value]) {
            let What::Op(bound) = &self.nodes[number].what else { continue };
            let Kind::Map { domain: Some(domain), .. } = bound.op.kind else { continue };
            domains[number] = self.with_known(
                bound,
                |value| self.constant(value),
                |value| known(&domains, value),
                domain,
            );
        }
        known(&domains, value)
    }

    /// The nodes that values are made of, ascending: each after those it uses.
    pub(crate) fn needed(&self, values: impl IntoIterator<Item = Ref>) -> Vec<usize> {
        self.needed_through(values, |_| true)
    }

    /// As [`Graph::needed`], without what only the nodes that are not passed use.
    fn needed_through(
        &self,
        values: impl IntoIterator<Item = Ref>,
        passed: impl Fn(&Node) -> bool,
    ) -> Vec<usize> {
        let mut needed = vec![false; self.nodes.len()];
        values.into_iter().for_each(|value| needed[value.node as usize] = true);
        for number in (0..self.nodes.len()).rev() {
            if needed[number] && passed(&self.nodes[number]) {
                let inputs = self.nodes[number].inputs();
                inputs.iter().for_each(|value| needed[value.node as usize] = true);
            }
        }
        (0..self.nodes.len()).filter(|&number| needed[number]).collect()
    }

    /// The columns that analyzers which have not run read, in the order of the inputs: TFT's
    /// `get_analyze_input_columns`. An analyzer that nothing uses is not in a finished graph.
    pub fn analyze_input_columns(&self) -> Vec<&str> {
        let analyzers = self.nodes.iter().filter(|node| node.is_analyzer());
        let needed = self.needed(analyzers.flat_map(Node::inputs));
        self.columns_among(needed)
    }

    /// The columns that rows must have to be transformed, in the order of the inputs: TFT's
    /// `get_transform_input_columns`. Results of analyzers are constants then, whatever they read.
    pub fn transform_input_columns(&self) -> Vec<&str> {
        let outputs = self.outputs.iter().map(|(_, value)| *value);
        let needed = self.needed_through(outputs, |node| !node.is_analyzer());
        self.columns_among(needed)
    }

    /// The names of the inputs among nodes.
    fn columns_among(&self, nodes: Vec<usize>) -> Vec<&str> {
        let names = nodes.into_iter().filter_map(|number| match &self.nodes[number].what {
            What::Input(name) => Some(&**name),
            _ => None,
        });
        names.collect()
    }

    /// The calls of analyzers that can run now: those that no other analyzer feeds. Their numbers
    /// are those of their nodes.
    pub fn next_phase(&self) -> Vec<u32> {
        // Whether a node waits for an analyzer.
        let mut waits = vec![false; self.nodes.len()];
        let mut phase = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let fed = node.inputs().iter().any(|value| waits[value.node as usize]);
            let analyzer = node.is_analyzer();
            if analyzer && !fed {
                phase.push(number as u32);
            }
            waits[number] = fed || analyzer;
        }
        phase
    }

    /// Replaces an analyzer by its results.
    ///
    /// # Errors
    /// When they are not of the types that the graph was built for.
    pub fn bind(&mut self, node: u32, values: Vec<Tensor>) -> Result<()> {
        let shown = self.show_call(node);
        let types = &self.nodes[node as usize].types;
        for (value, ty) in values.iter().zip(types) {
            value.check(ty).map_err(|e| e.with_detail(format!("Analyzer `{shown}`.")))?;
        }
        self.nodes[node as usize].what = What::Analyzed(shown, values);
        Ok(())
    }

    /// The graph without nodes that no output needs, and no asset that the data gives.
    #[must_use]
    pub fn pruned(self) -> Graph {
        let has_key = |file: &String| self.assets.iter().any(|asset| asset.file == *file);
        let nodes = (0u32..).zip(&self.nodes);
        let files = nodes.filter(|(_, node)| node.is_asset()).map(|(node, _)| node);
        let named = ops::asset_files(&self).filter(|(file, _)| has_key(file));
        let files = files.chain(named.map(|(_, node)| node)).map(|node| Ref { node, port: 0 });
        let used = self.needed(self.outputs.iter().map(|(_, value)| *value).chain(files));
        let mut place = vec![u32::MAX; self.nodes.len()];
        (0..).zip(&used).for_each(|(new, &old)| place[old] = new);
        let mut nodes = Vec::with_capacity(used.len());
        for (number, mut node) in self.nodes.into_iter().enumerate() {
            if place[number] == u32::MAX {
                continue;
            }
            if let What::Op(bound) = &mut node.what {
                for arg in &mut bound.args {
                    match arg {
                        Arg::Value(value) => value.node = place[value.node as usize],
                        Arg::Values(values) => {
                            values.iter_mut().for_each(|v| v.node = place[v.node as usize]);
                        }
                        Arg::Literal(_) => {}
                    }
                }
            }
            nodes.push(node);
        }
        let outputs = self.outputs.into_iter();
        let outputs = outputs
            .map(|(name, value)| (name, Ref { node: place[value.node as usize], ..value }))
            .collect();
        Graph { nodes, outputs, assets: self.assets }
    }

    /// A value as it would be written: `tft.mean(fare)`.
    pub fn show(&self, value: Ref) -> String {
        self.show_of(value, &self.show_call(value.node))
    }

    /// A result of a call that is shown like this.
    fn show_of(&self, value: Ref, call: &str) -> String {
        let one = self.nodes[value.node as usize].types.len() == 1;
        if one { call.to_owned() } else { format!("{call}[{}]", value.port) }
    }

    fn show_call(&self, node: u32) -> String {
        const MOST: usize = 200;
        // Node by node, since parts are shared and may be deep.
        let mut calls = vec![String::new(); node as usize + 1];
        for number in self.needed([Ref { node, port: 0 }]) {
            let show = |value: Ref| self.show_of(value, &calls[value.node as usize]);
            let mut shown = match &self.nodes[number].what {
                What::Input(name) => name.clone(),
                What::Constant(_) => "constant".to_owned(),
                What::Analyzed(shown, _) => shown.clone(),
                What::Op(bound) => {
                    let args = bound.op.params.iter().zip(&bound.args);
                    let args = args.filter_map(|(param, arg)| {
                        Some(match arg {
                            Arg::Value(value) => show(*value),
                            Arg::Values(values) => {
                                let values: Vec<_> = values.iter().map(|&v| show(v)).collect();
                                format!("[{}]", values.join(", "))
                            }
                            Arg::Literal(literal) if bind::is_default(param, literal) => {
                                return None;
                            }
                            Arg::Literal(literal) => format!("{}={literal}", param.name),
                        })
                    });
                    format!("{}({})", bound.op.name, args.collect::<Vec<_>>().join(", "))
                }
            };
            if shown.len() > MOST {
                shown.truncate(shown.floor_char_boundary(MOST));
                shown.push('…');
            }
            calls[number] = shown;
        }
        calls.swap_remove(node as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Args;
    use crate::types::DType;

    #[test]
    fn columns_are_those_of_analyzers_and_those_of_rows() {
        let names = ["a", "b", "c", "d", "e"];
        let mut builder =
            Builder::new(names.map(|name| (name.to_owned(), Type::scalar(DType::Float32))));
        let [a, b, c, d, e] = names.map(|name| builder.input(name).unwrap());
        let mut one = |op: &str, x: Ref, y: Option<Ref>| {
            let args = Args::default().arg(x);
            builder.one(op, if let Some(y) = y { args.arg(y) } else { args }).unwrap()
        };
        let mean = one("tft.mean", d, None);
        let centred = one("math.subtract", b, Some(mean));
        let greatest = one("tft.max", centred, None);
        let scaled = one("math.divide", a, Some(greatest));
        one("tft.mean", e, None);
        let outputs = [("scaled", scaled), ("c", c)];
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
        let mut graph = builder.finish(outputs.into()).unwrap();
        let check = |graph: &Graph, analyze: &[&str]| {
            assert_eq!(graph.analyze_input_columns(), analyze);
            assert_eq!(graph.transform_input_columns(), ["a", "c"]);
        };
        check(&graph, &["b", "d"]);
        for left in [&["b"][..], &[]] {
            let node = graph.next_phase()[0];
            let n = graph.nodes[node as usize].types.len();
            graph.bind(node, vec![Tensor::dense(1, vec![1f32]); n]).unwrap();
            check(&graph, left);
        }
    }
}
