//! The operators of `combine_per_key` and `sort_per_key`: tables that spill, runs on their way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline as Local};
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Capability, Concatenate, Probe};
use timely::dataflow::{ProbeHandle, Scope, Stream};

use super::lower::{
    Body, Either, Here, Item, Items, Message, Messages, Time, in_shard, pick, rows_of, split,
};
use crate::Result;
use crate::keyed::{Run, Spool, Tables};
use crate::plan::{AnyKeyed, Blocks, Node, Pieces};

/// Pieces a worker may have sent that their owners have not taken in.
const WINDOW: u64 = 16;

impl Here<'_> {
    /// Keyed states: local tables, then sorted runs to the owners of the keys, then blocks.
    pub(super) fn per_key<'s>(
        &self,
        scope: Scope<'s, Time>,
        input: Items<'s>,
        node: usize,
        f: &Arc<dyn AnyKeyed>,
    ) -> (Items<'s>, Messages<'s>) {
        let (keyed, peers) = (f.clone(), self.peers);
        if peers == 1 {
            let send = move |runs| Ok(Sending::Blocks(keyed.blocks(runs)?));
            return split(self.tables(scope, input, node, f, &ProbeHandle::new(), send));
        }
        let owners: Vec<Vec<usize>> = (0..peers).map(|owner| vec![owner]).collect();
        let send = move |runs| Ok(Sending::Pieces(keyed.route(runs, peers)?, owners.clone(), 0));
        let (pieces, counted) = self.pieces(scope, input, node, f, send);
        (self.own(scope, pieces, f), counted)
    }

    /// Keyed states: local tables, then sorted runs to the first worker of every process.
    pub(super) fn sort<'s>(
        &self,
        scope: Scope<'s, Time>,
        input: Items<'s>,
        node: usize,
        f: &Arc<dyn AnyKeyed>,
    ) -> Messages<'s> {
        let (keyed, sorted) = (f.clone(), self.sorted.clone());
        if self.peers == 1 {
            let send = move |runs| {
                sorted.borrow_mut().insert(node, runs);
                Ok(Sending::Nothing)
            };
            return split(self.tables(scope, input, node, f, &ProbeHandle::new(), send)).1;
        }
        let firsts: Vec<usize> = (0..self.peers).step_by(self.threads).collect();
        let is_first = firsts.contains(&self.index);
        let send = move |runs| Ok(Sending::Pieces(keyed.route(runs, 1)?, vec![firsts.clone()], 0));
        let (pieces, counted) = self.pieces(scope, input, node, f, send);
        let gathered = self.gather(scope, pieces, "Sort", move |runs| {
            if is_first {
                sorted.borrow_mut().insert(node, runs);
            }
            Ok(Box::new(std::iter::empty()))
        });
        // Nothing comes of it, but the end of the run waits for it.
        let gathered = pick(gathered, "Sorted", |_| None);
        scope.concatenate([counted, gathered])
    }

    /// Bytes that each table and each worker's incoming runs may take: a table's keys are copied
    /// while it is sorted and once more while runs are merged.
    fn budget(&self) -> usize {
        let keyed =
            |node: &&Node| matches!(node, Node::CombinePerKey { .. } | Node::SortPerKey { .. });
        let keyed = self.plan.nodes.iter().filter(keyed).count();
        self.options.memory_bytes / (3 * self.threads * keyed.max(1))
    }

    /// The local half, and its pieces of runs where they belong; apart from messages to worker 0.
    fn pieces<'s>(
        &self,
        scope: Scope<'s, Time>,
        input: Items<'s>,
        node: usize,
        f: &Arc<dyn AnyKeyed>,
        send: impl FnOnce(Vec<Run>) -> Result<Sending> + 'static,
    ) -> (Messages<'s>, Messages<'s>) {
        let probe = ProbeHandle::new();
        let (_, messages) = split(self.tables(scope, input, node, f, &probe, send));
        let is_piece = |message: &Message| matches!(message.body, Body::Piece { .. });
        let counted = pick(messages.clone(), "Counted", move |m| (!is_piece(&m)).then_some(m));
        let pieces = pick(messages, "Pieces", move |m| is_piece(&m).then_some(m));
        let pieces = pieces
            .unary::<CapacityContainerBuilder<Vec<Message>>, _, _, _>(
                Exchange::new(|message: &Message| message.to as u64),
                "Exchange",
                |_, _| {
                    |input, output| {
                        input.for_each_stamp(|cap, data| {
                            if let Some(cap) = cap.retain_least(output.output_index()) {
                                let mut session = output.session(&cap);
                                data.for_each(|messages| session.give_iterator(messages.drain(..)));
                            }
                        });
                    }
                },
            )
            .probe_with(&probe);
        (pieces, counted)
    }

    /// Tables of what comes in, and what `send` makes of their runs at the end.
    fn tables<'s>(
        &self,
        scope: Scope<'s, Time>,
        input: Items<'s>,
        node: usize,
        f: &Arc<dyn AnyKeyed>,
        probe: &ProbeHandle<Time>,
        send: impl FnOnce(Vec<Run>) -> Result<Sending> + 'static,
    ) -> Stream<'s, Time, Vec<Either>> {
        let (failure, known) = (self.failure.clone(), self.known.clone());
        let (plan, index) = (self.plan.clone(), self.index);
        let rows_of = rows_of(&plan, plan.nodes[node].input());
        let of_shards = plan.counts_rows(node);
        // Where states of single shards matter, each has a table of its own, emptied at its end.
        let by_shard = of_shards && known.by_shard(node);
        let budget = if by_shard { self.budget() / 2 } else { self.budget() };
        let watched = probe.clone();
        let keyed = f.clone();
        input.unary_frontier::<CapacityContainerBuilder<Vec<Either>>, _, _, _>(
            Local,
            f.name(),
            move |cap, info| {
                let activator = scope.activator_for(info.address);
                let mut cap: Option<Capability<Time>> = Some(cap);
                let mut all = Tables::new(keyed.clone(), budget);
                let mut of_shard = by_shard.then(|| known.table(node, keyed.clone(), budget));
                let mut rows: BTreeMap<usize, u64> = BTreeMap::new();
                let mut send = Some(send);
                let mut sending = Sending::Nothing;
                move |(input, frontier), output| {
                    let step = (|| -> Result<()> {
                        let mut result = Ok(());
                        input.for_each_stamp(|stamp, data| {
                            let stamp = stamp.retain_least(output.output_index());
                            let Some(stamp) = stamp else { return };
                            let mut session = output.session(&stamp);
                            for item in data.flat_map(|items| items.drain(..)) {
                                if result.is_err() || failure.is_set() {
                                    continue;
                                }
                                match item {
                                    Item::Element(_, element) if !of_shards => {
                                        result = all.add(&element);
                                    }
                                    Item::Element(shard, element) => {
                                        *rows.entry(shard).or_default() += rows_of(&element);
                                        if by_shard && known.has(node, shard) {
                                            continue;
                                        }
                                        result = of_shard
                                            .as_mut()
                                            .unwrap_or(&mut all)
                                            .add(&element)
                                            .map_err(|e| in_shard(e, &plan, shard));
                                    }
                                    Item::Done(_) if !of_shards => {}
                                    Item::Done(shard) => {
                                        let mut rows = rows.remove(&shard).unwrap_or(0);
                                        if let Some(of_shard) = &mut of_shard {
                                            let end = known.end_keys(
                                                node, shard, &keyed, of_shard, &mut all, rows,
                                            );
                                            match end {
                                                Ok(counted) => rows = counted,
                                                Err(error) => result = Err(error),
                                            }
                                        }
                                        let body = Body::Counted { node, shard, rows };
                                        session.give(Either::Message(Message { to: 0, body }));
                                    }
                                }
                            }
                        });
                        result?;
                        if !frontier.is_empty() || failure.is_set() {
                            return Ok(());
                        }
                        let Some(capability) = &mut cap else { return Ok(()) };
                        if let Some(send) = send.take() {
                            sending = send(all.finish()?)?;
                        }
                        match sending.step(capability, &watched, index, output)? {
                            Next::Now => activator.activate(),
                            Next::Later => activator.activate_after(Duration::from_millis(1)),
                            Next::Never => cap = None,
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
        )
    }

    /// The owner's half: merges every worker's run into blocks.
    fn own<'s>(
        &self,
        scope: Scope<'s, Time>,
        pieces: Messages<'s>,
        f: &Arc<dyn AnyKeyed>,
    ) -> Items<'s> {
        let keyed = f.clone();
        self.gather(scope, pieces, "Own", move |runs| keyed.blocks(runs))
    }

    /// Gathers every worker's run, then sends on the blocks that `of` makes of them, one by one.
    fn gather<'s>(
        &self,
        scope: Scope<'s, Time>,
        pieces: Messages<'s>,
        name: &str,
        of: impl FnOnce(Vec<Run>) -> Result<Blocks> + 'static,
    ) -> Items<'s> {
        let (failure, index, peers) = (self.failure.clone(), self.index, self.peers);
        let budget = self.budget() / peers;
        pieces.unary_frontier::<CapacityContainerBuilder<Vec<Item>>, _, _, _>(
            Local,
            name,
            move |cap, info| {
                let activator = scope.activator_for(info.address);
                let mut cap = Some(cap);
                let mut incoming: Vec<Spool> = (0..peers).map(|_| Spool::default()).collect();
                let mut of = Some(of);
                let mut blocks: Option<Blocks> = None;
                move |(input, frontier), output| {
                    let step = (|| -> Result<()> {
                        let mut result = Ok(());
                        input.for_each_stamp(|_, data| {
                            for message in data.flat_map(|messages| messages.drain(..)) {
                                if let (Body::Piece { from, bytes }, true) =
                                    (message.body, result.is_ok())
                                {
                                    result = incoming[from].push(&bytes, budget);
                                }
                            }
                        });
                        result?;
                        if !frontier.is_empty() || failure.is_set() {
                            return Ok(());
                        }
                        let Some(capability) = &cap else { return Ok(()) };
                        if let Some(of) = of.take() {
                            let runs = std::mem::take(&mut incoming)
                                .into_iter()
                                .map(Spool::finish)
                                .collect::<Result<Vec<_>>>()?;
                            blocks = Some(of(runs)?);
                        }
                        let next = blocks.as_mut().and_then(Iterator::next).transpose()?;
                        let mut session = output.session(capability);
                        if let Some(block) = next {
                            session.give(Item::Element(index, block));
                            activator.activate();
                        } else {
                            session.give(Item::Done(index));
                            drop(session);
                            cap = None;
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
        )
    }
}

/// What a worker does with its runs when its input has ended.
enum Sending {
    /// It is alone, and has put them where they belong.
    Nothing,
    /// It is alone: it owns all keys.
    Blocks(Blocks),
    /// Pieces for every owner, the workers that are each owner, the number of pieces sent so far.
    Pieces(Pieces, Vec<Vec<usize>>, u64),
}

/// When the next step of sending is due.
enum Next {
    Now,
    Later,
    Never,
}

impl Sending {
    /// Sends one block or piece.
    fn step(
        &mut self,
        cap: &mut Capability<Time>,
        watched: &ProbeHandle<Time>,
        index: usize,
        output: &mut OutputBuilderSession<'_, Time, CapacityContainerBuilder<Vec<Either>>>,
    ) -> Result<Next> {
        match self {
            Sending::Nothing => Ok(Next::Never),
            Sending::Blocks(blocks) => {
                let next = blocks.next().transpose()?;
                let mut session = output.session(&*cap);
                if let Some(block) = next {
                    session.give(Either::Item(Item::Element(index, block)));
                    Ok(Next::Now)
                } else {
                    session.give(Either::Item(Item::Done(index)));
                    Ok(Next::Never)
                }
            }
            Sending::Pieces(pieces, workers, sent) => {
                // Owners that lag behind hold their senders back: queues between workers would
                // otherwise grow to the size of the data.
                if *sent > WINDOW && watched.less_than(&(*sent - WINDOW)) {
                    return Ok(Next::Later);
                }
                let Some((owner, bytes)) = pieces.next().transpose()? else {
                    return Ok(Next::Never);
                };
                *sent += 1;
                // The probe follows the oldest time that any sender may still send at.
                cap.downgrade(&*sent);
                let bytes = serde_bytes::ByteBuf::from(bytes);
                let mut session = output.session(&*cap);
                for &to in &workers[owner] {
                    let body = Body::Piece { from: index, bytes: bytes.clone() };
                    session.give(Either::Message(Message { to, body }));
                }
                Ok(Next::Now)
            }
        }
    }
}
