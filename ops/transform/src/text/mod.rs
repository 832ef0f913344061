//! Text into pieces and ids: tokenizers, the inputs of BERT models, and how vocabularies are trained.

pub mod bert;
pub mod bpe_training;
mod characters;
mod constant;
pub mod hugging_face;
pub mod model_inputs;
mod pair_merges;
pub mod statistics;
mod tokenizer;
mod tokenizer_json;
pub mod training;
mod trie;
mod wordpiece;
pub mod wordpiece_training;

pub use bert::{BertOptions, BertTokenizer};
pub use bpe_training::BpeTraining;
pub use constant::{TokenizerConstant, TokenizerSource};
pub use hugging_face::HuggingFaceTokenizer;
pub use pair_merges::MergeScore;
pub use statistics::TokenStatistics;
pub use tokenizer::Tokenizer;
pub use training::TrainedVocabulary;
pub use wordpiece_training::WordPieceTraining;
