//! `text.*`: vocabularies and tokenizers that are trained on a column of texts.

pub(super) mod wordpiece_vocabulary;
