//! Examples' values as one category, or as points of a fixed number of dimensions.

use std::collections::BTreeMap;

use super::sample::Values;

/// How the values of a feature are understood.
pub(super) struct Encoding {
    pub(super) is_categorical: bool,
    /// Whether examples may have several values; `None` if the data must tell.
    pub(super) is_multivalent: Option<bool>,
    /// Greatest number of dimensions.
    pub(super) max_length: usize,
}

/// One side of a mutual information.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    /// It can tell nothing: no values, one value, or as many categories as rows.
    Nothing,
    /// A category in each row; missing values are one of them.
    Categories(Vec<u32>),
    /// A number in each row, NaN where it is missing.
    Numbers(Vec<f64>),
    /// How often each of a few things occurs in each row; `None` where the feature is missing.
    Bags(Vec<Option<Bag>>),
}

/// A point with few coordinates that are not 0: dimension and coordinate, by dimension.
pub(super) type Bag = Vec<(u32, f64)>;

impl Encoding {
    pub(super) fn encode(&self, rows: &[Option<&Values>]) -> Side {
        let is_multivalent = self
            .is_multivalent
            .unwrap_or_else(|| rows.iter().flatten().any(|values| values.len() > 1));
        let bags = match (is_multivalent, self.is_categorical) {
            (false, true) => return categories(rows),
            (false, false) => {
                let numbers: Vec<f64> =
                    rows.iter().map(|row| row.map_or(f64::NAN, number)).collect();
                let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
                let is_telling = numbers.windows(2).any(|w| !same(w[0], w[1]));
                return if is_telling { Side::Numbers(numbers) } else { Side::Nothing };
            }
            (true, true) => self.bags(rows),
            (true, false) => self.histograms(rows),
        };
        if bags.windows(2).any(|w| w[0] != w[1]) { Side::Bags(bags) } else { Side::Nothing }
    }

    /// Counts of the most frequent categories in each row, all others together in the last one.
    fn bags(&self, rows: &[Option<&Values>]) -> Vec<Option<Bag>> {
        let mut counts = BTreeMap::<u64, u64>::new();
        rows.iter().flatten().for_each(|row| {
            row.labels().for_each(|label| *counts.entry(label).or_default() += 1);
        });
        let length = counts.len().min(self.max_length);
        let mut by_count: Vec<(u64, u64)> = counts.into_iter().collect();
        by_count.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let own = by_count.iter().take(self.max_length - 1).enumerate();
        let own: BTreeMap<u64, usize> = own.map(|(at, &(label, _))| (label, at)).collect();
        let place = |label| own.get(&label).copied().unwrap_or(length - 1);
        count(rows, |row| row.labels().map(place).collect())
    }

    /// Counts of values in buckets of equal width, with one more for the greatest value.
    fn histograms(&self, rows: &[Option<&Values>]) -> Vec<Option<Bag>> {
        let finite =
            || rows.iter().flatten().flat_map(|row| row.numbers()).filter(|x| x.is_finite());
        let low = finite().fold(f64::INFINITY, f64::min);
        let high = finite().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let last = self.max_length - 1;
        let place = |x: f64| {
            // Halves, for the range of all floats is none.
            let place = (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * last as f64;
            (place as usize).min(last)
        };
        count(rows, |row| row.numbers().filter(|x| x.is_finite()).map(place).collect())
    }
}

/// Counts the places that each row gives.
fn count(rows: &[Option<&Values>], places: impl Fn(&Values) -> Vec<usize>) -> Vec<Option<Bag>> {
    let count = |row: &Values| {
        let mut places = places(row);
        places.sort_unstable();
        let runs = places.chunk_by(|a, b| a == b);
        runs.map(|run| (run[0] as u32, run.len() as f64)).collect()
    };
    rows.iter().map(|row| row.map(count)).collect()
}

/// The last of a row's values, as TFDV takes it where there should be one.
fn number(values: &Values) -> f64 {
    values.numbers().last().filter(|x| x.is_finite()).unwrap_or(f64::NAN)
}

fn categories(rows: &[Option<&Values>]) -> Side {
    let mut codes = BTreeMap::<Option<u64>, u32>::new();
    let coded: Vec<u32> = rows
        .iter()
        .map(|row| {
            let next = codes.len() as u32;
            *codes.entry(row.and_then(|row| row.labels().last())).or_insert(next)
        })
        .collect();
    // Where no two rows are equal, or all are missing, there is nothing to learn.
    let is_missing = codes.len() == 1 && codes.contains_key(&None);
    if codes.len() == coded.len() || is_missing { Side::Nothing } else { Side::Categories(coded) }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Numbers(numbers) => numbers.len(),
            Values::Labels(labels) => labels.len(),
        }
    }

    /// As numbers: labels of features that are not categorical are integers.
    fn numbers(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Values::Numbers(numbers) => Box::new(numbers.iter().copied()),
            Values::Labels(labels) => Box::new(labels.iter().map(|&label| label as i64 as f64)),
        }
    }

    /// As labels: equal numbers are equal labels.
    fn labels(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Values::Numbers(numbers) => Box::new(numbers.iter().map(|x| (x + 0.0).to_bits())),
            Values::Labels(labels) => Box::new(labels.iter().copied()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn check(encoding: (bool, Option<bool>), rows: &[Option<Values>], expected: &Side) {
        let (is_categorical, is_multivalent) = encoding;
        let encoding = Encoding { is_categorical, is_multivalent, max_length: 4 };
        let rows: Vec<Option<&Values>> = rows.iter().map(Option::as_ref).collect();
        // NaN is not equal to itself, but prints as itself.
        assert_eq!(format!("{:?}", encoding.encode(&rows)), format!("{expected:?}"));
    }

    fn labels(rows: &[Option<&[u64]>]) -> Vec<Option<Values>> {
        rows.iter().map(|row| row.map(|row| Values::Labels(row.to_vec()))).collect()
    }

    fn numbers(rows: &[Option<&[f64]>]) -> Vec<Option<Values>> {
        rows.iter().map(|row| row.map(|row| Values::Numbers(row.to_vec()))).collect()
    }

    #[test]
    fn one_category() {
        let rows = labels(&[Some(&[7]), None, Some(&[7]), Some(&[9]), Some(&[])]);
        check((true, None), &rows, &Side::Categories(vec![0, 1, 0, 2, 1]));
        check((true, None), &labels(&[Some(&[7]), None, Some(&[9])]), &Side::Nothing);
        check((true, None), &labels(&[None, None]), &Side::Nothing);
        let rows = numbers(&[Some(&[0.0]), Some(&[-0.0]), Some(&[1.0])]);
        check((true, None), &rows, &Side::Categories(vec![0, 0, 1]));
    }

    #[test]
    fn one_number() {
        let rows = numbers(&[Some(&[1.5]), None, Some(&[]), Some(&[f64::INFINITY])]);
        check((false, None), &rows, &Side::Numbers(vec![1.5, NAN, NAN, NAN]));
        check((false, None), &numbers(&[Some(&[1.0]), Some(&[1.0])]), &Side::Nothing);
        check((false, None), &numbers(&[None, None]), &Side::Nothing);
        let minus_one = u64::MAX;
        let rows = labels(&[Some(&[minus_one]), Some(&[3])]);
        check((false, None), &rows, &Side::Numbers(vec![-1.0, 3.0]));
        // The last value, where the schema says that there is one.
        let rows = numbers(&[Some(&[1.0, 2.0]), Some(&[3.0])]);
        check((false, Some(false)), &rows, &Side::Numbers(vec![2.0, 3.0]));
    }

    fn bags(rows: &[Option<&[(u32, f64)]>]) -> Side {
        Side::Bags(rows.iter().map(|row| row.map(<[_]>::to_vec)).collect())
    }

    #[test]
    fn bags_of_categories() {
        let rows = labels(&[Some(&[5, 6, 5]), None, Some(&[6]), Some(&[])]);
        let expected = bags(&[Some(&[(0, 2.0), (1, 1.0)]), None, Some(&[(1, 1.0)]), Some(&[])]);
        check((true, None), &rows, &expected);
        // Four dimensions: the three most frequent labels, and all others.
        let rows = labels(&[Some(&[1, 1, 1, 2, 2, 2, 3, 3]), Some(&[4, 5, 6])]);
        let expected = bags(&[Some(&[(0, 3.0), (1, 3.0), (2, 2.0)]), Some(&[(3, 3.0)])]);
        check((true, None), &rows, &expected);
        check((true, None), &labels(&[Some(&[1, 2]), Some(&[2, 1])]), &Side::Nothing);
    }

    #[test]
    fn histograms_of_numbers() {
        let rows = numbers(&[Some(&[0.0, 3.0, 1.2]), Some(&[2.9, 2.9]), None]);
        let expected = bags(&[Some(&[(0, 1.0), (1, 1.0), (3, 1.0)]), Some(&[(2, 2.0)]), None]);
        check((false, None), &rows, &expected);
        let rows = numbers(&[Some(&[5.0, 5.0]), Some(&[5.0])]);
        check((false, None), &rows, &bags(&[Some(&[(1, 2.0)]), Some(&[(1, 1.0)])]));
        let rows = numbers(&[Some(&[f64::INFINITY, 1.0]), Some(&[])]);
        check((false, None), &rows, &bags(&[Some(&[(1, 1.0)]), Some(&[])]));
        let rows = numbers(&[Some(&[f64::MAX, f64::MIN]), Some(&[f64::MAX])]);
        let expected = bags(&[Some(&[(0, 1.0), (3, 1.0)]), Some(&[(3, 1.0)])]);
        check((false, None), &rows, &expected);
    }
}
