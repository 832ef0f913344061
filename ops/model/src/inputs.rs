//! `Inputs`: rows as a network reads them, whether it is trained or asked.

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use transform::{DType, Tensor, Type, Values};

use crate::spec::{Feature, ModelSpec};

/// The categories of one feature, for each row any number of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    /// Where each row begins in `ids`, and where the last one ends.
    pub splits: Vec<u32>,
    /// Categories, from 0.
    pub ids: Vec<u32>,
}

impl Ids {
    /// The categories of a row.
    #[inline]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.splits[row] as usize..self.splits[row + 1] as usize]
    }
}

/// Rows as a network reads them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// How many rows there are.
    pub rows: usize,
    /// All numbers of a row, then those of the next.
    pub numbers: Vec<f32>,
    /// For each of [`ModelSpec::id_sizes`], in their order.
    pub categories: Vec<Ids>,
}

impl Inputs {
    /// How many categories a row has in all: the cost of a text.
    pub fn length(&self, row: usize) -> usize {
        self.categories.iter().map(|ids| ids.row(row).len()).sum()
    }

    /// No rows yet, of a model.
    pub fn new(spec: &ModelSpec) -> Self {
        let none = Ids { splits: vec![0], ids: Vec::new() };
        Inputs { rows: 0, numbers: Vec::new(), categories: vec![none; spec.id_sizes().len()] }
    }

    /// From what the graph gives: a tensor and its type for each name of each feature, in the model's
    /// order.
    ///
    /// # Errors
    /// When a feature is of another type than the model was made for.
    pub fn of(spec: &ModelSpec, rows: usize, features: &[(&Tensor, &Type)]) -> Result<Self> {
        let mut inputs = Inputs::new(spec);
        inputs.rows = rows;
        let n_numbers = spec.n_numbers();
        inputs.numbers = vec![0.0; rows * n_numbers];
        let (mut at, mut category) = (0, 0);
        let mut features = features.iter().copied();
        for feature in &spec.features {
            let Some((tensor, ty)) = features.next() else { return Err(too_few(feature)) };
            match feature {
                Feature::Numeric { width, .. } => {
                    let place = Place { at, width: *width, of: n_numbers };
                    match &tensor.values {
                        Values::Float32(values) => place.put(&mut inputs.numbers, values, |x| x),
                        Values::Float64(values) => {
                            place.put(&mut inputs.numbers, values, |x| x as f32);
                        }
                        _ => return Err(other_type(feature, ty)),
                    }
                    at += width;
                }
                Feature::Categorical { least, size, .. } => {
                    if ty.dtype != DType::Int64 {
                        return Err(other_type(feature, ty));
                    }
                    let (values, ends) = (tensor.ints(), tensor.row_ends(&ty.shape));
                    let ids = &mut inputs.categories[category];
                    ids.splits.reserve(rows);
                    ids.ids.reserve(values.len());
                    for row in 0..rows {
                        let known = values[ends.range(row)].iter().filter_map(|value| {
                            let id = value.checked_sub(*least)?;
                            u32::try_from(id).ok().filter(|id| (*id as usize) < *size)
                        });
                        ids.ids.extend(known);
                        ids.splits.push(ids.ids.len() as u32);
                    }
                    category += 1;
                }
                Feature::Tokens { mask, types, size, length, .. } => {
                    if ty.dtype != DType::Int64 {
                        return Err(other_type(feature, ty));
                    }
                    let mut beside = |name: &Option<String>| match name {
                        None => Ok(None),
                        Some(_) => match features.next() {
                            Some((tensor, beside)) if beside == ty => Ok(Some(tensor.ints())),
                            Some((_, beside)) => Err(other_type(feature, beside)),
                            None => Err(too_few(feature)),
                        },
                    };
                    let (mask, types) = (beside(mask)?, beside(types)?);
                    let [words, texts, places] = &mut inputs.categories[category..category + 3]
                    else {
                        return Err(too_few(feature));
                    };
                    let (values, ends) = (tensor.ints(), tensor.row_ends(&ty.shape));
                    for row in 0..rows {
                        for (place, at) in ends.range(row).take(*length).enumerate() {
                            let is_padding = mask.is_some_and(|mask| mask[at] == 0);
                            let word = u32::try_from(values[at]).ok();
                            let word = word.filter(|word| !is_padding && (*word as usize) < *size);
                            let Some(word) = word else { continue };
                            words.ids.push(word);
                            texts.ids.push(u32::from(types.is_some_and(|types| types[at] == 1)));
                            places.ids.push(place as u32);
                        }
                        for ids in [&mut *words, &mut *texts, &mut *places] {
                            ids.splits.push(ids.ids.len() as u32);
                        }
                    }
                    category += 3;
                }
            }
        }
        Ok(inputs)
    }

    /// Adds these rows of another batch.
    pub fn extend(&mut self, other: &Inputs, rows: &[u32]) {
        let width = other.numbers.len().checked_div(other.rows).unwrap_or(0);
        self.rows += rows.len();
        for row in rows {
            let start = *row as usize * width;
            self.numbers.extend_from_slice(&other.numbers[start..start + width]);
        }
        for (to, from) in self.categories.iter_mut().zip(&other.categories) {
            for row in rows {
                to.ids.extend_from_slice(from.row(*row as usize));
                to.splits.push(to.ids.len() as u32);
            }
        }
    }

    /// Whether these can be a model's rows: what comes from a file is checked.
    pub(crate) fn suits(&self, spec: &ModelSpec) -> bool {
        let sizes = spec.id_sizes();
        let of_categories = self.categories.iter().zip(&sizes).all(|(ids, size)| {
            ids.splits.len() == self.rows + 1
                && ids.splits[0] == 0
                && ids.splits.is_sorted()
                && ids.splits[self.rows] as usize == ids.ids.len()
                && ids.ids.iter().all(|id| (*id as usize) < *size)
        });
        of_categories
            && self.categories.len() == sizes.len()
            && Some(self.numbers.len()) == self.rows.checked_mul(spec.n_numbers())
    }
}

/// Where a feature's numbers are in a row.
struct Place {
    at: usize,
    width: usize,
    of: usize,
}

impl Place {
    /// Puts a feature's numbers into their rows; those that are not finite are 0.
    fn put<T: Copy>(&self, rows: &mut [f32], values: &[T], float: impl Fn(T) -> f32) {
        if self.width == 0 {
            return;
        }
        for (row, values) in rows.chunks_exact_mut(self.of).zip(values.chunks_exact(self.width)) {
            for (to, value) in row[self.at..].iter_mut().zip(values) {
                let value = float(*value);
                *to = if value.is_finite() { value } else { 0.0 };
            }
        }
    }
}

fn too_few(feature: &Feature) -> Error {
    Error::new(ErrorKind::Incompatible, format!("there are no values of `{}`", feature.name()))
}

fn other_type(feature: &Feature, ty: &Type) -> Error {
    let detail = format!("`{}` is {ty} now; the model reads {feature:?}.", feature.name());
    Error::new(ErrorKind::Incompatible, "the graph is not the model's").with_detail(detail)
}
