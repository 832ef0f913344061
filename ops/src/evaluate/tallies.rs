//! `Tallies`: the weight of labels at every distinct score, or of every pair of label and predicted
//! class, of every slice: exact, and on disk where they outgrow their memory.

use engine::{KeyState, KeyTable, KeyedCombineFn, Result, order, read_varint, write_varint};

use super::predictions::{Answers, Predictions};
use super::replicate::Replicates;
use crate::sketch::ExactSum;
use crate::stats::SliceKey;

/// Weights of label 1 and label 0 in each part; of classes only the first is used.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Ascending by part, each once.
    pub(super) parts: Vec<(u8, [ExactSum; 2])>,
}

impl Tally {
    fn part(&mut self, part: u8) -> &mut [ExactSum; 2] {
        let found = self.parts.binary_search_by_key(&part, |(part, _)| *part);
        let at = found.unwrap_or_else(|at| {
            self.parts.insert(at, (part, Default::default()));
            at
        });
        &mut self.parts[at].1
    }
}

impl KeyState for Tally {
    fn merge(&mut self, other: &Self) {
        for (part, sums) in &other.parts {
            for (sum, more) in self.part(*part).iter_mut().zip(sums) {
                sum.merge(more);
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.parts.len() as u64);
        for (part, sums) in &self.parts {
            out.push(*part);
            sums.iter().for_each(|sum| sum.encode(out));
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let n = read_varint(bytes)?;
        let mut parts: Vec<(u8, [ExactSum; 2])> = Vec::new();
        for _ in 0..n {
            let (&part, rest) = bytes.split_first()?;
            *bytes = rest;
            if parts.last().is_some_and(|(last, _)| *last >= part) {
                return None;
            }
            parts.push((part, [ExactSum::decode(bytes)?, ExactSum::decode(bytes)?]));
        }
        Some(Tally { parts })
    }

    fn heap_bytes(&self) -> usize {
        let sums = self.parts.iter().flat_map(|(_, sums)| sums);
        self.parts.capacity() * size_of::<(u8, [ExactSum; 2])>()
            + sums.map(ExactSum::heap_bytes).sum::<usize>()
    }
}

/// Tallies the answers of every model in every slice.
pub struct Tallies {
    replicates: Replicates,
}

impl Tallies {
    /// For these replicates.
    pub fn new(replicates: Replicates) -> Self {
        Tallies { replicates }
    }
}

impl KeyedCombineFn for Tallies {
    type Input = Predictions;
    type State = Tally;

    fn name(&self) -> &'static str {
        "evaluation tallies"
    }

    fn add_input(&self, table: &mut KeyTable<Tally>, input: &Predictions) -> Result<()> {
        let mut key = Vec::new();
        for model in 0..input.answers.n_models() {
            for (slice, rows) in &input.slices {
                let group = table.group(&group_name(model, slice));
                for &row in rows {
                    let i = row as usize;
                    if !input.answers.is_defined(model, i) {
                        continue;
                    }
                    key.clear();
                    let weight = input.weights.as_ref().map_or(1.0, |weights| weights[i]);
                    let weights = match &input.answers {
                        // Regression has no metric of scores.
                        Answers::Numbers { .. } => continue,
                        Answers::Scores { labels, predictions } => {
                            // Both zeros are one score.
                            order::push_descending_f64(&mut key, predictions[model][i] + 0.0);
                            [weight * labels[i], weight * (1.0 - labels[i])]
                        }
                        Answers::Classes { names, labels, models } => {
                            let of = |code: u32| &names[code as usize];
                            push_classes(&mut key, of(labels[i]), of(models[model].predicted[i]));
                            [weight, 0.0]
                        }
                    };
                    group.update(&key, |tally| {
                        self.replicates.parts(input.place_hash(row), |part, times| {
                            for (sum, weight) in tally.part(part).iter_mut().zip(weights) {
                                sum.add_times(weight, times);
                            }
                        });
                    });
                }
            }
        }
        Ok(())
    }
}

/// The group of a model's tallies in a slice.
pub(super) fn group_name(model: usize, slice: &SliceKey) -> Vec<u8> {
    let named = (model as u64, slice);
    postcard::to_stdvec(&named).expect("a key is plain data, which always serializes")
}

/// What [`group_name`] was given; `None` if it is something else.
pub(super) fn read_group(name: &[u8]) -> Option<(usize, SliceKey)> {
    let (model, slice): (u64, SliceKey) = postcard::from_bytes(name).ok()?;
    Some((usize::try_from(model).ok()?, slice))
}

fn push_classes(key: &mut Vec<u8>, label: &str, predicted: &str) {
    write_varint(key, label.len() as u64);
    key.extend_from_slice(label.as_bytes());
    key.extend_from_slice(predicted.as_bytes());
}

/// The label and the predicted class of a key; `None` if it is something else.
pub(super) fn read_classes(mut key: &[u8]) -> Option<(&str, &str)> {
    let length = usize::try_from(read_varint(&mut key)?).ok()?;
    let (label, predicted) = key.split_at_checked(length)?;
    Some((str::from_utf8(label).ok()?, str::from_utf8(predicted).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(parts: &[(u8, f64, f64)]) -> Tally {
        let mut tally = Tally::default();
        for &(part, positive, negative) in parts {
            let [a, b] = tally.part(part);
            a.add(positive);
            b.add(negative);
        }
        tally
    }

    fn encoded(tally: &Tally) -> Vec<u8> {
        let mut out = Vec::new();
        tally.encode(&mut out);
        let mut rest = &out[..];
        let decoded = Tally::decode(&mut rest).unwrap();
        assert!(rest.is_empty());
        let mut again = Vec::new();
        decoded.encode(&mut again);
        assert_eq!(again, out);
        for cut in 0..out.len() {
            assert!(Tally::decode(&mut &out[..cut]).is_none());
        }
        out
    }

    #[test]
    fn merging_has_no_order() {
        let parts = [
            tally(&[(3, 1.0, 0.0), (0, 0.1, 0.2)]),
            tally(&[(3, 0.5, 1e300)]),
            tally(&[(1, 0.0, 1.0), (0, 0.3, 0.7)]),
        ];
        let merged = |order: [usize; 3]| {
            let mut all = Tally::default();
            order.iter().for_each(|&i| all.merge(&parts[i]));
            encoded(&all)
        };
        let expected = merged([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(merged(order), expected);
        }
        encoded(&Tally::default());
    }

    #[test]
    fn keys_come_back() {
        let mut key = Vec::new();
        push_classes(&mut key, "a", "bc");
        assert_eq!(read_classes(&key), Some(("a", "bc")));
        assert_eq!(read_classes(&[9, b'a']), None);
        let slice = vec![("s".to_owned(), "x".to_owned())];
        assert_eq!(read_group(&group_name(1, &slice)), Some((1, slice)));
    }
}
