//! Names of vocabularies' files: given, or made as TFT makes them from the calls.

use engine::Result;
use hashbrown::HashSet;

use super::options::{format, sanitised};
use super::{FILE_NAME, FORMAT, VALUE};
use crate::bind::default_of;
use crate::export::Export;
use crate::graph::{Builder, Graph, What};
use crate::op::{Args, Bound, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::ops::elementwise::of_dtype;
use crate::ops::numeric::per_key::key_file::KEY_VOCABULARY_FILENAME;
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Type};
use crate::vocabulary::FileFormat;

/// What a file's name is made of where none is given.
pub(in crate::ops) struct Scope {
    prefix: &'static str,
    outer: &'static str,
    inner: &'static str,
}

impl Scope {
    /// Of a call of `tft.vocabulary` itself.
    pub(in crate::ops) fn of(call: &Bound, outer: &'static str) -> Self {
        let prefix = if call.is("store_frequency") { "vocab_frequency_" } else { "vocab_" };
        Scope { prefix, outer, inner: "" }
    }

    /// Of a call that has its prefix whatever its arguments are.
    pub(in crate::ops) fn plain(prefix: &'static str, outer: &'static str) -> Self {
        Scope { prefix, outer, inner: "" }
    }

    /// Of a call that makes a vocabulary on its way.
    pub(in crate::ops) fn within(call: &Bound, outer: &'static str, inner: &'static str) -> Self {
        Scope { inner, ..Self::of(call, outer) }
    }

    /// The name for the `n`th call.
    fn name(&self, n: usize) -> String {
        let number = if n == 0 { String::new() } else { format!("_{n}") };
        format!("{}{}{number}{}", self.prefix, self.outer, self.inner)
    }
}

/// The vocabularies and tokenizers that a graph makes: names of their files, and their nodes.
fn known(graph: &Graph) -> impl Iterator<Item = (String, u32)> + '_ {
    (0u32..).zip(&graph.nodes).filter_map(|(number, node)| match &node.what {
        What::Op(bound) if node.types.iter().any(|ty| ty.dtype.is_asset()) => {
            let has = |name: &str| bound.op.params.iter().any(|param| param.name == name);
            let given = |name: &str| has(name).then(|| bound.opt_str(name)).flatten();
            let of_keys = || given(KEY_VOCABULARY_FILENAME.name).map(str::to_owned);
            let name = given(FILE_NAME.name).map(sanitised).or_else(of_keys);
            name.map(|name| (name, number))
        }
        What::Constant(values) | What::Analyzed(_, values) => {
            values.iter().find_map(file_of).map(|name| (name.to_owned(), number))
        }
        _ => None,
    })
}

/// The name of the file of a vocabulary or tokenizer.
fn file_of(value: &Tensor) -> Option<&str> {
    match &value.values {
        Values::Vocabulary(vocabulary) => Some(&vocabulary.file_name),
        Values::Tokenizer(tokenizer) => tokenizer.file().map(|(name, _)| name),
        _ => None,
    }
}

/// The files that a graph makes, with their endings, and their nodes.
pub(in crate::ops) fn asset_files(graph: &Graph) -> impl Iterator<Item = (String, u32)> + '_ {
    known(graph).map(|(name, node)| match &graph.nodes[node as usize].what {
        What::Op(bound) if is_gzip(bound) => (format!("{name}.tfrecord.gz"), node),
        _ => (name, node),
    })
}

fn is_gzip(bound: &Bound) -> bool {
    bound.op.params.iter().any(|param| param.name == FORMAT.name)
        && matches!(format(bound), Ok(FileFormat::TfrecordGzip))
}

/// What `analyzer` makes for a call, in a file of a name of its own; the call's arguments are passed on.
///
/// # Errors
/// When another vocabulary has the name that is given, or the analyzer does not take the arguments.
pub(in crate::ops) fn analyze(
    builder: &mut Builder,
    call: &Bound,
    analyzer: &Op,
    scope: &Scope,
) -> Result<Ref> {
    let name = resolve(builder, call, analyzer, scope)?;
    let params = analyzer.params.iter().filter(|param| param.name != FILE_NAME.name);
    let known = params.filter(|param| call.op.params.iter().any(|own| own.name == param.name));
    let args =
        known.fold(Args::default(), |args, param| args.with(param.name, call.get(param.name)));
    builder.one(analyzer.name, args.with(FILE_NAME.name, name))
}

/// The file name of a vocabulary that `analyzer` is to make for a call.
fn resolve(builder: &Builder, call: &Bound, analyzer: &Op, scope: &Scope) -> Result<String> {
    // The same vocabulary is made once.
    let same = |bound: &Bound| {
        let params = analyzer.params.iter().filter(|param| param.name != FILE_NAME.name);
        bound.op.name == analyzer.name
            && params.clone().all(|param| {
                let own = call.op.params.iter().any(|own| own.name == param.name);
                let own = own.then(|| call.get(param.name));
                let own = own.unwrap_or_else(|| default_of(param).into());
                own == bound.get(param.name)
            })
    };
    let node_is_same = |node: u32| match &builder.graph().nodes[node as usize].what {
        What::Op(bound) => same(bound),
        _ => false,
    };
    if let Some(given) = call.opt_str(FILE_NAME.name) {
        let name = sanitised(given);
        if name.is_empty() {
            return Err(call.wrong("`vocab_filename` is empty"));
        }
        return match known(builder.graph()).find(|(known, _)| *known == name) {
            Some((_, node)) if !node_is_same(node) => Err(call
                .wrong(format!("two vocabularies have the file name `{name}`"))
                .with_hint("Give each a `vocab_filename` of its own.")),
            _ => Ok(name),
        };
    }
    if let Some((name, _)) = known(builder.graph()).find(|(_, node)| node_is_same(*node)) {
        return Ok(name);
    }
    Ok(free(builder, scope))
}

/// The first name of a scope that no file has.
fn free(builder: &Builder, scope: &Scope) -> String {
    let taken: HashSet<String, foldhash::fast::FixedState> =
        known(builder.graph()).map(|(name, _)| name).collect();
    let mut names = (0..).map(|n| scope.name(n));
    names.find(|name| !taken.contains(name)).expect("numbers do not end")
}

/// The name of a file of keys: the one given, which TFT takes as it is, or one of the scope for ''.
///
/// # Errors
/// When it is no name of a file.
pub(in crate::ops) fn name_of_keys(
    builder: &Builder,
    call: &Bound,
    given: &str,
    scope: &Scope,
) -> Result<String> {
    if given.is_empty() {
        return Ok(free(builder, scope));
    }
    if given.starts_with('.') || given.contains(['/', '\\', ':', '\0']) {
        return Err(call
            .wrong(format!("{given:?} is no name of a file among the assets"))
            .with_hint("Letters, digits, `_`, `-` and `.` make a name."));
    }
    Ok(given.to_owned())
}

/// Checks that no other node makes a file of this name.
///
/// # Errors
/// When one does.
pub(in crate::ops) fn check_only(
    builder: &Builder,
    call: &Bound,
    name: &str,
    node: u32,
) -> Result<()> {
    if known(builder.graph()).any(|(known, other)| known == name && other != node) {
        return Err(call
            .wrong(format!("two files among the assets are named `{name}`"))
            .with_hint("Give each a name of its own."));
    }
    Ok(())
}

/// The size of a vocabulary by the name of its file.
pub(in crate::ops) const SIZE_BY_NAME: Op = Op {
    name: "tft.experimental.get_vocabulary_size_by_name",
    doc: "how many tokens the vocabulary of that name has",
    semantics: "A constant int64, known once the vocabulary is. The name is the `vocab_filename` of \
        a vocabulary that was made before.",
    examples: &["[tft.compute_and_apply_vocabulary(s, vocab_filename='v'), \
          n + tft.experimental.get_vocabulary_size_by_name('v')][1]"],
    params: &[Param {
        name: "vocab_filename",
        takes: Takes::Str,
        default: Default::Required,
        doc: "name of the vocabulary's file",
    }],
    kind: Kind::Compose(|builder, call| {
        let name = sanitised(call.opt_str("vocab_filename").unwrap_or_default());
        let found = known(builder.graph()).find(|(known, _)| *known == name);
        let Some((_, node)) = found else {
            let names: Vec<String> =
                known(builder.graph()).map(|(name, _)| format!("`{name}`")).collect();
            let error = call.wrong(format!("there is no vocabulary `{name}`"));
            return Err(if names.is_empty() {
                error.with_hint("Call `tft.vocabulary` before.")
            } else {
                error.with_hint(format!("Vocabularies so far are {}.", names.join(", ")))
            });
        };
        let value = crate::op::Ref { node, port: 0 };
        builder.call(SIZE.name, Args::default().arg(value))
    }),
};

/// The number of tokens.
pub(in crate::ops) const SIZE: Op = Op {
    name: "tft.vocabulary_size",
    doc: "how many tokens a vocabulary has",
    semantics: "A constant int64; tokens that are reserved count, and the one of a vocabulary \
        without others.",
    examples: &["n + tft.vocabulary_size(tft.vocabulary_from_list(['a', 'b']))"],
    params: &[Param {
        name: "vocabulary",
        takes: VALUE,
        default: Default::Required,
        doc: "a vocabulary",
    }],
    kind: Kind::Map {
        types: |call| {
            of_dtype(call, "vocabulary", DType::Vocabulary)?;
            Ok(vec![Type::constant(DType::Int64, [])])
        },
        kernel: |_| -> Result<Box<dyn Kernel>> {
            Ok(function(|_, inputs| {
                Ok(Tensor::dense(1, vec![inputs[0].vocabulary().len() as i64]))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::CONSTANT,
    },
};
