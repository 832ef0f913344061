//! Which tokens make a vocabulary, and the vocabulary made of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use sha1::{Digest, Sha1};

use super::frequency::Frequency;
use super::options::Options;
use crate::tensor::{StringsBuilder, Tensor, Values};
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
    tokens: StringsBuilder,
    frequencies: Option<StringsBuilder>,
    counted: u64,
}

impl<'a> Making<'a> {
    /// With the reserved tokens alone.
    pub(super) fn new(options: &'a Options) -> Self {
        let frequencies = options.store_frequency.then(StringsBuilder::default);
        let mut making =
            Making { options, tokens: StringsBuilder::default(), frequencies, counted: 0 };
        for token in &options.reserved {
            making.write(&"-1", token);
        }
        making
    }

    fn write(&mut self, frequency: &dyn std::fmt::Display, token: &[u8]) {
        self.tokens.push(token);
        if let Some(frequencies) = &mut self.frequencies {
            frequencies.push(frequency.to_string().as_bytes());
        }
    }

    /// Adds the next token, unless it is reserved.
    pub(super) fn push(&mut self, frequency: Frequency, token: &[u8]) {
        self.counted += 1;
        if !self.options.reserved.iter().any(|reserved| reserved == token) {
            self.write(&frequency, token);
        }
    }

    /// How many were counted so far.
    pub(super) fn len(&self) -> u64 {
        self.counted
    }

    /// The vocabulary; `distinct` tokens were seen.
    ///
    /// # Errors
    /// When its tokens are too long together.
    pub(super) fn finish(mut self, distinct: u64) -> Result<Vec<Tensor>> {
        let options = self.options;
        // Where a cut is asked for, TFT looks whether anything is left before it adds reserved tokens.
        let cut = options.top_k.is_some() && options.coverage.is_none();
        if self.counted == 0 && (cut || options.reserved.is_empty()) {
            self.write(&"1", if options.ints { DUMMY_INT } else { DUMMY });
        }
        let too_long = |_| {
            let name = &options.file_name;
            Error::new(ErrorKind::Unsupported, format!("vocabulary `{name}` is longer than 2 GiB"))
                .with_hint("Bound it with `top_k` or `frequency_threshold`.")
        };
        let mut tokens = self.tokens.finish().map_err(too_long)?;
        let mut frequencies = self.frequencies.map(StringsBuilder::finish).transpose();
        if options.shuffle {
            let first = options.reserved.len() as u32;
            let mut order: Vec<u32> = (first..tokens.len() as u32).collect();
            order.sort_by_cached_key(|&i| <[u8; 20]>::from(Sha1::digest(tokens.get(i as usize))));
            let order = || (0..first).chain(order.iter().copied()).map(|i| i as usize);
            let shuffled = |strings: &crate::tensor::Strings| {
                let mut builder = StringsBuilder::with_capacity(strings.len(), 0);
                order().for_each(|i| builder.push(strings.get(i)));
                builder.finish()
            };
            if let Ok(Some(strings)) = &mut frequencies {
                *strings = shuffled(strings).map_err(too_long)?;
            }
            tokens = shuffled(&tokens).map_err(too_long)?;
        }
        let mut vocabulary = Vocabulary::new(options.asset_name(), options.format, tokens);
        vocabulary.frequencies = frequencies.map_err(too_long)?;
        vocabulary.unfiltered_size = distinct.max(1) + options.reserved.len() as u64;
        Ok(vec![Tensor::dense(1, Values::Vocabulary(Arc::new(vocabulary)))])
    }
}
