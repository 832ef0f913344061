//! Encoders that others have trained: Hugging Face's `config.json` and `model.safetensors` of BERT's
//! family. What is read here are bytes; whoever calls opens the files.

use engine::{Error, ErrorKind, Result};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::encoder::LAYER_NORM_EPSILON;
use crate::spec::{Architecture, ModelSpec, TEXTS};
use crate::weights::{Array, Weights};

/// What of `config.json` says how an encoder is made.
#[derive(Deserialize)]
struct ConfigJson {
    model_type: Option<String>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    position_embedding_type: Option<String>,
}

/// How a pretrained encoder is made, by its `config.json`.
///
/// # Errors
/// When it is no encoder as BERT is: other activations, kinds of positions or numbers of texts.
pub fn architecture(config: &[u8]) -> Result<Architecture> {
    let refused = |detail: String| {
        Error::new(ErrorKind::Unsupported, "the pretrained model is no encoder that is known here")
            .with_detail(detail)
            .with_hint("Give a model of BERT's family: `model_type` `bert`, `gelu`, two texts.")
    };
    let config: ConfigJson =
        serde_json::from_slice(config).map_err(|e| refused(format!("`config.json`: {e}.")))?;
    let check = |name: &str, found: Option<String>, expected: &str| match found {
        Some(found) if found != expected => Err(refused(format!("Its `{name}` is `{found}`."))),
        _ => Ok(()),
    };
    check("model_type", config.model_type, "bert")?;
    check("hidden_act", config.hidden_act, "gelu")?;
    check("position_embedding_type", config.position_embedding_type, "absolute")?;
    let texts = config.type_vocab_size.unwrap_or(TEXTS).to_string();
    check("type_vocab_size", Some(texts), &TEXTS.to_string())?;
    if config.layer_norm_eps.is_some_and(|epsilon| epsilon != LAYER_NORM_EPSILON) {
        return Err(refused(format!("Its `layer_norm_eps` is not {LAYER_NORM_EPSILON:e}.")));
    }
    Ok(Architecture::Encoder {
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        width: config.hidden_size,
        feed_forward: config.intermediate_size,
        positions: config.max_position_embeddings,
    })
}

/// Weights to begin with: those of the file, and the layer of the answer, which no file has, by the seed.
///
/// # Errors
/// When an array is missing, of another shape or not of 32 bits.
pub fn weights(spec: &ModelSpec, file: &[u8], seed: u64) -> Result<Weights> {
    let broken = |detail: String| {
        Error::new(ErrorKind::Input, "the pretrained weights are not those of the model")
            .with_detail(detail)
            .with_hint("The vocabulary of the graph has to be the one of the pretrained model.")
    };
    let read = SafeTensors::deserialize(file).map_err(|e| broken(format!("{e}.")))?;
    let mut weights = spec.initial(seed);
    for (name, array) in &mut weights.0 {
        if name.starts_with("classifier.") {
            continue;
        }
        let Some(view) = names(name).iter().find_map(|name| read.tensor(name).ok()) else {
            // Models that were trained on words alone have none.
            if name.starts_with("bert.pooler.") {
                continue;
            }
            return Err(broken(format!("`{name}` is not there.")));
        };
        if view.dtype() != Dtype::F32 || view.shape() != array.shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            return Err(broken(format!("`{name}` is {found}, not F32 {:?}.", array.shape)));
        }
        let chunks = view.data().as_chunks::<4>().0.iter();
        let values: Vec<f32> = chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(broken(format!("`{name}` holds what is not finite.")));
        }
        *array = Array { shape: array.shape.clone(), values };
    }
    Ok(weights)
}

/// What an array may be called: with or without the model's name, and norms as in the first files.
fn names(name: &str) -> Vec<String> {
    let old = name
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta");
    let short = |name: &str| name.trim_start_matches("bert.").to_owned();
    vec![name.to_owned(), short(name), short(&old), old]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Feature, Task};

    const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 32,
        "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "vocab_size": 10}"#;

    fn spec() -> ModelSpec {
        let tokens = Feature::Tokens {
            name: "input_word_ids".to_owned(),
            mask: None,
            types: None,
            size: 10,
            length: 32,
        };
        ModelSpec {
            task: Task::Binary,
            label: "y".to_owned(),
            features: vec![tokens],
            architecture: architecture(CONFIG.as_bytes()).unwrap(),
        }
    }

    /// A file as others write it: other names, and a head that is of no use here.
    fn file(rename: impl Fn(&str) -> Option<String>) -> (Weights, Vec<u8>) {
        let mut all = spec().initial(5);
        for (i, array) in all.0.values_mut().enumerate() {
            array.values.iter_mut().for_each(|value| *value += i as f32);
        }
        let named = all.0.iter().filter_map(|(name, array)| Some((rename(name)?, array.clone())));
        let mut named: std::collections::BTreeMap<_, _> = named.collect();
        named.insert("cls.bias".to_owned(), Array { shape: vec![1], values: vec![1.0] });
        let bytes = Weights(named).to_bytes().unwrap();
        (all, bytes)
    }

    #[test]
    fn weights_are_found_by_any_of_their_names() {
        let is_head = |name: &str| name.starts_with("classifier");
        let ways: [fn(&str) -> String; 3] = [
            str::to_owned,
            |name| name.trim_start_matches("bert.").to_owned(),
            |name| name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"),
        ];
        for way in ways {
            let (all, bytes) = file(|name| (!is_head(name)).then(|| way(name)));
            let found = weights(&spec(), &bytes, 9).unwrap();
            let initial = spec().initial(9);
            for (name, array) in &found.0 {
                let expected = if is_head(name) { &initial.0[name] } else { &all.0[name] };
                assert_eq!(array, expected, "{name}");
            }
        }
        // Without a pooler the first weights of it are the seed's.
        let (_, bytes) = file(|name| (!name.contains("pooler")).then(|| name.to_owned()));
        let found = weights(&spec(), &bytes, 9).unwrap();
        assert_eq!(
            found.0["bert.pooler.dense.weight"],
            spec().initial(9).0["bert.pooler.dense.weight"]
        );
    }

    #[test]
    fn other_encoders_are_refused() {
        let check = |from: &str, to: &str, expected: &str| {
            let error = architecture(CONFIG.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.detail().unwrap().contains(expected), "{error:?}");
        };
        check("\"bert\"", "\"roberta\"", "`model_type` is `roberta`");
        check("\"gelu\"", "\"relu\"", "`hidden_act` is `relu`");
        check("1e-12", "1e-5", "`layer_norm_eps` is not 1e-12");
        check("\"type_vocab_size\": 2", "\"type_vocab_size\": 1", "`type_vocab_size` is `1`");
        check("\"hidden_size\": 8,", "", "missing field `hidden_size`");
        let (_, bytes) = file(|name| Some(name.to_owned()));
        let mut other = spec();
        if let [Feature::Tokens { size, .. }] = &mut other.features[..] {
            *size = 11;
        }
        let error = weights(&other, &bytes, 1).unwrap_err();
        assert!(error.detail().unwrap().contains("word_embeddings.weight` is F32 [10, 8]"));
        let (_, bytes) = file(|name| (!name.contains("query.bias")).then(|| name.to_owned()));
        let error = weights(&spec(), &bytes, 1).unwrap_err();
        assert!(error.detail().unwrap().contains("query.bias` is not there"), "{error:?}");
        assert!(weights(&spec(), &bytes[..100], 1).is_err());
    }
}
