//! What BERT's basic tokenizer makes of each character: part of a word, a space, a token by itself,
//! or other characters.
//!
//! With lower case, characters are folded as ICU's `NFKC_Casefold` does, decomposed (NFD), and
//! nonspacing marks (Mn) are dropped. Then control and format characters (Cc, Cf) are spaces, and ASCII
//! punctuation, punctuation (P) and CJK ideographs are tokens by themselves.
//!
//! **Invariant:** what a character becomes does not change when the Unicode data of a dependency do: a
//! frozen tokenizer must give the same ids for ever. tensorflow_text normalizes as Unicode 12.1 does
//! (ICU 64) and classifies as Unicode 15.0 does (RE2), so characters that are younger stay as they
//! are. A test holds the whole table to a fingerprint.

use std::sync::LazyLock;

use caseless::Caseless;
use hashbrown::HashMap;
use regex_syntax::hir::{Class, HirKind};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// What stands in the place of bytes that are not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// What one character becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// It is part of a word, as it is.
    Word,
    /// It ends a word.
    Space,
    /// It ends a word and is a word by itself.
    Split,
    /// These characters, which are what they are, stand in its place; none if it is dropped.
    Expand(&'a str),
    /// It is a spacing mark that may change places with the marks behind it: see [`reordered`].
    Reorder,
}

/// The outcome of every character, for text that is folded or not.
pub(super) struct Characters {
    /// Which block holds the characters `BLOCK * i ..`.
    index: Vec<u16>,
    /// An outcome for each character of each distinct block.
    entries: Vec<u32>,
    expansions: String,
}

const BLOCK: usize = 128;
/// The low bits of an entry; an expansion's place and length are above them.
const KIND_BITS: u32 = 3;
const WORD: u32 = 0;
const SPACE: u32 = 1;
const SPLIT: u32 = 2;
const EXPAND: u32 = 3;
const REORDER: u32 = 4;
const LENGTH_BITS: u32 = 8;

static AS_IS: LazyLock<Characters> = LazyLock::new(|| Characters::new(false));
static FOLDED: LazyLock<Characters> = LazyLock::new(|| Characters::new(true));

impl Characters {
    /// The table for text that is folded to lower case without accents, or left as it is.
    pub(super) fn get(lower_case: bool) -> &'static Characters {
        if lower_case { &FOLDED } else { &AS_IS }
    }

    fn new(lower_case: bool) -> Self {
        let properties = &*PROPERTIES;
        let mut characters =
            Characters { index: Vec::new(), entries: Vec::new(), expansions: String::new() };
        let mut blocks: HashMap<Vec<u32>, u16, foldhash::fast::FixedState> = HashMap::default();
        let mut folded = Vec::new();
        for first in (0..=u32::from(char::MAX)).step_by(BLOCK) {
            let block: Vec<u32> = (first..first + BLOCK as u32)
                .map(|code| match char::from_u32(code) {
                    Some(c) if is_unified_ideograph(c) => SPLIT,
                    Some(c) if is_in_vast_range(c) => WORD,
                    Some(c) if lower_case => characters.folded_entry(c, properties, &mut folded),
                    Some(c) => properties.kind(c),
                    None => WORD,
                })
                .collect();
            let next = blocks.len() as u16;
            let number = *blocks.entry(block).or_insert_with_key(|block| {
                characters.entries.extend(block);
                next
            });
            characters.index.push(number);
        }
        characters
    }

    fn folded_entry(&mut self, c: char, properties: &Properties, folded: &mut Vec<char>) -> u32 {
        folded.clear();
        properties.fold(c, folded);
        let reorders = |&c: &char| properties.combining_class(c) != 0;
        folded.retain(|&c| !properties.nonspacing.contains(c));
        if folded.iter().any(reorders) {
            return REORDER;
        }
        if *folded == [c] {
            return properties.kind(c);
        }
        let start = self.expansions.len();
        self.expansions.extend(folded.iter());
        let length = self.expansions.len() - start;
        ((start << LENGTH_BITS | length) as u32) << KIND_BITS | EXPAND
    }

    /// What `c` becomes.
    #[inline]
    pub(super) fn outcome(&self, c: char) -> Outcome<'_> {
        let block = usize::from(self.index[c as usize / BLOCK]);
        let entry = self.entries[block * BLOCK + c as usize % BLOCK];
        match entry & ((1 << KIND_BITS) - 1) {
            WORD => Outcome::Word,
            SPACE => Outcome::Space,
            SPLIT => Outcome::Split,
            EXPAND => {
                let place = (entry >> KIND_BITS) as usize;
                let (start, length) = (place >> LENGTH_BITS, place & ((1 << LENGTH_BITS) - 1));
                Outcome::Expand(&self.expansions[start..start + length])
            }
            _ => Outcome::Reorder,
        }
    }
}

/// The folded form of a text in which marks have to change places, which characters one by one cannot.
///
/// What comes before `text` must not end in the middle of a run of marks, dropped ones aside.
pub(super) fn reordered(text: &[u8]) -> String {
    let properties = &*PROPERTIES;
    let mut characters = Vec::new();
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| properties.fold(c, &mut characters));
        characters.extend((!chunk.invalid().is_empty()).then_some(REPLACEMENT));
    }
    let class = |c: &char| properties.combining_class(*c);
    characters
        .chunk_by_mut(|a, b| class(a) != 0 && class(b) != 0)
        .for_each(|run| run.sort_by_key(class));
    characters.retain(|&c| !properties.nonspacing.contains(c));
    characters.into_iter().collect()
}

/// The greater part of all code points, which need no looking up: ideographs that BERT does not split,
/// unassigned planes and private use.
fn is_in_vast_range(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{30000}'..='\u{dffff}' | '\u{f0000}'..)
}

/// Ideographs that no folding changes.
fn is_unified_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2ceaf}')
}

/// Characters that BERT splits as Chinese: the unified ideographs and those kept for compatibility.
fn is_ideograph(c: char) -> bool {
    is_unified_ideograph(c) || matches!(c, '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

/// A set of characters, as ascending ranges.
struct Set(Vec<(char, char)>);

impl Set {
    /// The characters of a class, in the syntax of the crate `regex`.
    fn new(class: &str) -> Self {
        let hir = regex_syntax::parse(class).expect("the class is a constant of this file");
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                Set(class.ranges().iter().map(|range| (range.start(), range.end())).collect())
            }
            _ => Set(Vec::new()),
        }
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

/// The properties of characters at the versions of Unicode that tensorflow_text knows.
struct Properties {
    /// Characters that normalization knows.
    normalized: Set,
    /// Characters that folding removes.
    ignorable: Set,
    nonspacing: Set,
    control: Set,
    punctuation: Set,
}

static PROPERTIES: LazyLock<Properties> = LazyLock::new(|| Properties {
    normalized: Set::new(r"\p{age:12.1}"),
    // Places that are kept for such characters are ignorable before they are taken.
    ignorable: Set::new(r"[\p{Default_Ignorable_Code_Point}&&[\p{age:12.1}\P{age:16.0}]]"),
    // AHOM CONSONANT SIGN MEDIAL RA was a nonspacing mark until Unicode 16.
    nonspacing: Set::new(r"[[\p{Mn}&&\p{age:15.0}]\x{1171e}]"),
    control: Set::new(r"[[\p{Cc}\p{Cf}]&&\p{age:15.0}]"),
    punctuation: Set::new(r"[\p{P}&&\p{age:15.0}]"),
});

impl Properties {
    /// What a character is in text that has been folded, or is not to be.
    fn kind(&self, c: char) -> u32 {
        if c.is_ascii_whitespace() || self.control.contains(c) {
            SPACE
        } else if c.is_ascii_punctuation() || is_ideograph(c) || self.punctuation.contains(c) {
            SPLIT
        } else {
            WORD
        }
    }

    /// Appends the full decomposition of the `NFKC_Casefold` of one character.
    fn fold(&self, c: char, folded: &mut Vec<char>) {
        if self.ignorable.contains(c) {
            return;
        }
        if !self.normalized.contains(c) {
            folded.push(c);
            return;
        }
        let start = folded.len();
        folded.push(c);
        // Folding may give what can be decomposed, and a decomposition what can be folded.
        loop {
            let before: Vec<char> = folded.drain(start..).collect();
            let after = before.iter().copied().nfd().default_case_fold().nfkd();
            folded.extend(after.filter(|&c| !self.ignorable.contains(c)));
            if folded[start..] == before {
                return;
            }
        }
    }

    fn combining_class(&self, c: char) -> u8 {
        if self.normalized.contains(c) { canonical_combining_class(c) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over what every character becomes.
    fn fingerprint(characters: &Characters) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        for c in '\0'..=char::MAX {
            match characters.outcome(c) {
                Outcome::Word => add(0),
                Outcome::Space => add(1),
                Outcome::Split => add(2),
                Outcome::Reorder => add(3),
                Outcome::Expand(expansion) => {
                    add(4 + expansion.len() as u8);
                    expansion.bytes().for_each(&mut add);
                }
            }
        }
        hash
    }

    #[test]
    fn no_dependency_changes_what_a_character_becomes() {
        assert_eq!(fingerprint(Characters::get(false)), 0x6358_1e0f_9e6b_5cef);
        assert_eq!(fingerprint(Characters::get(true)), 0xdd08_32ba_e8c0_c615);
    }

    #[test]
    fn characters_are_folded_as_icu_does() {
        let check =
            |c: char, expected| assert_eq!(Characters::get(true).outcome(c), expected, "{c:?}");
        check('a', Outcome::Word);
        check('A', Outcome::Expand("a"));
        check('é', Outcome::Expand("e"));
        check('ß', Outcome::Expand("ss"));
        check('ﬁ', Outcome::Expand("fi"));
        check('…', Outcome::Expand("..."));
        check('½', Outcome::Expand("1\u{2044}2"));
        check('\u{3000}', Outcome::Expand(" "));
        check('\u{a0}', Outcome::Expand(" "));
        check('한', Outcome::Expand("\u{1112}\u{1161}\u{11ab}"));
        // Dropped: an accent, a soft hyphen, a selector, a place kept for one.
        for c in ['\u{301}', '\u{ad}', '\u{fe0f}', '\u{e0fff}'] {
            check(c, Outcome::Expand(""));
        }
        check('\u{345}', Outcome::Expand("ι"));
        check('日', Outcome::Split);
        check('\u{f900}', Outcome::Expand("豈"));
        check('。', Outcome::Split);
        check('+', Outcome::Split);
        check('±', Outcome::Word);
        check('\u{2028}', Outcome::Word);
        check('\u{7f}', Outcome::Space);
        check('\u{1b44}', Outcome::Reorder);
        // Younger than Unicode 12.1: a capital letter, a decomposable letter, a mark of Unicode 16.
        check('\u{2c2f}', Outcome::Word);
        check('\u{11938}', Outcome::Word);
        check('\u{897}', Outcome::Word);
        check('\u{1171e}', Outcome::Expand(""));
    }

    #[test]
    fn unfolded_characters_are_only_classified() {
        let check =
            |c: char, expected| assert_eq!(Characters::get(false).outcome(c), expected, "{c:?}");
        check('A', Outcome::Word);
        check('\u{301}', Outcome::Word);
        check('\u{a0}', Outcome::Word);
        check('\u{ad}', Outcome::Space);
        check('\u{200d}', Outcome::Space);
        check('\u{b}', Outcome::Space);
        check('\u{f900}', Outcome::Split);
        check('«', Outcome::Split);
        check('€', Outcome::Word);
        check('$', Outcome::Split);
    }

    #[test]
    fn marks_change_places_as_their_classes_say() {
        let check = |text: &[u8], expected: &str| assert_eq!(reordered(text), expected);
        check("\u{1d165}\u{1b44}".as_bytes(), "\u{1b44}\u{1d165}");
        check("\u{1d165}a\u{1b44}".as_bytes(), "\u{1d165}a\u{1b44}");
        check("\u{1d165}\u{301}\u{1b44}B".as_bytes(), "\u{1b44}\u{1d165}b");
        check(b"\xff\xc3A", "\u{fffd}\u{fffd}a");
    }
}
