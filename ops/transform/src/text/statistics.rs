//! How well a vocabulary and a length suit the texts: unknown pieces, pieces per word, truncated rows.

use serde::{Deserialize, Serialize};

/// Counts over rows of ids; the sum of two is that of both sets of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStatistics {
    /// Rows, of one text or two.
    pub rows: u64,
    /// Rows that lost ids to the length of a row.
    pub truncated_rows: u64,
    /// Words, as the tokenizer splits them.
    pub words: u64,
    /// Ids before truncation, without special tokens.
    pub pieces: u64,
    /// Ids of the unknown token among them.
    pub unknown: u64,
    /// The most ids of one row, before truncation and without special tokens.
    pub longest_row: u64,
}

impl TokenStatistics {
    /// Counts a row: its texts' ids, how many words they are, and whether ids were left out.
    pub fn add(&mut self, ids: &[i64], words: usize, unknown: Option<i64>, truncated: bool) {
        self.rows += 1;
        self.truncated_rows += u64::from(truncated);
        self.words += words as u64;
        self.pieces += ids.len() as u64;
        self.unknown += ids.iter().filter(|id| Some(**id) == unknown).count() as u64;
        self.longest_row = self.longest_row.max(ids.len() as u64);
    }

    /// Adds the rows of another set.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.truncated_rows += other.truncated_rows;
        self.words += other.words;
        self.pieces += other.pieces;
        self.unknown += other.unknown;
        self.longest_row = self.longest_row.max(other.longest_row);
    }

    /// The share of ids that are the unknown token; 0 of none.
    pub fn unknown_rate(&self) -> f64 {
        self.unknown as f64 / self.pieces.max(1) as f64
    }

    /// The mean number of pieces that a word is cut into (fertility); 0 of none.
    pub fn pieces_per_word(&self) -> f64 {
        self.pieces as f64 / self.words.max(1) as f64
    }

    /// The share of rows that lost ids; 0 of none.
    pub fn truncated_rate(&self) -> f64 {
        self.truncated_rows as f64 / self.rows.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_merged() {
        let mut one = TokenStatistics::default();
        assert_eq!(
            (one.unknown_rate(), one.pieces_per_word(), one.truncated_rate()),
            (0.0, 0.0, 0.0)
        );
        one.add(&[1, 0, 2, 2], 2, Some(0), true);
        let mut two = TokenStatistics::default();
        two.add(&[], 0, Some(0), false);
        two.add(&[0, 0], 2, None, false);
        one.merge(&two);
        let expected = TokenStatistics {
            rows: 3,
            truncated_rows: 1,
            words: 4,
            pieces: 6,
            unknown: 1,
            longest_row: 4,
        };
        assert_eq!(one, expected);
        assert_eq!(one.pieces_per_word(), 1.5);
    }
}
