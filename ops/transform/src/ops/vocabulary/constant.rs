//! Vocabularies that are known before any data is read.

use std::sync::Arc;

use super::options::{format, sanitised, token_list};
use super::{FILE_NAME, FORMAT};
use crate::graph::Builder;
use crate::op::{Default, Kind, Op, Param, Ref, Takes};
use crate::tensor::{Strings, StringsBuilder, Tensor, Values};
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// The vocabulary of a list of tokens.
pub(in crate::ops) const FROM_LIST: Op = Op {
    name: "tft.vocabulary_from_list",
    doc: "a vocabulary of given tokens",
    semantics: "A token's id is its place in the list; of a token that is there twice the first \
        place counts. It is written among the assets as one that was computed.",
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary_from_list(['a', 'b', '']))",
        "tft.apply_vocabulary(ns, tft.vocabulary_from_list([3, 1], 'numbers'), num_oov_buckets=2)",
    ],
    params: &[
        Param {
            name: "tokens",
            takes: Takes::Literal,
            default: Default::Required,
            doc: "strings or whole numbers, in the order of their ids",
        },
        FILE_NAME,
        FORMAT,
    ],
    kind: Kind::Compose(|builder, call| {
        let tokens = token_list(call, "tokens")?;
        let format = format(call)?;
        let name = sanitised(call.opt_str(FILE_NAME.name).unwrap_or("vocabulary_from_list"));
        if format == FileFormat::Text
            && let Some(bad) =
                tokens.iter().find(|token| memchr::memchr2(b'\n', b'\r', token).is_some())
        {
            let bad = String::from_utf8_lossy(bad);
            return Err(call
                .wrong(format!("token {bad:?} is more than a line of text"))
                .with_hint("Pass `file_format='tfrecord_gzip'`."));
        }
        let file_name = match format {
            FileFormat::Text => name,
            FileFormat::TfrecordGzip => format!("{name}.tfrecord.gz"),
        };
        Ok(vec![constant(builder, file_name, format, Strings::from_iter(&tokens))])
    }),
};

/// The vocabulary of a file.
pub(in crate::ops) const FROM_FILE: Op = Op {
    name: "tft.vocabulary_from_file",
    doc: "the vocabulary of a file with a token a line",
    semantics: "A token's id is the number of its line, from 0; of a token that is there twice the \
        first line counts. A line ends with a line feed, or a carriage return and one; the last may \
        end with the file. The file is read while the module is traced, from the module's folder, and \
        is an asset of the graph under its own name, or under `vocab_filename`.",
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary_from_file('vocab.txt'))",
        "tft.apply_vocabulary(ss, tft.vocabulary_from_file('vocab.txt', vocab_filename='words'))",
    ],
    params: &[
        Param {
            name: "filename",
            takes: Takes::File,
            default: Default::Required,
            doc: "a file of the module's folder",
        },
        FILE_NAME,
    ],
    kind: Kind::Compose(|builder, call| {
        let Some(file) = call.opt_str("filename") else {
            return Err(call.wrong("`filename` is a constant; the name of a file is wanted"));
        };
        let bytes = builder.file(file)?;
        let name = match call.opt_str(FILE_NAME.name) {
            Some(name) => sanitised(name),
            None => file.rsplit('/').next().unwrap_or(file).to_owned(),
        };
        let mut tokens = StringsBuilder::default();
        let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if !bytes.is_empty() {
            let lines = whole.split(|byte| *byte == b'\n');
            lines.for_each(|line| tokens.push(line.strip_suffix(b"\r").unwrap_or(line)));
        }
        Ok(vec![constant(builder, name, FileFormat::Text, tokens.finish()?)])
    }),
};

fn constant(builder: &mut Builder, name: String, format: FileFormat, tokens: Strings) -> Ref {
    let vocabulary = Arc::new(Vocabulary::new(name, format, tokens));
    let tensor = Tensor::dense(1, Values::Vocabulary(vocabulary));
    builder.constant(Type::constant(DType::Vocabulary, []), tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Args;

    #[test]
    fn files_have_a_token_a_line() {
        let check = |text: &str, expected: &[&str]| {
            let mut builder = Builder::new([]);
            builder.add_file("lib/v.txt", text.as_bytes());
            let call = Args::default().arg("lib/v.txt");
            let value = builder.one(FROM_FILE.name, call).unwrap();
            let vocabulary = builder.graph().constant(value).unwrap().vocabulary().clone();
            assert_eq!(vocabulary.file_name, "v.txt");
            assert_eq!(vocabulary.tokens, Strings::from_iter(expected).into(), "{text:?}");
        };
        check("", &[]);
        check("\n", &[""]);
        check("a", &["a"]);
        check("a\n", &["a"]);
        check("a\r\nb c\r\n", &["a", "b c"]);
        check("\n\u{e9}\n\n", &["", "\u{e9}", ""]);
        check("a\rb\r", &["a\rb"]);
    }
}
