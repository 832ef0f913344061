//! The operator that writes: every worker the shards that it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use timely::dataflow::channels::pact::Pipeline as Local;
use timely::dataflow::operators::generic::operator::Operator;

use super::lower::{Body, Here, Item, Items, Message, Messages, in_shard, rows_of};
use crate::sink::{AnySink, Writing};

impl Here<'_> {
    /// One shard of output per shard, left under a temporary name; worker 0 is told where.
    pub(super) fn write<'s>(
        &self,
        input: Items<'s>,
        node: usize,
        f: Arc<dyn AnySink>,
    ) -> Messages<'s> {
        let (failure, plan) = (self.failure.clone(), self.plan.clone());
        let rows_of = rows_of(&plan, plan.nodes[node].input());
        let mut shards: BTreeMap<usize, Writing> = BTreeMap::new();
        input.unary(Local, f.name(), move |_, _| {
            move |input, output| {
                input.for_each_stamp(|cap, data| {
                    let cap = cap.retain_least(output.output_index());
                    let Some(cap) = cap else { return };
                    let mut session = output.session(&cap);
                    for item in data.flat_map(|items| items.drain(..)) {
                        if failure.is_set() {
                            // What is half written need not wait for the run's end to be removed.
                            shards.clear();
                            continue;
                        }
                        match item {
                            Item::Element(shard, element) => {
                                let writing = shards.entry(shard).or_default();
                                let rows = rows_of(&element);
                                if let Err(error) = writing.write(&*f, shard, &element, rows) {
                                    failure.set(in_shard(error, &plan, shard));
                                }
                            }
                            Item::Done(shard) => {
                                let writing = shards.remove(&shard).unwrap_or_default();
                                let rows = writing.rows;
                                match writing.finish(&*f, shard) {
                                    Ok(parts) => {
                                        let counted = Body::Counted { node, shard, rows };
                                        session.give(Message { to: 0, body: counted });
                                        let written = Body::Written { node, shard, parts };
                                        session.give(Message { to: 0, body: written });
                                    }
                                    Err(error) => failure.set(in_shard(error, &plan, shard)),
                                }
                            }
                        }
                    }
                });
            }
        })
    }
}
