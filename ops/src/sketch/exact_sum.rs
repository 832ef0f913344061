//! `ExactSum`: sums of floats whose result does not depend on the order of the terms.
//!
//! ```text
//!  |x| of 2^-80 … 2^46, nothing below 2^-80  ►  fixed: i128 in units of 2^-80
//!  any other finite x, and what overflows    ►  wide: 68 limbs of 32 bits, all of f64's range
//!  NaN, +inf, -inf                           ►  three flags
//! ```
//!
//! **Invariant:** `fixed` and `wide` together are exactly the real-number sum of the finite terms,
//! wherever each went, so adding and merging are associative and commutative bit for bit, and the
//! value is that sum rounded once, to nearest, ties to even.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units of `fixed` are 2 to this power.
const FIXED_EXPONENT: i32 = -80;
/// Terms of at least 2 to this power do not go into `fixed`, so that it overflows late.
const FIXED_LIMIT: i32 = 46;
/// Exponent of the least bit of the least limb: f64's least subnormal is 2^-1074.
const WIDE_EXPONENT: i32 = -1088;
/// 68 * 32 bits from 2^-1088 reach 2^1088: f64's range and room for 2^64 terms.
const N_LIMBS: usize = 68;
/// A limb takes this many terms of 32 bits before carries must be passed on.
const LAZY: u32 = 1 << 30;

/// An exact, order-independent sum of floats.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    fixed: i128,
    wide: Option<Box<Wide>>,
}

#[derive(Clone, Debug)]
struct Wide {
    limbs: [i64; N_LIMBS],
    /// Additions since carries were passed on.
    pending: u32,
    /// NaN, +inf, -inf seen.
    special: [bool; 3],
}

impl ExactSum {
    /// Adds a term.
    #[inline]
    pub fn add(&mut self, x: f64) {
        if let Some(sum) = to_fixed(x).and_then(|x| self.fixed.checked_add(x)) {
            self.fixed = sum;
        } else {
            self.wide().add(x);
        }
    }

    /// Adds `n` times the same term.
    pub fn add_times(&mut self, x: f64, n: u64) {
        let product = to_fixed(x).and_then(|x| x.checked_mul(i128::from(n)));
        if let Some(sum) = product.and_then(|x| self.fixed.checked_add(x)) {
            self.fixed = sum;
            return;
        }
        // n in binary: doubling a float is exact, until it overflows.
        let (mut power, mut rest) = (x, n);
        while rest > 0 {
            if rest & 1 == 1 {
                self.wide().add(power);
            }
            rest >>= 1;
            if rest > 0 && x.is_finite() && (power * 2.0).is_infinite() {
                (0..rest).for_each(|_| {
                    self.wide().add(power);
                    self.wide().add(power);
                });
                return;
            }
            power *= 2.0;
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        if let Some(sum) = self.fixed.checked_add(other.fixed) {
            self.fixed = sum;
        } else {
            self.wide().add_fixed(other.fixed);
        }
        if let Some(wide) = &other.wide {
            self.wide().merge(wide);
        }
    }

    /// The sum, rounded once.
    pub fn value(&self) -> f64 {
        match &self.wide {
            None => round(self.fixed < 0, &[self.fixed.unsigned_abs()], FIXED_EXPONENT),
            Some(wide) => wide.value(self.fixed),
        }
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        if self.wide.is_some() { size_of::<Wide>() } else { 0 }
    }

    /// Appends the bytes of the sum.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // Sums of whole numbers, the usual weights, take few bytes.
        let whole = self.fixed >> -FIXED_EXPONENT;
        let short = whole << -FIXED_EXPONENT == self.fixed && i64::try_from(whole).is_ok();
        out.push(u8::from(!short) | u8::from(self.wide.is_some()) << 1);
        if short {
            let whole = whole as i64;
            engine::write_varint(out, (whole << 1 ^ whole >> 63) as u64);
        } else {
            out.extend_from_slice(&self.fixed.to_le_bytes());
        }
        if let Some(wide) = &self.wide {
            out.push(wide.special.iter().fold(0, |bits, &flag| bits << 1 | u8::from(flag)));
            for limb in wide.carried().limbs {
                out.extend_from_slice(&limb.to_le_bytes());
            }
        }
    }

    /// Reads a sum from the front of `bytes` and advances it; `None` if the bytes are damaged.
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [tag] = take(bytes)?;
        let fixed = if tag & 1 == 0 {
            let zigzag = engine::read_varint(bytes)?;
            i128::from((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)) << -FIXED_EXPONENT
        } else {
            i128::from_le_bytes(take(bytes)?)
        };
        let mut sum = ExactSum { fixed, wide: None };
        if tag & 2 != 0 {
            let [bits] = take(bytes)?;
            let mut wide = Wide::zero();
            wide.special = [bits & 4 != 0, bits & 2 != 0, bits & 1 != 0];
            for limb in &mut wide.limbs {
                *limb = i64::from_le_bytes(take(bytes)?);
            }
            // Bytes of another origin may hold limbs that are not carried yet.
            wide.pending = LAZY;
            sum.wide = Some(Box::new(wide));
        }
        (tag < 4).then_some(sum)
    }

    fn wide(&mut self) -> &mut Wide {
        self.wide.get_or_insert_with(|| Box::new(Wide::zero()))
    }
}

impl Serialize for ExactSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExactSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let mut rest = bytes.as_slice();
        let sum = ExactSum::decode(&mut rest).filter(|_| rest.is_empty());
        sum.ok_or_else(|| D::Error::custom("the bytes of a sum are damaged"))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

/// Sign, mantissa and exponent: `x == ±mantissa * 2^exponent`, for finite x.
fn parts(x: f64) -> (bool, u64, i32) {
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let negative = bits >> 63 == 1;
    if exponent == 0 {
        (negative, fraction, -1074)
    } else {
        (negative, fraction | 1 << 52, exponent - 1075)
    }
}

/// The term in units of 2^-80, if it is one exactly and not too large.
#[inline]
fn to_fixed(x: f64) -> Option<i128> {
    if x == 0.0 {
        return Some(0);
    }
    let (negative, mantissa, exponent) = parts(x);
    let shift = exponent - FIXED_EXPONENT;
    // An exponent of 46 - 52 keeps |x| below 2^47; this also turns away NaN and infinities.
    if exponent > FIXED_LIMIT - 52 || mantissa.trailing_zeros() as i32 + shift < 0 {
        return None;
    }
    let magnitude =
        if shift >= 0 { i128::from(mantissa) << shift } else { i128::from(mantissa) >> -shift };
    Some(if negative { -magnitude } else { magnitude })
}

impl Wide {
    fn zero() -> Self {
        Wide { limbs: [0; N_LIMBS], pending: 0, special: [false; 3] }
    }

    fn add(&mut self, x: f64) {
        if !x.is_finite() {
            let which = if x.is_nan() { 0 } else { 1 + usize::from(x < 0.0) };
            self.special[which] = true;
            return;
        }
        let (negative, mantissa, exponent) = parts(x);
        self.add_bits(negative, u128::from(mantissa), (exponent - WIDE_EXPONENT) as usize);
    }

    fn add_fixed(&mut self, fixed: i128) {
        let at = (FIXED_EXPONENT - WIDE_EXPONENT) as usize;
        // In two halves, so that shifting by up to 31 bits loses nothing.
        let magnitude = fixed.unsigned_abs();
        self.add_bits(fixed < 0, magnitude & u128::from(u64::MAX), at);
        self.add_bits(fixed < 0, magnitude >> 64, at + 64);
    }

    /// Adds `magnitude < 2^64` times 2^at.
    fn add_bits(&mut self, negative: bool, magnitude: u128, at: usize) {
        if self.pending >= LAZY {
            self.carry();
        }
        self.pending += 1;
        let mut rest = magnitude << (at % 32);
        let mut limb = at / 32;
        while rest != 0 {
            let low = i64::from(rest as u32);
            self.limbs[limb] += if negative { -low } else { low };
            rest >>= 32;
            limb += 1;
        }
    }

    fn merge(&mut self, other: &Wide) {
        // Carried limbs are below 2^32, as one term's are.
        if self.pending >= LAZY {
            self.carry();
        }
        self.pending += 1;
        for (limb, more) in self.limbs.iter_mut().zip(other.carried().limbs) {
            *limb = limb.wrapping_add(more);
        }
        for (flag, more) in self.special.iter_mut().zip(other.special) {
            *flag |= more;
        }
    }

    /// Brings every limb but the last into 0..2^32; the last keeps the sign.
    fn carry(&mut self) {
        let mut carry = 0i64;
        for limb in &mut self.limbs[..N_LIMBS - 1] {
            let sum = limb.wrapping_add(carry);
            *limb = sum & 0xffff_ffff;
            carry = sum >> 32;
        }
        let last = &mut self.limbs[N_LIMBS - 1];
        *last = last.wrapping_add(carry);
        self.pending = 0;
    }

    fn carried(&self) -> Wide {
        let mut wide = self.clone();
        wide.carry();
        wide
    }

    fn value(&self, fixed: i128) -> f64 {
        match self.special {
            [true, _, _] | [_, true, true] => return f64::NAN,
            [_, true, _] => return f64::INFINITY,
            [_, _, true] => return f64::NEG_INFINITY,
            _ => {}
        }
        let mut sum = self.carried();
        sum.add_fixed(fixed);
        sum.carry();
        let negative = sum.limbs[N_LIMBS - 1] < 0;
        if negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = limb.wrapping_neg());
            sum.carry();
        }
        let digits: Vec<u128> = sum
            .limbs
            .chunks(4)
            .map(|four| four.iter().rev().fold(0, |n, &limb| n << 32 | u128::from(limb as u32)))
            .collect();
        round(negative, &digits, WIDE_EXPONENT)
    }
}

/// `digits` (least first, base 2^128) times 2^exponent as the nearest float, ties to even.
fn round(negative: bool, digits: &[u128], exponent: i32) -> f64 {
    let Some(top) = digits.iter().rposition(|&digit| digit != 0) else { return 0.0 };
    let below = if top > 0 { digits[top - 1] } else { 0 };
    let shift = digits[top].leading_zeros();
    let mut window = digits[top] << shift;
    if shift > 0 {
        window |= below >> (128 - shift);
    }
    let lost = (shift == 0 && below != 0)
        || (shift > 0 && below << shift != 0)
        || digits[..top.saturating_sub(1)].iter().any(|&digit| digit != 0);
    // The 128 bits from the first one on, with a sticky last bit; their exponent:
    let low = exponent + 128 * top as i32 - shift as i32;
    let window = window | u128::from(lost);
    // Bits that a float can hold here: 53, fewer among the subnormals.
    let dropped = 75.max(-1074 - low);
    let magnitude = if dropped > 128 {
        0.0
    } else {
        let (kept, tail, half) = if dropped == 128 {
            (0, window, 1 << 127)
        } else {
            (window >> dropped, window & ((1 << dropped) - 1), 1 << (dropped - 1))
        };
        let up = tail > half || (tail == half && kept & 1 == 1);
        scale((kept as u64 + u64::from(up)) as f64, low + dropped)
    };
    if negative { -magnitude } else { magnitude }
}

/// `x * 2^exponent`, where that is exact or overflows.
fn scale(mut x: f64, mut exponent: i32) -> f64 {
    while exponent > 1000 {
        x *= f64::from_bits(((1000 + 1023) as u64) << 52);
        exponent -= 1000;
    }
    while exponent < -1000 {
        x *= f64::from_bits(((1023 - 1000) as u64) << 52);
        exponent += 1000;
    }
    x * f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for &x in terms {
            sum.add(x);
        }
        sum
    }

    fn check(terms: &[f64], expected: f64) {
        let n = terms.len();
        for cut in 0..=n {
            for rotate in 0..n.max(1) {
                let mut turned = terms.to_vec();
                turned.rotate_left(rotate);
                let (left, right) = turned.split_at(cut);
                let mut merged = sum(right);
                merged.merge(&sum(left));
                let mut bytes = Vec::new();
                merged.encode(&mut bytes);
                let back = ExactSum::decode(&mut bytes.as_slice()).unwrap();
                for found in [merged.value(), back.value()] {
                    assert_eq!(
                        found.to_bits(),
                        expected.to_bits(),
                        "{terms:?}: {found} is not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn sums_are_those_of_real_numbers() {
        check(&[], 0.0);
        check(&[-0.0], 0.0);
        check(&[1.0, 2.0, 3.0], 6.0);
        check(&[-7.5], -7.5);
        check(&[0.1; 10], 1.0);
        check(&[1e300, 1.0, -1e300], 1.0);
        check(&[1e-300, 1e300, -1e300], 1e-300);
        check(&[5e-324, 5e-324], 1e-323);
        check(&[f64::MIN_POSITIVE, -5e-324], f64::MIN_POSITIVE - 5e-324);
        check(&[f64::MAX, f64::MAX], f64::INFINITY);
        check(&[f64::MAX, f64::MAX, -f64::MAX], f64::MAX);
        check(&[1e14; 20], 2e15);
        check(&[1e13, 1e-9, -1e13], 1e-9);
        check(&[1e-30, -1e-30], 0.0);
        // Ties go to even, and a bit far below breaks them.
        check(&[9_007_199_254_740_992.0, 1.0], 9_007_199_254_740_992.0);
        check(&[9_007_199_254_740_992.0, 1.0, 1e-200], 9_007_199_254_740_994.0);
        check(&[-9_007_199_254_740_994.0, -1.0], -9_007_199_254_740_996.0);
        check(&[1.0, f64::EPSILON / 2.0, f64::EPSILON / 4.0], 1.0 + f64::EPSILON);
    }

    #[test]
    fn specials_do_not_depend_on_order() {
        check(&[f64::INFINITY, 1.0], f64::INFINITY);
        check(&[f64::NEG_INFINITY, f64::MAX], f64::NEG_INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).value().is_nan());
        assert!(sum(&[1.0, f64::NAN]).value().is_nan());
    }

    #[test]
    fn many_times_is_many_terms() {
        for x in [1.0, 0.1, 1e-30, 1e300, f64::MAX, -3.7e20] {
            let mut times = ExactSum::default();
            times.add_times(x, 1000);
            assert_eq!(times.value().to_bits(), sum(&[x; 1000]).value().to_bits(), "{x}");
        }
    }

    #[test]
    fn damaged_bytes_are_none() {
        for bytes in [&[][..], &[0], &[1, 2, 3], &[9, 0], &[2, 0, 0, 1]] {
            assert!(ExactSum::decode(&mut &*bytes).is_none());
        }
    }
}
