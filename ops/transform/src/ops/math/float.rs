//! Functions of floats that give the same bits on every machine.

use super::super::elementwise::Native;

/// A float type with the functions that operations are made of.
pub(in super::super) trait Float: Native + PartialOrd {
    /// e to the power of it.
    fn exp(self) -> Self;
    /// e to the power of it, less 1; exact near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The natural logarithm of 1 more; exact near 0.
    fn ln_1p(self) -> Self;
    /// To the power of `y`.
    fn pow(self, y: Self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The sine of radians.
    fn sin(self) -> Self;
    /// The cosine of radians.
    fn cos(self) -> Self;
    /// 1 / (1 + exp(−x)).
    fn sigmoid(self) -> Self;
}

macro_rules! float {
    ($($t:ty, $exp:ident $exp_m1:ident $ln:ident $ln_1p:ident $pow:ident $tanh:ident $sin:ident $cos:ident;)*) => {$(
        impl Float for $t {
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            fn exp_m1(self) -> Self {
                libm::$exp_m1(self)
            }
            fn ln(self) -> Self {
                libm::$ln(self)
            }
            fn ln_1p(self) -> Self {
                libm::$ln_1p(self)
            }
            fn pow(self, y: Self) -> Self {
                libm::$pow(self, y)
            }
            fn tanh(self) -> Self {
                libm::$tanh(self)
            }
            fn sin(self) -> Self {
                libm::$sin(self)
            }
            fn cos(self) -> Self {
                libm::$cos(self)
            }
            fn sigmoid(self) -> Self {
                1.0 / (1.0 + libm::$exp(-self))
            }
        }
    )*};
}
float! {
    f32, expf expm1f logf log1pf powf tanhf sinf cosf;
    f64, exp expm1 log log1p pow tanh sin cos;
}
