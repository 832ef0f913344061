//! `Pipeline` and `PCollection`: the graph of a run. Nothing runs here.
//!
//! A composite transform is a plain function from `PCollection` to `PCollection`.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use crate::combine::{AnyCombineFn, CombineFn, Element, OverElements};
use crate::keyed::{KeyState, KeyedBlock, KeyedCombineFn, SortedKeys};
use crate::plan::{AnyDoFn, AnyKeyed, Node, OverDoFn, OverKeyed, Plan};
use crate::sink::{AnySink, OverSink};
use crate::{Batch, DoFn, Error, ErrorKind, Outputs, Result, Sink, Source, Written};

/// Elements that know how many records they stand for, so that rows can be accounted for.
pub trait Rows: Send + Sync + 'static {
    /// Number of good records in this element.
    fn rows(&self) -> u64;
}

impl Rows for Batch {
    fn rows(&self) -> u64 {
        self.records.num_rows() as u64
    }
}

/// A pipeline under construction: one source and what is computed from it.
pub struct Pipeline {
    plan: Rc<RefCell<Plan>>,
}

impl Pipeline {
    /// A pipeline that reads `source`.
    pub fn read(source: Arc<dyn Source>) -> (Self, PCollection<Batch>) {
        let plan = Rc::new(RefCell::new(Plan { source, nodes: Vec::new() }));
        let root = PCollection { plan: plan.clone(), node: None, of: PhantomData };
        (Pipeline { plan }, root)
    }

    /// The finished plan, for a runner.
    pub fn plan(self) -> Plan {
        self.plan.borrow().clone()
    }
}

/// A handle on a node of the graph; its elements are of type `T`.
pub struct PCollection<T> {
    plan: Rc<RefCell<Plan>>,
    /// `None` is the source.
    node: Option<usize>,
    of: PhantomData<T>,
}

impl<T: 'static> PCollection<T> {
    fn add<U>(&self, node: Node) -> PCollection<U> {
        let mut plan = self.plan.borrow_mut();
        plan.nodes.push(node);
        PCollection { plan: self.plan.clone(), node: Some(plan.nodes.len() - 1), of: PhantomData }
    }

    /// What the pipeline reads.
    pub fn source(&self) -> Arc<dyn Source> {
        self.plan.borrow().source.clone()
    }

    /// Applies `f` to every element.
    pub fn par_do<F: DoFn<Input = T>>(&self, f: F) -> PCollection<F::Output>
    where
        F::Output: Rows,
    {
        let f: Arc<dyn AnyDoFn> = Arc::new(OverDoFn(f));
        self.add(Node::ParDo { input: self.node, f })
    }

    /// Folds all elements into one state per shard, and those, in shard order, into one.
    pub fn combine_globally<F: CombineFn<Input = T>>(&self, f: F) -> Combined<F> {
        let f = Arc::new(f);
        let over: Arc<dyn AnyCombineFn<Element, ()>> = Arc::new(OverElements(f.clone()));
        let node = self.add::<()>(Node::CombineGlobally { input: self.node, f: over });
        Combined { f, node: node.node.expect("a node was just added") }
    }

    /// Gathers keyed states, exactly, and gives them back ascending, each key once.
    pub fn combine_per_key<F: KeyedCombineFn<Input = T>>(
        &self,
        f: F,
    ) -> PCollection<KeyedBlock<F::State>> {
        let f: Arc<dyn AnyKeyed> = Arc::new(OverKeyed(f));
        self.add(Node::CombinePerKey { input: self.node, f })
    }

    /// Gathers keyed states, exactly, and gives them to every process as one ascending stream.
    ///
    /// It may be larger than memory: a result that a state of [`PCollection::combine_globally`]
    /// could not hold. Fed by a `combine_per_key`, it sorts what that has counted by other keys: a
    /// ranking, when those are made of the parts in [`crate::order`].
    pub fn sort_per_key<F: KeyedCombineFn<Input = T>>(&self, f: F) -> Sorted<F::State> {
        let f: Arc<dyn AnyKeyed> = Arc::new(OverKeyed(f));
        let name = f.name();
        let node = self.add::<()>(Node::SortPerKey { input: self.node, f });
        Sorted { name, node: node.node.expect("a node was just added"), of: PhantomData }
    }

    /// Writes all elements, one shard of output for each shard that is read.
    pub fn write<S: Sink<Input = T>>(&self, sink: S) -> Written<S>
    where
        T: Rows,
    {
        let sink = Arc::new(sink);
        let f: Arc<dyn AnySink> = Arc::new(OverSink(sink.clone()));
        let node = self.add::<()>(Node::Write { input: self.node, f });
        Written { sink, node: node.node.expect("a node was just added") }
    }
}

/// A handle on the result of a `combine_globally`.
pub struct Combined<F> {
    f: Arc<F>,
    node: usize,
}

impl<F: CombineFn> Combined<F> {
    /// The result, from the outputs of the run.
    ///
    /// # Errors
    /// When the state cannot be read or contradicts an option.
    pub fn output(&self, outputs: &mut Outputs) -> Result<F::Output> {
        let bytes = outputs.states.remove(&self.node).ok_or_else(|| {
            Error::new(ErrorKind::Incompatible, format!("no state of `{}`", self.f.name()))
        })?;
        let f: &F = &self.f;
        let state = AnyCombineFn::decode(f, &bytes)?;
        AnyCombineFn::extract(f, state)
    }
}

/// A handle on the result of a `sort_per_key`.
pub struct Sorted<S> {
    name: &'static str,
    node: usize,
    of: PhantomData<S>,
}

impl<S: KeyState> Sorted<S> {
    /// The result, to be read once.
    ///
    /// # Errors
    /// When the outputs are those of another plan, or a run cannot be read.
    pub fn output(&self, outputs: &mut Outputs) -> Result<SortedKeys<S>> {
        let runs = outputs.sorted.remove(&self.node).ok_or_else(|| {
            Error::new(ErrorKind::Incompatible, format!("no sorted keys of `{}`", self.name))
        })?;
        SortedKeys::open(runs)
    }
}
