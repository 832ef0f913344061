//! The table of operations: everything that a preprocessing function may call.
//!
//! An operation is one constant of type [`Op`] in a file of this folder (or of a folder in it), and
//! its line in [`OPS`]. Modules, the Rust builder, `frazil ops`, the law tests and the exports walk
//! the table; nothing else lists operations.

use engine::{Error, Result};

use crate::bind::nearest;
use crate::graph::Graph;
use crate::op::Op;
use crate::types::{DType, Dim};

mod axis;
mod copied;
mod dates;
pub mod elementwise;
mod hash_strings;
mod math;
mod mean_and_var;
mod numeric;
mod params;
mod scale_to_z_score;
mod strings;
#[cfg(test)]
mod testing;
mod text;
mod tf;
mod tokens;
mod vocabulary;

pub(crate) use axis::Groups;
pub(crate) use tf::sparse::{
    VALUES_ENDING as SPARSE_VALUES, columns as sparse_columns, indices_name as sparse_indices,
};

/// The files that a graph makes, and the nodes that make them.
pub(crate) fn asset_files(graph: &Graph) -> impl Iterator<Item = (String, u32)> + '_ {
    vocabulary::names::asset_files(graph)
}

/// Every operation, by namespace and name.
pub static OPS: &[Op] = &[
    numeric::min_and_max::MIN,
    numeric::min_and_max::MAX,
    numeric::min_and_max::MIN_AND_MAX,
    numeric::sum_and_size::SUM,
    numeric::sum_and_size::SIZE,
    math::arithmetic::ADD,
    math::arithmetic::SUBTRACT,
    math::arithmetic::MULTIPLY,
    math::arithmetic::DIVIDE,
    math::arithmetic::FLOORDIV,
    math::arithmetic::MOD,
    math::arithmetic::POW,
    math::arithmetic::MINIMUM,
    math::arithmetic::MAXIMUM,
    math::division::TRUNCATEDIV,
    math::division::TRUNCATEMOD,
    math::division::DIVIDE_NO_NAN,
    math::division::MULTIPLY_NO_NAN,
    math::division::SQUARED_DIFFERENCE,
    math::division::RECIPROCAL,
    math::compare::EQUAL,
    math::compare::NOT_EQUAL,
    math::compare::LESS,
    math::compare::LESS_EQUAL,
    math::compare::GREATER,
    math::compare::GREATER_EQUAL,
    math::logical::LOGICAL_AND,
    math::logical::LOGICAL_OR,
    math::logical::LOGICAL_XOR,
    math::logical::LOGICAL_NOT,
    math::round::FLOOR,
    math::round::CEIL,
    math::round::ROUND,
    math::round::CLIP_BY_VALUE,
    math::unary::NEGATIVE,
    math::unary::ABS,
    math::unary::SIGN,
    math::unary::SQUARE,
    math::unary::SQRT,
    math::unary::EXP,
    math::unary::EXPM1,
    math::unary::LOG,
    math::unary::LOG1P,
    math::unary::SIGMOID,
    math::unary::TANH,
    math::unary::SIN,
    math::unary::COS,
    math::unary::IS_NAN,
    math::unary::IS_FINITE,
    math::unary::IS_INF,
    math::reduce::REDUCE_SUM,
    math::reduce::REDUCE_MEAN,
    math::reduce::REDUCE_PROD,
    math::reduce::REDUCE_MIN,
    math::reduce::REDUCE_MAX,
    math::reduce::REDUCE_ANY,
    math::reduce::REDUCE_ALL,
    math::reduce::ARGMAX,
    math::reduce::ARGMIN,
    strings::case::LOWER,
    strings::case::UPPER,
    strings::case::STRIP,
    strings::case::NORMALIZE_UTF8,
    strings::case::UNICODE_TRANSCODE,
    strings::compare::CONTAINS,
    strings::compare::STARTS_WITH,
    strings::compare::ENDS_WITH,
    strings::compare::REPLACE,
    strings::compare::LENGTH,
    strings::substr::SUBSTR,
    strings::split::SPLIT,
    strings::split::UNICODE_SPLIT,
    strings::split::BYTES_SPLIT,
    strings::hash::TO_HASH_BUCKET_FAST,
    strings::hash::TO_HASH_BUCKET_STRONG,
    strings::join::JOIN,
    strings::join::REDUCE_JOIN,
    strings::regex::REGEX_REPLACE,
    strings::regex::REGEX_FULL_MATCH,
    strings::regex::REGEX_EXTRACT,
    strings::number::TO_NUMBER,
    strings::format::AS_STRING,
    dates::convert::FROM_UNIX,
    dates::convert::TO_UNIX,
    dates::convert::TRUNC,
    dates::convert::DIFF,
    dates::parts::IS_WEEKEND,
    dates::text::PARSE,
    dates::text::FORMAT_OP,
    dates::parts::YEAR,
    dates::parts::MONTH,
    dates::parts::DAY_OF_MONTH,
    dates::parts::HOUR,
    dates::parts::MINUTE,
    dates::parts::SECOND_OF_MINUTE,
    dates::parts::DAY_OF_WEEK,
    dates::parts::DAY_OF_YEAR,
    dates::parts::WEEK,
    tf::cast::CAST,
    tf::cross::CROSS,
    tf::cross::CROSS_HASHED,
    tf::select::WHERE,
    tf::select::BOOLEAN_MASK,
    tf::fill::ZEROS_LIKE,
    tf::fill::ONES_LIKE,
    tf::fill::FILL_LIKE,
    tf::concat::STACK,
    tf::concat::CONCAT,
    tf::shape::SQUEEZE,
    tf::shape::EXPAND_DIMS,
    tf::shape::RESHAPE,
    tf::sparse::ANNOTATE_SHAPE,
    tf::sparse::ANNOTATE_TRUE,
    tf::sparse::INDICES,
    tf::sparse::VALUES,
    tf::gather::GATHER,
    tf::gather::SLICE,
    tf::gather::REVERSE,
    tf::one_hot::ONE_HOT,
    tf::matmul::MATMUL,
    tf::dense::TO_DENSE,
    tf::dense::RAGGED_TO_DENSE,
    tf::dense::FILL_IN_MISSING,
    tf::dense::ALIGN_LISTS,
    tf::dense::LEFT_ALIGN,
    tf::dense::SEGMENT_INDICES,
    tf::dense::ROW_LENGTHS,
    tf::dense::ROW_SIZE,
    mean_and_var::MEAN,
    mean_and_var::VAR,
    mean_and_var::MEAN_AND_VAR,
    scale_to_z_score::SCALE_TO_Z_SCORE,
    scale_to_z_score::Z_SCORE,
    numeric::scale_by_min_max::SCALE_BY_MIN_MAX,
    numeric::scale_by_min_max::SCALE_TO_0_1,
    numeric::scale_by_min_max::MIN_MAX_SCALE,
    numeric::quantiles::QUANTILES,
    numeric::buckets::APPLY_BUCKETS,
    numeric::buckets::BUCKETIZE,
    numeric::buckets::NUM_BUCKETS_OF,
    numeric::interpolation::APPLY_BUCKETS_WITH_INTERPOLATION,
    numeric::histogram::HISTOGRAM,
    numeric::histogram::EQUAL_WIDTH_BOUNDARIES,
    numeric::histogram::BUCKET_COUNTS,
    numeric::histogram::ESTIMATED_PROBABILITY_DENSITY,
    numeric::histogram::BUCKET_DENSITY,
    numeric::per_key::counts::COUNT_PER_KEY,
    numeric::per_key::counts::ANALYZER,
    numeric::per_key::counts::CATEGORY_COUNTS,
    numeric::per_key::counts::KEY_SHARE,
    numeric::per_key::counts::SHARE_AT_INDEX,
    numeric::per_key::key_index::KEY_INDEX,
    numeric::per_key::key_index::VALUE_AT_INDEX,
    numeric::per_key::mean_and_var::MEAN_AND_VAR_PER_KEY,
    numeric::per_key::mean_and_var::SCALE_TO_Z_SCORE_PER_KEY,
    numeric::per_key::min_and_max::MIN_AND_MAX_PER_KEY,
    numeric::per_key::min_and_max::SCALE_BY_MIN_MAX_PER_KEY,
    numeric::per_key::min_and_max::SCALE_TO_0_1_PER_KEY,
    numeric::per_key::quantiles::QUANTILES_PER_KEY,
    numeric::per_key::quantiles::BUCKETIZE_PER_KEY,
    numeric::per_key::quantiles::APPLY_BUCKETS_PER_KEY,
    numeric::per_key::target_encode::TARGET_ENCODE,
    numeric::per_key::target_encode::FOLD,
    numeric::per_key::target_encode::TARGET_STATISTICS,
    numeric::per_key::target_encode::TARGET_ENCODING,
    numeric::covariance::COVARIANCE,
    numeric::covariance::PCA,
    numeric::covariance::EIGENVECTORS,
    numeric::gaussian::TUKEY_PARAMETERS,
    numeric::gaussian::TUKEY_LOCATION,
    numeric::gaussian::TUKEY_SCALE,
    numeric::gaussian::TUKEY_H_PARAMS,
    numeric::gaussian::SCALE_TO_GAUSSIAN,
    numeric::gaussian::GAUSSIANIZE,
    // Vocabularies and hashes.
    hash_strings::HASH_STRINGS,
    tokens::ngrams::NGRAMS,
    tokens::ngrams::BAG_OF_WORDS,
    tokens::ngrams::WORD_COUNT,
    tokens::unique::DEDUPLICATE,
    tokens::tfidf::DOCUMENT_FREQUENCIES,
    tokens::tfidf::DOCUMENT_FREQUENCY,
    tokens::tfidf::DOCUMENT_FREQUENCY_OF,
    tokens::tfidf::IDF,
    tokens::tfidf::IDF_OF,
    tokens::tfidf::TFIDF,
    tokens::tfidf::TFIDF_OF,
    vocabulary::VOCABULARY,
    vocabulary::ANALYZER,
    vocabulary::FROM_LIST,
    vocabulary::FROM_FILE,
    vocabulary::ANNOTATE_ASSET,
    vocabulary::apply::APPLY,
    vocabulary::apply::COMPUTE_AND_APPLY,
    vocabulary::apply::ESCAPE_SPACES,
    vocabulary::apply::IDS,
    vocabulary::names::SIZE,
    vocabulary::names::SIZE_BY_NAME,
    vocabulary::APPROXIMATE,
    vocabulary::APPROXIMATE_ANALYZER,
    vocabulary::COMPUTE_AND_APPLY_APPROXIMATE,
    text::wordpiece_vocabulary::WORDPIECE_VOCABULARY,
    text::wordpiece_vocabulary::WORDPIECE_ANALYZER,
    text::bpe_tokenizer::BPE_TOKENIZER,
    text::bpe_tokenizer::BPE_ANALYZER,
    numeric::impute::IMPUTE,
    numeric::impute::IMPUTE_WITH,
    numeric::impute::MISSING_INDICATOR,
    numeric::impute::MEDIAN,
    numeric::impute::MODE,
    numeric::robust::SCALE_ROBUST,
    numeric::robust::ROBUST_SCALE,
    numeric::robust::CLIP_BY_QUANTILES,
    numeric::robust::CLIP_BETWEEN,
    // Texts.
    text::tokenizers::BERT_TOKENIZER,
    text::tokenizers::BERT_TOKENIZER_OF,
    text::tokenizers::HUGGING_FACE_TOKENIZER,
    text::tokenize::TOKENIZE,
    text::tokenize::TOKENIZE_PIECES,
    text::bert_inputs::BERT_INPUTS,
    text::token_statistics::TOKEN_STATISTICS,
];

/// Names of the results of operations that have many.
pub fn result_names(op: &str) -> &'static [&'static str] {
    match op {
        "text.bert_inputs" => text::bert_inputs::RESULTS,
        "text.token_statistics" => text::token_statistics::RESULTS,
        _ => &[],
    }
}

/// The columns that [`Op::examples`] are about, with their types.
#[rustfmt::skip]
pub const EXAMPLE_INPUTS: &[(&str, DType, &[Dim])] = &[
    ("x", DType::Float32, &[]), ("y", DType::Float32, &[]), ("d", DType::Float64, &[]),
    ("n", DType::Int64, &[]), ("k", DType::Int64, &[]), ("label", DType::Int64, &[]),
    ("weight", DType::Float32, &[]), ("flag", DType::Bool, &[]),
    ("s", DType::String, &[]), ("t", DType::String, &[]), ("key", DType::String, &[]),
    ("when", DType::Timestamp, &[]),
    ("xs", DType::Float32, &[Dim::Var]), ("ds", DType::Float64, &[Dim::Var]),
    ("ns", DType::Int64, &[Dim::Var]), ("ss", DType::String, &[Dim::Var]),
    ("flags", DType::Bool, &[Dim::Var]), ("times", DType::Timestamp, &[Dim::Var]),
    ("vec", DType::Float32, &[Dim::Fixed(3)]), ("nvec", DType::Int64, &[Dim::Fixed(3)]),
    ("svec", DType::String, &[Dim::Fixed(3)]),
    ("nested", DType::String, &[Dim::Var, Dim::Var]),
];

/// The files that [`Op::examples`] name, with what they hold.
pub const EXAMPLE_FILES: &[(&str, &[u8])] = &[
    ("vocab.txt", include_bytes!("text/example/vocab.txt")),
    ("tokenizer.json", include_bytes!("text/example/tokenizer.json")),
];

/// The operation of this name.
///
/// # Errors
/// When there is none, with the nearest name.
pub fn find(name: &str) -> Result<&'static Op> {
    OPS.iter().find(|op| op.name == name).ok_or_else(|| {
        let error = Error::invalid(format!("there is no operation `{name}`"));
        match nearest(name, OPS.iter().map(|op| op.name)) {
            Some(near) => error.with_hint(format!("Is `{near}` meant?")),
            None => error.with_hint("`frazil ops` lists all operations."),
        }
    })
}
