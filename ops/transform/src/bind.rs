//! From the arguments of a call as written to one for each parameter of its op.

use std::fmt;

use engine::{Error, Result};

use crate::graph::Builder;
use crate::op::{Arg, Args, Bound, Default, Literal, Op, Param, Ref, Takes};
use crate::tensor::{Strings, Tensor, Values};
use crate::text::TokenizerSource;
use crate::tokens::Tokens;
use crate::types::{DType, Dim, Type};

impl fmt::Display for Literal {
    /// As it is written in a module.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::None => f.write_str("None"),
            Literal::Bool(true) => f.write_str("True"),
            Literal::Bool(false) => f.write_str("False"),
            Literal::Int(value) => write!(f, "{value}"),
            Literal::Float(value) => write!(f, "{value:?}"),
            Literal::Str(value) => write!(f, "{value:?}"),
            Literal::DType(value) => write!(f, "tf.{value}"),
            Literal::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The default as a literal.
pub(crate) fn default_of(param: &Param) -> Literal {
    match param.default {
        Default::Required | Default::None => Literal::None,
        Default::Bool(value) => Literal::Bool(value),
        Default::Int(value) => Literal::Int(value),
        Default::Float(value) => Literal::Float(value),
        Default::Str(value) => Literal::Str(value.to_owned()),
    }
}

/// Whether a literal is what the parameter is by default.
pub(crate) fn is_default(param: &Param, literal: &Literal) -> bool {
    *literal == default_of(param)
}

/// The default as an argument; none where a call must say.
pub(crate) fn default_arg(param: &Param) -> Option<Arg> {
    (param.default != Default::Required).then(|| Arg::Literal(default_of(param)))
}

/// Whether an argument is one that [`bind`] would have left there.
pub(crate) fn admits(param: &Param, arg: &Arg) -> bool {
    match (param.takes, arg) {
        (_, Arg::Literal(Literal::None)) => param.default != Default::Required,
        (Takes::Value { .. } | Takes::File, Arg::Value(_))
        | (Takes::Values, Arg::Value(_) | Arg::Values(_)) => true,
        (Takes::Value { .. } | Takes::Values, _) | (_, Arg::Value(_) | Arg::Values(_)) => false,
        (takes, Arg::Literal(literal)) => fit(takes, literal.clone())
            .is_ok_and(|fitted| std::mem::discriminant(&fitted) == std::mem::discriminant(literal)),
    }
}

/// One argument for each parameter; literals for values become constants.
///
/// # Errors
/// Naming the parameter and what it takes.
pub(crate) fn bind(builder: &mut Builder, op: &'static Op, args: Args) -> Result<Bound> {
    let wrong = |why: String| Error::invalid(format!("`{}`: {why}", op.name));
    let n = op.params.len();
    let mut given: Vec<Option<Arg>> = vec![None; n];
    if args.positional.len() > n {
        return Err(wrong(format!("{} arguments; it takes {n}", args.positional.len())));
    }
    for (slot, arg) in given.iter_mut().zip(args.positional) {
        *slot = Some(arg);
    }
    for (name, arg) in args.named {
        let Some(i) = op.params.iter().position(|param| param.name == name) else {
            let known = op.params.iter().map(|param| param.name);
            let error = wrong(format!("there is no parameter `{name}`"));
            return Err(match nearest(&name, known.clone()) {
                Some(near) => error.with_hint(format!("Is `{near}` meant?")),
                None => error.with_hint(format!(
                    "It takes {}.",
                    known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                )),
            });
        };
        if given[i].is_some() {
            return Err(wrong(format!("`{name}` is given twice")));
        }
        given[i] = Some(arg);
    }
    let types: Vec<Option<DType>> = given
        .iter()
        .map(|arg| match arg {
            Some(Arg::Value(value)) => Some(builder.ty(*value).dtype),
            _ => None,
        })
        .collect();
    let dtype_of = |name: &str| {
        let i = op.params.iter().position(|param| param.name == name)?;
        types[i]
    };
    let mut bound = Vec::with_capacity(n);
    for (param, arg) in op.params.iter().zip(given) {
        let arg = match arg {
            None if param.default == Default::Required => {
                return Err(wrong(format!("`{}` is missing: {}", param.name, param.doc)));
            }
            None => Arg::Literal(default_of(param)),
            Some(arg) => arg,
        };
        let unfit = |arg: &Arg| wrong(unfit(param, arg));
        let arg = match (param.takes, arg) {
            (_, arg @ Arg::Literal(Literal::None)) if param.default != Default::Required => arg,
            (Takes::Value { .. } | Takes::Values | Takes::File, arg @ Arg::Value(_))
            | (Takes::Values, arg @ Arg::Values(_)) => arg,
            (Takes::Value { like }, Arg::Literal(literal)) => {
                let value = builder.literal(&literal, dtype_of(like));
                Arg::Value(value.map_err(|e| wrong(format!("`{}`: {}", param.name, e.message())))?)
            }
            (Takes::Value { .. }, Arg::Values(values)) => {
                return Err(unfit(&Arg::Values(values)));
            }
            (Takes::Values, Arg::Literal(Literal::List(literals))) => {
                let values: Result<Vec<Ref>> =
                    literals.iter().map(|literal| builder.literal(literal, None)).collect();
                Arg::Values(values?)
            }
            (takes, Arg::Literal(literal)) => match fit(takes, literal) {
                Ok(literal) => Arg::Literal(literal),
                Err(literal) => return Err(unfit(&Arg::Literal(literal))),
            },
            (_, arg) => return Err(unfit(&arg)),
        };
        bound.push(arg);
    }
    Ok(Bound { op, args: bound })
}

/// The literal, if the parameter takes it.
fn fit(takes: Takes, literal: Literal) -> Result<Literal, Literal> {
    match (takes, literal) {
        (Takes::Float, Literal::Int(value)) => Ok(Literal::Float(value as f64)),
        (Takes::DType, Literal::Str(name)) => {
            let all = [DType::Bool, DType::Int64, DType::Float32, DType::Float64, DType::String];
            let all = all.into_iter().chain([DType::Timestamp]);
            let found = all.into_iter().find(|dtype| dtype.name() == name);
            found.map(Literal::DType).ok_or(Literal::Str(name))
        }
        (Takes::Literal, literal)
        | (Takes::Int, literal @ Literal::Int(_))
        | (Takes::Float, literal @ Literal::Float(_))
        | (Takes::Bool, literal @ Literal::Bool(_))
        | (Takes::Str | Takes::File, literal @ Literal::Str(_))
        | (Takes::DType, literal @ Literal::DType(_)) => Ok(literal),
        (_, literal) => Err(literal),
    }
}

fn unfit(param: &Param, arg: &Arg) -> String {
    let wanted = match param.takes {
        Takes::Value { .. } => "a column or constant",
        Takes::Values => "a list of columns",
        Takes::Int => "a whole number",
        Takes::Float => "a number",
        Takes::Bool => "`True` or `False`",
        Takes::Str => "a string",
        Takes::DType => "a type such as `tf.int64`",
        Takes::File => "the name of a file",
        Takes::Literal => "a literal",
    };
    let found = match arg {
        Arg::Value(_) => "a column".to_owned(),
        Arg::Values(_) => "a list of columns".to_owned(),
        Arg::Literal(literal) => format!("{literal}"),
    };
    format!("`{}` is {found}; {wanted} is wanted", param.name)
}

/// A literal as a constant: lists are vectors, lists of lists matrices.
///
/// # Errors
/// When it is no value, not of the wanted type, or lists differ in length.
pub(crate) fn constant(literal: &Literal, dtype: Option<DType>) -> Result<(Type, Tensor)> {
    let mut shape = Vec::new();
    let mut leaves = Vec::new();
    flatten(literal, 0, &mut shape, &mut leaves)?;
    let natural = leaves.iter().fold(None, |so_far, leaf| match (so_far, leaf) {
        (Some(DType::Float32), Literal::Int(_)) | (Some(DType::Int64), Literal::Float(_)) => {
            Some(DType::Float32)
        }
        (Some(so_far), _) => Some(so_far),
        (None, Literal::Bool(_)) => Some(DType::Bool),
        (None, Literal::Int(_)) => Some(DType::Int64),
        (None, Literal::Str(_)) => Some(DType::String),
        (None, _) => Some(DType::Float32),
    });
    let dtype = dtype.or(natural).unwrap_or(DType::Float32);
    let unfit = |leaf: &Literal| {
        Error::invalid(format!("{leaf} is no {dtype}"))
            .with_hint("Convert one side with `tf.cast`.")
    };
    let float = |leaf: &Literal| match leaf {
        Literal::Int(value) => Ok(*value as f64),
        Literal::Float(value) => Ok(*value),
        other => Err(unfit(other)),
    };
    let values: Values = match dtype {
        DType::Bool => leaves
            .iter()
            .map(|leaf| match leaf {
                Literal::Bool(value) => Ok(u8::from(*value)),
                other => Err(unfit(other)),
            })
            .collect::<Result<Vec<_>>>()?
            .into(),
        DType::Int64 | DType::Timestamp => leaves
            .iter()
            .map(|leaf| match leaf {
                Literal::Int(value) => Ok(*value),
                other => Err(unfit(other)),
            })
            .collect::<Result<Vec<_>>>()?
            .into(),
        DType::Float32 => leaves
            .iter()
            .map(|leaf| float(leaf).map(|value| value as f32))
            .collect::<Result<Vec<_>>>()?
            .into(),
        DType::Float64 => leaves.iter().map(|leaf| float(leaf)).collect::<Result<Vec<_>>>()?.into(),
        DType::String => {
            let strings = leaves.iter().map(|leaf| match leaf {
                Literal::Str(value) => Ok(value.as_bytes()),
                other => Err(unfit(other)),
            });
            strings.collect::<Result<Strings>>()?.into()
        }
        DType::Vocabulary | DType::Tokenizer => return Err(unfit(literal)),
    };
    Ok((Type::constant(dtype, shape), Tensor::dense(1, values)))
}

fn flatten<'a>(
    literal: &'a Literal,
    depth: usize,
    shape: &mut Vec<Dim>,
    leaves: &mut Vec<&'a Literal>,
) -> Result<()> {
    match literal {
        Literal::List(values) => {
            let dim = Dim::Fixed(values.len() as u32);
            match shape.get(depth) {
                None if leaves.is_empty() => shape.push(dim),
                Some(known) if *known == dim => {}
                _ => return Err(Error::invalid("lists of differing lengths are no constant")),
            }
            values.iter().try_for_each(|value| flatten(value, depth + 1, shape, leaves))
        }
        Literal::None | Literal::DType(_) => {
            Err(Error::invalid(format!("{literal} is no value of a column")))
        }
        leaf if depth == shape.len() => {
            leaves.push(leaf);
            Ok(())
        }
        _ => Err(Error::invalid("lists of differing depths are no constant")),
    }
}

/// What tells constants apart, NaN and the sign of zero included.
pub(crate) fn key_of(tensor: &Tensor) -> Vec<u8> {
    match &tensor.values {
        Values::Bool(values) => values.to_vec(),
        Values::Int64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Values::Float32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Values::Float64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Values::String(values) => {
            values.iter().flat_map(|v| [&(v.len() as u64).to_le_bytes()[..], v].concat()).collect()
        }
        Values::Vocabulary(vocabulary) => {
            let (name, n) = (&vocabulary.file_name, vocabulary.len());
            let head =
                format!("{name}\0{:?}\0{}\0{n}\0", vocabulary.format, vocabulary.unfiltered_size);
            let mut key = head.into_bytes();
            for tokens in [Some(&vocabulary.tokens), vocabulary.frequencies.as_ref()] {
                match tokens {
                    None => {}
                    Some(Tokens::Memory(tokens)) => tokens.iter().for_each(|token| {
                        key.extend_from_slice(&(token.len() as u64).to_le_bytes());
                        key.extend_from_slice(token);
                    }),
                    Some(Tokens::Spooled(tokens)) => {
                        key.extend_from_slice(&tokens.digest().to_le_bytes());
                    }
                }
            }
            key
        }
        Values::Tokenizer(tokenizer) => match tokenizer.source() {
            TokenizerSource::Json { file_name, json } => {
                [file_name.as_bytes(), b"\0", json].concat()
            }
            TokenizerSource::Vocabulary { pieces, options } => {
                let pieces = key_of(&Tensor::dense(1, pieces.clone()));
                [format!("{options:?}\0").into_bytes(), pieces].concat()
            }
        },
    }
}

/// The known name that is nearest to a misspelt one, if it is near at all: one that goes on where it
/// ends, or else one that few edits make of it.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    // Of a namespace alone everything goes on.
    let written = name.rsplit('.').next().unwrap_or_default().len();
    let longer = known.clone().filter(|other| written > 2 && other.starts_with(name));
    let longer = longer.min_by_key(|other| other.len());
    let near = || nearest_by_edits(name, known);
    longer.or_else(near)
}

fn nearest_by_edits<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer names are nobody's slips, and would take long to compare.
    const LONGEST: usize = 200;
    known
        .filter(|other| name.len().max(other.len()) <= LONGEST)
        .map(|other| (distance(name, other), other))
        .filter(|(distance, other)| *distance <= 1 + other.len().min(name.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
