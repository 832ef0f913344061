//! Bodies of requests, in the forms of TensorFlow Serving, and with its messages.
//!
//! | method | body |
//! |---|---|
//! | predict | `instances`: a list of rows, or `inputs`: an object of columns |
//! | classify, regress | `examples`: a list of features, and `context`: features of all of them |
//!
//! A feature that varies in length need not be there. In `instances` and `inputs` a name that no graph of
//! the model reads is an error, in `examples` it is passed over, as tf.Example's parsers do. Where the only
//! name is `examples`, and no column's, its values are serialized tf.Examples: whole rows.

use transform::{Strings, Tensor};

use crate::columns::{Columns, Wrong, name_of_kind};
use crate::cursor::{Cursor, Kind};
use crate::failure::Failure;
use crate::servable::{EXAMPLES, Signature};
use crate::{example, syntax};

/// A body that is JSON, and an object.
pub(crate) struct Body<'a> {
    root: Cursor<'a>,
    members: Members<'a>,
    /// The signature that is asked for; empty for the default.
    pub(crate) signature: String,
}

/// Where the values of the root's members are, of the first with each name.
#[derive(Default)]
struct Members<'a> {
    signature_name: Option<Cursor<'a>>,
    instances: Option<Cursor<'a>>,
    inputs: Option<Cursor<'a>>,
    examples: Option<Cursor<'a>>,
    context: Option<Cursor<'a>>,
}

impl<'a> Members<'a> {
    fn of(mut root: Cursor<'a>) -> Self {
        let mut members = Members::default();
        root.open();
        while root.more() {
            let member = match &*root.key() {
                b"signature_name" => Some(&mut members.signature_name),
                b"instances" => Some(&mut members.instances),
                b"inputs" => Some(&mut members.inputs),
                b"examples" => Some(&mut members.examples),
                b"context" => Some(&mut members.context),
                _ => None,
            };
            if let Some(member) = member {
                member.get_or_insert(root);
            }
            root.skip();
        }
        members
    }
}

/// Whether rows or columns were sent, and so are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Rows,
    Columns,
}

/// Raw rows.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) n: usize,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) format: Format,
}

type Read<T> = Result<T, Failure>;

impl Rows {
    /// Rows of serialized tf.Examples, parsed.
    fn parsed(self, signature: &Signature<'_>) -> Read<Self> {
        let examples = self.tensors.first().map(Tensor::strings);
        let examples = examples.into_iter().flat_map(Strings::iter);
        let (n, tensors) = example::rows(signature, examples, b"")?;
        Ok(Rows { n, tensors, ..self })
    }
}

impl<'a> Body<'a> {
    /// Reads a body as far as that is possible without knowing the model.
    pub(crate) fn read(text: &'a [u8]) -> Read<Self> {
        if text.is_empty() {
            return Err(Failure::invalid("JSON Parse error: The document is empty"));
        }
        syntax::check(text).map_err(|error| {
            let syntax::SyntaxError { message, offset } = error;
            Failure::invalid(format!("JSON Parse error: {message} at offset: {offset}"))
        })?;
        let root = Cursor::new(text);
        let mut body = Body { root, members: Members::default(), signature: String::new() };
        if root.kind() != Kind::Object {
            return Err(body.wrong("Is not object"));
        }
        body.members = Members::of(root);
        body.signature = match body.members.signature_name {
            None => String::new(),
            Some(mut name) if name.kind() == Kind::String => {
                String::from_utf8_lossy(&name.string()).into_owned()
            }
            Some(_) => {
                let wrong = "not formatted correctly. 'signature_name' key must be a string value.";
                return Err(body.wrong(wrong));
            }
        };
        Ok(body)
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::invalid(format!("JSON Value: {} {why}", self.root.shown()))
    }

    /// The rows of a request to predict.
    pub(crate) fn predict(&self, signature: &Signature<'_>) -> Read<Rows> {
        match (self.members.instances, self.members.inputs) {
            (Some(_), Some(_)) => Err(self.wrong(
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
            )),
            (Some(list), None) if list.kind() != Kind::Array => {
                Err(self.wrong("Expecting 'instances' to be an list/array"))
            }
            (Some(list), None) => match (first(list), signature.of_examples()) {
                (None, _) => Err(self.wrong("No values in 'instances' array")),
                (Some(first), Some(examples)) if has_only_examples(first) => {
                    instances(list, first, &examples)?.parsed(signature)
                }
                (Some(first), _) => instances(list, first, signature),
            },
            (None, Some(value)) => match signature.of_examples() {
                Some(examples) if has_only_examples(value) => {
                    inputs(value, &examples)?.parsed(signature)
                }
                _ => inputs(value, signature),
            },
            (None, None) => Err(Failure::invalid("Missing 'inputs' or 'instances' key")),
        }
    }

    /// Checks a request to classify or regress as far as that is possible without knowing the model.
    pub(crate) fn check_examples(&self) -> Read<()> {
        if let Some(context) = self.members.context {
            check_example(context)?;
        }
        let Some(mut list) = self.members.examples else {
            return Err(
                self.wrong("When method is classify, key 'examples' is expected and was not found")
            );
        };
        if list.kind() != Kind::Array {
            return Err(self.wrong("Expecting 'examples' value to be an list/array"));
        }
        if first(list).is_none() {
            return Err(self.wrong("'examples' value is an empty array"));
        }
        list.open();
        while list.more() {
            check_example(list)?;
            list.skip();
        }
        Ok(())
    }

    /// The rows of a request to classify or regress, which was checked.
    pub(crate) fn examples(&self, signature: &Signature<'_>) -> Read<Rows> {
        let context = self.members.context;
        let mut list = self.members.examples.unwrap_or(self.root);
        let mut columns = Columns::new(signature.inputs());
        let mut n = 0;
        list.open();
        while list.more() {
            example(&mut columns, signature, &mut list, context, n)?;
            n += 1;
        }
        Ok(Rows { n, tensors: columns.finish()?, format: Format::Rows })
    }
}

/// The first element of a list.
fn first(mut list: Cursor<'_>) -> Option<Cursor<'_>> {
    list.open();
    list.more().then_some(list)
}

/// Whether it is an object whose only key is [`EXAMPLES`].
fn has_only_examples(mut value: Cursor<'_>) -> bool {
    if value.kind() != Kind::Object {
        return false;
    }
    value.open();
    let is_first = value.more() && &*value.key() == EXAMPLES.as_bytes();
    is_first && {
        value.skip();
        !value.more()
    }
}

fn is_row(value: Cursor<'_>) -> bool {
    value.kind() == Kind::Object && value.base64().is_none()
}

fn instances(mut list: Cursor<'_>, first: Cursor<'_>, signature: &Signature<'_>) -> Read<Rows> {
    let inputs = signature.inputs();
    if first.kind() != Kind::Object && inputs.len() > 1 {
        return Err(Failure::invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors \
             required as per tensorinfo_map",
        ));
    }
    let are_rows = is_row(first);
    if !are_rows && inputs.len() > 1 {
        return Err(Failure::invalid(
            "Expecting object with a key for each input but got base64 data at item 0 of input list",
        ));
    }
    let mut columns = Columns::new(inputs);
    let mut n = 0;
    list.open();
    while list.more() {
        match (are_rows, is_row(list)) {
            (true, true) => instance(&mut columns, signature, &mut list, n)?,
            (true, false) => {
                return Err(Failure::invalid(format!(
                    "Expecting object but got list at item {n} of input list"
                )));
            }
            (false, true) => {
                return Err(Failure::invalid(format!(
                    "Expecting value/list but got object at item {n} of input list"
                )));
            }
            (false, false) => columns.value(0, &mut list).map_err(|why| {
                Failure::invalid(format!(
                    "Failed to process element: {n} of 'instances' list. Error: INVALID_ARGUMENT: {why}"
                ))
            })?,
        }
        n += 1;
    }
    Ok(Rows { n, tensors: columns.finish()?, format: Format::Rows })
}

/// Which input a key is. Rows of a request mostly have their keys in one order.
fn input_of(signature: &Signature<'_>, key: &[u8], next: &mut usize) -> Option<usize> {
    let inputs = signature.inputs();
    let input = match inputs.get(*next) {
        Some((name, _)) if name.as_bytes() == key => Some(*next),
        _ => std::str::from_utf8(key).ok().and_then(|key| signature.input(key)),
    };
    if let Some(input) = input {
        *next = input + 1;
    }
    input
}

fn instance(
    columns: &mut Columns<'_>,
    signature: &Signature<'_>,
    list: &mut Cursor<'_>,
    n: usize,
) -> Read<()> {
    let row = *list;
    let mut next = 0;
    list.open();
    while list.more() {
        let key = list.key();
        let failed = |why: Wrong| {
            Failure::invalid(format!(
                "Failed to process element: {n} key: {} of 'instances' list. Error: \
                 INVALID_ARGUMENT: {why}",
                String::from_utf8_lossy(&key)
            ))
        };
        match input_of(signature, &key, &mut next) {
            Some(input) if columns.rows(input) > n => {
                return Err(failed("The key is there twice".to_owned()));
            }
            Some(input) => columns.value(input, list).map_err(failed)?,
            None if signature.is_known(&key) => list.skip(),
            None => {
                let name = String::from_utf8_lossy(&key);
                return Err(failed(format!("JSON object: does not have named input: {name}")));
            }
        }
    }
    let inputs = signature.inputs();
    let missing = (0..inputs.len())
        .filter(|input| columns.rows(*input) == n && !columns.missing(*input))
        .map(|input| inputs[input].0.as_str());
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let needed = inputs.iter().filter(|(_, ty)| ty.is_dense()).map(|(name, _)| name.as_str());
    Err(Failure::invalid(format!(
        "Failed to process element: {n} of 'instances' list. JSON object: {} keys must be equal to: {}. \
         Missing but required: {{{}}}.",
        row.shown(),
        needed.collect::<Vec<_>>().join(","),
        missing.join(",")
    )))
}

fn inputs(value: Cursor<'_>, signature: &Signature<'_>) -> Read<Rows> {
    let inputs = signature.inputs();
    let mut columns = Columns::new(inputs);
    let mut rows: Option<usize> = None;
    if !is_row(value) {
        if inputs.len() > 1 {
            return Err(Failure::invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors \
                 required as per tensorinfo_map",
            ));
        }
        let n = column(&mut columns, 0, &mut { value }).map_err(Failure::invalid)?;
        return Ok(Rows { n, tensors: columns.finish()?, format: Format::Columns });
    }
    let mut object = value;
    let mut next = 0;
    let mut seen = vec![false; inputs.len()];
    object.open();
    while object.more() {
        let key = object.key();
        let name = || String::from_utf8_lossy(&key).into_owned();
        let Some(input) = input_of(signature, &key, &mut next) else {
            if signature.is_known(&key) {
                object.skip();
                continue;
            }
            let why = format!("JSON object: does not have named input: {}", name());
            return Err(Failure::invalid(why));
        };
        if std::mem::replace(&mut seen[input], true) {
            return Err(Failure::invalid(format!("Named input: {} is there twice", name())));
        }
        let n = column(&mut columns, input, &mut object)
            .map_err(|why| Failure::invalid(format!("Named input: {}. {why}", name())))?;
        match rows {
            Some(expected) if expected != n => {
                return Err(Failure::invalid(format!(
                    "Tensor name: {} has inconsistent batch size: {n} expecting: {expected}",
                    name()
                )));
            }
            _ => rows = Some(n),
        }
    }
    for (input, (name, ty)) in inputs.iter().enumerate().filter(|(input, _)| !seen[*input]) {
        if ty.is_dense() || rows.is_none() {
            let why = format!("Missing named input: {name} in 'inputs' object.");
            return Err(Failure::invalid(why));
        }
        (0..rows.unwrap_or(0)).for_each(|_| {
            columns.missing(input);
        });
    }
    Ok(Rows { n: rows.unwrap_or(0), tensors: columns.finish()?, format: Format::Columns })
}

/// A column: a list with a value for each row; gives their number.
fn column(columns: &mut Columns<'_>, input: usize, list: &mut Cursor<'_>) -> Result<usize, Wrong> {
    if list.kind() != Kind::Array {
        let shown = list.shown();
        return Err(format!("JSON Value: {shown} is no list with a value for each row"));
    }
    list.open();
    while list.more() {
        columns.value(input, list)?;
    }
    Ok(columns.rows(input))
}

/// The three kinds of a tf.Example's features.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FeatureKind {
    Bytes,
    Float,
    Int64,
}

/// Checks that a value is an example: one kind of values in each feature.
fn check_example(mut example: Cursor<'_>) -> Read<()> {
    if example.kind() != Kind::Object {
        let kind = name_of_kind(example.kind());
        let why = format!("Example must be JSON object but got JSON {kind}");
        return Err(Failure::invalid(why));
    }
    example.open();
    while example.more() {
        let key = example.key();
        let mut kind = None;
        let mut check = |value: &mut Cursor<'_>| check_value(value, &key, &mut kind);
        if example.kind() == Kind::Array {
            example.open();
            while example.more() {
                check(&mut example)?;
            }
        } else {
            check(&mut example)?;
        }
    }
    Ok(())
}

fn check_value(value: &mut Cursor<'_>, key: &[u8], of: &mut Option<FeatureKind>) -> Read<()> {
    let name = || String::from_utf8_lossy(key).into_owned();
    let unexpected = |kind| {
        let (name, kind) = (name(), name_of_kind(kind));
        Failure::invalid(format!("Feature: {name} has element with unexpected JSON type: {kind}"))
    };
    let kind = match value.kind() {
        kind @ (Kind::Null | Kind::Array) => return Err(unexpected(kind)),
        Kind::Object if value.base64().is_none() => return Err(unexpected(Kind::Object)),
        Kind::Object | Kind::String => FeatureKind::Bytes,
        Kind::True | Kind::False => FeatureKind::Int64,
        Kind::Number => {
            let number = { *value }.number();
            if number.parse::<i64>().is_ok() {
                FeatureKind::Int64
            } else if number.parse::<u64>().is_ok() {
                let name = name();
                return Err(Failure::invalid(format!(
                    "Feature: {name} has uint64_t element. Only int64_t is supported."
                )));
            } else {
                FeatureKind::Float
            }
        }
    };
    value.skip();
    match *of.get_or_insert(kind) {
        first if first == kind => Ok(()),
        first => {
            let expected = match first {
                FeatureKind::Bytes => "bytes",
                FeatureKind::Float => "float",
                FeatureKind::Int64 => "int64",
            };
            let name = name();
            Err(Failure::invalid(format!(
                "Unexpected element type in feature: {name} expecting type: {expected}"
            )))
        }
    }
}

/// Appends one example: its own features, then those of the context that it lacks.
fn example(
    columns: &mut Columns<'_>,
    signature: &Signature<'_>,
    list: &mut Cursor<'_>,
    context: Option<Cursor<'_>>,
    n: usize,
) -> Read<()> {
    let own = *list;
    list.skip();
    for mut features in [Some(own), context].into_iter().flatten() {
        let mut next = 0;
        features.open();
        while features.more() {
            let key = features.key();
            match input_of(signature, &key, &mut next) {
                Some(input) if columns.rows(input) == n => {
                    columns
                        .feature(input, &mut features)
                        .map_err(|why| Failure::invalid(format!("Example: {n}, {why}")))?;
                }
                _ => features.skip(),
            }
        }
    }
    columns.end_example(n).map_err(|why| Failure::invalid(format!("Example: {n}, {why}")))
}
