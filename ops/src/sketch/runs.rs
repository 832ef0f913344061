//! `Runs`: a block of values, sorted and counted.
//!
//! Blocks of few distinct values are counted first and sorted after; others are sorted by radix. Which
//! way is taken is decided by the values of the block alone, and gives the same runs.

use std::cell::RefCell;

/// Distinct values in ascending order, and how often each occurs. Never holds a NaN.
///
/// Zeros of both signs are one value: -0.0 if all of them are negative, else 0.0.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Runs {
    pub(crate) values: Vec<f64>,
    pub(crate) counts: Vec<u32>,
}

impl Runs {
    /// Of double floats; NaN may not be among them.
    pub(crate) fn of_f64(values: &[f64]) -> Self {
        if let Some(runs) = Self::of_integers(values) {
            return runs;
        }
        if let Some(runs) = Self::of_few(values.iter().map(|v| key64(*v)), value64) {
            return runs;
        }
        let (least, greatest) = range(values);
        SCRATCH.with_borrow_mut(
            |Scratch { doubles, spare_doubles, keys, spare, counts, .. }| {
                doubles.clear();
                doubles.extend_from_slice(values);
                if sort_evenly(doubles, spare_doubles, counts, least, greatest) {
                    let mut runs = Self::of_sorted(doubles, |value| value);
                    runs.make_zero_positive(values);
                    return runs;
                }
                // Keys count from the least one, so that their upper bits are used.
                let base = key64(if least == 0.0 { -0.0 } else { least });
                keys.clear();
                keys.extend(values.iter().map(|v| key64(*v) - base));
                sort64(keys, spare, counts);
                let mut runs = Self::of_sorted(keys, |key| value64(key + base));
                runs.join_zeros();
                runs
            },
        )
    }

    /// Of single floats; NaN may not be among them.
    pub(crate) fn of_f32(values: &[f32]) -> Self {
        if let Some(runs) =
            Self::of_few(values.iter().map(|v| u64::from(key32(*v))), |k| value32(k as u32).into())
        {
            return runs;
        }
        SCRATCH.with_borrow_mut(|Scratch { singles, spare_singles, counts, .. }| {
            singles.clear();
            singles.extend(values.iter().map(|v| key32(*v)));
            let base = singles.iter().copied().min().unwrap_or(0);
            for key in singles.iter_mut() {
                *key -= base;
            }
            sort32(singles, spare_singles, counts);
            let mut runs = Self::of_sorted(singles, |key| value32(key + base).into());
            runs.join_zeros();
            runs
        })
    }

    /// By a table with a place for each integer of the range, if there are only such.
    fn of_integers(values: &[f64]) -> Option<Self> {
        // By their bits: a negative zero is no integer.
        let whole = |v: &f64| (*v as i64 as f64).to_bits() == v.to_bits();
        let all_whole = |values: &[f64]| values.iter().fold(true, |all, v| all & whole(v));
        if !values.chunks(64).all(all_whole) {
            return None;
        }
        let (least, greatest) = range(values);
        let width = greatest - least;
        if !(width < (2 * values.len()).min(TABLE) as f64 && least.abs() < EXACT) {
            return None;
        }
        let mut table = vec![0_u32; width as usize + 1];
        let least = least as i64;
        for value in values {
            table[(*value as i64 - least) as usize] += 1;
        }
        let mut runs = Runs::default();
        for (i, &count) in table.iter().enumerate().filter(|(_, count)| **count > 0) {
            runs.values.push((least + i as i64) as f64);
            runs.counts.push(count);
        }
        Some(runs)
    }

    /// By a hash table, if there are few distinct keys.
    fn of_few(keys: impl Iterator<Item = u64>, value: impl Fn(u64) -> f64) -> Option<Self> {
        let mut places = [0_u16; SLOTS];
        let mut counted: Vec<(u64, u32)> = Vec::with_capacity(64);
        for key in keys {
            // Fibonacci hashing: the upper bits depend on all of the key.
            let mut slot = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> SLOT_SHIFT) as usize;
            loop {
                let place = usize::from(places[slot]);
                if place == 0 {
                    if counted.len() == FEW {
                        return None;
                    }
                    counted.push((key, 1));
                    places[slot] = counted.len() as u16;
                    break;
                }
                let (known, count) = &mut counted[place - 1];
                if *known == key {
                    *count += 1;
                    break;
                }
                slot = (slot + 1) % SLOTS;
            }
        }
        counted.sort_unstable();
        let mut runs = Runs {
            values: counted.iter().map(|(key, _)| value(*key)).collect(),
            counts: counted.iter().map(|(_, count)| *count).collect(),
        };
        runs.join_zeros();
        Some(runs)
    }

    fn of_sorted<K: Copy + PartialEq>(sorted: &[K], value: impl Fn(K) -> f64) -> Self {
        let n = sorted.len();
        let (mut values, mut ends) = (vec![0.0; n], vec![0_u32; n]);
        let mut last = 0;
        // Without a branch: whether a value equals the next one cannot be foretold.
        for (i, key) in sorted.iter().enumerate() {
            values[last] = value(*key);
            ends[last] = i as u32 + 1;
            last += usize::from(sorted.get(i + 1).is_some_and(|next| next != key));
        }
        let n_runs = if n == 0 { 0 } else { last + 1 };
        values.truncate(n_runs);
        ends.truncate(n_runs);
        let mut counts = ends;
        for i in (1..n_runs).rev() {
            counts[i] -= counts[i - 1];
        }
        Runs { values, counts }
    }

    /// Gives a zero its sign: positive if any zero among the values is.
    fn make_zero_positive(&mut self, values: &[f64]) {
        let at = self.below(0.0);
        let zero = self.values.get_mut(at).filter(|zero| zero.to_bits() == 1 << 63);
        if let Some(zero) = zero
            && values.iter().any(|value| value.to_bits() == 0)
        {
            *zero = 0.0;
        }
    }

    /// Makes one run of negative and positive zeros.
    fn join_zeros(&mut self) {
        let at = self.below(0.0);
        if self.values.get(at) == Some(&0.0) && self.values.get(at + 1) == Some(&0.0) {
            self.values.remove(at);
            self.counts[at + 1] += self.counts[at];
            self.counts.remove(at);
        }
    }

    /// How many runs lie below `value`.
    pub(crate) fn below(&self, value: f64) -> usize {
        self.values.partition_point(|v| *v < value)
    }

    /// How often `value` occurs.
    pub(crate) fn count_of(&self, value: f64) -> u32 {
        let at = self.below(value);
        if self.values.get(at) == Some(&value) { self.counts[at] } else { 0 }
    }
}

/// Integers of up to this size are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Longest range of integers that is counted in a table.
const TABLE: usize = 16_384;
/// Most distinct keys that are counted in a hash table.
const FEW: usize = 512;
/// A quarter full at most.
const SLOTS: usize = 2_048;
const SLOT_SHIFT: u32 = 64 - SLOTS.trailing_zeros();

/// Least and greatest value; 0 and 0 of none. Of two zeros either may come.
fn range(values: &[f64]) -> (f64, f64) {
    let Some(&first) = values.first() else { return (0.0, 0.0) };
    // In lanes: one chain of comparisons would be slower than sorting.
    let (mut least, mut greatest) = ([first; 8], [first; 8]);
    let lower = |a: f64, b: f64| if a < b { a } else { b };
    let upper = |a: f64, b: f64| if a > b { a } else { b };
    let blocks = values.chunks_exact(8);
    for &v in blocks.remainder() {
        (least[0], greatest[0]) = (lower(v, least[0]), upper(v, greatest[0]));
    }
    for block in blocks {
        for ((least, greatest), &v) in least.iter_mut().zip(&mut greatest).zip(block) {
            (*least, *greatest) = (lower(v, *least), upper(v, *greatest));
        }
    }
    (least.into_iter().fold(first, lower), greatest.into_iter().fold(first, upper))
}

/// Memory that blocks are sorted in: fresh pages for every block would cost more than the sorting.
#[derive(Default)]
struct Scratch {
    doubles: Vec<f64>,
    spare_doubles: Vec<f64>,
    keys: Vec<u64>,
    spare: Vec<u64>,
    singles: Vec<u32>,
    spare_singles: Vec<u32>,
    counts: Vec<[u32; DIGITS]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

const PASSES: u32 = 2;
const DIGIT: u32 = 11;
const DIGITS: usize = 1 << DIGIT;

/// Sorts by place between the least and the greatest value, in 2^22 steps, then mends; false where
/// that does not tell the values apart: the range is not finite, or they crowd in a small part of it.
fn sort_evenly(
    values: &mut Vec<f64>,
    spare: &mut Vec<f64>,
    counts: &mut Vec<[u32; DIGITS]>,
    least: f64,
    greatest: f64,
) -> bool {
    const STEPS: f64 = ((1 << (PASSES * DIGIT)) - 2) as f64;
    /// Added to a small positive float, puts its integer part into the lowest bits.
    const TO_BITS: f64 = 4_503_599_627_370_496.0;
    let scale = STEPS / (greatest - least);
    if values.len() < 256 || !(scale.is_finite() && scale > 0.0) {
        return false;
    }
    let step = |value: f64| ((value - least) * scale + TO_BITS).to_bits() as usize;
    let is_crowded = |high: &[u32; DIGITS], n: usize| high.iter().any(|c| *c as usize > n / 4);
    if !radix(values, spare, counts, |value, i| step(value) >> (DIGIT * i), is_crowded) {
        return false;
    }
    mend(values, |a, b| a > b, |values| values.sort_unstable_by(f64::total_cmp));
    true
}

/// Sorts by the upper 22 bits that differ, then mends what those left in disorder.
fn sort64(keys: &mut Vec<u64>, spare: &mut Vec<u64>, counts: &mut Vec<[u32; DIGITS]>) {
    let bits = 64 - keys.iter().copied().max().unwrap_or(0).leading_zeros();
    let skip = bits.saturating_sub(PASSES * DIGIT);
    if keys.len() < 256 || bits == 0 {
        keys.sort_unstable();
        return;
    }
    radix(keys, spare, counts, |key, i| (key >> (skip + DIGIT * i)) as usize, |_, _| false);
    if skip > 0 {
        mend(keys, |a, b| a > b, <[_]>::sort_unstable);
    }
}

fn sort32(keys: &mut Vec<u32>, spare: &mut Vec<u32>, counts: &mut Vec<[u32; DIGITS]>) {
    let bits = 32 - keys.iter().copied().max().unwrap_or(0).leading_zeros();
    let skip = bits.saturating_sub(PASSES * DIGIT);
    if keys.len() < 256 || bits == 0 {
        keys.sort_unstable();
        return;
    }
    radix(keys, spare, counts, |key, i| (key >> (skip + DIGIT * i)) as usize, |_, _| false);
    if skip > 0 {
        mend(keys, |a, b| a > b, <[_]>::sort_unstable);
    }
}

/// Sorts by two digits, the lower first; passes over digits that are the same everywhere.
fn radix<K: Copy + Default>(
    keys: &mut Vec<K>,
    spare: &mut Vec<K>,
    counts: &mut Vec<[u32; DIGITS]>,
    digit: impl Fn(K, u32) -> usize,
    give_up: impl Fn(&[u32; DIGITS], usize) -> bool,
) -> bool {
    counts.clear();
    counts.resize(PASSES as usize, [0; DIGITS]);
    let [low, high] = &mut counts[..] else { return false };
    for &key in keys.iter() {
        low[digit(key, 0) % DIGITS] += 1;
        high[digit(key, 1) % DIGITS] += 1;
    }
    if give_up(high, keys.len()) {
        return false;
    }
    spare.resize(keys.len(), K::default());
    for (i, places) in (0..PASSES).zip(counts) {
        let mut place = 0;
        let is_constant = places[digit(keys[0], i) % DIGITS] as usize == keys.len();
        if is_constant {
            continue;
        }
        for count in places.iter_mut() {
            (*count, place) = (place, place + *count);
        }
        for &key in keys.iter() {
            let place = &mut places[digit(key, i) % DIGITS];
            spare[*place as usize] = key;
            *place += 1;
        }
        std::mem::swap(keys, spare);
    }
    true
}

/// Sorts what is sorted but for a few neighbours.
fn mend<K: Copy>(keys: &mut [K], above: impl Fn(&K, &K) -> bool, sort: impl Fn(&mut [K])) {
    let mut moves = keys.len();
    for i in 1..keys.len() {
        let key = keys[i];
        let mut at = i;
        while at > 0 && above(&keys[at - 1], &key) {
            keys[at] = keys[at - 1];
            at -= 1;
            moves = moves.saturating_sub(1);
        }
        keys[at] = key;
        if moves == 0 {
            // Most keys have the same upper bits: one lies far off.
            sort(keys);
            return;
        }
    }
}

/// One of two equal values: they can differ only as zeros, and a positive zero wins.
pub(crate) fn same(a: f64, b: f64) -> f64 {
    if a == 0.0 { a + b } else { a }
}

/// An integer that orders as the float does.
pub(crate) fn key64(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

fn value64(key: u64) -> f64 {
    f64::from_bits(key ^ ((((key ^ 1 << 63) as i64 >> 63) as u64) | 1 << 63))
}

fn key32(value: f32) -> u32 {
    let bits = value.to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | 1 << 31)
}

fn value32(key: u32) -> f32 {
    f32::from_bits(key ^ ((((key ^ 1 << 31) as i32 >> 31) as u32) | 1 << 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs of values by a plain sort.
    fn plainly(values: &[f64]) -> Vec<(u64, u32)> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut runs: Vec<(f64, u32)> = Vec::new();
        for value in sorted {
            match runs.last_mut() {
                Some((last, n)) if *last == value => (*last, *n) = (same(*last, value), *n + 1),
                _ => runs.push((value, 1)),
            }
        }
        runs.into_iter().map(|(v, n)| (v.to_bits(), n)).collect()
    }

    fn bits(runs: &Runs) -> Vec<(u64, u32)> {
        runs.values.iter().map(|v| v.to_bits()).zip(runs.counts.iter().copied()).collect()
    }

    fn check(values: &[f64]) {
        assert_eq!(bits(&Runs::of_f64(values)), plainly(values));
        let singles: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let doubles: Vec<f64> = singles.iter().copied().map(f64::from).collect();
        assert_eq!(bits(&Runs::of_f32(&singles)), plainly(&doubles));
    }

    #[test]
    fn sorts_and_counts() {
        let inf = f64::INFINITY;
        check(&[]);
        check(&[2.0, -1.0, 2.0]);
        check(&[inf, -inf, 0.0, inf]);
        check(&[0.0, -0.0, 0.0, -1.5]);
        check(&[-0.0, -0.0]);
        check(&[-0.0; 100]);
        check(&[f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, inf, -inf]);
    }

    #[test]
    fn every_way_gives_the_same_runs() {
        let mix = |i: u64| {
            let x = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (x >> 32)
        };
        for n in [1_u64, 20, 255, 256, 1000, 8192] {
            let of = |f: &dyn Fn(u64) -> f64| (0..n).map(|i| f(mix(i))).collect::<Vec<f64>>();
            check(&of(&|x| (x % 3) as f64));
            check(&of(&|x| (x % 1000) as f64 - 500.0));
            check(&of(&|x| if x % 5 == 0 { -0.0 } else { (x % 3) as f64 }));
            check(&of(&|x| (x % 16_384) as f64 + 1e12));
            check(&of(&|x| (x % 16_385) as f64));
            check(&of(&|x| (x % 513) as f64 * 0.1));
            check(&of(&|x| x as i64 as f64));
            check(&of(&|x| x as f64 / u64::MAX as f64));
            check(&of(&|x| f64::from_bits(x & !(1 << 52))));
            // One value far off leaves the others no upper bits.
            check(&of(&|x| if x % 4096 == 0 { -1e300 } else { 1.0 + (x >> 12) as f64 * 1e-20 }));
            check(&of(&|x| if x % 2 == 0 { f64::INFINITY } else { f64::NEG_INFINITY }));
        }
    }
}
