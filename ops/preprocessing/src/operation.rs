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
use transform::{Arg, Args, Literal, Param, Ref, Takes};

use crate::column::{Column, Kind};
use crate::load;
use crate::names::parameter;
use crate::session::{Context, Session};
use crate::trace::Options;

/// Arguments that are functions of other arguments: each is called while tracing, and what it returns is
/// passed on.
struct Called {
    /// The argument's name.
    function: &'static str,
    /// The parameter that what it returns is for.
    param: &'static str,
    /// The parameters whose columns it is given.
    given: &'static [&'static str],
}

const CALLED: &[Called] = &[
    Called { function: "key_fn", param: "keys", given: &["x"] },
    Called { function: "lookup_fn", param: "lookup", given: &["x", "vocabulary"] },
];

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
        let params = transform::ops::find(self.op).map_err(starlark::Error::new_other)?.params;
        let mut args = Args::default();
        let mut called: Vec<(&Called, Value<'v>)> = Vec::new();
        for value in arguments.positions(eval.heap())? {
            let param = params.get(args.positional.len()).map(|param| param.name);
            let function = CALLED.iter().find(|called| Some(called.param) == param);
            args.positional.push(match function.filter(|_| value.get_type() == "function") {
                Some(function) => {
                    called.push((function, value));
                    Literal::None.into()
                }
                None => argument(value, session)?,
            });
        }
        for (name, value) in arguments.names_map()? {
            if name.as_str() == NAME && (value.is_none() || value.unpack_str().is_some()) {
                continue;
            }
            if let Some(function) = CALLED.iter().find(|called| called.function == name.as_str()) {
                let none = Literal::None.into();
                args.named.push((function.param.to_owned(), none));
                if !value.is_none() {
                    called.push((function, value));
                }
            } else {
                let name = parameter(self.op, name.as_str());
                args.named.push((name.to_owned(), argument(value, session)?));
            }
        }
        for (function, value) in called {
            let mut given = Vec::new();
            for name in function.given {
                let Some(Arg::Value(value)) = slot(&mut args, params, name).cloned() else {
                    let (op, function) = (self.op, function.function);
                    return Err(wrong(format!("`{op}`: `{function}` is a function of `{name}`")));
                };
                given.push(eval.heap().alloc(Column { value, session: session.clone() }));
            }
            let returned = eval.eval_function(value, &given, &[])?;
            let returned = argument(returned, session)?;
            if let Some(slot) = slot(&mut args, params, function.param) {
                *slot = returned;
            }
        }
        session.check()?;
        read_files(self.op, &mut args, session, options).map_err(starlark::Error::new_other)?;
        let at = eval.call_stack_top_location();
        let values = session.call(self.op, args, at).map_err(starlark::Error::new_other)?;
        Ok(results(session, &values, eval.heap()))
    }
}

/// The argument for a parameter.
fn slot<'a>(args: &'a mut Args, params: &[Param], name: &str) -> Option<&'a mut Arg> {
    let place = params.iter().position(|param| param.name == name)?;
    if place < args.positional.len() {
        return args.positional.get_mut(place);
    }
    args.named.iter_mut().find(|(known, _)| known == name).map(|(_, arg)| arg)
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
        match load::file(wanted, options) {
            Ok((path, bytes)) => {
                session.with(|builder| builder.add_file(path, bytes));
                *wanted = path.to_owned();
            }
            // Some operations name assets that were made.
            Err(_) if session.with(|builder| builder.has_asset(wanted)) => {}
            Err(error) => return Err(error),
        }
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
        let given = by_name("tf.constant", &["value", "dtype"], arguments, eval.heap())?;
        let Some(value) = given[0] else {
            return Err(wrong("`tf.constant`: `value` is missing".to_owned()));
        };
        let dtype = match given[1].filter(|dtype| !dtype.is_none()) {
            None => None,
            Some(dtype) => Some(Kind::from_value(dtype).map(|kind| kind.0).ok_or_else(|| {
                wrong(format!("`tf.constant`: {dtype} is no type such as `tf.int64`"))
            })?),
        };
        let constant = match argument(value, &session)? {
            Arg::Literal(literal) => session.with(|builder| builder.literal(&literal, dtype)),
            _ => return Err(wrong("`tf.constant` takes a literal, not a column".to_owned())),
        };
        let constant = constant.map_err(starlark::Error::new_other)?;
        Ok(results(&session, &[constant], eval.heap()))
    }
}

/// `tft.make_and_track_object(factory, name)`: what a function makes, for each name once.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct MakeAndTrackObject;

starlark::starlark_simple_value!(MakeAndTrackObject);

impl MakeAndTrackObject {
    /// As modules call it.
    pub(crate) const NAME: &'static str = "tft.make_and_track_object";
    /// TFT's names of its parameters.
    pub(crate) const PARAMS: &'static [&'static str] = &["trackable_factory_callable", "name"];
}

impl fmt::Display for MakeAndTrackObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME)
    }
}

#[starlark_value(type = "operation")]
impl<'v> StarlarkValue<'v> for MakeAndTrackObject {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        context(eval, Self::NAME)?.session.check()?;
        let given = by_name(Self::NAME, Self::PARAMS, arguments, eval.heap())?;
        let Some(factory) = given[0].filter(|value| !value.is_none()) else {
            return Err(wrong(format!("`{}` takes a function without parameters", Self::NAME)));
        };
        let Some(name) = given[1].filter(|value| !value.is_none()) else {
            return eval.eval_function(factory, &[], &[]);
        };
        let Some(name) = name.unpack_str() else {
            return Err(wrong(format!("`{}`: `name` is {name}; a string is wanted", Self::NAME)));
        };
        // Beside the module's variables, whose names have no spaces.
        let variable = format!("object {name}");
        if let Some(made) = eval.module().get(&variable) {
            return Ok(made);
        }
        let made = eval.eval_function(factory, &[], &[])?;
        eval.module().set(&variable, made);
        Ok(made)
    }
}

/// Arguments of a function that is not in the table, one for each of its parameters.
fn by_name<'v>(
    function: &str,
    params: &[&str],
    arguments: &Arguments<'v, '_>,
    heap: Heap<'v>,
) -> starlark::Result<Vec<Option<Value<'v>>>> {
    let mut given: Vec<Option<Value<'v>>> = arguments.positions(heap)?.map(Some).collect();
    if given.len() > params.len() {
        let n = params.len();
        return Err(wrong(format!("`{function}`: {} arguments; it takes {n}", given.len())));
    }
    given.resize(params.len(), None);
    for (name, value) in arguments.names_map()? {
        let place = params.iter().position(|param| *param == name.as_str());
        match place.map(|place| &mut given[place]) {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) => {
                return Err(wrong(format!("`{function}`: `{}` is given twice", name.as_str())));
            }
            None => {
                let error =
                    Error::invalid(format!("`{function}`: `{}` is not expected", name.as_str()));
                let params = params.iter().map(|param| format!("`{param}`")).collect::<Vec<_>>();
                return Err(starlark::Error::new_other(
                    error.with_hint(format!("It takes {}.", params.join(" and "))),
                ));
            }
        }
    }
    Ok(given)
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
        [] => Value::new_none(),
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
