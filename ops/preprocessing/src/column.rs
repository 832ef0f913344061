//! `Column`: a value of the graph as modules see it; `Kind`: a type such as `tf.int64`.

use std::cmp::Ordering;
use std::fmt;

use allocative::Allocative;
use engine::Error;
use starlark::any::ProvidesStaticType;
use starlark::environment::{Methods, MethodsBuilder};
use starlark::starlark_module;
use starlark::values::none::NoneType;
use starlark::values::tuple::AllocTuple;
use starlark::values::{
    Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};
use transform::{Arg, Args, DType, Dim, Literal, Ref};

use crate::operation::{argument, results};
use crate::session::Session;

/// A value of the graph: one for each row, or a constant.
#[derive(ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Column {
    #[allocative(skip)]
    pub(crate) value: Ref,
    #[allocative(skip)]
    pub(crate) session: Session,
}

starlark::starlark_simple_value!(Column);

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.session.with(|builder| {
            let graph = builder.graph();
            format!("{}: {}", graph.show(self.value), graph.ty(self.value))
        });
        f.write_str(&shown)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value)
    }
}

impl Column {
    fn call<'v>(&self, op: &str, args: Args, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.session.check()?;
        let values = self.session.call(op, args, None).map_err(starlark::Error::new_other)?;
        Ok(results(&self.session, &values, heap))
    }

    /// `self op other`: also what `x += 1` does.
    fn binary<'v>(
        &self,
        op: &str,
        other: Value<'v>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        let args = [Arg::Value(self.value), argument(other, &self.session)?];
        crate::operators::apply(&self.session, op, args, None, heap)
    }

    /// A sentence with its type.
    pub(crate) fn described(&self) -> String {
        self.session.with(|builder| {
            let graph = builder.graph();
            format!("`{}` is {}.", graph.show(self.value), graph.ty(self.value))
        })
    }

    /// The error of what columns cannot do.
    fn cannot<T>(&self, what: &str, hint: &str) -> starlark::Result<T> {
        let error = Error::invalid(what).with_detail(self.described()).with_hint(hint);
        Err(starlark::Error::new_other(error))
    }
}

/// What TensorFlow's tensors can be asked for.
#[starlark_module]
fn methods(builder: &mut MethodsBuilder) {
    /// Lists as they are, which are both ragged and sparse.
    fn to_sparse<'v>(this: Value<'v>) -> starlark::Result<Value<'v>> {
        match Column::from_value(this) {
            Some(column) if column.session.with(|builder| builder.ty(column.value).is_dense()) => {
                column.cannot("only lists are sparse", "Leave `to_sparse()` out.")
            }
            _ => Ok(this),
        }
    }
}

starlark::methods_static!(METHODS = methods);

#[starlark_value(type = "column")]
impl<'v> StarlarkValue<'v> for Column {
    fn get_methods() -> Option<&'static Methods> {
        Some(METHODS.methods())
    }

    fn to_bool(&self) -> bool {
        self.session.asked(self.value);
        true
    }

    fn equals(&self, _other: Value<'v>) -> starlark::Result<bool> {
        self.cannot(
            "columns are not compared while tracing",
            "`x == y` is a column of truth values; a list of columns has no `index` and no `in`.",
        )
    }

    fn compare(&self, _other: Value<'v>) -> starlark::Result<Ordering> {
        self.cannot(
            "columns have no order while tracing",
            "Write `math.minimum(x, y)` or `math.maximum(x, y)`.",
        )
    }

    fn length(&self) -> starlark::Result<i32> {
        self.cannot("a column has no length while tracing", "`tft.size(x)` counts its values.")
    }

    fn iterate_collect(&self, _heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        self.cannot(
            "a column cannot be iterated over",
            "Operations work on all rows at once; `x[0]` is a position of each row.",
        )
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let Arg::Literal(index) = argument(index, &self.session)? else {
            return self.cannot(
                "a column is indexed by a literal position",
                "`tf.gather` and `tf.where` choose values by other columns.",
            );
        };
        self.call("tf.gather", Args::default().arg(self.value).arg(index), heap)
    }

    fn slice(
        &self,
        start: Option<Value<'v>>,
        stop: Option<Value<'v>>,
        stride: Option<Value<'v>>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        let bound = |value: Option<Value<'v>>, otherwise: i64| match value {
            None => Some(otherwise),
            Some(value) => value.unpack_i32().filter(|value| *value >= 0).map(i64::from),
        };
        let (Some(start), Some(stop), None) = (bound(start, 0), bound(stop, i64::MAX), stride)
        else {
            return self.cannot(
                "a column is cut by positions from the start of a row",
                "`x[1:3]` takes the second and the third value of each row.",
            );
        };
        let size = if stop == i64::MAX { -1 } else { (stop - start).max(0) };
        let args = Args::default()
            .arg(self.value)
            .arg(Literal::from(vec![0, start]))
            .arg(Literal::from(vec![-1, size]));
        self.call("tf.slice", args, heap)
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let ty = self.session.with(|builder| builder.ty(self.value).clone());
        match attribute {
            "dtype" => Some(heap.alloc(Kind(ty.dtype))),
            "shape" => {
                let dims = ty.shape.iter().map(|dim| match dim {
                    Dim::Fixed(n) => heap.alloc(*n as i32),
                    Dim::Var => heap.alloc(NoneType),
                });
                Some(heap.alloc(AllocTuple(dims.collect::<Vec<_>>())))
            }
            _ => None,
        }
    }

    fn dir_attr(&self) -> Vec<String> {
        vec!["dtype".to_owned(), "shape".to_owned()]
    }

    fn minus(&self, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.call("math.negative", Args::default().arg(self.value), heap)
    }

    fn plus(&self, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        Ok(results(&self.session, &[self.value], heap))
    }

    fn bit_not(&self, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.call("math.logical_not", Args::default().arg(self.value), heap)
    }

    fn add(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        Some(self.binary("math.add", other, heap))
    }

    fn sub(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.subtract", other, heap)
    }

    fn mul(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        Some(self.binary("math.multiply", other, heap))
    }

    fn div(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.divide", other, heap)
    }

    fn floor_div(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.floordiv", other, heap)
    }

    fn percent(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.mod", other, heap)
    }

    fn bit_and(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.logical_and", other, heap)
    }

    fn bit_or(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.logical_or", other, heap)
    }

    fn bit_xor(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.binary("math.logical_xor", other, heap)
    }
}

/// A type: `tf.int64`.
#[derive(Debug, ProvidesStaticType, NoSerialize, StarlarkPagablePanic, Allocative)]
pub(crate) struct Kind(#[allocative(skip)] pub(crate) DType);

starlark::starlark_simple_value!(Kind);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Literal::DType(self.0).fmt(f)
    }
}

#[starlark_value(type = "dtype")]
impl<'v> StarlarkValue<'v> for Kind {
    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(Kind::from_value(other).is_some_and(|other| other.0 == self.0))
    }

    fn write_hash(
        &self,
        hasher: &mut starlark::collections::StarlarkHasher,
    ) -> starlark::Result<()> {
        std::hash::Hash::hash(&self.0, hasher);
        Ok(())
    }
}
