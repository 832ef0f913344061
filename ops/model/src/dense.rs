//! `Dense`: a layer of sums, made of many rows at once.
//!
//! A sum is the bias and then one product after the other, in the order of the inputs: the same bits
//! wherever a row stands, and with whatever instructions. Rows and units go through in tiles, whose sums
//! stay in registers, so that a weight is loaded once for [`ROWS`] rows and a number once for [`UNITS`]
//! units. (Goto and van de Geijn 2008, "Anatomy
//! of High-Performance Matrix Multiplication", without blocks over the inputs, which would reorder sums.)
#![expect(
    clippy::inline_always,
    reason = "what is not inlined has not the instructions of its caller"
)]

/// Units of a tile.
const UNITS: usize = 16;
/// Rows of a tile.
const ROWS: usize = 4;

/// A layer: `units` sums of all its inputs.
#[derive(Debug)]
pub(crate) struct Dense {
    /// For each tile of units the weights of the first input, then of the next; 0 beyond the last unit.
    panels: Vec<[f32; UNITS]>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Dense {
    /// From `weight(input, unit)`.
    pub(crate) fn new(inputs: usize, bias: Vec<f32>, weight: impl Fn(usize, usize) -> f32) -> Self {
        let units = bias.len();
        let panels =
            (0..units).step_by(UNITS).flat_map(|first| (0..inputs).map(move |i| (first, i)));
        let panels = panels.map(|(first, input)| {
            std::array::from_fn(|unit| {
                if first + unit < units { weight(input, first + unit) } else { 0.0 }
            })
        });
        Dense { panels: panels.collect(), bias, inputs }
    }

    pub(crate) fn units(&self) -> usize {
        self.bias.len()
    }

    /// The sums of so many rows of `x`, in the place of what was in `out`.
    pub(crate) fn apply(&self, rows: usize, x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.resize(rows * self.units(), 0.0);
        wide(
            #[inline(always)]
            || self.tiles(rows, x, out),
        );
    }

    #[inline(always)]
    fn tiles(&self, rows: usize, x: &[f32], out: &mut [f32]) {
        let units = self.units();
        for (tile, bias) in self.bias.chunks(UNITS).enumerate() {
            let panel = &self.panels[tile * self.inputs..][..self.inputs];
            let mut padded = [0.0; UNITS];
            padded[..bias.len()].copy_from_slice(bias);
            let mut row = 0;
            while row < rows {
                let (x, out) = (&x[row * self.inputs..], &mut out[row * units + tile * UNITS..]);
                row += match rows - row {
                    ROWS.. => tile_of::<ROWS>(panel, x, &padded, units, bias.len(), out),
                    2.. => tile_of::<2>(panel, x, &padded, units, bias.len(), out),
                    _ => tile_of::<1>(panel, x, &padded, units, bias.len(), out),
                };
            }
        }
    }
}

/// The sums of a tile: `wanted` of its units for `R` rows of `out`, which begin `units` apart.
#[inline(always)]
fn tile_of<const R: usize>(
    panel: &[[f32; UNITS]],
    x: &[f32],
    bias: &[f32; UNITS],
    units: usize,
    wanted: usize,
    out: &mut [f32],
) -> usize {
    let rows: [&[f32]; R] = std::array::from_fn(|row| &x[row * panel.len()..][..panel.len()]);
    let mut sums = [*bias; R];
    for (input, weights) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = row[input];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        out[row * units..][..wanted].copy_from_slice(&sums[..wanted]);
    }
    R
}

/// Computes with registers of 256 bits where the processor has them: the same bits, for products are rounded
/// before they are added. `f` and what it calls have to be `#[inline(always)]`.
#[inline(always)]
pub(crate) fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // Layers of sums take a third of the time that registers of 128 bits, which all programs may
            // use, need for them.
            #[expect(unsafe_code, reason = "no other way to call what not every processor has")]
            // SAFETY: the processor has AVX2.
            return unsafe { avx2(f) };
        }
    }
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are no round ones.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn every_sum_is_its_bias_and_one_product_after_the_other() {
        for (inputs, units) in [(0, 3), (1, 1), (7, 16), (16, 17), (33, 40), (64, 1)] {
            let (weight, bias) = (numbers(inputs * units, 1), numbers(units, 2));
            let dense = Dense::new(inputs, bias.clone(), |i, u| weight[i * units + u]);
            for rows in 0..=9 {
                let x = numbers(rows * inputs, 3);
                let mut out = vec![f32::NAN; 5];
                dense.apply(rows, &x, &mut out);
                let expected = (0..rows).flat_map(|row| {
                    let (x, bias, weight) = (&x[row * inputs..][..inputs], &bias, &weight);
                    (0..units).map(move |unit| {
                        let products = x.iter().enumerate();
                        products.fold(bias[unit], |sum, (i, x)| sum + x * weight[i * units + unit])
                    })
                });
                let expected: Vec<u32> = expected.map(f32::to_bits).collect();
                let found: Vec<u32> = out.iter().map(|sum| sum.to_bits()).collect();
                assert_eq!(found, expected, "{inputs} inputs, {units} units, {rows} rows");
            }
        }
    }
}
