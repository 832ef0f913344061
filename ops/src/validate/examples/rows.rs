//! Sets of rows of one batch, and which rows have a feature.

use crate::stats::column::Column;

/// Some rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    bits: Vec<u64>,
    n: usize,
}

impl Rows {
    pub(super) fn none(n: usize) -> Self {
        Rows { bits: vec![0; n.div_ceil(64)], n }
    }

    pub(super) fn all(n: usize) -> Self {
        let mut rows = Rows { bits: vec![u64::MAX; n.div_ceil(64)], n };
        if let Some(last) = rows.bits.last_mut()
            && !n.is_multiple_of(64)
        {
            *last = (1 << (n % 64)) - 1;
        }
        rows
    }

    pub(super) fn set(&mut self, row: usize) {
        self.bits[row / 64] |= 1 << (row % 64);
    }

    pub(super) fn any(&self) -> bool {
        self.bits.iter().any(|word| *word != 0)
    }

    pub(super) fn is_all(&self) -> bool {
        self.bits.iter().map(|word| word.count_ones() as usize).sum::<usize>() == self.n
    }

    pub(super) fn or(&mut self, other: &Rows) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn and(&mut self, other: &Rows) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(a, b)| *a &= b);
    }

    pub(super) fn and_not(&mut self, other: &Rows) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(a, b)| *a &= !b);
    }

    pub(super) fn inverse(&self) -> Self {
        let mut rows = Rows::all(self.n);
        rows.and_not(self);
        rows
    }

    /// The rows, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.bits.iter().enumerate().flat_map(|(word, &bits)| {
            let mut left = bits;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left = left.checked_sub(1).map(|less| left & less)?;
                Some(64 * word + bit)
            })
        })
    }
}

/// Rows that have a feature, with however many values.
pub(super) fn present(column: &Column, n: usize) -> Rows {
    let level = &column.levels[0];
    match (&column.examples, &level.nulls) {
        (None, None) => Rows::all(n),
        (None, Some(nulls)) => {
            let mut rows = Rows::none(n);
            nulls.valid_indices().for_each(|row| rows.set(row));
            rows
        }
        (Some(examples), _) => {
            let mut rows = Rows::none(n);
            let slots = examples.iter().enumerate().filter(|(slot, _)| level.is_present(*slot));
            slots.for_each(|(_, &row)| rows.set(row as usize));
            rows
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        for n in [0, 1, 63, 64, 65, 200] {
            assert_eq!(Rows::all(n).iter().count(), n);
            assert!(Rows::all(n).is_all() && Rows::all(n).inverse() == Rows::none(n));
            let mut some = Rows::none(n);
            (0..n).step_by(3).for_each(|row| some.set(row));
            assert_eq!(some.iter().collect::<Vec<_>>(), (0..n).step_by(3).collect::<Vec<_>>());
            assert_eq!(some.any(), n > 0);
            let mut rest = some.inverse();
            assert!(!rest.clone().iter().any(|row| row % 3 == 0));
            rest.or(&some);
            assert!(rest.is_all());
            rest.and(&some);
            assert_eq!(rest, some);
        }
    }
}
