//! Estimates of mutual information from nearest neighbours and from counts.
//!
//! The distance is the greatest difference in any dimension. Formulas as in TFDV's
//! `mutual_information_util.py` with its default method `larger_data`: the second estimator of Kraskov
//! et al. for points, Ross's for points and categories with the neighbour on the rim counted.

use std::collections::HashMap;
use std::f64::consts::{LN_2, TAU};

use super::encode::{Bag, Side};
use super::space::{Points, Space, mix};

/// Number of nearest neighbours.
pub(super) const K: usize = 3;

/// Ties are broken by noise of this size, relative to the mean size of the values.
const NOISE: f64 = 1e-10;

/// What one side tells about the other, less what it seems to tell when it is shuffled, in bits.
pub(super) fn adjusted_mutual_information(a: &Side, b: &Side, seed: u64) -> f64 {
    if a.n_rows().min(b.n_rows()) <= K {
        return 0.0;
    }
    let mut random = Random(seed);
    let plain = mutual_information(a, b, &mut random);
    let shuffled = a.shuffled(&mut random);
    (plain - mutual_information(&shuffled, b, &mut random)).max(0.0)
}

fn mutual_information(a: &Side, b: &Side, random: &mut Random) -> f64 {
    match (a, b) {
        (Side::Nothing, _) | (_, Side::Nothing) => 0.0,
        (Side::Categories(a), Side::Categories(b)) => of_categories(a, b),
        (Side::Categories(labels), points) | (points, Side::Categories(labels)) => {
            of_points_and_categories(&points.points(random), labels)
        }
        (a, b) => of_points(&a.points(random), &b.points(random)),
    }
}

/// The entropies of both less that of the pairs.
fn of_categories(a: &[u32], b: &[u32]) -> f64 {
    let pairs: Vec<u64> =
        a.iter().zip(b).map(|(&a, &b)| u64::from(a) << 32 | u64::from(b)).collect();
    let wide = |codes: &[u32]| codes.iter().map(|&code| u64::from(code)).collect();
    (entropy(wide(a)) + entropy(wide(b)) - entropy(pairs)).max(0.0)
}

fn entropy(mut codes: Vec<u64>) -> f64 {
    codes.sort_unstable();
    let n = codes.len() as f64;
    let counts = codes.chunk_by(|a, b| a == b).map(|chunk| chunk.len() as f64);
    -counts.map(|count| count / n * (count / n).log2()).sum::<f64>()
}

/// Unit variance; a missing number lies far from all others and near the other missing ones; noise.
fn scaled(values: &[f64], random: &mut Random) -> Vec<f64> {
    let there = || values.iter().copied().filter(|value| !value.is_nan());
    let n = there().count() as f64;
    let (low, high) = there().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let mut out: Vec<f64> = if low >= high {
        values.iter().map(|value| if value.is_nan() { f64::NAN } else { 0.0 }).collect()
    } else {
        // Scaled down first: the squares of the greatest floats are infinite.
        let scale = high.abs().max(low.abs());
        let mean = there().map(|value| value / scale / n).sum::<f64>();
        let square = there().map(|value| (value / scale - mean).powi(2)).sum::<f64>();
        let deviation = (square / (n - 1.0)).sqrt();
        values.iter().map(|value| (value / scale - mean) / deviation).collect()
    };
    let there = || out.iter().copied().filter(|value| !value.is_nan());
    let (low, high) =
        (there().fold(f64::INFINITY, f64::min), there().fold(f64::NEG_INFINITY, f64::max));
    let missing = if low > high { 10.0 } else { 2.0 * high - low + 10.0 };
    out.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = missing);
    let size = out.iter().map(|value| value.abs()).sum::<f64>() / out.len() as f64;
    let noise = NOISE * size.max(1.0);
    for value in &mut out {
        *value += noise * random.normal();
    }
    out
}

/// Unit variance in every dimension; missing bags lie far from all others. Noise goes into a
/// dimension of its own, for it matters only where bags are equal.
fn scaled_bags(bags: &[Option<Bag>], random: &mut Random) -> Points {
    // Sum, sum of squares and greatest of the coordinates that are not 0.
    let mut sums = HashMap::<u32, (f64, f64, f64)>::new();
    let n = bags.iter().flatten().count() as f64;
    for &(dimension, x) in bags.iter().flatten().flatten() {
        let (sum, square, most) = sums.entry(dimension).or_default();
        *sum += x;
        *square += x * x;
        *most = f64::max(*most, x);
    }
    let deviation =
        |(sum, square, _): (f64, f64, f64)| ((square - sum * sum / n) / (n - 1.0)).max(0.0).sqrt();
    let scale: HashMap<u32, f64> = sums
        .iter()
        .map(|(&dimension, &found)| (dimension, deviation(found)))
        .map(|(dimension, deviation)| {
            (dimension, if deviation > 0.0 { 1.0 / deviation } else { 0.0 })
        })
        .collect();
    let widest = sums.iter().map(|(dimension, found)| found.2 * scale[dimension]);
    let far = 10.0 + widest.fold(0.0, f64::max);
    let scaled = |bag: &Bag| -> Bag {
        bag.iter().map(|&(dimension, x)| (dimension, x * scale[&dimension])).collect()
    };
    let numbers = bags.iter().map(|bag| {
        let place = if bag.is_some() { 0.0 } else { far };
        place + NOISE * random.normal()
    });
    let numbers = numbers.collect();
    let bags = bags.iter().map(|bag| bag.as_ref().map(scaled).unwrap_or_default());
    points(numbers, Some(bags.collect()))
}

fn points(numbers: Vec<f64>, bags: Option<Vec<Bag>>) -> Points {
    let ids = (0..numbers.len() as u32).collect();
    Points { numbers, bags, ids, noise: NOISE }
}

fn of_points(a: &Points, b: &Points) -> f64 {
    let n_rows = a.numbers.len();
    let (both, a, b) = (Space::new(vec![a, b]), Space::new(vec![a]), Space::new(vec![b]));
    let psi = Digamma::new(n_rows);
    let mut sum = 0.0;
    for i in 0..n_rows {
        let (mut radius_a, mut radius_b) = (0.0_f64, 0.0_f64);
        for (_, j) in both.nearest(i, K) {
            radius_a = radius_a.max(a.distance(i, j));
            radius_b = radius_b.max(b.distance(i, j));
        }
        // The point itself is within; it does not count.
        sum += psi.of(a.count_within(i, radius_a) - 1) + psi.of(b.count_within(i, radius_b) - 1);
    }
    let k = K as f64;
    let found = psi.of(K) + psi.of(n_rows) - 1.0 / k - sum / n_rows as f64;
    (found / LN_2).max(0.0)
}

fn of_points_and_categories(points: &Points, labels: &[u32]) -> f64 {
    let mut rows: Vec<usize> = (0..labels.len()).collect();
    rows.sort_by_key(|&row| labels[row]);
    // A category of one row says nothing.
    let groups: Vec<&[usize]> =
        rows.chunk_by(|&a, &b| labels[a] == labels[b]).filter(|group| group.len() > 1).collect();
    let kept: Vec<usize> = groups.concat();
    if kept.is_empty() {
        return 0.0;
    }
    let all = points.of_rows(&kept);
    let all = Space::new(vec![&all]);
    let psi = Digamma::new(kept.len());
    let (mut sum, mut first) = (0.0, 0);
    for group in groups {
        let points = points.of_rows(group);
        let space = Space::new(vec![&points]);
        let k = K.min(group.len() - 1);
        for i in 0..group.len() {
            let radius = space.nearest(i, k).last().map_or(0.0, |&(distance, _)| distance);
            sum +=
                psi.of(k) - psi.of(group.len()) - psi.of(all.count_within(first + i, radius) - 1);
        }
        first += group.len();
    }
    let found = psi.of(kept.len()) + sum / kept.len() as f64;
    (found / LN_2).max(0.0)
}

/// The digamma function of whole numbers: harmonic numbers less Euler's constant.
struct Digamma(Vec<f64>);

impl Digamma {
    fn new(max: usize) -> Self {
        const EULER: f64 = 0.577_215_664_901_532_9;
        let mut table = vec![f64::NEG_INFINITY, -EULER];
        for n in 1..max {
            table.push(table[n] + 1.0 / n as f64);
        }
        Digamma(table)
    }

    fn of(&self, n: usize) -> f64 {
        self.0[n]
    }
}

impl Side {
    fn n_rows(&self) -> usize {
        match self {
            Side::Nothing => 0,
            Side::Categories(codes) => codes.len(),
            Side::Numbers(numbers) => numbers.len(),
            Side::Bags(bags) => bags.len(),
        }
    }

    /// Points for a side that has neither categories nor nothing.
    fn points(&self, random: &mut Random) -> Points {
        match self {
            Side::Numbers(numbers) => points(scaled(numbers, random), None),
            Side::Bags(bags) => scaled_bags(bags, random),
            Side::Nothing | Side::Categories(_) => points(Vec::new(), None),
        }
    }

    fn shuffled(&self, random: &mut Random) -> Side {
        let mut order: Vec<usize> = (0..self.n_rows()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i as u64 + 1) as usize);
        }
        match self {
            Side::Nothing => Side::Nothing,
            Side::Categories(codes) => Side::Categories(order.iter().map(|&i| codes[i]).collect()),
            Side::Numbers(numbers) => Side::Numbers(order.iter().map(|&i| numbers[i]).collect()),
            Side::Bags(bags) => Side::Bags(order.iter().map(|&i| bags[i].clone()).collect()),
        }
    }
}

/// Random numbers that are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`, each about equally likely.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number of the normal distribution (Box and Muller, doi:10.1214/aoms/1177706645).
    fn normal(&mut self) -> f64 {
        let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let (u, v) = (unit(self.next()), unit(self.next()));
        (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(n: usize, seed: u64) -> Vec<f64> {
        let mut random = Random(seed);
        (0..n).map(|_| (random.next() >> 11) as f64 / (1_u64 << 53) as f64).collect()
    }

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
    }

    #[test]
    fn digamma_of_whole_numbers() {
        let psi = Digamma::new(100);
        near(psi.of(1), -0.577_215_664_901_532_9, 1e-15);
        near(psi.of(2), 0.422_784_335_098_467_1, 1e-15);
        near(psi.of(100), 4.600_161_852_738_087, 1e-13);
    }

    #[test]
    fn categories_have_exact_entropies() {
        let a = [0, 0, 1, 1];
        near(of_categories(&a, &a), 1.0, 1e-15);
        near(of_categories(&a, &[0, 1, 0, 1]), 0.0, 1e-15);
        near(of_categories(&a, &[0, 1, 2, 3]), 1.0, 1e-15);
        near(of_categories(&[0, 0, 0, 1], &[0, 0, 1, 1]), 0.311_278_124_459_132_8, 1e-15);
    }

    #[test]
    fn known_mutual_informations() {
        let n = 1_000;
        let (x, noise) = (uniform(n, 1), uniform(n, 2));
        let run = |a: &Side, b: &Side| adjusted_mutual_information(a, b, 12_345);
        let points = |values: &[f64]| Side::Numbers(values.to_vec());
        // Independent.
        near(run(&points(&x), &points(&noise)), 0.0, 0.1);
        // Uniform x and x plus uniform noise of half the width: 1/4 nat more than ln 2.
        let sum: Vec<f64> = x.iter().zip(&noise).map(|(x, noise)| x + noise / 2.0).collect();
        near(run(&points(&x), &points(&sum)), (2.0_f64.ln() + 0.25) / LN_2, 0.15);
        // Two categories that halve the range: one bit, whichever side is which.
        let halves = Side::Categories(x.iter().map(|&x| u32::from(x < 0.5)).collect());
        near(run(&halves, &points(&x)), 1.0, 0.02);
        near(run(&points(&x), &halves), 1.0, 0.02);
        near(run(&halves, &points(&noise)), 0.0, 0.05);
        near(run(&halves, &halves), 1.0, 0.02);
        // Bags that hold a thing more often in one half, and another by chance.
        let bag =
            |x: f64, noise: f64| vec![(3, 1.0 + f64::from(x < 0.5)), (9, (noise * 4.0).ceil())];
        let bags = x.iter().zip(&noise).map(|(&x, &noise)| Some(bag(x, noise))).collect();
        near(run(&halves, &Side::Bags(bags)), 1.0, 0.1);
        let bags = noise.iter().map(|&x| (x < 0.5).then(Vec::new)).collect();
        near(run(&halves, &Side::Bags(bags)), 0.0, 0.1);
    }

    #[test]
    fn degenerate_sides() {
        let run = |a: &Side, b: &Side| adjusted_mutual_information(a, b, 12_345);
        let flat = Side::Numbers(vec![1.0; 50]);
        let line = Side::Numbers((0..50).map(f64::from).collect());
        let own = Side::Categories((0..50).collect());
        let one = Side::Categories(vec![0; 50]);
        let huge = Side::Numbers((0..50).map(|i| f64::MAX * (f64::from(i - 25) / 25.0)).collect());
        let gaps = Side::Numbers((0..50).map(|i| if i < 25 { f64::NAN } else { 1.0 }).collect());
        let bags = Side::Bags((0..50).map(|i| (i % 3 > 0).then(|| vec![(i % 5, 1.0)])).collect());
        for a in [&flat, &line, &own, &one, &huge, &gaps, &bags, &Side::Nothing] {
            for b in [&flat, &line, &own, &one, &huge, &gaps, &bags, &Side::Nothing] {
                let found = run(a, b);
                assert!(found.is_finite() && found >= 0.0, "{a:?} {b:?}: {found}");
            }
        }
        assert_eq!(run(&Side::Nothing, &line), 0.0);
        assert_eq!(run(&one, &line), 0.0);
        assert_eq!(run(&own, &line), 0.0);
        let few = Side::Numbers(vec![1.0, 2.0, 3.0]);
        assert_eq!(run(&few, &few), 0.0);
    }
}
