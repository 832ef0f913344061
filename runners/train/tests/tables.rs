//! Large tables: that a step which hands threads only the rows they read is the step of the whole tables.
#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::tensor::Tensor;
use model::{Architecture, Feature, Ids, Inputs, ModelSpec, Task, Weights};
use train::{Backend, Built, Device, Examples, FineTune, Network, Options, Trainer};

/// A network that says nothing of its tables.
#[derive(Module, Debug)]
struct Whole {
    network: Built,
}

impl Network for Whole {
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2> {
        self.network.logits(inputs, device)
    }

    fn weights(&self) -> Weights {
        self.network.weights()
    }
}

fn spec(features: Vec<Feature>, architecture: Architecture) -> ModelSpec {
    ModelSpec { task: Task::Binary, label: "y".to_owned(), features, architecture }
}

/// Lists of `lengths(row)` categories below `size`, rare ones and common ones.
fn ids(rows: usize, size: usize, lengths: impl Fn(usize) -> usize) -> Ids {
    let mut ids = Ids { splits: vec![0], ids: Vec::new() };
    for row in 0..rows {
        let of = |i: usize| if i.is_multiple_of(3) { i % 7 } else { i * 7919 + row * row * 31 };
        ids.ids.extend((0..lengths(row)).map(|i| (of(i + row) % size) as u32));
        ids.splits.push(ids.ids.len() as u32);
    }
    ids
}

/// Weights after some steps of batches of different sizes, and the loss before each.
fn after<N: Network>(
    make: impl Fn(&ModelSpec, &Weights, &Device) -> N,
    spec: &ModelSpec,
    inputs: impl Fn(usize) -> Inputs,
    options: &Options,
) -> (Weights, Vec<f64>) {
    let device = options.backend.device().unwrap().autodiff();
    let network = make(spec, &spec.initial(5), &device);
    let mut trainer = Trainer::new(network, device, Task::Binary, options);
    let step = |rows: usize| {
        let labels = (0..rows).map(|row| f32::from(u8::from(row % 3 == 0))).collect();
        trainer.step(spec, &Examples { inputs: inputs(rows), labels }).unwrap()
    };
    let losses = [64, 9, 1, 100].map(step).to_vec();
    (trainer.network().weights(), losses)
}

fn check(spec: &ModelSpec, inputs: impl Fn(usize) -> Inputs) {
    let built = |spec: &ModelSpec, weights: &Weights, device: &Device| {
        Built::new(spec, weights, FineTune::All, device).unwrap()
    };
    let whole = |spec: &ModelSpec, weights: &Weights, device: &Device| Whole {
        network: built(spec, weights, device),
    };
    let options = Options { threads: 1, learning_rate: 0.01, ..Options::default() };
    let (expected, losses) = after(whole, spec, &inputs, &options);
    assert!(expected != spec.initial(5), "nothing was learnt");
    for threads in [1, 3] {
        let options = Options { threads, ..options.clone() };
        for (name, array) in &after(built, spec, &inputs, &options).0.0 {
            let pairs = array.values.iter().zip(&expected.0[name].values);
            let other = pairs.enumerate().find(|(_, (a, b))| a.to_bits() != b.to_bits());
            assert_eq!(other, None, "{name}, {threads} threads");
        }
    }
    // Other devices round otherwise.
    for backend in Backend::ALL.into_iter().filter(|backend| backend.device().is_ok()) {
        let options = Options { backend, ..options.clone() };
        for (a, b) in after(built, spec, &inputs, &options).1.iter().zip(&losses) {
            assert!((a - b).abs() < 1e-3 * b, "{backend:?}: {a} {b}");
        }
    }
}

#[test]
fn steps_of_categories_are_those_of_whole_tables() {
    let categorical =
        |name: &str, size| Feature::Categorical { name: name.to_owned(), least: 0, size };
    let features =
        vec![categorical("few", 5), categorical("many", 3000), categorical("lists", 900)];
    let architecture = Architecture::WideAndDeep { embedding: 3, hidden: vec![8] };
    check(&spec(features, architecture), |rows| Inputs {
        rows,
        numbers: Vec::new(),
        // The lists of some batches, and some lists of all, are empty.
        categories: vec![
            ids(rows, 5, |_| 1),
            ids(rows, 3000, |_| 1),
            ids(rows, 900, |row| if rows == 9 { 0 } else { row % 4 }),
        ],
    });
}

#[test]
fn steps_of_texts_are_those_of_whole_tables() {
    let tokens = Feature::Tokens {
        name: "input_word_ids".to_owned(),
        mask: None,
        types: None,
        size: 4000,
        length: 12,
    };
    let architecture =
        Architecture::Encoder { layers: 1, heads: 2, width: 8, feed_forward: 16, positions: 2000 };
    check(&spec(vec![tokens], architecture), |rows| {
        let length = |row: usize| if rows == 1 { 0 } else { row * 5 % 13 };
        let words = ids(rows, 4000, length);
        let places = words.splits.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect();
        let with = |ids: Vec<u32>| Ids { splits: words.splits.clone(), ids };
        let kinds = with(words.ids.iter().map(|id| id % 2).collect());
        let places = with(places);
        Inputs { rows, numbers: Vec::new(), categories: vec![words, kinds, places] }
    });
}
