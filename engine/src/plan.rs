//! The erased form of a pipeline: what runners interpret.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use crate::combine::{AnyCombineFn, Element};
use crate::keyed::{Cut, KeyTable, KeyedBlock, KeyedCombineFn, Routed, Run, RunWriter};
use crate::sink::{AnySink, Part};
use crate::{DoFn, Emit, Error, ErrorKind, Receipt, Rejected, Result, Rows, Source};

/// A pipeline, ready to run: a source and its nodes in the order they were added.
#[derive(Clone)]
pub struct Plan {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// Nodes; every input comes before its user.
    pub nodes: Vec<Node>,
}

/// One step of a plan. `input: None` is the source.
#[derive(Clone)]
pub enum Node {
    /// Elements to elements.
    ParDo {
        /// Which node feeds it.
        input: Option<usize>,
        /// What is applied.
        f: Arc<dyn AnyDoFn>,
    },
    /// Elements to one state.
    CombineGlobally {
        /// Which node feeds it.
        input: Option<usize>,
        /// The monoid.
        f: Arc<dyn AnyCombineFn<Element, ()>>,
    },
    /// Elements to sorted blocks of keyed states.
    CombinePerKey {
        /// Which node feeds it.
        input: Option<usize>,
        /// The keys and their monoid.
        f: Arc<dyn AnyKeyed>,
    },
    /// Elements to one ascending stream of keyed states.
    SortPerKey {
        /// Which node feeds it.
        input: Option<usize>,
        /// The keys and their monoid.
        f: Arc<dyn AnyKeyed>,
    },
    /// Elements to shards of an output.
    Write {
        /// Which node feeds it.
        input: Option<usize>,
        /// Where they go.
        f: Arc<dyn AnySink>,
    },
}

impl Node {
    /// Which node feeds it; `None` is the source.
    pub fn input(&self) -> Option<usize> {
        match self {
            Node::ParDo { input, .. }
            | Node::CombineGlobally { input, .. }
            | Node::CombinePerKey { input, .. }
            | Node::SortPerKey { input, .. }
            | Node::Write { input, .. } => *input,
        }
    }
}

impl Plan {
    /// True when the node's input is (directly) a `combine_per_key`.
    pub fn is_fed_by_keys(&self, node: usize) -> bool {
        self.nodes[node]
            .input()
            .is_some_and(|input| matches!(self.nodes[input], Node::CombinePerKey { .. }))
    }

    /// Nodes that aggregate or write what the source yields, and therefore count its rows.
    pub fn counts_rows(&self, node: usize) -> bool {
        !matches!(self.nodes[node], Node::ParDo { .. }) && !self.is_fed_by_keys(node)
    }

    /// Checks that nothing but aggregations follows keyed states: they are of no shard.
    ///
    /// # Errors
    /// Naming the node that does.
    pub fn check(&self) -> Result<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            let name = match node {
                Node::ParDo { f, .. } => f.name(),
                Node::Write { f, .. } => f.name(),
                _ => continue,
            };
            if self.is_fed_by_keys(number) {
                let message = format!("`{name}` cannot follow `combine_per_key`");
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_detail("Keyed states can be aggregated, counted by key and sorted."));
            }
        }
        Ok(())
    }

    /// A number that differs between plans whose states must not be mixed: shards, combiners with
    /// names and versions, and `options`, the caller's rendering of whatever else matters.
    pub fn fingerprint(&self, options: &str) -> u64 {
        let mut text = format!("{options}\0");
        for node in &self.nodes {
            let (kind, name, version) = match node {
                Node::ParDo { f, .. } => ("do", f.name(), 0),
                Node::CombineGlobally { f, .. } => ("combine", f.name(), f.version()),
                Node::CombinePerKey { f, .. } => ("keys", f.name(), f.version()),
                Node::SortPerKey { f, .. } => ("sort", f.name(), f.version()),
                Node::Write { f, .. } => ("write", f.name(), 0),
            };
            write!(text, "{kind} {name} {version}\0").expect("a String takes every write");
        }
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }
}

/// What a run gives: merged states, not yet extracted, shards not yet in their place, the receipt.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Encoded final state of every `combine_globally`, by node.
    pub states: BTreeMap<usize, Vec<u8>>,
    /// Sorted runs of every `sort_per_key`, by node: their merge is the result.
    pub sorted: BTreeMap<usize, Vec<Run>>,
    /// What every `write` has left of every shard, by node, in canonical order of the shards.
    pub written: BTreeMap<usize, Vec<Vec<Part>>>,
    /// What became of every record.
    pub receipt: Receipt,
}

/// A [`DoFn`] over erased elements.
pub trait AnyDoFn: Send + Sync {
    /// See [`DoFn::name`].
    fn name(&self) -> &'static str;
    /// See [`DoFn::process`].
    fn process(&self, input: &Element) -> Result<(Vec<Element>, Vec<Rejected>)>;
    /// Records that an output element stands for.
    fn rows(&self, output: &Element) -> u64;
}

pub(crate) struct OverDoFn<F>(pub(crate) F);

impl<F: DoFn> AnyDoFn for OverDoFn<F>
where
    F::Output: Rows,
{
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn process(&self, input: &Element) -> Result<(Vec<Element>, Vec<Rejected>)> {
        let input: &F::Input = downcast(&**input);
        let mut out = Emit::default();
        self.0.process(input, &mut out)?;
        let elements = out.elements.into_iter().map(|e| Arc::new(e) as Element).collect();
        Ok((elements, out.rejected))
    }
    fn rows(&self, output: &Element) -> u64 {
        downcast::<F::Output>(&**output).rows()
    }
}

pub(crate) fn downcast<T: 'static>(element: &(dyn Any + Send + Sync)) -> &T {
    element.downcast_ref().expect("a typed PCollection carries only its own type")
}

/// A [`KeyedCombineFn`] with its types erased.
pub trait AnyKeyed: Send + Sync {
    /// See [`KeyedCombineFn::name`].
    fn name(&self) -> &'static str;
    /// See [`KeyedCombineFn::version`].
    fn version(&self) -> u32;
    /// See [`KeyedCombineFn::identities`].
    fn identities(&self) -> Vec<(Vec<u8>, String)>;
    /// A fresh table.
    fn table(&self) -> Box<dyn AnyTable>;
    /// Adds the keys of one element.
    fn add(&self, table: &mut dyn AnyTable, input: &Element) -> Result<()>;
    /// Merges sorted runs and cuts them into pieces, each for one of `owners` workers.
    fn route(&self, runs: Vec<Run>, owners: usize) -> Result<Pieces>;
    /// Merges sorted runs and cuts them into blocks.
    fn blocks(&self, runs: Vec<Run>) -> Result<Blocks>;
    /// Adds the keys of a block with their states.
    fn absorb(&self, table: &mut dyn AnyTable, block: &Element);
    /// The group of a block.
    fn group<'a>(&self, block: &'a Element) -> &'a Arc<[u8]>;
    /// The same block of another group.
    fn regroup(&self, block: Element, group: Arc<[u8]>) -> Element;
    /// A block as a sorted run.
    fn encode(&self, block: &Element) -> Vec<u8>;
}

/// Pieces of sorted runs, each with the number of the worker that owns its keys.
pub type Pieces = Box<dyn Iterator<Item = Result<(usize, Vec<u8>)>>>;

/// Blocks of keyed states, ascending by group, then by key.
pub type Blocks = Box<dyn Iterator<Item = Result<Element>>>;

/// A [`KeyTable`] of any state.
pub trait AnyTable {
    /// Bytes of memory held.
    fn bytes(&self) -> usize;
    /// True without any key.
    fn is_empty(&self) -> bool;
    /// Names of all groups.
    fn groups(&self) -> Vec<Arc<[u8]>>;
    /// Writes all keys as one sorted run and empties the table.
    fn drain(&mut self, out: &mut dyn Write) -> Result<()>;
    /// For the downcast to the typed table.
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<S: crate::KeyState> AnyTable for KeyTable<S> {
    fn bytes(&self) -> usize {
        KeyTable::bytes(self)
    }
    fn is_empty(&self) -> bool {
        KeyTable::is_empty(self)
    }
    fn groups(&self) -> Vec<Arc<[u8]>> {
        KeyTable::groups(self)
    }
    fn drain(&mut self, out: &mut dyn Write) -> Result<()> {
        let mut writer = RunWriter::new(out);
        let mut failed = Ok(());
        self.drain_sorted(|group, key, state| {
            if failed.is_ok() {
                failed = writer.push(group, key, state);
            }
        });
        failed
            .and_then(|()| writer.finish().map(drop))
            .map_err(|error| Error::io("write a sorted run", &error))
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

pub(crate) struct OverKeyed<F>(pub(crate) F);

impl<F: KeyedCombineFn> AnyKeyed for OverKeyed<F> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn version(&self) -> u32 {
        self.0.version()
    }
    fn identities(&self) -> Vec<(Vec<u8>, String)> {
        self.0.identities()
    }
    fn table(&self) -> Box<dyn AnyTable> {
        Box::new(KeyTable::<F::State>::default())
    }
    fn add(&self, table: &mut dyn AnyTable, input: &Element) -> Result<()> {
        let table = table.as_any().downcast_mut().expect("the table was made by this combiner");
        self.0.add_input(table, downcast(&**input))
    }
    fn route(&self, runs: Vec<Run>, owners: usize) -> Result<Pieces> {
        Ok(Box::new(Routed::<F::State>::open(runs, owners)?))
    }
    fn blocks(&self, runs: Vec<Run>) -> Result<Blocks> {
        let blocks = Cut::<F::State>::open(runs)?;
        Ok(Box::new(blocks.map(|block| block.map(|block| Arc::new(block) as Element))))
    }
    fn absorb(&self, table: &mut dyn AnyTable, block: &Element) {
        let table: &mut KeyTable<F::State> =
            table.as_any().downcast_mut().expect("the table was made by this combiner");
        let block = block_of::<F>(block);
        let group = table.group(&block.group);
        block.iter().for_each(|(key, state)| group.add(key, state));
    }
    fn group<'a>(&self, block: &'a Element) -> &'a Arc<[u8]> {
        &block_of::<F>(block).group
    }
    fn regroup(&self, block: Element, group: Arc<[u8]>) -> Element {
        Arc::new(KeyedBlock { group, ..block_of::<F>(&block).clone() })
    }
    fn encode(&self, block: &Element) -> Vec<u8> {
        let block = block_of::<F>(block);
        let mut writer = RunWriter::new(Vec::new());
        for (key, state) in block.iter() {
            writer.push(&block.group, key, state).expect("a Vec takes every write");
        }
        writer.finish().expect("a Vec takes every write")
    }
}

fn block_of<F: KeyedCombineFn>(block: &Element) -> &KeyedBlock<F::State> {
    downcast(&**block)
}
