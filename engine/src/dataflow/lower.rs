//! A plan as a timely dataflow.
//!
//! ```text
//!  read ──► par_do ──► combine: one state per shard ───────────────┐
//!   │           │                                                  │ exchange to worker 0
//!   │           ├────► write: shards under temporary names ─────────┤ where they are
//!   │           ├────► keys: tables, sorted runs ══► owner: blocks ┤
//!   │           │                       exchange by key     │      │
//!   │           └────► sort: tables, sorted runs ══► first workers of all processes
//!   └── receipts ─────────────────────────────────────► collect: merge in shard order
//!                                                              │ to every process
//!                                                              ▼ outputs
//! ```
//!
//! Within a worker elements flow as pointers, with a mark at each shard's end; between workers
//! flow bytes. A source reads one batch each time it is scheduled, and every operator behind it has
//! consumed that batch before the next is read: that is all the flow control a scan needs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline as Local};
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::generic::operator::{Operator, source};
use timely::dataflow::operators::{Concatenate, Probe};
use timely::dataflow::{ProbeHandle, Scope, Stream};

use super::collect::Collector;
use super::known::{Closed, KnownShards};
use super::{Failure, Job, Workers, execute};
use crate::combine::{AnyCombineFn, Element, State};
use crate::keyed::Run;
use crate::plan::{AnyDoFn, Node, Outputs, Plan};
use crate::run::check_rejected;
use crate::sink::Part;
use crate::{Error, Result, RunOptions, ShardReader, ShardReceipt};

pub(super) type Time = u64;
pub(super) type Items<'s> = Stream<'s, Time, Vec<Item>>;
pub(super) type Messages<'s> = Stream<'s, Time, Vec<Message>>;
type Session<'a, 'b, T> = OutputBuilderSession<'a, Time, CapacityContainerBuilder<Vec<T>>>;

/// What flows between the operators of one worker.
#[derive(Clone)]
pub(super) enum Item {
    /// An element of a shard (or, behind `combine_per_key`, of a worker's partition).
    Element(usize, Element),
    /// Nothing more comes of this shard.
    Done(usize),
}

/// What flows between workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    /// Worker it is for.
    pub(super) to: usize,
    /// What it is.
    pub(super) body: Body,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Body {
    /// What the source read of a shard, or what was known of it and need not be read.
    Read { shard: usize, receipt: ShardReceipt, cached: bool, fingerprint: Option<u128> },
    /// What a node rejected of a shard, beyond the source.
    Rejected { shard: usize, receipt: ShardReceipt },
    /// How many rows a node took in from a shard.
    Counted { node: usize, shard: usize, rows: u64 },
    /// The state of a node over a shard.
    State { node: usize, shard: usize, bytes: serde_bytes::ByteBuf },
    /// What a node has written of a shard.
    Written { node: usize, shard: usize, parts: Vec<Part> },
    /// A piece of the sorted run that worker `from` has for worker `to`.
    Piece { from: usize, bytes: serde_bytes::ByteBuf },
    /// The end of the run: states, what was written, and the receipt.
    Outputs {
        states: Vec<(usize, serde_bytes::ByteBuf)>,
        written: Vec<(usize, Vec<Vec<Part>>)>,
        receipt: crate::Receipt,
    },
}

/// Runs a plan on timely workers and gives the outputs, the same in every process.
///
/// # Errors
/// The first failure of the run, wherever it happened.
pub fn run(
    plan: &Plan,
    options: &RunOptions,
    workers: &Workers,
    fingerprint: u64,
) -> Result<Outputs> {
    plan.check()?;
    let shared = Arc::new((plan.clone(), options.clone()));
    let mine = assign(plan, workers.processes(), workers.process());
    let queue = Arc::new((mine, AtomicUsize::new(0)));
    let threads = workers.threads;
    let agreed = with_shards(plan, fingerprint);
    let results = execute(workers, agreed, move |worker, failure| {
        let (index, peers) = (worker.index(), worker.peers());
        let out = Rc::new(RefCell::new(None));
        let sorted = Rc::<RefCell<BTreeMap<usize, Vec<Run>>>>::default();
        let probe = ProbeHandle::new();
        worker.dataflow::<Time, _, _>(|scope| {
            let here = Here {
                plan: &shared.0,
                options: &shared.1,
                failure,
                index,
                peers,
                threads,
                known: KnownShards::new(&shared.0, &shared.1),
                sorted: sorted.clone(),
            };
            here.build(scope, &queue, &out, &probe);
        });
        let done = Box::new(move || probe.done());
        let finish = Box::new(move || {
            let outputs: Option<Outputs> = out.borrow_mut().take();
            Ok(outputs.map(|outputs| Outputs { sorted: sorted.take(), ..outputs }))
        });
        Ok(Job { done, finish })
    })?;
    results
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Error::new(crate::ErrorKind::Worker, "the run ended without outputs"))
}

/// What processes must agree on: the shards, too, because each process picks its own from the list.
fn with_shards(plan: &Plan, fingerprint: u64) -> u64 {
    let mut bytes = fingerprint.to_le_bytes().to_vec();
    for shard in plan.source.shards() {
        bytes.extend(shard.name().bytes());
        bytes.push(0);
        bytes.extend(shard.bytes.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// The shards of one process: each next shard goes to the process with the fewest bytes so far.
fn assign(plan: &Plan, processes: usize, process: usize) -> Vec<usize> {
    let mut load = vec![0u64; processes];
    let mut mine = Vec::new();
    for (index, shard) in plan.source.shards().iter().enumerate() {
        let least = (0..processes).min_by_key(|&p| load[p]).unwrap_or(0);
        load[least] += shard.bytes.max(1);
        if least == process {
            mine.push(index);
        }
    }
    mine
}

/// What every operator of one worker knows while the dataflow is built.
#[derive(Clone)]
pub(super) struct Here<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a RunOptions,
    pub(super) failure: &'a Arc<Failure>,
    pub(super) index: usize,
    pub(super) peers: usize,
    pub(super) threads: usize,
    /// What this worker knows of the shards that it reads.
    pub(super) known: KnownShards,
    /// Sorted runs by node, in the first worker of each process.
    pub(super) sorted: Rc<RefCell<BTreeMap<usize, Vec<Run>>>>,
}

impl Here<'_> {
    fn build<'s>(
        &self,
        scope: Scope<'s, Time>,
        queue: &Arc<(Vec<usize>, AtomicUsize)>,
        out: &Rc<RefCell<Option<Outputs>>>,
        probe: &ProbeHandle<Time>,
    ) {
        let mut messages: Vec<Messages<'s>> = Vec::new();
        let (items, read) = split(self.read(scope, queue.clone()));
        messages.push(read);
        let mut outputs: Vec<Option<Items<'s>>> = Vec::new();
        for (number, node) in self.plan.nodes.iter().enumerate() {
            let input = match node.input() {
                None => items.clone(),
                Some(input) => outputs[input].clone().expect("an input comes before its user"),
            };
            outputs.push(match node {
                Node::ParDo { f, .. } => {
                    let (items, rejected) = split(self.par_do(input, f.clone()));
                    messages.push(rejected);
                    Some(items)
                }
                Node::CombineGlobally { f, .. } => {
                    messages.push(self.combine(input, number, f.clone()));
                    None
                }
                Node::CombinePerKey { f, .. } => {
                    let (items, counted) = self.per_key(scope, input, number, f);
                    messages.push(counted);
                    Some(items)
                }
                Node::SortPerKey { f, .. } => {
                    messages.push(self.sort(scope, input, number, f));
                    None
                }
                Node::Write { f, .. } => {
                    messages.push(self.write(input, number, f.clone()));
                    None
                }
            });
        }
        self.collect(scope.concatenate(messages), out, probe);
    }

    /// Reads shards from the queue, one batch each time it is scheduled.
    fn read<'s>(
        &self,
        scope: Scope<'s, Time>,
        queue: Arc<(Vec<usize>, AtomicUsize)>,
    ) -> Stream<'s, Time, Vec<Either>> {
        let (failure, known) = (self.failure.clone(), self.known.clone());
        source::<_, CapacityContainerBuilder<Vec<Either>>, _, _>(scope, "Read", move |cap, info| {
            let activator = scope.activator_for(info.address);
            let mut cap = Some(cap);
            let mut current: Option<(usize, ShardReader)> = None;
            move |output: &mut Session<'_, '_, Either>| {
                let Some(capability) = &cap else { return };
                let step = (|| -> Result<bool> {
                    if failure.is_set() {
                        return Ok(false);
                    }
                    if current.is_none() {
                        let next = queue.1.fetch_add(1, Ordering::Relaxed);
                        let Some(&shard) = queue.0.get(next) else { return Ok(false) };
                        current = Some((shard, known.open(shard)?));
                    }
                    let Some((shard, reader)) = &mut current else { return Ok(false) };
                    let shard = *shard;
                    let mut session = output.session(capability);
                    if let Some(batch) = reader.next_batch()? {
                        session.give(Either::Item(Item::Element(shard, Arc::new(batch))));
                    } else {
                        let Closed { receipt, cached, fingerprint } = known.close(shard, reader);
                        session.give(Either::Item(Item::Done(shard)));
                        session.give(Either::Message(Message {
                            to: 0,
                            body: Body::Read { shard, receipt, cached, fingerprint },
                        }));
                        current = None;
                    }
                    Ok(true)
                })();
                match step {
                    Ok(true) => activator.activate(),
                    Ok(false) => cap = None,
                    Err(error) => {
                        failure.set(error);
                        cap = None;
                    }
                }
            }
        })
    }

    fn par_do<'s>(&self, input: Items<'s>, f: Arc<dyn AnyDoFn>) -> Stream<'s, Time, Vec<Either>> {
        let (failure, known) = (self.failure.clone(), self.known.clone());
        let (plan, options) = (self.plan.clone(), self.options.clone());
        let mut rejected: BTreeMap<usize, ShardReceipt> = BTreeMap::new();
        input.unary::<CapacityContainerBuilder<Vec<Either>>, _, _, _>(
            Local,
            f.name(),
            move |_, _| {
                move |input, output| {
                    input.for_each_stamp(|cap, data| {
                        let cap = cap.retain_least(output.output_index());
                        let Some(cap) = cap else { return };
                        let mut session = output.session(&cap);
                        for item in data.flat_map(|items| items.drain(..)) {
                            match item {
                                Item::Element(shard, element) => match f.process(&element) {
                                    Ok((elements, bad)) => {
                                        if !bad.is_empty() {
                                            let receipt = rejected.entry(shard).or_default();
                                            receipt.reject(&bad);
                                            let shard = &plan.source.shards()[shard];
                                            if let Err(e) =
                                                check_rejected(shard, &bad, receipt, &options)
                                            {
                                                failure.set(e);
                                            }
                                        }
                                        for element in elements {
                                            session
                                                .give(Either::Item(Item::Element(shard, element)));
                                        }
                                    }
                                    Err(error) => failure.set(in_shard(error, &plan, shard)),
                                },
                                Item::Done(shard) => {
                                    if let Some(receipt) = rejected.remove(&shard) {
                                        known.reject(shard, &receipt);
                                        let body = Body::Rejected { shard, receipt };
                                        session.give(Either::Message(Message { to: 0, body }));
                                    }
                                    session.give(Either::Item(Item::Done(shard)));
                                }
                            }
                        }
                    });
                }
            },
        )
    }

    /// One state per shard, sent to worker 0 when the shard is done.
    fn combine<'s>(
        &self,
        input: Items<'s>,
        node: usize,
        f: Arc<dyn AnyCombineFn<Element, ()>>,
    ) -> Messages<'s> {
        let (failure, known) = (self.failure.clone(), self.known.clone());
        let plan = self.plan.clone();
        let counts = plan.counts_rows(node);
        let rows_of = rows_of(&plan, plan.nodes[node].input());
        let mut states: BTreeMap<usize, (State, u64)> = BTreeMap::new();
        input.unary(Local, f.name(), move |_, _| {
            move |input, output| {
                input.for_each_stamp(|cap, data| {
                    let cap = cap.retain_least(output.output_index());
                    let Some(cap) = cap else { return };
                    let mut session = output.session(&cap);
                    for item in data.flat_map(|items| items.drain(..)) {
                        if failure.is_set() {
                            continue;
                        }
                        match item {
                            Item::Element(shard, element) => {
                                let (state, rows) =
                                    states.entry(shard).or_insert_with(|| (f.create(), 0));
                                *rows += rows_of(&element);
                                if counts && known.has(node, shard) {
                                    continue;
                                }
                                if let Err(error) = f.add(state, &element) {
                                    let is_of = |error| in_shard(error, &plan, shard);
                                    failure.set(if counts { is_of(error) } else { error });
                                }
                            }
                            Item::Done(shard) => {
                                let (mut state, rows) =
                                    states.remove(&shard).unwrap_or_else(|| (f.create(), 0));
                                let bytes = if counts {
                                    match known.end(node, shard, &*f, state, rows) {
                                        Ok((bytes, rows)) => {
                                            let body = Body::Counted { node, shard, rows };
                                            session.give(Message { to: 0, body });
                                            bytes
                                        }
                                        Err(error) => {
                                            failure.set(error);
                                            continue;
                                        }
                                    }
                                } else {
                                    f.compact(&mut state);
                                    f.encode(&state)
                                };
                                let bytes = serde_bytes::ByteBuf::from(bytes);
                                session.give(Message {
                                    to: 0,
                                    body: Body::State { node, shard, bytes },
                                });
                            }
                        }
                    }
                });
            }
        })
    }

    /// Worker 0 merges everything in shard order and tells every process.
    fn collect(
        &self,
        messages: Messages<'_>,
        out: &Rc<RefCell<Option<Outputs>>>,
        probe: &ProbeHandle<Time>,
    ) {
        let failure = self.failure.clone();
        let (peers, threads) = (self.peers, self.threads);
        let mut collector =
            (self.index == 0).then(|| Collector::new(self.plan, self.options, peers));
        let merged = messages.unary_frontier::<CapacityContainerBuilder<Vec<Message>>, _, _, _>(
            Exchange::new(|message: &Message| message.to as u64),
            "Collect",
            move |cap, _| {
                let mut cap = Some(cap);
                move |(input, frontier), output| {
                    let step = (|| -> Result<()> {
                        let mut result = Ok(());
                        input.for_each_stamp(|_, data| {
                            for message in data.flat_map(|messages| messages.drain(..)) {
                                if let (Some(collector), true) = (&mut collector, result.is_ok()) {
                                    result = collector.add(message.body);
                                }
                            }
                        });
                        result?;
                        if !frontier.is_empty() || failure.is_set() {
                            return Ok(());
                        }
                        let capability = cap.take();
                        if let (Some(collector), Some(capability)) = (collector.take(), capability)
                        {
                            let body = collector.finish()?;
                            let mut session = output.session(&capability);
                            for to in (0..peers).step_by(threads) {
                                session.give(Message { to, body: body.clone() });
                            }
                        }
                        Ok(())
                    })();
                    if let Err(error) = step {
                        failure.set(error);
                    }
                    if failure.is_set() {
                        cap = None;
                    }
                }
            },
        );
        let out = out.clone();
        merged
            .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                Exchange::new(|message: &Message| message.to as u64),
                "Outputs",
                move |_, _| {
                    move |input, _output| {
                        input.for_each_stamp(|_, data| {
                            for message in data.flat_map(|messages| messages.drain(..)) {
                                if let Body::Outputs { states, written, receipt } = message.body {
                                    let states = states
                                        .into_iter()
                                        .map(|(node, bytes)| (node, bytes.into_vec()))
                                        .collect();
                                    let written = written.into_iter().collect();
                                    let sorted = BTreeMap::new();
                                    let outputs = Outputs { states, sorted, written, receipt };
                                    *out.borrow_mut() = Some(outputs);
                                }
                            }
                        });
                    }
                },
            )
            .probe_with(probe);
    }
}

/// The two outputs of an operator in one stream.
#[derive(Clone)]
pub(super) enum Either {
    Item(Item),
    Message(Message),
}

/// Parts items from messages.
pub(super) fn split(stream: Stream<'_, Time, Vec<Either>>) -> (Items<'_>, Messages<'_>) {
    let items = pick(stream.clone(), "Items", |either| match either {
        Either::Item(item) => Some(item),
        Either::Message(_) => None,
    });
    let messages = pick(stream, "Messages", |either| match either {
        Either::Message(message) => Some(message),
        Either::Item(_) => None,
    });
    (items, messages)
}

pub(super) fn pick<'s, A: Clone + 'static, B: 'static>(
    stream: Stream<'s, Time, Vec<A>>,
    name: &str,
    choose: impl Fn(A) -> Option<B> + 'static,
) -> Stream<'s, Time, Vec<B>> {
    stream.unary::<CapacityContainerBuilder<Vec<B>>, _, _, _>(Local, name, move |_, _| {
        move |input, output| {
            input.for_each_stamp(|cap, data| {
                if let Some(cap) = cap.retain_least(output.output_index()) {
                    let mut session = output.session(&cap);
                    data.for_each(|all| session.give_iterator(all.drain(..).filter_map(&choose)));
                }
            });
        }
    })
}

/// How many records an element stands for, by the node that made it.
pub(super) fn rows_of(plan: &Plan, input: Option<usize>) -> impl Fn(&Element) -> u64 + 'static {
    let made_by = input.map(|input| plan.nodes[input].clone());
    move |element| match &made_by {
        None => element.downcast_ref::<crate::Batch>().map_or(0, crate::Rows::rows),
        Some(Node::ParDo { f, .. }) => f.rows(element),
        Some(_) => 0,
    }
}

pub(super) fn in_shard(error: Error, plan: &Plan, shard: usize) -> Error {
    let shard = plan.source.shards().get(shard).map(crate::Shard::name).unwrap_or_default();
    let detail = match error.detail() {
        Some(detail) => format!("{detail} Seen in shard `{shard}`."),
        None => format!("Seen in shard `{shard}`."),
    };
    error.with_detail(detail)
}
