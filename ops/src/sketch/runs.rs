//! `Runs`: a block of values, sorted and counted.

/// Distinct values in ascending order, and how often each occurs. Never holds a NaN.
///
/// Zeros of both signs are one value: -0.0 if all of them are negative, else 0.0.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) values: Vec<f64>,
    pub(crate) counts: Vec<u32>,
}

impl Runs {
    /// Of double floats; NaN may not be among them.
    pub(crate) fn of_f64(values: &[f64]) -> Self {
        let mut keys: Vec<u64> = values.iter().map(|v| key64(*v)).collect();
        keys.sort_unstable();
        Self::of_sorted(keys.iter().map(|key| value64(*key)))
    }

    /// Of single floats; NaN may not be among them.
    pub(crate) fn of_f32(values: &[f32]) -> Self {
        let mut keys: Vec<u32> = values.iter().map(|v| key32(*v)).collect();
        keys.sort_unstable();
        Self::of_sorted(keys.iter().map(|key| f64::from(value32(*key))))
    }

    fn of_sorted(sorted: impl Iterator<Item = f64>) -> Self {
        let mut runs = Runs::default();
        for value in sorted {
            match runs.values.last_mut() {
                Some(last) if *last == value => {
                    *last = same(*last, value);
                    *runs.counts.last_mut().expect("as many counts as values") += 1;
                }
                _ => {
                    runs.values.push(value);
                    runs.counts.push(1);
                }
            }
        }
        runs
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

/// One of two equal values: they can differ only as zeros, and a positive zero wins.
pub(crate) fn same(a: f64, b: f64) -> f64 {
    if a == 0.0 { a + b } else { a }
}

/// An integer that orders as the float does.
pub(crate) fn key64(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

pub(crate) fn value64(key: u64) -> f64 {
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

    #[test]
    fn sorts_and_counts() {
        let check = |values: &[f64], expected: &[(f64, u32)]| {
            for runs in [
                Runs::of_f64(values),
                Runs::of_f32(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()),
            ] {
                let found: Vec<(u64, u32)> = runs
                    .values
                    .iter()
                    .map(|v| v.to_bits())
                    .zip(runs.counts.iter().copied())
                    .collect();
                let expected: Vec<(u64, u32)> =
                    expected.iter().map(|(v, n)| (v.to_bits(), *n)).collect();
                assert_eq!(found, expected, "{values:?}");
            }
        };
        let inf = f64::INFINITY;
        check(&[], &[]);
        check(&[2.0, -1.0, 2.0], &[(-1.0, 1), (2.0, 2)]);
        check(&[inf, -inf, 0.0, inf], &[(-inf, 1), (0.0, 1), (inf, 2)]);
        check(&[0.0, -0.0, 0.0, -1.5], &[(-1.5, 1), (0.0, 3)]);
        check(&[-0.0, -0.0], &[(-0.0, 2)]);
    }
}
