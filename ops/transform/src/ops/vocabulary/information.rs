//! Mutual information of a token with labels, as TFT computes it (`beam/info_theory.py`).
//!
//! The adjustment is the expected information of a hypergeometric law: Vinh, Epps and Bailey,
//! doi:10.1145/1553374.1553511. Neither is divided by the number of rows: both are weighted counts.

use std::collections::BTreeMap;

use engine::{Error, Result};
use statrs::function::gamma::ln_gamma;

use super::frequency::Frequency;

/// Least probability of a label given a token.
const EPSILON: f64 = 1e-6;

/// Labels over all rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// Weight of all rows.
    pub n: f64,
    /// Weight of the rows with each label.
    pub of: BTreeMap<i64, f64>,
}

/// How information is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Information {
    /// Subtracts what is expected by chance.
    pub adjusted: bool,
    /// Differences from the expected count that count for nothing; recommended by default.
    pub min_diff: Option<f64>,
}

impl Information {
    /// Information of a token that rows of weight `total` have, those with each label weighing
    /// `labels`.
    ///
    /// # Errors
    /// When a row has the token more than once.
    pub(super) fn of(
        self,
        token: &[u8],
        total: f64,
        labels: &BTreeMap<i64, f64>,
        all: &Labels,
    ) -> Result<Frequency> {
        let n = all.n;
        if n == 0.0 || n.is_nan() {
            return Ok(Frequency::Number(f64::NAN));
        }
        if total.round_ties_even() == n.round_ties_even() {
            return Ok(Frequency::Zero);
        }
        if total.round_ties_even() > n.round_ties_even() {
            let token = String::from_utf8_lossy(token);
            return Err(Error::invalid(format!("token `{token}` is in more rows than there are"))
                .with_detail(
                    "The information of a token is only known where a row has it at most once.",
                )
                .with_hint("Make rows sets first, with `tft.deduplicate_tensor_per_row`."));
        }
        let min_diff = self.min_diff.unwrap_or_else(|| recommended_min_diff(n));
        let (mut information, mut any) = (0.0, false);
        for (label, &of_label) in &all.of {
            if of_label == 0.0 {
                continue;
            }
            let share = labels.get(label).copied().unwrap_or(0.0) / total;
            let both = share.clamp(EPSILON, 1.0 - EPSILON) * total;
            if (total * of_label / n - both).abs() < min_diff {
                continue;
            }
            any = true;
            if both != 0.0 {
                let logs = (both.log2() + n.log2()) - (total.log2() + of_label.log2());
                information += both * logs;
            }
            if self.adjusted {
                information -= expected(n, total, of_label);
            }
        }
        Ok(if any { Frequency::Number(information) } else { Frequency::Zero })
    }
}

/// TFT's `calculate_recommended_min_diff_from_avg`: 2 for 10,000 rows and less, 25 for 1,000,000.
fn recommended_min_diff(n: f64) -> f64 {
    ((n - 10_000.0) / 990_000.0 * 23.0 + 2.0).clamp(2.0, 25.0).trunc()
}

/// The information of two independent values that rows of weights `x` and `y` of `n` have.
fn expected(n: f64, x: f64, y: f64) -> f64 {
    let factorial = |n: f64| ln_gamma(n + 1.0);
    // Weights need not be whole: the nearest numbers of rows, as TFT takes them.
    let start = (x + y - n).max(0.0).round_ties_even();
    let end = x.min(y).round_ties_even();
    let numerator = factorial(x) + factorial(y) + factorial(n - x) + factorial(n - y);
    let mut denominator = factorial(n)
        + factorial(start)
        + factorial(x - start)
        + factorial(y - start)
        + factorial(n - x - y + start);
    let coefficient = n.log2() - x.log2() - y.log2();
    let (mut sum, mut probability) = (0.0, 0.0);
    let mut both = start;
    while both <= end {
        let p = (numerator - denominator).exp();
        if both != 0.0 {
            sum += both * (coefficient + both.log2()) * p;
        }
        probability += p;
        denominator +=
            (both + 1.0).ln() - (x - both).ln() - (y - both).ln() + (n - x - y + both + 1.0).ln();
        both += 1.0;
    }
    sum / probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_is_a_weighted_count() {
        let all = Labels { n: 8.0, of: BTreeMap::from([(0, 4.0), (1, 4.0)]) };
        let plain = Information { adjusted: false, min_diff: Some(0.0) };
        let of = |how: Information, total: f64, labels: &[(i64, f64)]| {
            how.of(b"t", total, &labels.iter().copied().collect(), &all).unwrap()
        };
        // Seen with one label alone: one bit for each row, but for the clipped probability.
        let perfect = of(plain, 4.0, &[(1, 4.0)]).value();
        assert!((perfect - 4.0).abs() < 1e-3, "{perfect}");
        // Seen with both alike: nothing, though as a float.
        assert_eq!(of(plain, 4.0, &[(0, 2.0), (1, 2.0)]).to_string(), "0.0");
        assert_eq!(of(plain, 8.0, &[(0, 4.0), (1, 4.0)]).to_string(), "0");
        let coarse = Information { min_diff: Some(3.0), ..plain };
        assert_eq!(of(coarse, 4.0, &[(1, 4.0)]).to_string(), "0");
        let adjusted = Information { adjusted: true, ..plain };
        let adjusted = of(adjusted, 4.0, &[(1, 4.0)]).value();
        assert!(adjusted > 2.0 && adjusted < perfect, "{adjusted}");
        assert!(plain.of(b"t", 9.0, &BTreeMap::new(), &all).is_err());
        let none = plain.of(b"t", 1.0, &BTreeMap::new(), &Labels::default()).unwrap();
        assert!(none.value().is_nan());
    }

    #[test]
    fn chance_explains_what_is_expected() {
        // Two of four rows each: 1/6, 4/6, 1/6 for 0, 1, 2 rows in common.
        let exact = 4.0 / 6.0 * (1.0 * (4.0f64 / 4.0).log2()) + 1.0 / 6.0 * (2.0 * 2f64.log2());
        assert!((expected(4.0, 2.0, 2.0) - exact).abs() < 1e-12);
        // Of weights 2.75 and 2.75 in 4.6, from 0.9 on, which is about 1, to 2.75, which is about 3.
        let law = |both: f64| {
            let f = |n: f64| ln_gamma(n + 1.0);
            let (n, x, y) = (4.6, 2.75, 2.75);
            let of = f(x) + f(y) + f(n - x) + f(n - y) - f(n);
            (of - f(both) - f(x - both) - f(y - both) - f(n - x - y + both)).exp()
        };
        let part = |both: f64| both * (both * 4.6 / (2.75 * 2.75)).log2() * law(both);
        let exact = (part(1.0) + part(2.0) + part(3.0)) / (law(1.0) + law(2.0) + law(3.0));
        assert!((expected(4.6, 2.75, 2.75) - exact).abs() < 1e-12);
        assert_eq!(recommended_min_diff(15_002.0), 2.0);
        assert_eq!(recommended_min_diff(1e9), 25.0);
        assert_eq!(recommended_min_diff(100_000.0), 4.0);
    }
}
