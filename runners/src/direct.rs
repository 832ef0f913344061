//! The oracle: a plain loop over the shards, on one thread, without timely.
//!
//! It is also the specification of what a plan means.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{
    AnyTable, Element, Error, Node, Outputs, Plan, Result, Run, RunOptions, ShardReader, State,
    Writing, check_receipt,
};

/// Elements with the number of records that each stands for.
type Elements = Vec<(Element, u64)>;

/// Runs a plan shard by shard.
///
/// # Errors
/// When a shard cannot be read, a combiner refuses its input, or the rows do not add up. States are
/// not kept: `options.states` is refused. It looks into no cache, and computes everything.
pub fn run(plan: &Plan, options: &RunOptions) -> Result<Outputs> {
    if options.states.is_some() {
        return Err(Error::invalid("the direct runner keeps no states")
            .with_hint("Use the local runner with `--states`."));
    }
    plan.check()?;
    let mut outputs = Outputs::default();
    let mut merged: BTreeMap<usize, State> = BTreeMap::new();
    let mut tables: BTreeMap<usize, Box<dyn AnyTable>> = BTreeMap::new();
    for (number, node) in plan.nodes.iter().enumerate() {
        match node {
            Node::CombineGlobally { f, .. } => drop(merged.insert(number, f.create())),
            Node::CombinePerKey { f, .. } | Node::SortPerKey { f, .. } => {
                tables.insert(number, f.table());
            }
            Node::Write { .. } => drop(outputs.written.insert(number, Vec::new())),
            Node::ParDo { .. } => {}
        }
    }
    for (index, shard) in plan.source.shards().iter().enumerate() {
        let mut reader = ShardReader::open(plan, index, options)?;
        let mut states: BTreeMap<usize, State> = BTreeMap::new();
        let mut counted: BTreeMap<usize, u64> = BTreeMap::new();
        let mut writing: BTreeMap<usize, Writing> = BTreeMap::new();
        let mut rejected_later = Vec::new();
        while let Some(batch) = reader.next_batch()? {
            let rows = batch.records.num_rows() as u64;
            let root: Elements = vec![(Arc::new(batch), rows)];
            let mut made: Vec<Elements> = Vec::new();
            for (number, node) in plan.nodes.iter().enumerate() {
                let mut out = Vec::new();
                let input = node.input().map_or(&root, |input| &made[input]);
                for (element, rows) in input {
                    match node {
                        Node::ParDo { f, .. } => {
                            let (elements, rejected) = f.process(element)?;
                            rejected_later.extend(rejected);
                            out.extend(elements.into_iter().map(|e| {
                                let rows = f.rows(&e);
                                (e, rows)
                            }));
                            continue;
                        }
                        Node::CombineGlobally { f, .. } => {
                            f.add(states.entry(number).or_insert_with(|| f.create()), element)?;
                        }
                        Node::CombinePerKey { f, .. } | Node::SortPerKey { f, .. } => {
                            let table = tables.get_mut(&number).expect("every such node has one");
                            f.add(&mut **table, element)?;
                        }
                        Node::Write { f, .. } => {
                            let writing = writing.entry(number).or_default();
                            writing.write(&**f, index, element, *rows)?;
                        }
                    }
                    *counted.entry(number).or_default() += rows;
                }
                made.push(out);
            }
        }
        for (number, node) in plan.nodes.iter().enumerate() {
            if let Node::Write { f, .. } = node {
                let parts = writing.remove(&number).unwrap_or_default().finish(&**f, index)?;
                outputs.written.entry(number).or_default().push(parts);
            }
        }
        let mut receipt = reader.receipt;
        receipt.reject(&rejected_later);
        receipt.counted = counted.values().copied().min().unwrap_or(0);
        outputs.receipt.shards.push((shard.clone(), receipt));
        for (number, mut state) in states {
            if let Node::CombineGlobally { f, .. } = &plan.nodes[number] {
                f.compact(&mut state);
                let into = merged.get_mut(&number).expect("every such node has one");
                f.merge(into, f.decode(&f.encode(&state))?)?;
            }
        }
    }
    // What follows keys has seen nothing so far: now their blocks are there.
    let mut blocks: BTreeMap<usize, Vec<Element>> = BTreeMap::new();
    for (number, node) in plan.nodes.iter().enumerate() {
        let keys = node.input().and_then(|input| blocks.get(&input)).map_or(&[][..], Vec::as_slice);
        match node {
            Node::CombineGlobally { f, .. } => {
                let mut state = merged.remove(&number).expect("every such node has one");
                for block in keys {
                    f.add(&mut state, block)?;
                }
                f.compact(&mut state);
                outputs.states.insert(number, f.encode(&state));
            }
            Node::CombinePerKey { f, .. } | Node::SortPerKey { f, .. } => {
                let table = tables.get_mut(&number).expect("every such node has one");
                for block in keys {
                    f.add(&mut **table, block)?;
                }
                let mut run = Vec::new();
                table.drain(&mut run)?;
                if let Node::SortPerKey { .. } = node {
                    outputs.sorted.insert(number, vec![Run::Memory(run)]);
                } else {
                    let all: Result<_> = f.blocks(vec![Run::Memory(run)])?.collect();
                    blocks.insert(number, all?);
                }
            }
            Node::ParDo { .. } | Node::Write { .. } => {}
        }
    }
    check_receipt(&outputs.receipt, options)?;
    Ok(outputs)
}
