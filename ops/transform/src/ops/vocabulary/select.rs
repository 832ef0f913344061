//! Which tokens make a vocabulary, and the vocabulary made of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use engine::Result;
use sha1::{Digest, Sha1};

use super::frequency::Frequency;
use super::options::Options;
use crate::tensor::{Tensor, Values};
use crate::tokens::{Tokens, TokensBuilder};
use crate::vocabulary::Vocabulary;

/// TFT's only token of a vocabulary of strings that has none.
const DUMMY: &[u8] = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a";
/// The same of integers.
const DUMMY_INT: &[u8] = b"-1";

/// The greatest tokens: those of the greatest frequency, among equals the last in bytes.
pub(super) struct Best {
    limit: usize,
    heap: BinaryHeap<Reverse<(Frequency, Vec<u8>)>>,
}

impl Best {
    /// So many of them, or all.
    pub(super) fn new(limit: Option<usize>) -> Self {
        Best { limit: limit.unwrap_or(usize::MAX), heap: BinaryHeap::new() }
    }

    /// Adds a token.
    pub(super) fn push(&mut self, frequency: Frequency, token: &[u8]) {
        if self.heap.len() < self.limit {
            self.heap.push(Reverse((frequency, token.to_vec())));
        } else if let Some(mut least) = self.heap.peek_mut()
            && (least.0.0, &*least.0.1) < (frequency, token)
        {
            *least = Reverse((frequency, token.to_vec()));
        }
    }

    /// The tokens, in any order.
    pub(super) fn into_tokens(self) -> impl Iterator<Item = (Frequency, Vec<u8>)> {
        self.heap.into_iter().map(|Reverse(token)| token)
    }

    /// The tokens, the greatest first.
    pub(super) fn into_sorted(self) -> Vec<(Frequency, Vec<u8>)> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(token)| token).collect()
    }
}

/// A vocabulary that is being made: reserved tokens, then those that were counted.
pub(super) struct Making<'a> {
    options: &'a Options,
    tokens: TokensBuilder,
    frequencies: Option<TokensBuilder>,
    counted: u64,
}

impl<'a> Making<'a> {
    /// With the reserved tokens alone.
    ///
    /// # Errors
    /// As [`TokensBuilder::push`].
    pub(super) fn new(options: &'a Options) -> Result<Self> {
        let frequencies = options.store_frequency.then(TokensBuilder::default);
        let tokens = TokensBuilder::default();
        let mut making = Making { options, tokens, frequencies, counted: 0 };
        options.reserved.iter().try_for_each(|token| making.write(&"-1", token))?;
        Ok(making)
    }

    fn write(&mut self, frequency: &dyn std::fmt::Display, token: &[u8]) -> Result<()> {
        self.tokens.push(token)?;
        match &mut self.frequencies {
            None => Ok(()),
            Some(frequencies) => frequencies.push(frequency.to_string().as_bytes()),
        }
    }

    /// Adds the next token, unless it is reserved.
    ///
    /// # Errors
    /// As [`TokensBuilder::push`].
    pub(super) fn push(&mut self, frequency: Frequency, token: &[u8]) -> Result<()> {
        self.counted += 1;
        if self.options.reserved.iter().any(|reserved| reserved == token) {
            return Ok(());
        }
        self.write(&frequency, token)
    }

    /// How many were counted so far.
    pub(super) fn len(&self) -> u64 {
        self.counted
    }

    /// The vocabulary; `distinct` tokens were seen.
    ///
    /// # Errors
    /// As [`TokensBuilder::finish`].
    pub(super) fn finish(mut self, distinct: u64) -> Result<Vec<Tensor>> {
        let options = self.options;
        // Where a cut is asked for, TFT looks whether anything is left before it adds reserved tokens.
        let cut = options.top_k.is_some() && options.coverage.is_none();
        if self.counted == 0 && (cut || options.reserved.is_empty()) {
            self.write(&"1", if options.ints { DUMMY_INT } else { DUMMY })?;
        }
        let mut tokens = self.tokens.finish()?;
        let mut frequencies = self.frequencies.map(TokensBuilder::finish).transpose()?;
        if options.shuffle {
            let order = shuffled(&tokens, options.reserved.len())?;
            frequencies = frequencies.map(|all| in_order(&all, &order)).transpose()?;
            tokens = in_order(&tokens, &order)?;
        }
        let mut vocabulary = Vocabulary::new(options.asset_name(), options.format, tokens);
        vocabulary.frequencies = frequencies;
        vocabulary.unfiltered_size = distinct.max(1) + options.reserved.len() as u64;
        Ok(vec![Tensor::dense(1, Values::Vocabulary(Arc::new(vocabulary)))])
    }
}

/// The places of tokens in the order of their digests, after so many that stay where they are.
fn shuffled(tokens: &Tokens, first: usize) -> Result<Vec<u32>> {
    let (mut digests, mut place) = (Vec::new(), 0u32);
    tokens.each(|token| {
        if place as usize >= first {
            digests.push((<[u8; 20]>::from(Sha1::digest(token)), place));
        }
        place += 1;
        Ok(())
    })?;
    digests.sort_unstable();
    Ok((0..first as u32).chain(digests.into_iter().map(|(_, place)| place)).collect())
}

/// The tokens at these places.
fn in_order(tokens: &Tokens, places: &[u32]) -> Result<Tokens> {
    let mut builder = TokensBuilder::default();
    places.iter().try_for_each(|&place| builder.push(&tokens.get(place as usize)?))?;
    builder.finish()
}
