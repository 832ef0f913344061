//! `Tokens`: the strings of a vocabulary, in memory, or in a temporary file where they are many.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result, SpooledReader, SpooledStrings, SpooledStringsBuilder};

use crate::tensor::{Strings, StringsBuilder};

/// Bytes of tokens and of their places that are kept in memory: about five million words.
const MOST_IN_MEMORY: usize = 64 << 20;

/// Strings by number.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// All of them in memory.
    Memory(Strings),
    /// More than memory should hold.
    Spooled(Arc<SpooledStrings>),
}

impl Default for Tokens {
    fn default() -> Self {
        Tokens::Memory(Strings::default())
    }
}

impl From<Strings> for Tokens {
    fn from(strings: Strings) -> Self {
        Tokens::Memory(strings)
    }
}

impl Tokens {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Tokens::Memory(strings) => strings.len(),
            Tokens::Spooled(strings) => strings.len(),
        }
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `i`th token.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn get(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        match self {
            Tokens::Memory(strings) => Ok(strings.get(i).into()),
            Tokens::Spooled(strings) => {
                let mut buffer = Vec::new();
                let token = strings.get(i, &mut buffer)?;
                Ok(token.to_vec().into())
            }
        }
    }

    /// Reads all of them, front to back.
    pub fn reader(&self) -> TokenReader<'_> {
        TokenReader(match self {
            Tokens::Memory(strings) => Reader::Memory(strings, 0),
            Tokens::Spooled(strings) => Reader::Spooled(strings.reader()),
        })
    }

    /// Calls `f` with each of them, in their order.
    ///
    /// # Errors
    /// Those of `f`, and when the temporary file cannot be read.
    pub fn each(&self, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut reader = self.reader();
        while let Some(token) = reader.next()? {
            f(token)?;
        }
        Ok(())
    }

    /// All of them in memory.
    ///
    /// # Errors
    /// When they are longer than 2 GiB together, or the temporary file cannot be read.
    pub fn to_strings(&self) -> Result<Strings> {
        match self {
            Tokens::Memory(strings) => Ok(strings.clone()),
            Tokens::Spooled(_) => {
                let mut strings = StringsBuilder::default();
                self.each(|token| {
                    strings.push(token);
                    Ok(())
                })?;
                strings.finish()
            }
        }
    }

    /// Whether they are the same; files that cannot be read are not.
    fn same(&self, other: &Self) -> Result<bool> {
        if let (Tokens::Memory(a), Tokens::Memory(b)) = (self, other) {
            return Ok(a == b);
        }
        if self.len() != other.len() {
            return Ok(false);
        }
        let (mut a, mut b) = (self.reader(), other.reader());
        loop {
            match (a.next()?, b.next()?) {
                (None, None) => return Ok(true),
                (a, b) if a != b => return Ok(false),
                _ => {}
            }
        }
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.same(other).unwrap_or(false)
    }
}

/// Reads tokens front to back.
pub struct TokenReader<'a>(Reader<'a>);

enum Reader<'a> {
    Memory(&'a Strings, usize),
    Spooled(SpooledReader<'a>),
}

impl TokenReader<'_> {
    /// The next token; `None` after the last.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        match &mut self.0 {
            Reader::Memory(strings, i) => Ok((*i < strings.len()).then(|| {
                *i += 1;
                strings.get(*i - 1)
            })),
            Reader::Spooled(reader) => reader.next(),
        }
    }
}

/// Builds [`Tokens`]: in memory, and in a temporary file once they are large.
pub struct TokensBuilder {
    memory: StringsBuilder,
    bytes: usize,
    most_in_memory: usize,
    spooled: Option<SpooledStringsBuilder>,
}

impl Default for TokensBuilder {
    fn default() -> Self {
        Self::within(MOST_IN_MEMORY)
    }
}

impl TokensBuilder {
    /// So many bytes stay in memory.
    pub(crate) fn within(most_in_memory: usize) -> Self {
        TokensBuilder { memory: StringsBuilder::default(), bytes: 0, most_in_memory, spooled: None }
    }

    /// Adds a token.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, token: &[u8]) -> Result<()> {
        if let Some(spooled) = &mut self.spooled {
            return spooled.push(token);
        }
        self.bytes += token.len() + size_of::<i32>();
        if self.bytes <= self.most_in_memory {
            self.memory.push(token);
            return Ok(());
        }
        let mut spooled = SpooledStringsBuilder::new()?;
        let memory = std::mem::take(&mut self.memory).finish()?;
        memory.iter().try_for_each(|token| spooled.push(token))?;
        spooled.push(token)?;
        self.spooled = Some(spooled);
        Ok(())
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.spooled.as_ref().map_or_else(|| self.memory.len(), SpooledStringsBuilder::len)
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens.
    ///
    /// # Errors
    /// When there are more than ids have bits for, or the disk is full.
    pub fn finish(self) -> Result<Tokens> {
        if u32::try_from(self.len()).is_err() {
            return Err(Error::new(ErrorKind::Unsupported, "a vocabulary has too many tokens")
                .with_detail(format!("It has {}; ids have 32 bits.", self.len()))
                .with_hint("Bound it with `top_k` or `frequency_threshold`."));
        }
        match self.spooled {
            None => Ok(Tokens::Memory(self.memory.finish()?)),
            Some(spooled) => Ok(Tokens::Spooled(Arc::new(spooled.finish()?))),
        }
    }
}

impl fmt::Debug for TokensBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokensBuilder({} tokens)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(most_in_memory: usize, of: &[&[u8]]) -> Tokens {
        let mut builder = TokensBuilder::within(most_in_memory);
        of.iter().for_each(|token| builder.push(token).unwrap());
        builder.finish().unwrap()
    }

    #[test]
    fn it_cannot_be_seen_where_tokens_are() {
        let of: [&[u8]; 5] = [b"b", b"", b"\xff\n", b"a long token", b"b"];
        let check = |most: usize, spooled: bool| {
            let tokens = tokens(most, &of);
            assert_eq!(matches!(tokens, Tokens::Spooled(_)), spooled, "{most}");
            assert_eq!(tokens.len(), of.len());
            let mut all = Vec::new();
            let mut reader = tokens.reader();
            while let Some(token) = reader.next().unwrap() {
                all.push(token.to_vec());
            }
            assert_eq!(all, of);
            assert_eq!(tokens.to_strings().unwrap(), Strings::from_iter(of));
            for (i, token) in of.iter().enumerate() {
                assert_eq!(&*tokens.get(i).unwrap(), *token);
            }
            tokens
        };
        let memory = check(1000, false);
        check(36, false);
        for most in [35, 6, 0] {
            let spooled = check(most, true);
            assert_eq!(spooled, memory);
            assert_eq!(memory, spooled);
            assert_eq!(spooled, spooled.clone());
        }
        let check = |of: &[&[u8]]| {
            assert!(tokens(1, of) != memory && tokens(1, of) != tokens(1, &[b"z"]));
        };
        check(&of[..4]);
        check(&[b"b", b"", b"\xff\n", b"a long token", b"c"]);
        assert_eq!(tokens(0, &[]), Tokens::default());
    }
}
