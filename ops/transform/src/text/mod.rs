//! Text into pieces and ids: tokenizers, the inputs of BERT models, and how vocabularies are trained.

pub mod bert;
mod characters;
pub mod model_inputs;
mod trie;
mod wordpiece;

pub use bert::{BertOptions, BertTokenizer};
