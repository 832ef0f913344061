//! Orders that depend on a seed alone.

/// Random numbers of a seed: splitmix64 (Steele et al. 2014).
pub(crate) struct Random(u64);

impl Random {
    /// Of a seed and an epoch.
    pub(crate) fn new(seed: u64, epoch: u64) -> Self {
        let mut random = Random(seed ^ epoch.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// From 0 up to below `n`, by multiplication (Lemire 2019); the bias is below `n` in 2^64.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Shuffles, as Fisher and Yates do.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_as_likely_as_another() {
        let mut seen = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            Random::new(1, epoch).shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        // 1,000 expected of each, with a standard deviation of 31.
        assert!(seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }
}
