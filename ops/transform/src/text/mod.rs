//! Text into pieces and ids: tokenizers, the inputs of BERT models, and how vocabularies are trained.

pub mod bert;
mod characters;
pub mod hugging_face;
pub mod model_inputs;
pub mod statistics;
mod tokenizer;
mod trie;
mod wordpiece;

pub use bert::{BertOptions, BertTokenizer};
pub use hugging_face::HuggingFaceTokenizer;
pub use statistics::TokenStatistics;
pub use tokenizer::Tokenizer;
