//! From the ids of one or two texts to one row of a BERT model's inputs: ids, mask and type ids.
//!
//! Two layouts: [`tfx_inputs`] is what the TFX example's `bert_tokenizer_utils.py` makes, with its
//! quirk, and [`segment_inputs`] is what `tensorflow_text` (`combine_segments`, `pad_model_inputs`) and
//! Hugging Face make. Rows are slices of columns that the caller has laid out, `max_length` values each.

/// The ids that a model input has besides the pieces of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialIds {
    /// The first id of a row, `[CLS]`.
    pub start: i64,
    /// What every text ends with, `[SEP]`.
    pub end: i64,
    /// What fills a row, `[PAD]`.
    pub pad: i64,
}

/// One row of the three inputs, all of them `max_length` values long.
#[derive(Debug)]
pub struct InputRow<'a> {
    /// `input_word_ids`.
    pub word_ids: &'a mut [i64],
    /// `input_mask`: 1 where the model should look, 0 in padding.
    pub mask: &'a mut [i64],
    /// `input_type_ids`: the number of the text.
    pub type_ids: &'a mut [i64],
}

/// Which ids go when texts are too long together; always from a text's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// The texts take ids in turn until the row is full (`tensorflow_text.RoundRobinTrimmer`).
    RoundRobin,
    /// The longer text first, and both alike from there on (Hugging Face's `longest_first`).
    LongestFirst,
    /// The first text alone (Hugging Face's `only_first`).
    OnlyFirst,
    /// The second text alone (Hugging Face's `only_second`).
    OnlySecond,
}

impl Truncation {
    /// Lowers `lengths` until they are at most `budget` together.
    ///
    /// Where the one text that may lose ids has too few of them, the other one loses the rest, which
    /// Hugging Face's libraries refuse: rows are made while a model serves, and none may fail.
    pub fn truncate(self, lengths: &mut [usize], budget: usize) {
        let total: usize = lengths.iter().sum();
        if total <= budget {
            return;
        }
        match (self, lengths) {
            (Truncation::LongestFirst, [first, second]) => {
                let half = budget / 2;
                // The odd place goes to the longer text, or to the second of two as long.
                if *first <= half {
                    *second = budget - *first;
                } else if *second <= half {
                    *first = budget - *second;
                } else if first > second {
                    (*first, *second) = (budget - half, half);
                } else {
                    (*first, *second) = (half, budget - half);
                }
            }
            (Truncation::RoundRobin | Truncation::LongestFirst, lengths) => {
                round_robin(lengths, budget);
            }
            (Truncation::OnlyFirst | Truncation::OnlySecond, lengths) => {
                let first = usize::from(self == Truncation::OnlySecond);
                let mut excess = total - budget;
                for place in [first, 1 - first] {
                    if let Some(length) = lengths.get_mut(place) {
                        let lost = excess.min(*length);
                        *length -= lost;
                        excess -= lost;
                    }
                }
            }
        }
    }
}

/// Gives each text one place in turn, the first text first.
fn round_robin(lengths: &mut [usize], budget: usize) {
    // The most that every text may keep, and then one more for the first of those that have more.
    let kept = |most: usize| lengths.iter().map(|&length| length.min(most)).sum::<usize>();
    let (mut most, mut too_many) = (0, budget + 1);
    while most + 1 < too_many {
        let middle = usize::midpoint(most, too_many);
        if kept(middle) <= budget {
            most = middle;
        } else {
            too_many = middle;
        }
    }
    let mut left = budget - kept(most);
    for length in lengths {
        let extra = usize::from(left > 0 && *length > most);
        left -= extra;
        *length = (*length).min(most + extra);
    }
}

/// `[CLS] first [SEP] second [SEP]` and padding; true if ids were left out.
///
/// The mask covers what is not padding, whatever its id. The type id is the number of the text, and 0 in
/// padding.
pub fn segment_inputs<const N: usize>(
    segments: [&[i64]; N],
    truncation: Truncation,
    special: SpecialIds,
    row: InputRow<'_>,
) -> bool {
    let max_length = row.word_ids.len();
    let mut lengths = segments.map(<[i64]>::len);
    truncation.truncate(&mut lengths, max_length.saturating_sub(N + 1));
    let mut out = Writer { row, at: 0 };
    out.push(&[special.start], 0);
    for (number, (segment, length)) in segments.into_iter().zip(lengths).enumerate() {
        out.push(&segment[..length], number as i64);
        out.push(&[special.end], number as i64);
    }
    out.pad(special.pad, 0);
    lengths != segments.map(<[i64]>::len)
}

/// The inputs of the TFX BERT examples; true if ids were left out.
///
/// One text keeps what leaves room for `[CLS]` and `[SEP]`; of two, each is cut by itself to half of the
/// row with its special ids. The mask is 0 wherever the id is that of padding. Type ids are 0 for one text;
/// for two they are 1 after the first, **padding included**, which models were trained with.
pub fn tfx_inputs<const N: usize>(
    segments: [&[i64]; N],
    special: SpecialIds,
    row: InputRow<'_>,
) -> bool {
    let part = row.word_ids.len() / N.max(1);
    let mut truncated = false;
    let mut out = Writer { row, at: 0 };
    for (number, segment) in segments.into_iter().enumerate() {
        let starts = usize::from(number == 0);
        let length = segment.len().min(part.saturating_sub(1 + starts));
        truncated |= length < segment.len();
        out.push(&[special.start][..starts], 0);
        out.push(&segment[..length], number as i64);
        out.push(&[special.end], number as i64);
    }
    out.pad(special.pad, i64::from(N > 1));
    let InputRow { word_ids, mask, .. } = out.row;
    for (mask, id) in mask.iter_mut().zip(word_ids) {
        *mask = i64::from(*id != special.pad);
    }
    truncated
}

/// Fills a row from its start; what does not fit is left out.
struct Writer<'a> {
    row: InputRow<'a>,
    at: usize,
}

impl Writer<'_> {
    fn push(&mut self, ids: &[i64], type_id: i64) {
        let end = self.row.word_ids.len().min(self.at + ids.len());
        let place = self.at..end;
        self.row.word_ids[place.clone()].copy_from_slice(&ids[..place.len()]);
        self.row.mask[place.clone()].fill(1);
        self.row.type_ids[place].fill(type_id);
        self.at = end;
    }

    fn pad(&mut self, id: i64, type_id: i64) {
        self.row.word_ids[self.at..].fill(id);
        self.row.mask[self.at..].fill(0);
        self.row.type_ids[self.at..].fill(type_id);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPECIAL: SpecialIds = SpecialIds { start: 101, end: 102, pad: 0 };

    fn row(max_length: usize, fill: impl FnOnce(InputRow<'_>)) -> [Vec<i64>; 3] {
        let [mut word_ids, mut mask, mut type_ids] = [(); 3].map(|()| vec![-7; max_length]);
        let row = InputRow { word_ids: &mut word_ids, mask: &mut mask, type_ids: &mut type_ids };
        fill(row);
        [word_ids, mask, type_ids]
    }

    #[test]
    fn texts_are_truncated_as_asked() {
        use Truncation::{LongestFirst, OnlyFirst, OnlySecond, RoundRobin};
        let check = |truncation: Truncation, lengths: &[usize], budget, expected: &[usize]| {
            let mut found = lengths.to_vec();
            truncation.truncate(&mut found, budget);
            assert_eq!(found, expected, "{truncation:?} {lengths:?} {budget}");
        };
        check(RoundRobin, &[], 3, &[]);
        check(RoundRobin, &[9], 3, &[3]);
        check(RoundRobin, &[2, 2], 4, &[2, 2]);
        check(RoundRobin, &[9, 9], 5, &[3, 2]);
        check(RoundRobin, &[9, 1], 5, &[4, 1]);
        check(RoundRobin, &[0, 9], 5, &[0, 5]);
        check(RoundRobin, &[3, 1, 9, 9], 9, &[3, 1, 3, 2]);
        check(RoundRobin, &[5, 5], 0, &[0, 0]);
        check(LongestFirst, &[9], 3, &[3]);
        check(LongestFirst, &[9, 9], 5, &[2, 3]);
        check(LongestFirst, &[10, 9], 5, &[3, 2]);
        check(LongestFirst, &[9, 1], 5, &[4, 1]);
        check(LongestFirst, &[2, 9], 5, &[2, 3]);
        check(LongestFirst, &[3, 9], 5, &[2, 3]);
        check(OnlyFirst, &[9, 2], 5, &[3, 2]);
        check(OnlyFirst, &[9, 5], 5, &[0, 5]);
        check(OnlyFirst, &[2, 9], 5, &[0, 5]);
        check(OnlyFirst, &[9], 5, &[5]);
        check(OnlySecond, &[2, 9], 5, &[2, 3]);
        check(OnlySecond, &[6, 1], 5, &[5, 0]);
        check(OnlySecond, &[9], 5, &[5]);
        check(OnlySecond, &[], 5, &[]);
    }

    #[test]
    fn segments_are_padded_with_the_first_type() {
        let found = row(8, |row| {
            let truncated = segment_inputs([&[1, 2], &[3]], Truncation::RoundRobin, SPECIAL, row);
            assert!(!truncated);
        });
        assert_eq!(found[0], [101, 1, 2, 102, 3, 102, 0, 0]);
        assert_eq!(found[1], [1, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(found[2], [0, 0, 0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn tfx_pads_pairs_with_the_second_type_and_masks_by_id() {
        let found = row(9, |row| assert!(!tfx_inputs([&[1, 0], &[3]], SPECIAL, row)));
        assert_eq!(found[0], [101, 1, 0, 102, 3, 102, 0, 0, 0]);
        assert_eq!(found[1], [1, 1, 0, 1, 1, 1, 0, 0, 0]);
        assert_eq!(found[2], [0, 0, 0, 0, 1, 1, 1, 1, 1]);
        let found = row(6, |row| assert!(tfx_inputs([&[1, 2, 3], &[4, 5, 6]], SPECIAL, row)));
        assert_eq!(found[0], [101, 1, 102, 4, 5, 102]);
        let found = row(4, |row| assert!(tfx_inputs([&[1, 2, 3]], SPECIAL, row)));
        assert_eq!(found, [vec![101, 1, 2, 102], vec![1; 4], vec![0; 4]]);
    }

    proptest! {
        #[test]
        fn every_row_is_full_and_none_overflows(
            lengths in any::<[u8; 2]>(),
            max_length in 0..16usize,
        ) {
            let ids = lengths.map(|n| vec![5; usize::from(n % 12)]);
            let [first, second] = ids.each_ref().map(Vec::as_slice);
            for truncation in [Truncation::RoundRobin, Truncation::LongestFirst] {
                let one = row(max_length, |row| {
                    segment_inputs([first], truncation, SPECIAL, row);
                });
                let two = row(max_length, |row| {
                    segment_inputs([first, second], truncation, SPECIAL, row);
                });
                for (filled, n) in [(one, 1), (two, 2)] {
                    prop_assert!(filled.iter().flatten().all(|value| *value != -7));
                    let ends = filled[0].iter().filter(|id| **id == SPECIAL.end).count();
                    prop_assert!(max_length <= n || ends == n);
                }
            }
            let filled = row(max_length, |row| { tfx_inputs([first, second], SPECIAL, row); });
            prop_assert!(filled.iter().flatten().all(|value| *value != -7));
        }

        #[test]
        fn round_robin_takes_one_of_each_in_turn(
            lengths in prop::collection::vec(0..12usize, 0..5),
            budget in 0..40usize,
        ) {
            let mut expected = vec![0; lengths.len()];
            let mut left = budget;
            while left > 0 && expected != lengths {
                for (taken, length) in expected.iter_mut().zip(&lengths) {
                    if *taken < *length && left > 0 {
                        *taken += 1;
                        left -= 1;
                    }
                }
            }
            let mut found = lengths;
            Truncation::RoundRobin.truncate(&mut found, budget);
            prop_assert_eq!(found, expected);
        }
    }
}
