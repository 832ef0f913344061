//! Wasserstein's distance of two distributions of numbers: how far values have to be moved.

use super::curve::merged;
use super::metric::{Measured, Metric, NUMBERS, no_minimum, not_in_schema};
use super::pair::Pair;
use super::probability::{normal_bound, normal_tail};
use super::table::{Noise, top};
use super::{CellValues, DriftOptions};

pub(super) const METRIC: Metric = Metric {
    name: "wasserstein_1",
    doc: "how far values have to be moved on average, in their own unit",
    formula: "∫ |F(x) − G(x)| dx over finite x",
    noise: "z √(1/n + 1/m) ∫ √(F (1 − F)) dx, which bounds it",
    citation: "del Barrio, Giné and Matrán 1999, doi:10.1214/aop/1022677394",
    kinds: NUMBERS,
    threshold: not_in_schema,
    minimum: no_minimum,
    measure,
};

fn measure(pair: &Pair<'_>, options: &DriftOptions<'_>) -> Option<Measured> {
    let (f, g) = pair.curves.as_ref()?;
    let (n, m) = (pair.current.size, pair.control.size);
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let pooled = f.pooled(n, g, m);
    let at: Vec<f64> = merged(f, g).into_iter().filter(|at| at.is_finite()).collect();
    let (mut areas, mut spread) = (Vec::new(), 0.0);
    for window in at.windows(2) {
        let (low, high) = (window[0], window[1]);
        let width = high - low;
        let (first, last) = (f.upto(low) - g.upto(low), f.below(high) - g.below(high));
        areas.push((width * mean_of_absolute(first, last), f.below(high), g.below(high)));
        let middle = f64::midpoint(pooled.upto(low), pooled.below(high));
        spread += width * (middle * (1.0 - middle)).max(0.0).sqrt();
    }
    let value: f64 = areas.iter().map(|(area, ..)| area).sum();
    if !value.is_finite() {
        return None;
    }
    let scale = (1.0 / n + 1.0 / m).sqrt() * spread;
    let p = if scale > 0.0 { (2.0 * normal_tail(value / scale)).min(1.0) } else { 1.0 };
    let noise = Noise { floor: scale * normal_bound(pair.alpha / 2.0), p };
    let name = |w: &[f64]| CellValues::Between(w[0], w[1]).to_string();
    let names: Vec<String> = at.windows(2).map(name).collect();
    let terms = areas.iter().zip(&names).map(|((area, p, q), name)| (*area, *p, *q, name));
    let contributors = top(terms.collect(), options.contributors);
    Some(Measured { value, noise: Some(noise), contributors })
}

/// The mean of |d| where d goes straight from one value to another.
fn mean_of_absolute(first: f64, last: f64) -> f64 {
    let (a, b) = (first.abs(), last.abs());
    if first * last >= 0.0 { f64::midpoint(a, b) } else { (a * a + b * b) / (2.0 * (a + b)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(mean_of_absolute(1.0, 3.0), 2.0);
        assert_eq!(mean_of_absolute(-1.0, 1.0), 0.5);
        assert_eq!(mean_of_absolute(0.0, 0.0), 0.0);
    }
}
