//! Floats rounded to decimal digits as Python's `round` does: half to even, of the exact value.

/// The powers of ten that are exact as doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The double nearest to `value` rounded to `digits` digits after the point.
#[inline]
pub(super) fn round(value: f64, digits: u32) -> f64 {
    if let Some(&power) = POWERS.get(digits as usize) {
        let scaled = value * power;
        if scaled.abs() < (1u64 << 51) as f64 {
            let from_tie = (scaled - scaled.trunc()).abs() - 0.5;
            // The product is off by half a unit in its last place: near a tie that may decide.
            if from_tie.abs() > scaled.abs() * (2.0 * f64::EPSILON) {
                // Both are exact, so the quotient is the double nearest to the decimal.
                return scaled.round() / power;
            }
        }
    }
    if !value.is_finite() || value.abs() >= (1u64 << 53) as f64 {
        return value;
    }
    // More digits than a double's shortest form can have change nothing.
    let digits = digits.min(1100) as usize;
    format!("{value:.digits$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounds_as_python_does() {
        let check = |value: f64, digits: u32, expected: f64| {
            assert_eq!(round(value, digits).to_bits(), expected.to_bits(), "{value} {digits}");
        };
        check(2.675, 2, 2.67);
        check(0.5, 0, 0.0);
        check(1.5, 0, 2.0);
        check(2.5, 0, 2.0);
        check(-2.5, 0, -2.0);
        check(0.125, 2, 0.12);
        check(0.375, 2, 0.38);
        check(-0.001, 2, -0.0);
        check(1.005, 2, 1.0);
        check(0.1 + 0.2, 15, 0.3);
        check(123_456_789.123_456_79, 3, 123_456_789.123);
        check(5e-324, 323, 0.0);
        check(5e-324, 324, 5e-324);
        check(1e300, 5, 1e300);
        check(1e22, 22, 1e22);
        check(f64::INFINITY, 2, f64::INFINITY);
        assert!(round(f64::NAN, 2).is_nan());
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_long_way(value in prop::num::f64::ANY, digits in 0u32..30) {
            prop_assume!(value.is_finite());
            for value in [value, value % 1e6, (value % 1e4 * 8.0).trunc() / 8.0] {
                let long: f64 = format!("{value:.*}", digits as usize).parse().unwrap();
                prop_assert_eq!(round(value, digits).to_bits(), long.to_bits());
            }
        }
    }
}
