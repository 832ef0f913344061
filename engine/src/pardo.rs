//! `ParDo`: one element in, elements out or rejected.

use crate::{Rejected, Result};

/// What `ParDo` applies to every element (Beam's `DoFn`).
///
/// **Invariant:** the output for an element depends on that element alone, so it does not matter
/// which worker runs it, or when.
pub trait DoFn: Send + Sync + 'static {
    /// Type of the elements that come in.
    type Input: 'static;
    /// Type of the elements that go out.
    type Output: Send + Sync + 'static;

    /// Stable name, for messages.
    fn name(&self) -> &'static str;

    /// Processes one element.
    ///
    /// # Errors
    /// When the run must end; a record that is merely bad belongs in [`Emit::reject`].
    fn process(&self, input: &Self::Input, out: &mut Emit<Self::Output>) -> Result<()>;
}

/// The two outputs of a [`DoFn`].
pub struct Emit<T> {
    pub(crate) elements: Vec<T>,
    pub(crate) rejected: Vec<Rejected>,
}

impl<T> Default for Emit<T> {
    fn default() -> Self {
        Emit { elements: Vec::new(), rejected: Vec::new() }
    }
}

impl<T> Emit<T> {
    /// Sends an element on.
    pub fn emit(&mut self, element: T) {
        self.elements.push(element);
    }

    /// What was sent on so far.
    pub fn into_elements(self) -> Vec<T> {
        self.elements
    }

    /// Sends a record to the rejected output; it is counted in its shard's receipt.
    pub fn reject(&mut self, rejected: Rejected) {
        self.rejected.push(rejected);
    }
}
