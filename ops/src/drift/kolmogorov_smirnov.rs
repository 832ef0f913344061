//! The two-sample Kolmogorov–Smirnov distance, at the places where both distributions are known.

use super::curve::Curve;
use super::metric::{Measured, Metric, NUMBERS, not_in_schema};
use super::pair::Pair;
use super::probability::{kolmogorov_bound, kolmogorov_tail};
use super::table::Noise;
use super::{CellValues, Contributor, DriftOptions};

pub(super) const METRIC: Metric = Metric {
    name: "kolmogorov_smirnov",
    doc: "the largest difference of both distribution functions; its p-value decides about numbers",
    formula: "max |F(x) − G(x)| over the bounds of both sides' quantile buckets; NaN is above all",
    noise: "Kolmogorov's distribution, and twice the rank error of the quantiles",
    citation: "Smirnov 1948, doi:10.1214/aoms/1177730256; Stephens 1970, doi:10.1111/j.2517-6161.1970.tb00821.x",
    kinds: NUMBERS,
    threshold: not_in_schema,
    minimum: |options| Some(options.min_kolmogorov_smirnov),
    measure,
};

/// Up to so many distinct values the quantiles of statistics are exact.
const EXACT: f64 = 5_701.0;

fn measure(pair: &Pair<'_>, options: &DriftOptions<'_>) -> Option<Measured> {
    let (f, g) = pair.curves.as_ref()?;
    let (n, m) = (pair.current.size, pair.control.size);
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let (value, at) = largest(f, g);
    let error = |values: f64| if values > EXACT { options.rank_error } else { 0.0 };
    let error = error(pair.current.values) + error(pair.control.values);
    // Stephens's correction makes Kolmogorov's limit good for small samples.
    let root = (n * m / (n + m)).sqrt();
    let factor = root + 0.12 + 0.11 / root;
    let noise = Noise {
        floor: (kolmogorov_bound(pair.alpha) / factor + error).min(1.0),
        p: kolmogorov_tail((value - error).max(0.0) * factor),
    };
    let contributor = at.map(|at| Contributor {
        name: format!("up to {}", CellValues::At(at)),
        current: f.upto(at),
        control: g.upto(at),
        share: 1.0,
    });
    Some(Measured { value, noise: Some(noise), contributors: contributor.into_iter().collect() })
}

/// The largest difference and where it is; nowhere if it is the share of NaN.
///
/// Only bounds of quantile buckets are asked: there one side is known exactly and the other is near
/// such a bound of its own, so that little depends on how values lie within buckets.
fn largest(f: &Curve, g: &Curve) -> (f64, Option<f64>) {
    let bounds = f.bounds.iter().chain(&g.bounds);
    let differences = bounds.map(|&at| ((f.upto(at) - g.upto(at)).abs(), Some(at)));
    let of_nan = ((f.numbers - g.numbers).abs(), None);
    differences.fold(of_nan, |best, next| if next.0 > best.0 { next } else { best })
}
