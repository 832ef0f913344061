//! `Weights`: named arrays of floats, as a `safetensors` file holds them.

use std::collections::BTreeMap;

use engine::{Error, ErrorKind, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use transform::artifact::sha256;

/// An array of floats, the last dimension innermost.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

/// Named arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub BTreeMap<String, Array>);

impl Weights {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.0.values().map(|array| array.values.len()).sum()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one out.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn take(&mut self, name: &str) -> Result<Array> {
        let missing = || Error::invalid(format!("there are no weights `{name}`"));
        self.0.remove(name).ok_or_else(missing)
    }

    /// SHA-256 of the file that they would be.
    ///
    /// # Errors
    /// As [`Weights::to_bytes`].
    pub fn fingerprint(&self) -> Result<String> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// As a `safetensors` file.
    ///
    /// # Errors
    /// When an array's shape is not that of its numbers.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes: Vec<Vec<u8>> = self.0.values().map(|array| little(&array.values)).collect();
        let views: std::result::Result<Vec<_>, _> = (self.0.iter().zip(&bytes))
            .map(|((name, array), bytes)| {
                TensorView::new(Dtype::F32, array.shape.clone(), bytes).map(|view| (name, view))
            })
            .collect();
        views.and_then(|views| safetensors::serialize(views, None)).map_err(|e| {
            Error::invalid("the weights are no `safetensors`").with_detail(format!("{e}."))
        })
    }

    /// From a `safetensors` file with these arrays and no others.
    ///
    /// # Errors
    /// When the bytes are no such file, or an array is missing, of another shape, or one too many.
    pub fn from_bytes(bytes: &[u8], shapes: &[(String, Vec<usize>)]) -> Result<Self> {
        let broken = |detail: String| {
            Error::new(ErrorKind::Input, "the weights are not those of the model")
                .with_detail(detail)
                .with_hint("Copy the bundle as a whole, or train again.")
        };
        let read = SafeTensors::deserialize(bytes).map_err(|e| broken(format!("{e}.")))?;
        if let Some(name) = read.names().iter().find(|name| shapes.iter().all(|(n, _)| n != *name))
        {
            return Err(broken(format!("The model has no `{name}`.")));
        }
        let mut arrays = BTreeMap::new();
        for (name, shape) in shapes {
            let Ok(view) = read.tensor(name) else {
                return Err(broken(format!("`{name}` is not there.")));
            };
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                let found = format!("{:?} {:?}", view.dtype(), view.shape());
                return Err(broken(format!("`{name}` is {found} where F32 {shape:?} is read.")));
            }
            let chunks = view.data().as_chunks::<4>().0.iter();
            let values: Vec<f32> = chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(broken(format!("`{name}` has {} at {at}.", values[at])));
            }
            arrays.insert(name.clone(), Array { shape: shape.clone(), values });
        }
        Ok(Weights(arrays))
    }
}

fn little(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Numbers between `-bound` and `bound`, by the seed and a name: splitmix64 (Steele et al. 2014).
pub(crate) fn uniform(seed: u64, name: &str, n: usize, bound: f64) -> Vec<f32> {
    if bound == 0.0 {
        return vec![0.0; n];
    }
    let mut state = name.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let unit = (mix(state) >> 11) as f64 / (1u64 << 53) as f64;
            ((2.0 * unit - 1.0) * bound) as f32
        })
        .collect()
}

/// The finalizer of splitmix64.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        let array = Array { shape: vec![2, 3], values: uniform(1, "a", 6, 1.0) };
        let bias = Array { shape: vec![1], values: vec![-0.0] };
        Weights([("a".to_owned(), array), ("b.bias".to_owned(), bias)].into())
    }

    fn shapes(weights: &Weights) -> Vec<(String, Vec<usize>)> {
        weights.0.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect()
    }

    #[test]
    fn weights_come_back_to_the_bit() {
        let weights = weights();
        let bytes = weights.to_bytes().unwrap();
        let back = Weights::from_bytes(&bytes, &shapes(&weights)).unwrap();
        let bits = |weights: &Weights| -> Vec<u32> {
            weights.0.values().flat_map(|array| array.values.iter().map(|x| x.to_bits())).collect()
        };
        assert_eq!(bits(&back), bits(&weights));
        assert_eq!(back.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn other_weights_are_refused() {
        let weights = weights();
        let bytes = weights.to_bytes().unwrap();
        let check = |bytes: &[u8], shapes: &[(String, Vec<usize>)], expected: &str| {
            let error = Weights::from_bytes(bytes, shapes).unwrap_err();
            assert!(error.detail().unwrap().contains(expected), "{error:?}");
        };
        let shapes = shapes(&weights);
        check(&bytes, &shapes[..1], "no `b.bias`");
        check(&bytes, &[&shapes[..], &[("c".to_owned(), vec![1])]].concat(), "`c` is not there");
        check(&bytes, &[("a".to_owned(), vec![3, 2]), shapes[1].clone()], "[2, 3]");
        (0..bytes.len()).for_each(|n| assert!(Weights::from_bytes(&bytes[..n], &shapes).is_err()));
        let mut infinite = weights.clone();
        infinite.0.get_mut("a").unwrap().values[4] = f32::INFINITY;
        check(&infinite.to_bytes().unwrap(), &shapes, "inf at 4");
    }

    #[test]
    fn random_numbers_are_those_of_their_seed_and_name() {
        let numbers = uniform(7, "x", 10_000, 0.5);
        assert_eq!(numbers, uniform(7, "x", 10_000, 0.5));
        assert_ne!(numbers[0], uniform(8, "x", 1, 0.5)[0]);
        assert_ne!(numbers[0], uniform(7, "y", 1, 0.5)[0]);
        assert!(numbers.iter().all(|x| x.abs() <= 0.5));
        let mean = numbers.iter().sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.01, "{mean}");
    }
}
