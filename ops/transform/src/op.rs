//! `Op`: a row of the table of operations, and what its functions are given.
//!
//! ```text
//!   a call in a module ──► Args ──bind──► Node (op, args) ──► types  at once, or an error there
//!                                            │
//!                 Compose: more nodes        ├─► kernel    when the graph is made ready to run
//!                                            ├─► analyzer  when its phase comes
//!                                            └─► exports   nodes of another runtime
//! ```

use engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::analyzer::Analyzer;
use crate::export::Export;
use crate::export::onnx::Onnx;
use crate::export::tensorflow::TensorFlow;
use crate::graph::Builder;
use crate::tensor::Tensor;
use crate::types::{DType, Type};

/// One operation: everything that is known of it is in its row.
pub struct Op {
    /// Full name, such as `tft.scale_to_z_score`.
    pub name: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Exact semantics: NaN, missing values, empty data, types; where it differs from TFT, and why.
    pub semantics: &'static str,
    /// Expressions that use it, of the columns of [`EXAMPLE_INPUTS`](crate::ops::EXAMPLE_INPUTS).
    /// They are its documentation and its law test: each is traced and run, in batches and row by
    /// row, on nasty values. They must cover every type that the operation takes.
    pub examples: &'static [&'static str],
    /// Its parameters, in order.
    pub params: &'static [Param],
    /// What it is made of.
    pub kind: Kind,
}

/// What an operation is made of.
pub enum Kind {
    /// A function of each row alone.
    Map {
        /// Types of the results, or why the arguments do not fit.
        types: fn(&Call<'_>) -> Result<Vec<Type>>,
        /// The function, made for these types and constants.
        kernel: fn(&Call<'_>) -> Result<Box<dyn Kernel>>,
        /// The range of the integers that come out, where it is known (TFT's `int_domain`).
        domain: Option<fn(&Call<'_>) -> Option<(i64, i64)>>,
        /// The parameter whose rows have as many values as the results' rows, in every dimension;
        /// empty for none. Values of one structure can be combined one by one.
        keeps: &'static str,
        /// How TensorFlow says it.
        tensorflow: TensorFlow,
        /// How ONNX says it.
        onnx: Onnx,
    },
    /// A full pass over the data; its results are constants.
    Analyze {
        /// Types of the results, or why the arguments do not fit.
        types: fn(&Call<'_>) -> Result<Vec<Type>>,
        /// The aggregation, made for these types and constants.
        analyzer: fn(&Call<'_>) -> Result<Analyzer>,
    },
    /// Other operations.
    Compose(fn(&mut Builder, &Bound) -> Result<Vec<Ref>>),
}

/// What is said of a function before it is said how.
pub(crate) const UNSAID: TensorFlow = Export::No("no nodes were written for it");

impl Kind {
    /// Says how TensorFlow does it; only functions of rows are left when a graph is exported.
    #[must_use]
    pub const fn tensorflow(self, tensorflow: TensorFlow) -> Kind {
        match self {
            Kind::Map { types, kernel, domain, keeps, onnx, .. } => {
                Kind::Map { types, kernel, domain, keeps, tensorflow, onnx }
            }
            other => other,
        }
    }

    /// Says how ONNX does it, where that is not by TensorFlow's nodes.
    #[must_use]
    pub const fn onnx(self, onnx: Onnx) -> Kind {
        match self {
            Kind::Map { types, kernel, domain, keeps, tensorflow, .. } => {
                Kind::Map { types, kernel, domain, keeps, tensorflow, onnx }
            }
            other => other,
        }
    }
}

/// A parameter of an operation.
pub struct Param {
    /// Its name in calls.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it is when a call does not say.
    pub default: Default,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A column or a constant. A literal becomes a constant: of the dtype of the argument for the
    /// named parameter, if one is named and it is a value; else of its own.
    Value {
        /// Whose dtype a literal gets; empty for none.
        like: &'static str,
    },
    /// A list of columns and constants; literals get the dtype of the first that is none.
    Values,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `True` or `False`.
    Bool,
    /// A string.
    Str,
    /// A type, such as `tf.int64`, or its name.
    DType,
    /// The name of a file of the module's folder, whose bytes the builder has
    /// ([`Builder::file`]), or a constant in its place.
    File,
    /// Any literal, lists included.
    Literal,
}

/// The default of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// None: a call must say.
    Required,
    /// `None`: left out.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A string.
    Str(&'static str),
}

/// A value of the graph: a result of one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ref {
    /// Number of the node.
    pub node: u32,
    /// Which of its results.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub port: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A literal argument, a part of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    #[serde(with = "crate::numbers")]
    Float(f64),
    /// Text.
    Str(String),
    /// A type.
    DType(DType),
    /// A list or tuple.
    List(Vec<Literal>),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// A value of the graph.
    Value(Ref),
    /// Several of them.
    Values(Vec<Ref>),
    /// A literal.
    Literal(Literal),
}

impl From<Ref> for Arg {
    fn from(value: Ref) -> Self {
        Arg::Value(value)
    }
}
impl From<Vec<Ref>> for Arg {
    fn from(values: Vec<Ref>) -> Self {
        Arg::Values(values)
    }
}
impl From<Literal> for Arg {
    fn from(literal: Literal) -> Self {
        Arg::Literal(literal)
    }
}
macro_rules! from {
    ($($native:ty => $variant:ident),*) => {$(
        impl From<$native> for Literal {
            fn from(value: $native) -> Self {
                Literal::$variant(value.into())
            }
        }
        impl From<$native> for Arg {
            fn from(value: $native) -> Self {
                Arg::Literal(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, f64 => Float, &str => Str, String => Str, DType => DType);

impl<T: Into<Literal>> From<Vec<T>> for Literal {
    fn from(values: Vec<T>) -> Self {
        Literal::List(values.into_iter().map(Into::into).collect())
    }
}

/// The arguments of a call, as written.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Those without a name.
    pub positional: Vec<Arg>,
    /// Those with one.
    pub named: Vec<(String, Arg)>,
}

impl Args {
    /// Adds an argument by position.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.positional.push(arg.into());
        self
    }

    /// Adds an argument by name.
    #[must_use]
    pub fn with(mut self, name: &str, arg: impl Into<Arg>) -> Self {
        self.named.push((name.to_owned(), arg.into()));
        self
    }
}

/// The arguments of a call, one for each parameter of its op, in their order.
#[derive(Clone)]
pub struct Bound {
    /// What is called.
    pub op: &'static Op,
    /// One argument for each parameter.
    pub args: Vec<Arg>,
}

impl Bound {
    fn arg(&self, name: &str) -> &Arg {
        let i = self.op.params.iter().position(|param| param.name == name);
        let Some(i) = i else { panic!("`{}` has no parameter `{name}`", self.op.name) };
        &self.args[i]
    }

    /// All arguments as they are, for another op of the same parameters.
    pub fn again(&self) -> Args {
        Args { positional: self.args.clone(), named: Vec::new() }
    }

    /// The argument as it is, to be passed on to another call.
    pub fn get(&self, name: &str) -> Arg {
        self.arg(name).clone()
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// When the call has none.
    pub fn value(&self, name: &str) -> Result<Ref> {
        self.opt_value(name).ok_or_else(|| self.missing(name))
    }

    /// A value that may be left out.
    pub fn opt_value(&self, name: &str) -> Option<Ref> {
        match self.arg(name) {
            Arg::Value(value) => Some(*value),
            _ => None,
        }
    }

    /// A list of values.
    pub fn values(&self, name: &str) -> &[Ref] {
        match self.arg(name) {
            Arg::Values(values) => values,
            Arg::Value(value) => std::slice::from_ref(value),
            Arg::Literal(_) => &[],
        }
    }

    /// A literal; `None` where it is left out.
    pub fn literal(&self, name: &str) -> &Literal {
        match self.arg(name) {
            Arg::Literal(literal) => literal,
            _ => &Literal::None,
        }
    }

    /// A whole number that may be left out.
    pub fn opt_int(&self, name: &str) -> Option<i64> {
        match self.literal(name) {
            Literal::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number that may be left out.
    pub fn opt_float(&self, name: &str) -> Option<f64> {
        match self.literal(name) {
            Literal::Int(value) => Some(*value as f64),
            Literal::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A text that may be left out.
    pub fn opt_str(&self, name: &str) -> Option<&str> {
        match self.literal(name) {
            Literal::Str(value) => Some(value),
            _ => None,
        }
    }

    /// A type that may be left out.
    pub fn opt_dtype(&self, name: &str) -> Option<DType> {
        match self.literal(name) {
            Literal::DType(value) => Some(*value),
            _ => None,
        }
    }

    /// A truth value; false where it is left out.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.literal(name), Literal::Bool(true))
    }

    /// A whole number of at least `least`.
    ///
    /// # Errors
    /// When it is left out or less.
    pub fn int_from(&self, name: &str, least: i64) -> Result<i64> {
        let value = self.opt_int(name).ok_or_else(|| self.missing(name))?;
        if value < least {
            return Err(self.wrong(format!("`{name}` is {value}; at least {least} is wanted")));
        }
        Ok(value)
    }

    fn missing(&self, name: &str) -> Error {
        self.wrong(format!("`{name}` is missing"))
    }

    /// An error of this call.
    pub fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::invalid(format!("`{}`: {why}", self.op.name))
    }
}

/// A call whose values' types (and constants, once they are known) can be asked for.
pub struct Call<'a> {
    /// Its arguments.
    pub bound: &'a Bound,
    /// Types of the values, in the order of [`Bound::inputs`].
    pub types: &'a [Type],
    /// Constants among the values, in the same order; all `None` while types are inferred.
    pub constants: &'a [Option<&'a Tensor>],
    /// Known range of the integers of each value, in the same order; only for [`Kind::Map`]'s
    /// `domain`, all `None` for its other functions.
    pub domains: &'a [Option<(i64, i64)>],
    /// For each value the one that its varying dimensions come from, in the same order.
    pub structures: &'a [Ref],
}

impl std::ops::Deref for Call<'_> {
    type Target = Bound;
    fn deref(&self) -> &Bound {
        self.bound
    }
}

impl Bound {
    /// The values that flow in, in the order in which a kernel is given them: parameter by parameter,
    /// those that are left out skipped.
    pub fn inputs(&self) -> impl Iterator<Item = Ref> + '_ {
        self.args.iter().flat_map(|arg| match arg {
            Arg::Value(value) => std::slice::from_ref(value).iter().copied(),
            Arg::Values(values) => values.iter().copied(),
            Arg::Literal(_) => [].iter().copied(),
        })
    }
}

impl<'a> Call<'a> {
    /// Position of a parameter's (first) value among a kernel's inputs.
    pub fn position(&self, name: &str) -> Option<usize> {
        let mut position = 0;
        for (param, arg) in self.op.params.iter().zip(&self.args) {
            let n = match arg {
                Arg::Value(_) => 1,
                Arg::Values(values) => values.len(),
                Arg::Literal(_) => 0,
            };
            if param.name == name {
                return (n > 0).then_some(position);
            }
            position += n;
        }
        None
    }

    /// The type of a value.
    ///
    /// # Errors
    /// When the call has none.
    pub fn ty(&self, name: &str) -> Result<&'a Type> {
        self.opt_ty(name).ok_or_else(|| self.wrong(format!("`{name}` is missing")))
    }

    /// The type of a value that may be left out.
    pub fn opt_ty(&self, name: &str) -> Option<&'a Type> {
        self.position(name).map(|position| &self.types[position])
    }

    /// A constant that the kernel is made for.
    ///
    /// # Errors
    /// When the argument is left out or is a column.
    pub fn constant(&self, name: &str) -> Result<&'a Tensor> {
        self.position(name).and_then(|position| self.constants[position]).ok_or_else(|| {
            self.wrong(format!("`{name}` is a column; a constant is wanted"))
                .with_hint("Constants are literals and results of analyzers.")
        })
    }

    /// Whether every value is a constant, so that the result is one.
    pub fn is_constant(&self) -> bool {
        self.types.iter().all(|ty| ty.constant)
    }

    /// An error that says what type the argument has.
    pub fn wrong_type(&self, name: &str, wanted: &str) -> Error {
        match self.opt_ty(name) {
            Some(ty) => self.wrong(format!("`{name}` is {ty}; {wanted} is wanted")),
            None => self.wrong(format!("`{name}` is missing")),
        }
    }
}

/// A function of rows, made for types and constants: no type is looked at per value.
pub trait Kernel: Send + Sync {
    /// Computes `rows` rows: one tensor for each result is pushed to `out`.
    ///
    /// Each of `inputs` has `rows` rows, or one if it is a constant.
    ///
    /// **Invariant:** a row of the results depends on that row of the inputs alone.
    ///
    /// # Errors
    /// When a result is too large. There is no other: operations are total, so that nothing that was
    /// built can fail on a value while it serves.
    fn eval(&self, rows: usize, inputs: &[&Tensor], out: &mut Vec<Tensor>) -> Result<()>;
}

/// A kernel of one result that is a plain function.
pub struct Function<F>(pub F);

impl<F> Kernel for Function<F>
where
    F: Fn(usize, &[&Tensor]) -> Result<Tensor> + Send + Sync,
{
    fn eval(&self, rows: usize, inputs: &[&Tensor], out: &mut Vec<Tensor>) -> Result<()> {
        out.push((self.0)(rows, inputs)?);
        Ok(())
    }
}

/// A boxed kernel of a function of one result.
pub fn function<F>(f: F) -> Box<dyn Kernel>
where
    F: Fn(usize, &[&Tensor]) -> Result<Tensor> + Send + Sync + 'static,
{
    Box::new(Function(f))
}
