//! Eigenvalues and eigenvectors of symmetric matrices by Jacobi's rotations.
//!
//! Golub and Van Loan, Matrix Computations, 8.5. Of all methods it is the simplest, and the most
//! exact for small eigenvalues; matrices of features are small.

/// Sweeps over all pairs of rows; a handful is enough for any matrix without NaN.
const SWEEPS: usize = 64;

/// Eigenvalues, the greatest first, and their eigenvectors, each of length 1 with a positive entry of
/// the greatest magnitude (the first of equals).
pub(super) fn symmetric_eigen(mut a: Vec<f64>, d: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    if a.iter().any(|value| !value.is_finite()) {
        return (vec![f64::NAN; d], vec![vec![f64::NAN; d]; d]);
    }
    // Rows of `v` are the eigenvectors.
    let mut v: Vec<Vec<f64>> =
        (0..d).map(|i| (0..d).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..d {
            for q in p + 1..d {
                turned |= rotate(&mut a, &mut v, d, p, q);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..d).collect();
    // Stable, so that equal eigenvalues stay in order.
    order.sort_by(|&i, &j| a[j * d + j].total_cmp(&a[i * d + i]));
    let values = order.iter().map(|&i| a[i * d + i]).collect();
    let vectors = order.iter().map(|&i| with_sign(std::mem::take(&mut v[i]))).collect();
    (values, vectors)
}

/// Makes entry (p, q) zero; false when it is next to nothing already.
fn rotate(a: &mut [f64], v: &mut [Vec<f64>], d: usize, p: usize, q: usize) -> bool {
    let (app, aqq, apq) = (a[p * d + p], a[q * d + q], a[p * d + q]);
    if apq.abs() <= f64::EPSILON * 0.5 * (app.abs().sqrt() * aqq.abs().sqrt()) || apq == 0.0 {
        return false;
    }
    let tau = (aqq - app) / (2.0 * apq);
    let t = if tau >= 0.0 { 1.0 / (tau + tau.hypot(1.0)) } else { -1.0 / (-tau + tau.hypot(1.0)) };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..d {
        let (akp, akq) = (a[k * d + p], a[k * d + q]);
        a[k * d + p] = c * akp - s * akq;
        a[k * d + q] = s * akp + c * akq;
    }
    for k in 0..d {
        let (apk, aqk) = (a[p * d + k], a[q * d + k]);
        a[p * d + k] = c * apk - s * aqk;
        a[q * d + k] = s * apk + c * aqk;
    }
    a[p * d + q] = 0.0;
    a[q * d + p] = 0.0;
    let (left, right) = v.split_at_mut(q);
    for (x, y) in left[p].iter_mut().zip(&mut right[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
    true
}

fn with_sign(mut vector: Vec<f64>) -> Vec<f64> {
    let mut largest = 0.0_f64;
    for value in &vector {
        if value.abs() > largest.abs() {
            largest = *value;
        }
    }
    if largest < 0.0 {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_eigenvectors() {
        let check = |a: &[f64], d: usize, expected: &[f64]| {
            let (values, vectors) = symmetric_eigen(a.to_vec(), d);
            let scale = expected.iter().fold(1e-300_f64, |most, v| most.max(v.abs()));
            for (i, (value, vector)) in values.iter().zip(&vectors).enumerate() {
                assert!((value - expected[i]).abs() <= 1e-14 * scale, "{a:?}: {values:?}");
                for row in 0..d {
                    let product: f64 = (0..d).map(|k| a[row * d + k] * vector[k]).sum();
                    assert!((product - value * vector[row]).abs() <= 1e-13 * scale, "{a:?}");
                }
                let length: f64 = vector.iter().map(|v| v * v).sum();
                assert!((length - 1.0).abs() < 1e-14, "{a:?}");
            }
        };
        check(&[], 0, &[]);
        check(&[5.0], 1, &[5.0]);
        check(&[0.0; 9], 3, &[0.0; 3]);
        check(&[1.0, 0.0, 0.0, 2.0], 2, &[2.0, 1.0]);
        check(&[2.0, 1.0, 1.0, 2.0], 2, &[3.0, 1.0]);
        check(&[1.0; 9], 3, &[3.0, 0.0, 0.0]);
        check(&[1e200, 0.0, 0.0, 1e-200], 2, &[1e200, 1e-200]);
        // Hilbert's matrix: eigenvalues over many magnitudes.
        let hilbert: Vec<f64> = (0..9).map(|i| 1.0 / f64::from(i / 3 + i % 3 + 1)).collect();
        let known = [1.408_318_927_123_654, 0.122_327_065_853_905_83, 0.002_687_340_355_773_523_5];
        check(&hilbert, 3, &known);
        assert!(symmetric_eigen(vec![f64::NAN], 1).0[0].is_nan());
    }

    #[test]
    fn signs_are_fixed() {
        let (_, vectors) = symmetric_eigen(vec![2.0, -1.0, -1.0, 2.0], 2);
        assert!(vectors[0][0] > 0.0 && vectors[0][1] < 0.0, "{vectors:?}");
        assert!(vectors[1].iter().all(|v| *v > 0.0), "{vectors:?}");
    }
}
