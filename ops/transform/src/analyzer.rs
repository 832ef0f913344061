//! Analyzers: full passes over the data, as the combiners of the engine.
//!
//! ```text
//!   Batch ──Evaluate──► Columns of the phase ──► combine_globally: one node for each analyzer
//!                                          └───► combine_per_key: one node for each kind of state,
//!                                                one group for each analyzer ──► combine_globally
//! ```

use std::sync::Arc;

use engine::{
    CombineFn, Combined, KeyState, KeyTable, KeyedBlock, KeyedCombineFn, Outputs, PCollection,
    Result, Rows,
};
use ops::sketch::ExactSum;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ranked::{self, Placed, Ranked};
use crate::tensor::Tensor;

/// Values of the graph for the rows of one batch.
#[derive(Clone, Debug)]
pub struct Columns {
    /// How many rows.
    pub rows: usize,
    /// Position of their shard in the source.
    pub shard: usize,
    /// Good rows of the shard before these.
    pub first_row: u64,
    /// The values; constants have one row.
    pub tensors: Vec<Tensor>,
}

impl Rows for Columns {
    fn rows(&self) -> u64 {
        self.rows as u64
    }
}

/// What an `Analyze` op makes of its call.
pub enum Analyzer {
    /// One state of bounded size for each shard.
    Global(Box<dyn Global>),
    /// An exact count for each key.
    Counts(Arc<dyn Keyed<u64>>),
    /// Exact sums for each key.
    Sums(Arc<dyn Keyed<Sums>>),
    /// The range of the values of each key.
    Extremes(Arc<dyn Keyed<Extremes>>),
    /// An exact count for each key, read as one sorted stream.
    RankedCounts(Arc<dyn Ranked<u64>>),
    /// Exact sums for each key, read as one sorted stream.
    RankedSums(Arc<dyn Ranked<Sums>>),
}

/// Any combiner of columns into constants, erased.
pub trait Global: Send + Sync {
    /// Adds it to a pipeline; `fed` says by which of the phase's columns.
    fn attach(self: Box<Self>, fed: Fed, phase: &PCollection<Columns>) -> Pending;
}

/// What an analyzer of a phase is fed.
pub struct Fed {
    /// Places of its inputs among the phase's columns.
    pub places: Vec<usize>,
    /// What its inputs depend on.
    pub inputs: Vec<u128>,
    /// What its states depend on, beside a shard's bytes: its inputs and all of its arguments.
    pub identity: u128,
}

/// How the constants of an analyzer are had, after the run.
pub type Pending = Box<dyn FnOnce(&mut Outputs) -> Result<Vec<Tensor>>>;

impl<F: CombineFn<Input = Columns, Output = Vec<Tensor>>> Global for F {
    fn attach(self: Box<Self>, fed: Fed, phase: &PCollection<Columns>) -> Pending {
        let combined = phase.combine_globally(At { f: *self, fed });
        Box::new(move |outputs| combined.output(outputs))
    }
}

/// A combiner that is given some of the phase's columns.
struct At<F> {
    f: F,
    fed: Fed,
}

impl Columns {
    /// Some of the columns.
    fn pick(&self, places: &[usize]) -> Columns {
        let tensors = places.iter().map(|&place| self.tensors[place].clone()).collect();
        Columns { tensors, ..*self }
    }
}

impl<F: CombineFn<Input = Columns>> CombineFn for At<F> {
    type Input = Columns;
    type Accumulator = F::Accumulator;
    type Output = F::Output;

    fn name(&self) -> &'static str {
        self.f.name()
    }
    fn version(&self) -> u32 {
        self.f.version()
    }
    fn identity(&self) -> Option<String> {
        Some(format!("{:032x}", self.fed.identity))
    }
    fn create_accumulator(&self) -> F::Accumulator {
        self.f.create_accumulator()
    }
    fn add_input(&self, acc: &mut F::Accumulator, input: &Columns) -> Result<()> {
        self.f.add_input(acc, &input.pick(&self.fed.places))
    }
    fn merge_accumulators(&self, acc: &mut F::Accumulator, other: F::Accumulator) -> Result<()> {
        self.f.merge_accumulators(acc, other)
    }
    fn compact(&self, acc: &mut F::Accumulator) {
        self.f.compact(acc);
    }
    fn extract_output(&self, acc: F::Accumulator) -> Result<F::Output> {
        self.f.extract_output(acc)
    }
}

/// Exact sums of one key: as many as its analyzer adds, in its order.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// How many values there were.
    pub n: u64,
    /// Real-number sums; those that are not there yet are 0.
    pub sums: Vec<ExactSum>,
}

impl Sums {
    /// Adds one value to each sum.
    pub fn add(&mut self, terms: &[f64]) {
        self.n += 1;
        if self.sums.len() < terms.len() {
            self.sums.resize_with(terms.len(), ExactSum::default);
        }
        for (sum, &term) in self.sums.iter_mut().zip(terms) {
            sum.add(term);
        }
    }
}

impl KeyState for Sums {
    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        if self.sums.len() < other.sums.len() {
            self.sums.resize_with(other.sums.len(), ExactSum::default);
        }
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            sum.merge(other);
        }
    }
    fn encode(&self, out: &mut Vec<u8>) {
        engine::write_varint(out, self.n);
        engine::write_varint(out, self.sums.len() as u64);
        self.sums.iter().for_each(|sum| sum.encode(out));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let n = engine::read_varint(bytes)?;
        let len = engine::read_varint(bytes)?;
        let mut sums = Vec::new();
        for _ in 0..len {
            sums.push(ExactSum::decode(bytes)?);
        }
        Some(Sums { n, sums })
    }
    fn heap_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<ExactSum>()
            + self.sums.iter().map(ExactSum::heap_bytes).sum::<usize>()
    }
}

/// The least and the greatest value of one key; both NaN once one was NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Default for Extremes {
    fn default() -> Self {
        Extremes { min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Extremes {
    /// Takes a value in. A zero counts as 0.0, so that no order of values can be seen.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.merge(&Extremes { min: value, max: value });
    }
}

impl KeyState for Extremes {
    fn merge(&mut self, other: &Self) {
        if self.min.is_nan() || other.min.is_nan() {
            *self = Extremes { min: f64::NAN, max: f64::NAN };
        } else {
            let (min, max) = (self.min.min(other.min), self.max.max(other.max));
            *self = Extremes { min: min + 0.0, max: max + 0.0 };
        }
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.min.to_le_bytes());
        out.extend_from_slice(&self.max.to_le_bytes());
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut take = || {
            let (first, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(f64::from_le_bytes(*first))
        };
        Some(Extremes { min: take()?, max: take()? })
    }
}

/// An analyzer with a state for each key.
///
/// Keys come back ascending by bytes, each once, so [`Keyed::finish`] sees the same sequence on any
/// number of workers, though cut into blocks in any way: what it keeps must not show where.
pub trait Keyed<S: KeyState>: Send + Sync + 'static {
    /// Stable name: part of a stored state's identity.
    fn name(&self) -> &'static str;

    /// Raised when the keys or the states' bytes change.
    fn version(&self) -> u32 {
        1
    }

    /// Adds the keys of a batch. The table has one group, [`GROUP`](Keyed) `group`, for this analyzer.
    ///
    /// # Errors
    /// When the input contradicts an option; the run ends.
    fn add(&self, table: &mut KeyTable<S>, group: &[u8], input: &Columns) -> Result<()>;

    /// Gathers the keys; `group` names those of this analyzer among the blocks.
    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<S>>) -> Pending;
}

/// Makes a [`Keyed::finish`] of a fold over keys, for results that are kept in memory anyway.
///
/// Workers own keys by hash, so what each has gathered is merged: `gather` must put into `A` what a
/// merge by key needs; `A` is sorted again by `done`.
pub fn gather<S, A>(
    name: &'static str,
    group: Vec<u8>,
    blocks: &PCollection<KeyedBlock<S>>,
    gather: fn(&mut A, &[u8], &S),
    merge: fn(&mut A, A),
    done: impl Fn(A) -> Result<Vec<Tensor>> + Send + Sync + 'static,
) -> Pending
where
    S: KeyState,
    A: std::default::Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let combined: Combined<Gather<S, A>> =
        blocks.combine_globally(Gather { name, group, gather, merge, done: Box::new(done) });
    Box::new(move |outputs| combined.output(outputs))
}

type Done<A> = Box<dyn Fn(A) -> Result<Vec<Tensor>> + Send + Sync>;

struct Gather<S, A> {
    name: &'static str,
    group: Vec<u8>,
    gather: fn(&mut A, &[u8], &S),
    merge: fn(&mut A, A),
    done: Done<A>,
}

impl<S, A> CombineFn for Gather<S, A>
where
    S: KeyState,
    A: std::default::Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type Input = KeyedBlock<S>;
    type Accumulator = A;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        self.name
    }
    fn create_accumulator(&self) -> A {
        A::default()
    }
    fn add_input(&self, acc: &mut A, block: &KeyedBlock<S>) -> Result<()> {
        if *block.group == *self.group {
            block.iter().for_each(|(key, state)| (self.gather)(acc, key, state));
        }
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut A, other: A) -> Result<()> {
        (self.merge)(acc, other);
        Ok(())
    }
    fn extract_output(&self, acc: A) -> Result<Vec<Tensor>> {
        (self.done)(acc)
    }
}

/// How the keys of a batch are added to the group of that name.
type Add<S> = Box<dyn Fn(&mut KeyTable<S>, &[u8], &Columns) -> Result<()> + Send + Sync>;

/// Several keyed analyzers of one kind of state as one `combine_per_key`, a group each.
struct Packed<S> {
    name: &'static str,
    groups: Vec<Packing<S>>,
}

/// One of them.
struct Packing<S> {
    group: Vec<u8>,
    places: Vec<usize>,
    identity: String,
    add: Add<S>,
}

impl<S: KeyState> KeyedCombineFn for Packed<S> {
    type Input = Columns;
    type State = S;

    fn name(&self) -> &'static str {
        self.name
    }
    fn identities(&self) -> Vec<(Vec<u8>, String)> {
        self.groups
            .iter()
            .map(|packing| (packing.group.clone(), packing.identity.clone()))
            .collect()
    }
    fn add_input(&self, table: &mut KeyTable<S>, input: &Columns) -> Result<()> {
        self.groups.iter().try_for_each(|Packing { group, places, add, .. }| {
            add(table, group, &input.pick(places))
        })
    }
}

/// An analyzer with a state for each key.
enum PerKey<S> {
    Keyed(Arc<dyn Keyed<S>>),
    Ranked(Arc<dyn Ranked<S>>),
}

/// Adds all analyzers of a phase to a pipeline, each with what it is fed. The results come in the same
/// order.
pub(crate) fn attach(
    analyzers: Vec<(Analyzer, Fed)>,
    phase: &PCollection<Columns>,
) -> Vec<Pending> {
    let mut counts = Vec::new();
    let mut sums = Vec::new();
    let mut extremes = Vec::new();
    let mut pending: Vec<Option<Pending>> = Vec::new();
    for (number, (analyzer, fed)) in analyzers.into_iter().enumerate() {
        pending.push(match analyzer {
            Analyzer::Global(global) => Some(global.attach(fed, phase)),
            Analyzer::Counts(keyed) => {
                counts.push((number, fed, PerKey::Keyed(keyed)));
                None
            }
            Analyzer::Sums(keyed) => {
                sums.push((number, fed, PerKey::Keyed(keyed)));
                None
            }
            Analyzer::RankedCounts(ranked) => {
                counts.push((number, fed, PerKey::Ranked(ranked)));
                None
            }
            Analyzer::RankedSums(ranked) => {
                sums.push((number, fed, PerKey::Ranked(ranked)));
                None
            }
            Analyzer::Extremes(keyed) => {
                extremes.push((number, fed, PerKey::Keyed(keyed)));
                None
            }
        });
    }
    attach_keyed("counts per key", counts, phase, &mut pending);
    attach_keyed("sums per key", sums, phase, &mut pending);
    attach_keyed("extremes per key", extremes, phase, &mut pending);
    pending.into_iter().map(|pending| pending.expect("every analyzer was attached")).collect()
}

fn attach_keyed<S: KeyState>(
    name: &'static str,
    analyzers: Vec<(usize, Fed, PerKey<S>)>,
    phase: &PCollection<Columns>,
    pending: &mut [Option<Pending>],
) {
    if analyzers.is_empty() {
        return;
    }
    // Fixed width, so that groups are in the order of the analyzers.
    let group = |number: usize| format!("{number:06}").into_bytes();
    let mut groups: Vec<Packing<S>> = Vec::new();
    let mut keyed = Vec::new();
    let (mut ranked, mut numbers) = (Vec::new(), Vec::new());
    let mut known: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (number, Fed { places, inputs, identity }, analyzer) in analyzers {
        match analyzer {
            PerKey::Keyed(analyzer) => {
                keyed.push((number, analyzer.clone()));
                let identity =
                    format!("{} {} {identity:032x}", analyzer.name(), analyzer.version());
                let add: Add<S> =
                    Box::new(move |table, group, input| analyzer.add(table, group, input));
                groups.push(Packing { group: group(number), places, identity, add });
            }
            PerKey::Ranked(analyzer) => {
                let name = analyzer.name();
                // Its other arguments matter only when the counts are ranked.
                let identity = format!("{name} {} {inputs:032x?}", analyzer.version());
                let same = known.iter().find(|(n, p, _)| *n == name && *p == places);
                let counts = same.map_or_else(|| group(number), |(_, _, counts)| counts.clone());
                if same.is_none() {
                    known.push((name, places.clone(), counts.clone()));
                    let counted = analyzer.clone();
                    let add: Add<S> =
                        Box::new(move |table, group, input| counted.add(table.group(group), input));
                    groups.push(Packing { group: counts.clone(), places, identity, add });
                }
                numbers.push(number);
                ranked.push(Placed { counts, group: group(number), analyzer });
            }
        }
    }
    let blocks = phase.combine_per_key(Packed { name, groups });
    for (number, analyzer) in keyed {
        pending[number] = Some(analyzer.finish(group(number), &blocks));
    }
    if !ranked.is_empty() {
        for (number, result) in numbers.into_iter().zip(ranked::attach(ranked, &blocks)) {
            pending[number] = Some(result);
        }
    }
}
