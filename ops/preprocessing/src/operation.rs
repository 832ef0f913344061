//! `Operation`: an operation of the table as a function of modules, and what its arguments become.

use std::fmt;

use allocative::Allocative;
use engine::{Error, Result};
use starlark::any::ProvidesStaticType;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::float::StarlarkFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::{AllocTuple, TupleRef};
use starlark::values::{
    Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, UnpackValue, Value, ValueLike,
    starlark_value,
};
use transform::{Arg, Args, Literal, Ref, Takes};

use crate::column::{Column, Kind};
use crate::load;
use crate::names::parameter;
use crate::session::{Context, Session};
use crate::trace::Options;

/// The argument that is a function of the tokens: it is called with the column of the first argument
/// and what it returns is passed on as [`KEYS`].
const KEY_FN: &str = "key_fn";
const KEYS: &str = "keys";

/// What TensorFlow calls the node that it makes: accepted, for nodes have no names here.
const NAME: &str = "name";

/// A function that writes a call of an operation into the graph.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Operation {
    /// Its name in the table.
    #[allocative(skip)]
    pub(crate) op: &'static str,
}

starlark::starlark_simple_value!(Operation);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op)
    }
}

#[starlark_value(type = "operation")]
impl<'v> StarlarkValue<'v> for Operation {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let &Context { session, options } = context(eval, self.op)?;
        session.check()?;
        let mut args = Args::default();
        for value in arguments.positions(eval.heap())? {
            args.positional.push(argument(value, session)?);
        }
        for (name, value) in arguments.names_map()? {
            if name.as_str() == NAME && (value.is_none() || value.unpack_str().is_some()) {
                continue;
            }
            if name.as_str() == KEY_FN && !value.is_none() {
                let column = args.positional.first().cloned().or_else(|| {
                    let named = args.named.iter().find(|(name, _)| name == "x");
                    named.map(|(_, arg)| arg.clone())
                });
                let Some(Arg::Value(column)) = column else {
                    return Err(wrong(format!("`{}`: `{KEY_FN}` comes after `x`", self.op)));
                };
                let column = eval.heap().alloc(Column { value: column, session: session.clone() });
                let keys = eval.eval_function(value, &[column], &[])?;
                args.named.push((KEYS.to_owned(), argument(keys, session)?));
            } else {
                let name = parameter(self.op, name.as_str());
                args.named.push((name.to_owned(), argument(value, session)?));
            }
        }
        session.check()?;
        read_files(self.op, &mut args, session, options).map_err(starlark::Error::new_other)?;
        let at = eval.call_stack_top_location();
        let values = session.call(self.op, args, at).map_err(starlark::Error::new_other)?;
        Ok(results(session, &values, eval.heap()))
    }
}

/// Reads the files that a call names, and names them by their paths.
fn read_files(op: &str, args: &mut Args, session: &Session, options: &Options<'_>) -> Result<()> {
    let params = transform::ops::find(op)?.params;
    let by_place = args.positional.iter_mut().zip(params);
    let by_name = args.named.iter_mut().filter_map(|(name, arg)| {
        params.iter().find(|param| param.name == *name).map(|param| (arg, param))
    });
    for (arg, param) in by_place.chain(by_name) {
        let (Takes::File, Arg::Literal(Literal::Str(wanted))) = (param.takes, &mut *arg) else {
            continue;
        };
        let (path, bytes) = load::file(wanted, options)?;
        session.with(|builder| builder.add_file(path, bytes));
        *wanted = path.to_owned();
    }
    Ok(())
}

/// `tf.constant(value, dtype)`: a literal as a value of the graph.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Constant;

starlark::starlark_simple_value!(Constant);

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tf.constant")
    }
}

#[starlark_value(type = "operation")]
impl<'v> StarlarkValue<'v> for Constant {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let session = context(eval, "tf.constant")?.session.clone();
        let mut given: Vec<Value<'v>> = arguments.positions(eval.heap())?.collect();
        for (name, value) in arguments.names_map()? {
            match (name.as_str(), given.len()) {
                ("value", 0) | ("dtype", 1) => given.push(value),
                (name, _) => {
                    let error = Error::invalid(format!("`tf.constant`: `{name}` is not expected"));
                    return Err(starlark::Error::new_other(
                        error.with_hint("It takes `value` and `dtype`."),
                    ));
                }
            }
        }
        let (value, dtype) = match given[..] {
            [value] => (value, None),
            [value, dtype] if dtype.is_none() => (value, None),
            [value, dtype] => match Kind::from_value(dtype) {
                Some(kind) => (value, Some(kind.0)),
                None => {
                    return Err(wrong(format!(
                        "`tf.constant`: {dtype} is no type such as `tf.int64`"
                    )));
                }
            },
            _ => return Err(wrong("`tf.constant` takes `value` and `dtype`".to_owned())),
        };
        let constant = match argument(value, &session)? {
            Arg::Literal(literal) => session.with(|builder| builder.literal(&literal, dtype)),
            _ => return Err(wrong("`tf.constant` takes a literal, not a column".to_owned())),
        };
        let constant = constant.map_err(starlark::Error::new_other)?;
        Ok(results(&session, &[constant], eval.heap()))
    }
}

/// The graph that the call is a part of.
fn context<'a>(eval: &Evaluator<'_, 'a, '_>, what: &str) -> starlark::Result<&'a Context<'a>> {
    eval.extra.and_then(|extra| extra.downcast_ref::<Context<'_>>()).ok_or_else(|| {
        let error = Error::invalid(format!("`{what}` is called outside of `preprocessing_fn`"));
        starlark::Error::new_other(
            error.with_hint("There is a graph only while `preprocessing_fn` runs."),
        )
    })
}

/// Values of the graph as modules see them: one, or a tuple.
pub(crate) fn results<'v>(session: &Session, values: &[Ref], heap: Heap<'v>) -> Value<'v> {
    let column = |value: &Ref| Column { value: *value, session: session.clone() };
    match values {
        [value] => heap.alloc(column(value)),
        values => heap.alloc(AllocTuple(values.iter().map(column).collect::<Vec<_>>())),
    }
}

/// What a value of a module is as an argument of an operation.
pub(crate) fn argument(value: Value<'_>, session: &Session) -> starlark::Result<Arg> {
    if let Some(column) = Column::from_value(value) {
        return Ok(Arg::Value(column.value));
    }
    let Some(items) = items(value) else { return Ok(Arg::Literal(literal(value)?)) };
    let Some(first) = items.iter().find_map(|item| Column::from_value(*item)) else {
        return Ok(Arg::Literal(literal(value)?));
    };
    // Literals among columns are of the type of the first column.
    let dtype = session.with(|builder| builder.ty(first.value).dtype);
    let values = items.iter().map(|item| match Column::from_value(*item) {
        Some(column) => Ok(column.value),
        None => {
            let literal = literal(*item)?;
            session
                .with(|builder| builder.literal(&literal, Some(dtype)))
                .map_err(starlark::Error::new_other)
        }
    });
    Ok(Arg::Values(values.collect::<starlark::Result<_>>()?))
}

fn items(value: Value<'_>) -> Option<&[Value<'_>]> {
    let list = ListRef::from_value(value).map(ListRef::content);
    list.or_else(|| TupleRef::from_value(value).map(TupleRef::content))
}

fn literal(value: Value<'_>) -> starlark::Result<Literal> {
    if value.is_none() {
        return Ok(Literal::None);
    }
    if let Some(value) = value.unpack_bool() {
        return Ok(Literal::Bool(value));
    }
    if let Some(value) = value.unpack_str() {
        return Ok(Literal::Str(value.to_owned()));
    }
    if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
        return Ok(Literal::Float(float.0));
    }
    if let Some(kind) = Kind::from_value(value) {
        return Ok(Literal::DType(kind.0));
    }
    if let Some(items) = items(value) {
        return Ok(Literal::List(
            items.iter().map(|item| literal(*item)).collect::<Result<_, _>>()?,
        ));
    }
    if value.get_type() == "int" {
        return match i64::unpack_value(value) {
            Ok(Some(value)) => Ok(Literal::Int(value)),
            _ => Err(wrong(format!("{value} is not within the 64-bit integers"))),
        };
    }
    if Column::from_value(value).is_some() {
        return Err(wrong("a list of lists of columns is no argument".to_owned()));
    }
    let error = Error::invalid(format!("a {} is no argument of an operation", value.get_type()));
    Err(starlark::Error::new_other(error.with_hint(
        "Arguments are columns, numbers, strings, truth values, types, and lists of them.",
    )))
}

fn wrong(why: String) -> starlark::Error {
    starlark::Error::new_other(Error::invalid(why))
}
