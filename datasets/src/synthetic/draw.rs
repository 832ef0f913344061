//! Random draws that are functions of (seed, stream, row) alone: no generator has a state.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, PrimitiveArray};
use std::ops::Range;
use std::sync::Arc;

/// Odd, and near 2⁶⁴ divided by the golden ratio: consecutive rows land far apart.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64 (Steele, Lea, Flood, doi:10.1145/2714064.2660195): a bijection.
#[inline]
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An endless row of independent draws, readable at any place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream(u64);

impl Stream {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let named = name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        Stream(mix(seed.wrapping_add(STEP)) ^ named)
    }

    /// 64 random bits; distinct rows have distinct ones.
    #[inline]
    pub(super) fn bits(self, row: u64) -> u64 {
        mix(self.0.wrapping_add(row.wrapping_mul(STEP)))
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    #[inline]
    pub(super) fn unit(self, row: u64) -> f64 {
        unit(self.bits(row))
    }

    /// True for about this share of the rows.
    #[inline]
    pub(super) fn chance(self, row: u64, share: f64) -> bool {
        self.unit(row) < share
    }

    /// Uniform in `0..n`.
    #[inline]
    pub(super) fn below(self, row: u64, n: u64) -> u64 {
        ((u128::from(self.bits(row)) * u128::from(n)) >> 64) as u64
    }
}

#[inline]
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Draws an index with given weights in constant time (the alias method; Vose,
/// doi:10.1109/32.92917).
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    /// For every column: up to where it is itself, and who it is beyond.
    columns: Vec<(u32, u32)>,
}

impl Weighted {
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut weights: Vec<f64> = weights.into_iter().collect();
        let n = weights.len();
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight *= n as f64 / total;
        }
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&i| weights[i] < 1.0);
        let mut columns: Vec<(u32, u32)> = (0..n).map(|i| (u32::MAX, i as u32)).collect();
        while let (Some(less), Some(&more)) = (small.pop(), large.last()) {
            columns[less] = ((weights[less] * f64::from(u32::MAX)) as u32, more as u32);
            weights[more] -= 1.0 - weights[less];
            if weights[more] < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        Weighted { columns }
    }

    /// Weights 1, 1/2, 1/3 …: the long tail of words and firms.
    pub(super) fn zipf(n: usize) -> Self {
        Weighted::new((1..=n).map(|rank| 1.0 / rank as f64))
    }

    #[inline]
    pub(super) fn pick(&self, bits: u64) -> usize {
        let column = ((bits >> 32) * self.columns.len() as u64) >> 32;
        let (limit, other) = self.columns[column as usize];
        if bits as u32 <= limit { column as usize } else { other as usize }
    }
}

/// A distribution given by its quantiles, linear between them.
pub(super) type Quantiles = [(f64, f64)];

/// The value below which a share `p` of all values lies.
#[inline]
pub(super) fn quantile(knots: &Quantiles, p: f64) -> f64 {
    let i = knots.iter().position(|knot| p < knot.0).unwrap_or(knots.len() - 1).max(1);
    let ((p0, x0), (p1, x1)) = (knots[i - 1], knots[i]);
    x0 + (x1 - x0) * ((p - p0) / (p1 - p0))
}

/// An array of one value, or none, for each row.
pub(super) fn primitives<T: ArrowPrimitiveType>(
    rows: Range<u64>,
    of: impl FnMut(u64) -> Option<T::Native>,
) -> ArrayRef {
    Arc::new(rows.map(of).collect::<PrimitiveArray<T>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finalizer_is_the_published_one() {
        // The first outputs of SplitMix64 seeded with 0, as its reference code prints them.
        let outputs = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        for (i, expected) in outputs.into_iter().enumerate() {
            assert_eq!(mix(STEP.wrapping_mul(i as u64 + 1)), expected);
        }
    }

    #[test]
    fn weights_are_kept() {
        let stream = Stream::new(7, "weights");
        let weighted = Weighted::new([5.0, 0.0, 3.0, 1.0, 1.0]);
        let mut counts = [0; 5];
        for row in 0..100_000 {
            counts[weighted.pick(stream.bits(row))] += 1;
        }
        // Six standard deviations of a binomial are at most 950.
        for (count, expected) in counts.into_iter().zip([50_000, 0, 30_000, 10_000, 10_000i32]) {
            assert!((count - expected).abs() < 950, "{counts:?}");
        }
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn quantiles_are_linear_between_knots() {
        let knots = [(0.0, 0.0), (0.5, 1.0), (1.0, 11.0)];
        for (p, expected) in [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.75, 6.0), (1.0, 11.0)] {
            assert_eq!(quantile(&knots, p), expected);
        }
    }
}
