//! Replicates: the same metric over resampled rows, from which its interval is computed.
//!
//! ```text
//!  jackknife   each row is in one of n parts; replicate k is all parts but k
//!  bootstrap   part 0 has all rows once, part k each as often as Poisson(1) says
//! ```
//!
//! **Invariant:** which parts a row is in depends on its place alone (shard and row), and parts are
//! merged exactly, so no order of shards, batches or workers can be seen in an interval.

use engine::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How rows are resampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// They are not: there are no intervals.
    #[default]
    None,
    /// Leave out one part of the rows after the other.
    Jackknife,
    /// Give every row a weight of the Poisson distribution of mean 1.
    PoissonBootstrap,
}

/// How rows are resampled, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicates {
    /// The method.
    pub method: Method,
    /// Number of replicates.
    pub n: u8,
}

/// Where a metric would be if other rows had been drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// The standard error that it is made of.
    pub standard_error: f64,
}

impl Replicates {
    /// TFMA's number of replicates.
    pub const DEFAULT: u8 = 20;

    /// A method with a number of replicates.
    ///
    /// # Errors
    /// When there are fewer than 2 or more than 200.
    pub fn new(method: Method, n: u8) -> Result<Self> {
        if method != Method::None && !(2..=200).contains(&n) {
            return Err(Error::invalid(format!("{n} replicates make no interval"))
                .with_hint("Choose from 2 to 200; TFMA takes 20."));
        }
        Ok(Replicates { method, n })
    }

    /// Parts that states are kept in.
    pub fn n_parts(self) -> usize {
        match self.method {
            Method::None => 1,
            Method::Jackknife => self.n.into(),
            Method::PoissonBootstrap => usize::from(self.n) + 1,
        }
    }

    /// Results that are computed: of all rows, then of each replicate.
    pub fn n_samples(self) -> usize {
        if self.method == Method::None { 1 } else { usize::from(self.n) + 1 }
    }

    /// The parts that a row is in, and how often, by the hash of its place.
    pub(super) fn parts(self, place: u64, mut f: impl FnMut(u8, u64)) {
        match self.method {
            Method::None => f(0, 1),
            // The high bits, by multiplication: every part is as likely.
            Method::Jackknife => f(((u128::from(place) * u128::from(self.n)) >> 64) as u8, 1),
            Method::PoissonBootstrap => {
                f(0, 1);
                for k in 1..=self.n {
                    let times = poisson(xxh3_64_with_seed(&place.to_le_bytes(), k.into()));
                    if times > 0 {
                        f(k, times);
                    }
                }
            }
        }
    }

    /// What all rows and each replicate give, from the states of the parts that are there.
    pub(super) fn samples<S: Clone>(
        self,
        parts: &[(u8, S)],
        zero: &S,
        merge: impl Fn(&mut S, &S),
    ) -> Vec<S> {
        let all_but = |without: Option<u8>| {
            let mut parts = parts.iter().filter(|(part, _)| Some(*part) != without);
            let mut sum = parts.next().map_or_else(|| zero.clone(), |(_, first)| first.clone());
            parts.for_each(|(_, part)| merge(&mut sum, part));
            sum
        };
        match self.method {
            Method::None => vec![all_but(None)],
            Method::Jackknife => {
                let all = all_but(None);
                let mut samples = vec![all; self.n_samples()];
                for (part, _) in parts {
                    samples[usize::from(*part) + 1] = all_but(Some(*part));
                }
                samples
            }
            Method::PoissonBootstrap => {
                let mut samples = vec![zero.clone(); self.n_samples()];
                for (part, state) in parts {
                    samples[usize::from(*part)].clone_from(state);
                }
                samples
            }
        }
    }

    /// The interval of a metric at a confidence, from its value and those of its replicates; `None`
    /// without replicates, or where one of them is not defined.
    pub fn interval(self, samples: &[f64], confidence: f64) -> Option<Interval> {
        let (value, replicates) = samples.split_first()?;
        if replicates.len() < 2 || !samples.iter().all(|sample| sample.is_finite()) {
            return None;
        }
        let n = replicates.len() as f64;
        let mean = replicates.iter().sum::<f64>() / n;
        let squares: f64 = replicates.iter().map(|x| (x - mean) * (x - mean)).sum();
        let variance = match self.method {
            Method::None => return None,
            Method::Jackknife => squares * (n - 1.0) / n,
            Method::PoissonBootstrap => squares / (n - 1.0),
        };
        self.around(*value, variance.sqrt(), confidence)
    }

    /// The interval around a value with a standard error, at a confidence.
    pub(super) fn around(
        self,
        value: f64,
        standard_error: f64,
        confidence: f64,
    ) -> Option<Interval> {
        let distribution = StudentsT::new(0.0, 1.0, f64::from(self.n) - 1.0).ok()?;
        let reach = distribution.inverse_cdf(f64::midpoint(1.0, confidence)) * standard_error;
        let is_number = reach.is_finite() && value.is_finite();
        is_number.then_some(Interval { lower: value - reach, upper: value + reach, standard_error })
    }
}

/// A number of the Poisson distribution of mean 1, from 64 random bits.
fn poisson(bits: u64) -> u64 {
    let uniform = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let (mut n, mut probability) = (0, 1.0 / std::f64::consts::E);
    let mut below = probability;
    // 1 / 20! is less than the least step of `uniform`.
    while uniform >= below && n < 20 {
        n += 1;
        probability /= n as f64;
        below += probability;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_weights_have_mean_and_variance_one() {
        let n = 200_000u64;
        let draws = (0..n).map(|i| poisson(xxh3_64_with_seed(&i.to_le_bytes(), 3)) as f64);
        let (sum, squares) = draws.fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        let mean = sum / n as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((squares / n as f64 - mean * mean - 1.0).abs() < 0.02);
        assert_eq!((poisson(0), poisson(u64::MAX)), (0, 18));
    }

    #[test]
    fn replicates_are_made_of_parts() {
        let sum = |replicates: Replicates, parts: &[(u8, i32)]| {
            replicates.samples(parts, &0, |a, b| *a += b)
        };
        let none = Replicates::default();
        assert_eq!(sum(none, &[(0, 7)]), [7]);
        assert_eq!(sum(none, &[]), [0]);
        let jackknife = Replicates::new(Method::Jackknife, 3).unwrap();
        assert_eq!(sum(jackknife, &[(0, 1), (2, 4)]), [5, 4, 5, 1]);
        let bootstrap = Replicates::new(Method::PoissonBootstrap, 2).unwrap();
        assert_eq!(sum(bootstrap, &[(0, 5), (2, 8)]), [5, 0, 8]);
        assert!(Replicates::new(Method::Jackknife, 1).is_err());
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        // Of parts of one row each it is the textbook's: s / sqrt(n).
        let rows = [1.0, 4.0, 2.0, 8.0, 5.0];
        let n = rows.len() as f64;
        let total: f64 = rows.iter().sum();
        let mut samples = vec![total / n];
        samples.extend(rows.iter().map(|x| (total - x) / (n - 1.0)));
        let replicates = Replicates::new(Method::Jackknife, 5).unwrap();
        let found = replicates.interval(&samples, 0.95).unwrap();
        let variance: f64 = rows.iter().map(|x| (x - 4.0) * (x - 4.0)).sum::<f64>() / (n - 1.0);
        assert!((found.standard_error - (variance / n).sqrt()).abs() < 1e-12);
        // The 97.5 % point of Student's t with 4 degrees of freedom.
        assert!((found.upper - 4.0 - 2.776_445_105 * found.standard_error).abs() < 1e-6);
        assert_eq!(replicates.interval(&[1.0, f64::NAN, 1.0], 0.95), None);
        assert_eq!(Replicates::default().interval(&[1.0], 0.95), None);
    }
}
