//! Operators: what `x - 1` and `1 - x` mean where a column takes part.
//!
//! Starlark lets a value say what `x - 1` is, but not `1 - x`, `x > 1` or `x == 1`. So the syntax
//! tree is rewritten: each operator is a call of one of these functions, which does what Starlark
//! does unless one side is a column.

use std::fmt;
use std::sync::LazyLock;

use allocative::Allocative;
use engine::Error;
use starlark::any::ProvidesStaticType;
use starlark::codemap::FileSpan;
use starlark::environment::Globals;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    FrozenValue, Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, ValueLike,
    starlark_value,
};
use transform::{Arg, Args, DType};

use crate::column::Column;
use crate::operation::{argument, results};
use crate::session::Session;

/// An operator with its function and what it is for columns.
#[derive(Debug)]
pub(crate) struct Symbol {
    /// As it is written.
    pub(crate) symbol: &'static str,
    /// Name of the function; no name of a module can be in its way.
    pub(crate) function: &'static str,
    /// The operation of columns, empty for none.
    op: &'static str,
    plain: for<'v> fn(Value<'v>, Value<'v>, Heap<'v>) -> starlark::Result<Value<'v>>,
}

/// Most items that `[x] * n` and `range` may have.
const MOST_ITEMS: i64 = 1_000_000;

/// The operators that are calls.
#[rustfmt::skip]
pub(crate) static SYMBOLS: &[Symbol] = &[
    Symbol { symbol: "+", function: "operator +", op: "math.add", plain: |a, b, heap| a.add(b, heap) },
    Symbol { symbol: "-", function: "operator -", op: "math.subtract", plain: |a, b, heap| a.sub(b, heap) },
    Symbol { symbol: "*", function: "operator *", op: "math.multiply", plain: multiply },
    Symbol { symbol: "/", function: "operator /", op: "math.divide", plain: |a, b, heap| a.div(b, heap) },
    Symbol { symbol: "//", function: "operator //", op: "math.floordiv", plain: |a, b, heap| a.floor_div(b, heap) },
    Symbol { symbol: "%", function: "operator %", op: "math.mod", plain: |a, b, heap| a.percent(b, heap) },
    Symbol { symbol: "<", function: "operator <", op: "math.less", plain: |a, b, _| Ok(Value::new_bool(a.compare(b)?.is_lt())) },
    Symbol { symbol: "<=", function: "operator <=", op: "math.less_equal", plain: |a, b, _| Ok(Value::new_bool(a.compare(b)?.is_le())) },
    Symbol { symbol: ">", function: "operator >", op: "math.greater", plain: |a, b, _| Ok(Value::new_bool(a.compare(b)?.is_gt())) },
    Symbol { symbol: ">=", function: "operator >=", op: "math.greater_equal", plain: |a, b, _| Ok(Value::new_bool(a.compare(b)?.is_ge())) },
    Symbol { symbol: "==", function: "operator ==", op: "math.equal", plain: |a, b, _| Ok(Value::new_bool(a.equals(b)?)) },
    Symbol { symbol: "!=", function: "operator !=", op: "math.not_equal", plain: |a, b, _| Ok(Value::new_bool(!a.equals(b)?)) },
    Symbol { symbol: "&", function: "operator &", op: "math.logical_and", plain: |a, b, heap| a.bit_and(b, heap) },
    Symbol { symbol: "|", function: "operator |", op: "math.logical_or", plain: |a, b, heap| a.bit_or(b, heap) },
    Symbol { symbol: "^", function: "operator ^", op: "math.logical_xor", plain: |a, b, heap| a.bit_xor(b, heap) },
    Symbol { symbol: "in", function: "operator in", op: "", plain: |a, b, _| Ok(Value::new_bool(b.is_in(a)?)) },
    Symbol { symbol: "not in", function: "operator not in", op: "", plain: |a, b, _| Ok(Value::new_bool(!b.is_in(a)?)) },
];

/// `[0] * n` and `"-" * n`, whose size nothing else bounds.
fn multiply<'v>(a: Value<'v>, b: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    let size = |value: Value<'v>| match value.unpack_str() {
        Some(text) => Some(text.len()),
        None if ListRef::from_value(value).is_some() || TupleRef::from_value(value).is_some() => {
            value.length().ok().map(|n| n as usize)
        }
        None => None,
    };
    for (items, times) in [(a, b), (b, a)] {
        if let (Some(n), "int") = (size(items), times.get_type()) {
            let times = times.unpack_i32().map_or(i64::MAX, i64::from);
            if (n as i64).saturating_mul(times) > MOST_ITEMS {
                return Err(starlark::Error::new_other(too_many()));
            }
        }
    }
    a.mul(b, heap)
}

/// `range`, of a bounded length: `list(range(n))` allocates it at once.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Range;

starlark::starlark_simple_value!(Range);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("range")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for Range {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let range = standard_range().to_value().invoke(arguments, eval)?;
        if i64::from(range.length()?) > MOST_ITEMS {
            return Err(starlark::Error::new_other(too_many()));
        }
        Ok(range)
    }
}

fn standard_range() -> FrozenValue {
    static STANDARD: LazyLock<Globals> = LazyLock::new(Globals::standard);
    let found = STANDARD.iter().find(|(name, _)| *name == "range");
    found.expect("Starlark has `range`").1
}

fn too_many() -> Error {
    Error::invalid(format!("more than {MOST_ITEMS} items at once"))
        .with_hint("A module only writes a graph down; it needs no long lists.")
}

/// A function that an operator became.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Operator(#[allocative(skip)] pub(crate) &'static Symbol);

starlark::starlark_simple_value!(Operator);

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.function)
    }
}

#[starlark_value(type = "operator")]
impl<'v> StarlarkValue<'v> for Operator {
    fn invoke(
        &self,
        _me: Value<'v>,
        arguments: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        let [a, b] = arguments.positional::<2>(heap)?;
        let column = Column::from_value(a).or_else(|| Column::from_value(b));
        let Symbol { symbol, op, plain, .. } = self.0;
        // `"%s" % x` is text.
        let text = *symbol == "%" && a.unpack_str().is_some();
        // A column is not `None`, which modules ask of arguments that may be left out.
        if column.is_some() && (a.is_none() || b.is_none()) && matches!(*symbol, "==" | "!=") {
            return Ok(Value::new_bool(*symbol == "!="));
        }
        let Some(column) = column.filter(|_| !text) else { return plain(a, b, heap) };
        let session = &column.session;
        session.check()?;
        if op.is_empty() {
            let error = Error::invalid(format!("`{symbol}` does not take a column"));
            return Err(starlark::Error::new_other(
                error
                    .with_detail(column.described())
                    .with_hint("Compare with each value: `(x == a) | (x == b)`."),
            ));
        }
        let args = [argument(a, session)?, argument(b, session)?];
        apply(session, op, args, eval.call_stack_top_location(), heap)
    }
}

/// Calls the operation of an operator; `+` joins strings.
pub(crate) fn apply<'v>(
    session: &Session,
    op: &str,
    args: [Arg; 2],
    at: Option<FileSpan>,
    heap: Heap<'v>,
) -> starlark::Result<Value<'v>> {
    let is_text = |arg: &Arg| match arg {
        Arg::Value(value) => session.with(|builder| builder.ty(*value).dtype == DType::String),
        _ => false,
    };
    let values = if op == "math.add" && args.iter().any(is_text) {
        let parts = args.into_iter().map(|arg| match arg {
            Arg::Value(value) => Ok(vec![value]),
            Arg::Literal(literal) => {
                session.with(|builder| Ok(vec![builder.literal(&literal, Some(DType::String))?]))
            }
            Arg::Values(values) => Ok(values),
        });
        let parts =
            parts.collect::<engine::Result<Vec<_>>>().map_err(starlark::Error::new_other)?;
        session.call("strings.join", Args::default().arg(parts.concat()), at)
    } else {
        let [a, b] = args;
        session.call(op, Args::default().arg(a).arg(b), at)
    };
    Ok(results(session, &values.map_err(starlark::Error::new_other)?, heap))
}
