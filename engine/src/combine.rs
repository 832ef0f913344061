//! `CombineFn`: the one algebra behind everything that is aggregated.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

/// A commutative monoid with an input and an output (Beam's four names).
///
/// Laws, up to [`CombineFn::extract_output`], checked in the tests of the combiners themselves and,
/// for whole statistics, by `tests/it/oracle.rs`:
/// - identity: merging a fresh accumulator changes nothing;
/// - associativity and commutativity, *within the combiner's stated error bound*: floating-point
///   folds differ in their last digits, so the engine always merges in shard order;
/// - `add(add(0, x), y)` means `merge(add(0, x), add(0, y))`;
/// - where a batch is cut does not matter, bit for bit;
/// - `decode(encode(a)) == a`, bit for bit.
pub trait CombineFn: Send + Sync + 'static {
    /// What is added: a batch, a column, a block of keyed counts.
    type Input: 'static;
    /// What is merged, sent and stored.
    type Accumulator: Serialize + DeserializeOwned + Send + 'static;
    /// What it means in the end.
    type Output;

    /// Stable name: part of a stored state's identity.
    fn name(&self) -> &'static str;

    /// Raised when the bytes of the accumulator change.
    fn version(&self) -> u32 {
        1
    }

    /// What its accumulators depend on beside name, version and a shard's bytes: options, and how
    /// its input is made of those bytes (the steps before it with their versions and options, the
    /// types that columns are read as).
    ///
    /// Equal texts must mean equal accumulators: a [`crate::StateCache`] gives back what a combiner
    /// of the same name, version and identity has left of the same bytes. Without an identity
    /// nothing is cached.
    fn identity(&self) -> Option<String> {
        None
    }

    /// The identity of [`CombineFn::merge_accumulators`].
    fn create_accumulator(&self) -> Self::Accumulator;

    /// Adds one input.
    ///
    /// # Errors
    /// When the input contradicts what was added before; the run ends.
    fn add_input(&self, acc: &mut Self::Accumulator, input: &Self::Input) -> Result<()>;

    /// Folds `other`, which came later in shard order, into `acc`.
    ///
    /// # Errors
    /// When the two contradict each other (a feature of two types); the run ends.
    fn merge_accumulators(
        &self,
        acc: &mut Self::Accumulator,
        other: Self::Accumulator,
    ) -> Result<()>;

    /// Shrinks the accumulator before it is encoded; changes nothing it means.
    fn compact(&self, _acc: &mut Self::Accumulator) {}

    /// The result.
    ///
    /// # Errors
    /// When the accumulated data contradict an option.
    fn extract_output(&self, acc: Self::Accumulator) -> Result<Self::Output>;
}

/// The erased form of an accumulator.
pub struct State(Box<dyn Any + Send>);

impl State {
    /// Erases an accumulator.
    pub fn new<A: Send + 'static>(acc: A) -> Self {
        State(Box::new(acc))
    }

    /// The accumulator back.
    ///
    /// # Panics
    /// When the state belongs to another combiner: a bug of the caller.
    pub fn into<A: 'static>(self) -> A {
        *self.0.downcast().expect("a state is only used with the combiner that made it")
    }

    /// The accumulator, to add to.
    ///
    /// # Panics
    /// When the state belongs to another combiner: a bug of the caller.
    pub fn get_mut<A: 'static>(&mut self) -> &mut A {
        self.0.downcast_mut().expect("a state is only used with the combiner that made it")
    }

    /// The accumulator, to look at.
    ///
    /// # Panics
    /// When the state belongs to another combiner: a bug of the caller.
    pub fn get<A: 'static>(&self) -> &A {
        self.0.downcast_ref().expect("a state is only used with the combiner that made it")
    }
}

/// Every [`CombineFn`] with the accumulator's type erased, so that all kinds share one scan, one
/// exchange and one store. Implemented once, for all of them; nobody implements it by hand.
pub trait AnyCombineFn<I: ?Sized, O>: Send + Sync {
    /// See [`CombineFn::name`].
    fn name(&self) -> &'static str;
    /// See [`CombineFn::version`].
    fn version(&self) -> u32;
    /// See [`CombineFn::identity`].
    fn identity(&self) -> Option<String>;
    /// See [`CombineFn::create_accumulator`].
    fn create(&self) -> State;
    /// See [`CombineFn::add_input`].
    fn add(&self, state: &mut State, input: &I) -> Result<()>;
    /// See [`CombineFn::merge_accumulators`].
    fn merge(&self, state: &mut State, other: State) -> Result<()>;
    /// See [`CombineFn::compact`].
    fn compact(&self, state: &mut State);
    /// See [`CombineFn::extract_output`].
    fn extract(&self, state: State) -> Result<O>;
    /// The accumulator's bytes.
    fn encode(&self, state: &State) -> Vec<u8>;
    /// The accumulator from its bytes.
    fn decode(&self, bytes: &[u8]) -> Result<State>;
}

impl<F: CombineFn> AnyCombineFn<F::Input, F::Output> for F {
    fn name(&self) -> &'static str {
        CombineFn::name(self)
    }
    fn version(&self) -> u32 {
        CombineFn::version(self)
    }
    fn identity(&self) -> Option<String> {
        CombineFn::identity(self)
    }
    fn create(&self) -> State {
        State::new(self.create_accumulator())
    }
    fn add(&self, state: &mut State, input: &F::Input) -> Result<()> {
        self.add_input(state.get_mut(), input)
    }
    fn merge(&self, state: &mut State, other: State) -> Result<()> {
        self.merge_accumulators(state.get_mut(), other.into())
    }
    fn compact(&self, state: &mut State) {
        CombineFn::compact(self, state.get_mut());
    }
    fn extract(&self, state: State) -> Result<F::Output> {
        self.extract_output(state.into())
    }
    fn encode(&self, state: &State) -> Vec<u8> {
        postcard::to_stdvec(state.get::<F::Accumulator>())
            .expect("an accumulator is plain data, which always serializes")
    }
    fn decode(&self, bytes: &[u8]) -> Result<State> {
        let acc: F::Accumulator = postcard::from_bytes(bytes).map_err(|error| {
            Error::new(
                ErrorKind::Incompatible,
                format!("the state of `{}` cannot be read: {error}", CombineFn::name(self)),
            )
        })?;
        Ok(State::new(acc))
    }
}

/// An input of any type, as it flows between the operators of one worker.
pub type Element = Arc<dyn Any + Send + Sync>;

/// A combiner whose input type is erased too: what a plan holds.
pub(crate) struct OverElements<F>(pub std::sync::Arc<F>);

impl<F: CombineFn> AnyCombineFn<Element, ()> for OverElements<F> {
    fn name(&self) -> &'static str {
        CombineFn::name(&*self.0)
    }
    fn version(&self) -> u32 {
        CombineFn::version(&*self.0)
    }
    fn identity(&self) -> Option<String> {
        CombineFn::identity(&*self.0)
    }
    fn create(&self) -> State {
        AnyCombineFn::create(&*self.0)
    }
    fn add(&self, state: &mut State, input: &Element) -> Result<()> {
        let input = input.downcast_ref().expect("a typed PCollection carries only its own type");
        AnyCombineFn::add(&*self.0, state, input)
    }
    fn merge(&self, state: &mut State, other: State) -> Result<()> {
        AnyCombineFn::merge(&*self.0, state, other)
    }
    fn compact(&self, state: &mut State) {
        AnyCombineFn::compact(&*self.0, state);
    }
    fn extract(&self, _state: State) -> Result<()> {
        Ok(())
    }
    fn encode(&self, state: &State) -> Vec<u8> {
        AnyCombineFn::encode(&*self.0, state)
    }
    fn decode(&self, bytes: &[u8]) -> Result<State> {
        AnyCombineFn::decode(&*self.0, bytes)
    }
}
