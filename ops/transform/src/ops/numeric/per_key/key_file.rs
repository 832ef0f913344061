//! The file that TFT writes for `key_vocabulary_filename`: a line for each key, what was found for it
//! and the key.
//!
//! TFT reads the file back to look keys up. Here keys and values are constants of the graph, so that
//! neither is cut or rounded; the file is written for those who read it.

use std::borrow::Cow;
use std::sync::Arc;

use engine::Result;
use sha1::{Digest, Sha1};

use super::{int_of, key_dtype};
use crate::graph::Builder;
use crate::numbers::{python_float, python_float32};
use crate::op::{Args, Bound, Call, Default, Op, Param, Ref, Takes};
use crate::ops::vocabulary::names::{Scope, check_only, name_of_keys};
use crate::tensor::{Tensor, Values};
use crate::tokens::TokensBuilder;
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// The name of the file.
pub(in crate::ops) const KEY_VOCABULARY_FILENAME: Param = Param {
    name: "key_vocabulary_filename",
    takes: Takes::Str,
    default: Default::None,
    doc: "name of a file among the assets with a line for each key: what was found for it, a space, the \
        key; '' finds a name",
};

/// The file of a call of an analyzer.
pub(super) struct KeyFile {
    name: String,
    keys: DType,
}

impl KeyFile {
    /// The file that is asked for, if one is.
    ///
    /// # Errors
    /// When keys are neither strings nor integers.
    pub(super) fn of(call: &Call<'_>) -> Result<Option<Self>> {
        let name = call.opt_str(KEY_VOCABULARY_FILENAME.name);
        let file = |name: &str| Ok(KeyFile { name: name.to_owned(), keys: key_dtype(call)? });
        name.map(file).transpose()
    }

    /// The types of an analyzer's results, with that of the file if one is asked for.
    pub(super) fn with_type(call: &Bound, mut types: Vec<Type>) -> Vec<Type> {
        if call.opt_str(KEY_VOCABULARY_FILENAME.name).is_some() {
            types.push(Type::constant(DType::Vocabulary, []));
        }
        types
    }

    /// The keys in the order of their SHA-1 digests, each with what was found for it as it is written.
    /// A key with a line feed does not fit in a line and is left out.
    ///
    /// # Errors
    /// As [`TokensBuilder::push`].
    pub(super) fn tensor<'a>(
        &self,
        found: impl IntoIterator<Item = (&'a [u8], String)>,
    ) -> Result<Tensor> {
        let mut lines: Vec<([u8; 20], Cow<'a, [u8]>, String)> = Vec::new();
        for (key, value) in found {
            let key = match self.keys {
                DType::Int64 => Cow::Owned(int_of(key).to_string().into_bytes()),
                _ => Cow::Borrowed(key),
            };
            if memchr::memchr(b'\n', &key).is_none() {
                lines.push((Sha1::digest(&key).into(), key, value));
            }
        }
        lines.sort_unstable();
        let (mut keys, mut values) = (TokensBuilder::default(), TokensBuilder::default());
        for (_, key, value) in &lines {
            keys.push(key)?;
            values.push(value.as_bytes())?;
        }
        let mut file = Vocabulary::new(&*self.name, FileFormat::Text, keys.finish()?);
        file.frequencies = Some(values.finish()?);
        Ok(Tensor::dense(1, Values::Vocabulary(Arc::new(file))))
    }
}

/// Two numbers as a line has them.
pub(super) fn pair(dtype: DType, a: f64, b: f64) -> String {
    match dtype {
        DType::Float64 => format!("{},{}", python_float(a), python_float(b)),
        _ => format!("{},{}", python_float32(a as f32), python_float32(b as f32)),
    }
}

/// Calls an analyzer with the file that a call asks for, if it does.
///
/// # Errors
/// When the file's name cannot be used or is taken, or the analyzer does not take the arguments.
pub(super) fn analyze(
    builder: &mut Builder,
    call: &Bound,
    analyzer: &Op,
    args: Args,
    scope: &Scope,
) -> Result<Vec<Ref>> {
    let Some(given) = call.opt_str(KEY_VOCABULARY_FILENAME.name) else {
        return builder.call(analyzer.name, args);
    };
    let name = name_of_keys(builder, call, given, scope)?;
    let found =
        builder.call(analyzer.name, args.with(KEY_VOCABULARY_FILENAME.name, name.as_str()))?;
    check_only(builder, call, &name, found[0].node)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{refused, trace};

    #[test]
    fn lines_are_in_the_order_of_digests() {
        let check = |keys: DType, found: &[(&[u8], &str)], expected: &[(&str, &str)]| {
            let file = KeyFile { name: "f".to_owned(), keys };
            let found = found.iter().map(|(key, value)| (*key, (*value).to_owned()));
            let tensor = file.tensor(found).unwrap();
            let vocabulary = tensor.vocabulary();
            let values = vocabulary.frequencies.as_ref().unwrap();
            let lines: Vec<_> = (0..vocabulary.len())
                .map(|i| (values.get(i).unwrap(), vocabulary.tokens.get(i).unwrap()))
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(a, b)| (a.as_bytes().into(), b.as_bytes().into())).collect();
            assert_eq!(lines, expected);
        };
        // As TFT 1.16 has written them.
        let found: &[(&[u8], &str)] = &[(b"", "1"), (b"a", "2"), (b"b c", "1"), (b"d\n", "9")];
        check(DType::String, found, &[("2", "a"), ("1", "b c"), ("1", "")]);
        let ints = [-1, 3, 20, 100].map(super::super::bytes_of);
        let found: Vec<(&[u8], &str)> =
            ints.iter().zip(["1", "2", "1", "1"]).map(|(key, n)| (&key[..], n)).collect();
        check(DType::Int64, &found, &[("1", "100"), ("2", "3"), ("1", "-1"), ("1", "20")]);
        check(DType::String, &[], &[]);
    }

    #[test]
    fn numbers_are_written_as_numpy_writes_them() {
        assert_eq!(pair(DType::Float32, 0.1, -0.0), "0.1,-0.0");
        assert_eq!(pair(DType::Float64, 1.0 / 3.0, f64::INFINITY), "0.3333333333333333,inf");
    }

    #[test]
    fn counts_in_a_file_are_a_vocabulary() {
        let (mut builder, file) = trace("tft.count_per_key(n, 'a')").unwrap();
        assert_eq!(*builder.ty(file), Type::constant(DType::Vocabulary, []));
        let n = builder.input("n").unwrap();
        let args = Args::default().arg(n).arg(file);
        let place = builder.one("tft.apply_vocabulary", args).unwrap();
        let mut graph = builder.finish(vec![("place".to_owned(), place)]).unwrap();
        let keys = [-1, 3].map(super::super::bytes_of);
        let lines = keys.iter().map(|key| (&key[..], "7".to_owned()));
        let file = KeyFile { name: "a".to_owned(), keys: DType::Int64 }.tensor(lines).unwrap();
        let counts =
            || Tensor { splits: vec![vec![0, 2].into()], ..Tensor::dense(1, vec![-1i64, 3]) };
        let node = graph.next_phase()[0];
        graph.bind(node, vec![counts(), counts(), file]).unwrap();
        let graph = crate::TransformGraph::new(graph).unwrap();
        let places = graph.run(3, vec![Tensor::dense(3, vec![-1i64, 4, 3])]).unwrap();
        assert_eq!(places[0].ints(), [1, -1, 0]);
    }

    #[test]
    fn files_have_names_of_their_own() {
        let names = |expression: &str| {
            let (builder, _) = trace(expression).unwrap();
            let nodes = builder.graph().nodes.iter();
            let calls = nodes.filter_map(|node| match &node.what {
                crate::What::Op(bound) if node.is_analyzer() => Some(bound.clone()),
                _ => None,
            });
            calls
                .map(|call| call.opt_str(KEY_VOCABULARY_FILENAME.name).unwrap_or("-").to_owned())
                .collect::<Vec<_>>()
        };
        let check = |expression: &str, expected: &[&str]| assert_eq!(names(expression), expected);
        check("tft.scale_to_z_score_per_key(x, s)", &["-"]);
        check(
            "tft.scale_to_z_score_per_key(x, s, key_vocabulary_filename='my file-2.txt')",
            &["my file-2.txt"],
        );
        check(
            "tft.scale_to_0_1_per_key(x, s, key_vocabulary_filename='')",
            &["vocab_scale_to_0_1_per_key_min_and_max_per_key"],
        );
        check(
            "[tft.count_per_key(s, ''), tft.count_per_key(n, '')]",
            &["vocab_count_per_key", "vocab_count_per_key_1"],
        );
        check("[tft.count_per_key(s, 'a'), tft.count_per_key(s, 'a')]", &["a"]);
        refused(
            "[tft.count_per_key(s, 'a'), tft.count_per_key(n, 'a')]",
            "`tft.count_per_key`: two files among the assets are named `a`",
        );
        refused(
            "[tft.vocabulary(s, vocab_filename='a'), tft.count_per_key(n, 'a')]",
            "`tft.count_per_key`: two files among the assets are named `a`",
        );
        refused(
            "tft.count_per_key(s, '../a')",
            "`tft.count_per_key`: \"../a\" is no name of a file among the assets",
        );
        refused(
            "tft.scale_to_0_1_per_key(vec, key, elementwise=True, key_vocabulary_filename='a')",
            "`tft.scale_to_0_1_per_key`: each position of `elementwise=True` has keys of its own, \
             for one file",
        );
    }
}
