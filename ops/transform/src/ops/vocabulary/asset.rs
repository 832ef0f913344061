//! `tft.annotate_asset`: files among the assets of a graph, under keys that others find them by.

use super::param;
use crate::graph::KeyedAsset;
use crate::op::{Default, Kind, Op, Takes};

/// A file with a key.
pub(in crate::ops) const ANNOTATE_ASSET: Op = Op {
    name: "tft.annotate_asset",
    doc: "a key for a file among the assets",
    semantics: "Has no result. `asset_filename` is the file of a vocabulary or tokenizer that was made \
        before, with its ending; or else a file of the module's folder, whose bytes become an asset \
        under its name without folders. The last file of a key has it. Assets with keys are there \
        whether an output uses them or not. In TFT nothing says that there is such a file.",
    examples: &[
        "[tft.annotate_asset('words', 'vocab.txt'), s][1]",
        "[tft.compute_and_apply_vocabulary(s, vocab_filename='v'), tft.annotate_asset('w', 'v'), s][2]",
    ],
    params: &[
        param("asset_key", Takes::Str, Default::Required, "the key"),
        param(
            "asset_filename",
            Takes::File,
            Default::Required,
            "an asset, or a file of the folder",
        ),
    ],
    kind: Kind::Compose(|builder, call| {
        let (Some(key), Some(path)) = (call.opt_str("asset_key"), call.opt_str("asset_filename"))
        else {
            return Err(call.wrong("`asset_filename` is a constant; the name of a file is wanted"));
        };
        let is_made = builder.has_asset(path);
        let bytes = if is_made { None } else { Some(builder.file(path)?) };
        let file = if is_made { path } else { path.rsplit('/').next().unwrap_or(path) };
        if file.starts_with('.') {
            return Err(call.wrong(format!("`{file}` is no name of a file among the assets")));
        }
        let known = builder.graph().assets.iter().find(|known| known.file == file);
        if known.is_some_and(|known| known.bytes != bytes) {
            return Err(call
                .wrong(format!("two assets are named `{file}`"))
                .with_hint("Give one of the files another name."));
        }
        if bytes.is_some() && builder.has_asset(file) {
            return Err(call
                .wrong(format!("two assets are named `{file}`"))
                .with_detail(format!(
                    "`{path}` is a file, and a vocabulary or tokenizer has its name."
                ))
                .with_hint("Give one of the two another name."));
        }
        builder.add_asset(KeyedAsset { key: key.to_owned(), file: file.to_owned(), bytes });
        Ok(Vec::new())
    }),
};

#[cfg(test)]
mod tests {
    use crate::graph::{Builder, Graph};
    use crate::op::Args;
    use crate::types::{DType, Type};
    use engine::Result;

    /// The graph of calls with two positional texts; the first call's input is `s`.
    fn graph(calls: &[(&str, &str, &str)]) -> Result<Graph> {
        let mut builder = Builder::new([("s".to_owned(), Type::scalar(DType::String))]);
        builder.add_file("a.txt", &b"bytes\xff"[..]);
        builder.add_file("lib/a.txt", &b"others"[..]);
        let s = builder.input("s")?;
        for (op, a, b) in calls {
            let args = Args::default();
            let args = if a.is_empty() { args.arg(s) } else { args.arg(*a) };
            let name = match *op {
                "tft.annotate_asset" => "asset_filename",
                "tft.count_per_key" => "key_vocabulary_filename",
                _ => "vocab_filename",
            };
            builder.call(op, args.with(name, *b))?;
        }
        builder.finish(vec![("s".to_owned(), s)])
    }

    #[test]
    fn files_have_keys() {
        let (annotate, vocabulary) = ("tft.annotate_asset", "tft.vocabulary");
        let check = |calls: &[(&str, &str, &str)], expected: &[(&str, &str, bool)]| {
            let graph = graph(calls).unwrap();
            let assets = graph.assets.iter();
            let found: Vec<_> = assets
                .map(|asset| (asset.key.as_str(), asset.file.as_str(), asset.bytes.is_some()))
                .collect();
            assert_eq!(found, expected);
        };
        check(&[(annotate, "k", "a.txt")], &[("k", "a.txt", true)]);
        check(&[(annotate, "k", "lib/a.txt")], &[("k", "a.txt", true)]);
        check(
            &[(annotate, "k", "a.txt"), (annotate, "l", "a.txt")],
            &[("k", "a.txt", true), ("l", "a.txt", true)],
        );
        let made = (vocabulary, "", "v");
        check(&[made, (annotate, "k", "v")], &[("k", "v", false)]);
        check(&[made, (annotate, "k", "a.txt"), (annotate, "k", "v")], &[("k", "v", false)]);
        // A constant that no output uses is kept for its key.
        let constant = ("tft.vocabulary_from_file", "a.txt", "w");
        check(&[constant, (annotate, "k", "w")], &[("k", "w", false)]);
        assert_eq!(graph(&[constant, (annotate, "k", "w")]).unwrap().nodes.len(), 2);
        assert_eq!(graph(&[constant]).unwrap().nodes.len(), 1);
        let refused = |calls: &[(&str, &str, &str)], message: &str| {
            assert_eq!(graph(calls).err().unwrap().message(), message);
        };
        refused(&[(annotate, "k", "b.txt")], "there is no file `b.txt`");
        refused(&[(annotate, "k", "v"), made], "there is no file `v`");
        let later = ("tft.count_per_key", "", "a.txt");
        refused(&[(annotate, "k", "a.txt"), later], "two assets are named `a.txt`");
        refused(
            &[later, (annotate, "k", "lib/a.txt")],
            "`tft.annotate_asset`: two assets are named `a.txt`",
        );
        refused(
            &[(annotate, "k", "a.txt"), (annotate, "l", "lib/a.txt")],
            "`tft.annotate_asset`: two assets are named `a.txt`",
        );
    }
}
