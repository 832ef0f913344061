//! Names: what modules may call, from the table of operations.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension};
use transform::DType;
use transform::ops::OPS;

use crate::column::Kind;
use crate::operation::{Constant, MakeAndTrackObject, Operation};
use crate::operators::{Operator, Range, SYMBOLS};

/// Other names of operations, as TensorFlow has them: the alias, the operation.
///
/// Beside them every `strings.NAME` is `tf.strings.NAME` and every `math.NAME` is `tf.math.NAME`
/// and `tf.NAME`.
const RENAMED: &[(&str, &str)] = &[
    ("tf.floormod", "math.mod"),
    ("tf.math.floormod", "math.mod"),
    ("tf.math.truediv", "math.divide"),
    ("tf.truediv", "math.divide"),
    ("tf.sparse.to_dense", "tft.fill_in_missing"),
    ("tf.strings.to_hash_bucket_fast", "tft.hash_strings"),
];

/// Other names of parameters, as TFT has them: the operation, the alias, the parameter.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("tft.apply_vocabulary", "deferred_vocab_filename_tensor", "vocabulary"),
    ("tft.get_num_buckets_for_transformed_feature", "transformed_feature", "x"),
    ("tft.hash_strings", "strings", "x"),
    ("tft.segment_indices", "segment_ids", "x"),
    ("tft.sparse_tensor_left_align", "sparse_tensor", "x"),
];

/// The parameter of an operation that modules call like this; its own name, unless TFT has another.
pub fn parameter<'a>(op: &str, name: &'a str) -> &'a str {
    let known = PARAMETERS.iter().find(|known| known.0 == op && known.1 == name);
    known.map_or(name, |known| known.2)
}

/// Functions of modules that are no operations, as nothing of them is in a graph: their names and
/// parameters.
pub const FUNCTIONS: &[(&str, &[&str])] =
    &[("tf.constant", &["value", "dtype"]), (MakeAndTrackObject::NAME, MakeAndTrackObject::PARAMS)];

/// Functions of TFT that are not there, and what to do instead.
pub(crate) const INSTEAD: &[(&str, &str)] = &[
    ("tft.get_analyze_input_columns", "`frazil graph columns` lists them for a module."),
    ("tft.get_transform_input_columns", "`frazil graph columns` lists them for a module."),
    (
        "tft.apply_pyfunc",
        "A frozen graph runs no Python: write the function in operations, or compute the column before \
         the data is read. `frazil ops` lists all operations.",
    ),
    (
        "tft.experimental.ptransform_analyzer",
        "An analyzer of one's own is a `CombineFn` in Rust; `runners/examples/own_analyzer.rs` has one.",
    ),
];

/// Types that modules can name.
const TYPES: &[DType] =
    &[DType::Bool, DType::Int64, DType::Float32, DType::Float64, DType::String, DType::Timestamp];

/// Every name of an operation that modules can call, with its name in the table.
pub fn aliases() -> &'static BTreeMap<String, &'static str> {
    static ALIASES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
        let mut names = BTreeMap::new();
        for op in OPS {
            if let Some(name) = op.name.strip_prefix("math.") {
                names.insert(format!("tf.{name}"), op.name);
                names.insert(format!("tf.math.{name}"), op.name);
            }
            if op.name.starts_with("strings.") {
                names.insert(format!("tf.{}", op.name), op.name);
            }
        }
        for (alias, name) in RENAMED {
            if let Some(op) = OPS.iter().find(|op| op.name == *name) {
                names.insert((*alias).to_owned(), op.name);
            }
        }
        // Last, so that an operation's own name is never another's alias.
        names.extend(OPS.iter().map(|op| (op.name.to_owned(), op.name)));
        names
    });
    &ALIASES
}

/// The name that is nearest to a misspelt one.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let known = aliases().keys().map(String::as_str).chain(FUNCTIONS.iter().map(|(name, _)| *name));
    transform::nearest(name, known)
}

/// What every module finds.
pub(crate) fn globals() -> &'static Globals {
    static GLOBALS: LazyLock<Globals> = LazyLock::new(|| {
        let extensions = [
            LibraryExtension::StructType,
            LibraryExtension::Map,
            LibraryExtension::Filter,
            LibraryExtension::Print,
        ];
        let mut builder = GlobalsBuilder::extended_by(&extensions);
        let names: Vec<(Vec<&str>, &'static str)> =
            aliases().iter().map(|(name, op)| (name.split('.').collect(), *op)).collect();
        namespace(&mut builder, &names, 0);
        for symbol in SYMBOLS {
            builder.set(symbol.function, Operator(symbol));
        }
        builder.set("range", Range);
        builder.build()
    });
    &GLOBALS
}

/// Adds names that agree up to `depth`; they are sorted, so that a namespace is a run of them.
fn namespace(builder: &mut GlobalsBuilder, names: &[(Vec<&str>, &'static str)], depth: usize) {
    let mut rest = names;
    while let Some((path, op)) = rest.first() {
        let part = path[depth];
        if path.len() == depth + 1 {
            builder.set(part, Operation { op });
            rest = &rest[1..];
            continue;
        }
        let n = rest
            .iter()
            .take_while(|(other, _)| other.len() > depth + 1 && other[depth] == part)
            .count();
        let (these, others) = rest.split_at(n);
        builder.namespace(part, |builder| {
            namespace(builder, these, depth + 1);
            if depth == 0 && part == "tf" {
                builder.set("constant", Constant);
                TYPES.iter().for_each(|dtype| builder.set(dtype.name(), Kind(*dtype)));
            }
            if depth == 0 && part == "tft" {
                builder.set("make_and_track_object", MakeAndTrackObject);
            }
        });
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensorflow_names_are_aliases() {
        let names = aliases();
        assert_eq!(names.get("tf.add"), Some(&"math.add"));
        assert_eq!(names.get("tf.math.add"), Some(&"math.add"));
        assert_eq!(names.get("math.add"), Some(&"math.add"));
        for (alias, name) in RENAMED {
            assert!(!OPS.iter().any(|op| op.name == *alias), "{alias} is an operation");
            assert!(name.contains('.'));
        }
        for (name, alias, parameter) in PARAMETERS {
            let op = OPS.iter().find(|op| op.name == *name).unwrap();
            let is = |name: &str| op.params.iter().any(|param| param.name == name);
            assert!(is(parameter) && !is(alias), "{name} {alias}");
        }
    }

    #[test]
    fn no_name_is_both_an_operation_and_a_namespace() {
        let names: Vec<&String> = aliases().keys().collect();
        for name in &names {
            let within = format!("{name}.");
            assert!(!names.iter().any(|other| other.starts_with(&within)), "{name}");
        }
    }
}
