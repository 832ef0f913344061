//! The options of a vocabulary: `tft.vocabulary`'s arguments, checked.

use engine::Result;

use super::information::Information;
use crate::op::{Bound, Call, Literal};
use crate::ops::elementwise::{Broadcast, together};
use crate::types::{DType, Dim, Type};
use crate::vocabulary::FileFormat;

/// How a vocabulary is made.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// How many tokens at most, the most frequent first.
    pub top_k: Option<usize>,
    /// The least frequency (or information); minus infinity for any.
    pub threshold: f64,
    /// The arm that keeps the most frequent tokens of each key, too.
    pub coverage: Option<Coverage>,
    /// Sanitised name of the file, without an ending.
    pub file_name: String,
    /// How the file is written.
    pub format: FileFormat,
    /// Whether frequencies are written, too.
    pub store_frequency: bool,
    /// Tokens that come first.
    pub reserved: Vec<Vec<u8>>,
    /// Whether tokens are in the order of their hashes.
    pub shuffle: bool,
    /// Whether tokens are integers.
    pub ints: bool,
}

/// What each key keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coverage {
    pub top_k: Option<usize>,
    pub threshold: f64,
}

impl Options {
    /// Those of a call of `tft.vocabulary`.
    ///
    /// # Errors
    /// Saying which argument does not fit.
    pub(super) fn of(call: &Call<'_>) -> Result<Self> {
        let informed = call.opt_ty("labels").is_some();
        let threshold = |name: &str| match call.opt_float(name) {
            None => Ok(f64::NEG_INFINITY),
            Some(value) if value >= 0.0 => Ok(value),
            // Adjusted information may be negative.
            Some(value) if informed && !value.is_nan() => Ok(value),
            Some(value) => Err(call.wrong(format!("`{name}` is {value}; at least 0 is wanted"))),
        };
        let coverage = Coverage {
            top_k: top_k(call, "coverage_top_k")?,
            threshold: threshold("coverage_frequency_threshold")?,
        };
        let has_keys = call.opt_ty("keys").is_some();
        if !has_keys && (coverage.top_k.is_some() || coverage.threshold.is_finite()) {
            return Err(call
                .wrong("`coverage_top_k` and `coverage_frequency_threshold` need `key_fn`")
                .with_hint("`key_fn` gives the key of each token."));
        }
        Ok(Options {
            top_k: top_k(call, "top_k")?,
            threshold: threshold("frequency_threshold")?,
            coverage: has_keys.then_some(coverage),
            file_name: sanitised(call.opt_str("vocab_filename").unwrap_or("vocabulary")),
            format: format(call)?,
            store_frequency: call.is("store_frequency"),
            reserved: reserved(call)?,
            shuffle: call.is("fingerprint_shuffle"),
            ints: call.ty("x")?.dtype == DType::Int64,
        })
    }

    /// Name of the file among the assets.
    pub(super) fn asset_name(&self) -> String {
        match self.format {
            FileFormat::Text => self.file_name.clone(),
            FileFormat::TfrecordGzip => format!("{}.tfrecord.gz", self.file_name),
        }
    }
}

/// Checks the column of tokens.
///
/// # Errors
/// When it holds neither strings nor integers.
pub(super) fn tokens<'a>(call: &Call<'a>) -> Result<&'a Type> {
    let x = call.ty("x")?;
    if !matches!(x.dtype, DType::String | DType::Int64) {
        return Err(call.wrong_type("x", "a column of strings or integers"));
    }
    if x.constant {
        return Err(call.wrong_type("x", "a column"));
    }
    Ok(x)
}

/// How weights meet tokens.
///
/// # Errors
/// When they are no numbers, or not one for each token or row.
pub(super) fn weights(call: &Call<'_>) -> Result<Option<Broadcast>> {
    let Some(ty) = call.opt_ty("weights") else { return Ok(None) };
    if !ty.dtype.is_number() {
        return Err(call.wrong_type("weights", "numbers"));
    }
    if ty.constant || ty.shape.len() > call.ty("x")?.shape.len() {
        return Err(call.wrong_type("weights", "one for each value of `x`, or for each row"));
    }
    together(call, &["x", "weights"]).map(|(_, broadcast)| Some(broadcast))
}

/// Checks labels: one for each row, or any number of them.
///
/// # Errors
/// When they are something else, or weights are not those of rows.
pub(super) fn information(call: &Call<'_>) -> Result<Option<Information>> {
    let Some(ty) = call.opt_ty("labels") else { return Ok(None) };
    if ty.dtype != DType::Int64 || ty.constant || !matches!(ty.shape[..], [] | [Dim::Var]) {
        return Err(call.wrong_type("labels", "an int64 for each row, or an int64[var],"));
    }
    if call.opt_ty("weights").is_some_and(|weights| !weights.is_scalar()) {
        return Err(call.wrong_type("weights", "one for each row, as there are `labels`,"));
    }
    let (adjusted, min_diff) =
        (call.is("use_adjusted_mutual_info"), call.opt_float("min_diff_from_avg"));
    Ok(Some(Information { adjusted, min_diff }))
}

/// Checks the keys of tokens.
///
/// # Errors
/// When there is not one for each token.
pub(super) fn keys(call: &Call<'_>) -> Result<()> {
    let (Some(ty), Some(at)) = (call.opt_ty("keys"), call.position("keys")) else { return Ok(()) };
    let (x, x_at) = (call.ty("x")?, call.position("x").unwrap_or(0));
    if !matches!(ty.dtype, DType::String | DType::Int64) || ty.constant || ty.shape != x.shape {
        return Err(call.wrong_type("keys", "a string or integer for each value of `x`"));
    }
    if x.n_var() > 0 && call.structures[at] != call.structures[x_at] {
        return Err(call.wrong("`keys` and `x` may have different numbers of values in a row"));
    }
    Ok(())
}

fn top_k(call: &Bound, name: &str) -> Result<Option<usize>> {
    match call.opt_int(name) {
        None => Ok(None),
        Some(_) => call.int_from(name, 1).map(|k| Some(usize::try_from(k).unwrap_or(usize::MAX))),
    }
}

/// How the file is written.
///
/// # Errors
/// When there is no such format.
pub(super) fn format(call: &Bound) -> Result<FileFormat> {
    match call.opt_str("file_format") {
        None | Some("text") => Ok(FileFormat::Text),
        Some("tfrecord_gzip") => Ok(FileFormat::TfrecordGzip),
        Some(other) => Err(call
            .wrong(format!("`file_format` is `{other}`"))
            .with_hint("Formats are `text` and `tfrecord_gzip`.")),
    }
}

/// Tokens as bytes; whole numbers in decimal.
///
/// # Errors
/// When it is no list of strings.
pub(in crate::ops) fn token_list(call: &Bound, name: &str) -> Result<Vec<Vec<u8>>> {
    let wrong = || call.wrong(format!("`{name}` is no list of strings"));
    match call.literal(name) {
        Literal::None => Ok(Vec::new()),
        Literal::List(tokens) => tokens
            .iter()
            .map(|token| match token {
                Literal::Str(token) => Ok(token.clone().into_bytes()),
                Literal::Int(token) => Ok(token.to_string().into_bytes()),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn reserved(call: &Bound) -> Result<Vec<Vec<u8>>> {
    token_list(call, "reserved_tokens")
}

/// TFT's `sanitized_vocab_filename`: letters, digits and `_` stay, other characters become `_`, runs
/// of white space and hyphens one `-`.
pub(in crate::ops) fn sanitised(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || c.is_whitespace() || "_-".contains(c) { c } else { '_' })
        .collect();
    let mut out = String::new();
    for c in plain.trim().chars() {
        match c {
            '-' | ' ' => {
                if !out.ends_with('-') {
                    out.push('-');
                }
            }
            c if c.is_whitespace() => {
                if !out.ends_with('-') {
                    out.push('-');
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::sanitised;

    #[test]
    fn file_names_are_safe() {
        let check = |name: &str, expected: &str| assert_eq!(sanitised(name), expected);
        check("v_all", "v_all");
        check("my file.txt", "my-file_txt");
        check(" a - b ", "a-b");
        check("../../etc/passwd", "______etc_passwd");
        check("gr\u{fc}n\t\n1", "gr\u{fc}n-1");
        check("a--b", "a-b");
    }
}
