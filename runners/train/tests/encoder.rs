//! The encoder: that burn and the predictor have one network, that it learns an order of words, and that
//! a frozen part stays as it was.
#![allow(clippy::unwrap_used)]

use model::{Architecture, Encoder as Predicting, Feature, Ids, Inputs, ModelSpec, Task, Weights};
use train::{Backend, Encoder, Examples, FineTune, Network, Options, Trainer};

const LENGTH: usize = 8;
const WORDS: usize = 12;

fn spec(task: Task) -> ModelSpec {
    let tokens = Feature::Tokens {
        name: "input_word_ids".to_owned(),
        mask: None,
        types: None,
        size: WORDS,
        length: LENGTH,
    };
    let architecture =
        Architecture::Encoder { layers: 2, heads: 2, width: 16, feed_forward: 32, positions: 16 };
    ModelSpec { task, label: "y".to_owned(), features: vec![tokens], architecture }
}

/// Texts of these words, the second half of each as a second text.
fn inputs(texts: &[Vec<u32>]) -> Inputs {
    let mut inputs = Inputs { rows: texts.len(), ..Inputs::new(&spec(Task::Binary)) };
    for text in texts {
        let n = text.len() as u32;
        let [words, kinds, places] = &mut inputs.categories[..] else { unreachable!() };
        words.ids.extend(text);
        kinds.ids.extend((0..n).map(|i| u32::from(i > n / 2)));
        places.ids.extend(0..n);
        let end = |ids: &mut Ids| ids.splits.push(ids.ids.len() as u32);
        [words, kinds, places].into_iter().for_each(end);
    }
    inputs
}

/// A text of word 1, words of no meaning, and 2 and 3 in either order: the label is which comes first.
fn text(n: usize) -> (Vec<u32>, f32) {
    let mut state = n as u64 + 1;
    let mut next = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let length = 4 + next(LENGTH as u64 - 3) as usize;
    let mut words: Vec<u32> = (0..length).map(|_| 4 + next(WORDS as u64 - 4) as u32).collect();
    words[0] = 1;
    let first = 1 + next(length as u64 - 2) as usize;
    let second = first + 1 + next((length - first - 1) as u64) as usize;
    let label = next(2) as u32;
    words[first] = 2 + label;
    words[second] = 3 - label;
    (words, label as f32)
}

fn examples(rows: std::ops::Range<usize>) -> Examples {
    let (texts, labels): (Vec<_>, Vec<_>) = rows.map(text).unzip();
    Examples { inputs: inputs(&texts), labels }
}

/// Weights that are nowhere 0 or 1, so that each has an effect.
fn weights(spec: &ModelSpec) -> Weights {
    let mut weights = spec.initial(3);
    for (i, array) in weights.0.values_mut().enumerate() {
        for (j, value) in array.values.iter_mut().enumerate() {
            *value += ((i * 31 + j * 17) % 23) as f32 / 40.0 - 0.25;
        }
    }
    weights
}

#[test]
fn burn_and_the_predictor_compute_the_same_network() {
    for task in [Task::Binary, Task::Multiclass { classes: 3 }] {
        let spec = spec(task);
        let weights = weights(&spec);
        // Lengths from none to all, so that there is padding of every length.
        let mut texts: Vec<Vec<u32>> = (0..40).map(|n| text(n).0).collect();
        texts.push(Vec::new());
        texts.push(vec![5]);
        let inputs = inputs(&texts);
        let predicting = Predicting::new(&spec, weights.clone()).unwrap();
        let predicted = predicting.logits(&inputs);
        assert_eq!(predicted.len(), texts.len() * task.width());
        for device in Backend::ALL.into_iter().filter_map(|backend| backend.device().ok()) {
            let device = device.autodiff();
            let network = Encoder::new(&spec, &weights, FineTune::All, &device).unwrap();
            assert_eq!(network.weights(), weights);
            let trained: Vec<f32> = network.logits(&inputs, &device).into_data().iter().collect();
            for (a, b) in predicted.iter().zip(&trained) {
                assert!((a - b).abs() < 2e-4 * b.abs().max(1.0), "{device:?}: {a} {b}");
            }
        }
        // A row has the same bits alone, and among others.
        let bits = |logits: &[f32]| logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for (row, text) in texts.iter().enumerate() {
            let alone = predicting.logits(&self::inputs(std::slice::from_ref(text)));
            let among = &predicted[row * task.width()..][..task.width()];
            assert_eq!(bits(&alone), bits(among), "{row}");
        }
    }
}

#[test]
fn it_learns_the_order_of_words() {
    let spec = spec(Task::Binary);
    let device = Backend::Cpu.device().unwrap().autodiff();
    let options = Options { learning_rate: 0.005, ..Options::default() };
    let network = Encoder::new(&spec, &spec.initial(1), FineTune::All, &device).unwrap();
    let mut trainer = Trainer::new(network, device, Task::Binary, &options);
    for step in 0..150 {
        trainer.step(&spec, &examples(1000 + step * 64..1064 + step * 64)).unwrap();
    }
    let held_out = examples(0..500);
    let predicting = Predicting::new(&spec, trainer.network().weights()).unwrap();
    let logits = predicting.logits(&held_out.inputs);
    let pairs = logits.iter().zip(&held_out.labels);
    let right = pairs.filter(|(logit, label)| (**logit > 0.0) == (**label == 1.0)).count();
    assert!(right > 475, "{right} of 500");
}

#[test]
fn only_the_head_moves_where_the_encoder_is_frozen() {
    let spec = spec(Task::Binary);
    let before = weights(&spec);
    for backend in Backend::ALL {
        let Ok(device) = backend.device() else { continue };
        let device = device.autodiff();
        let network = Encoder::new(&spec, &before, FineTune::Head, &device).unwrap();
        let options = Options { backend, ..Options::default() };
        let mut trainer = Trainer::new(network, device, Task::Binary, &options);
        trainer.step(&spec, &examples(0..32)).unwrap();
        let after = trainer.network().weights();
        for (name, array) in &after.0 {
            let is_head = name.starts_with("classifier.") || name.starts_with("bert.pooler.");
            assert_eq!(*array != before.0[name], is_head, "{backend:?}: {name}");
        }
    }
}
