//! `trace`: from the text of a module to a graph.

use engine::{Error, Result};
use starlark::PrintHandler;
use starlark::environment::Module;
use starlark::eval::{BeforeStmtFunc, Evaluator};
use starlark::values::dict::{AllocDict, DictRef};
use starlark::values::{Value, ValueLike};
use transform::{Graph, Ref, Type};

use crate::column::Column;
use crate::error::{self, Place};
use crate::load::{self, Loaded};
use crate::names;
use crate::session::{Context, Session, Watch};

/// The function that a module must define.
const FUNCTION: &str = "preprocessing_fn";

/// What a module may reach, and how much it may use.
pub struct Options<'a> {
    /// Gives the bytes of a file that the module loads, or that an operation reads, by its path from
    /// the module's folder, such as `common/names.star`; the path has no `..` and is not absolute.
    pub load: &'a dyn Fn(&str) -> Result<Vec<u8>>,
    /// Is given what the module prints, line by line.
    pub print: &'a dyn Fn(&str),
    /// How much the module may use.
    pub limits: Limits,
    /// Columns that there are but no module can use, each with the error of one that reads it.
    pub unusable: &'a [(String, Error)],
    /// A sentence on where the columns come from, for the error of one that is not there.
    pub inputs_are: &'a str,
}

impl Default for Options<'_> {
    /// No other files, printing nothing.
    fn default() -> Self {
        Options {
            load: &|path| {
                Err(Error::new(
                    engine::ErrorKind::NotFound,
                    format!("`{path}` cannot be loaded: the module stands alone"),
                ))
            },
            print: &|_| {},
            limits: Limits::default(),
            unusable: &[],
            inputs_are: "",
        }
    }
}

/// How much a module may use; each is far beyond what modules need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of functions and turns of loops.
    pub steps: u64,
    /// Bytes of values.
    pub bytes: usize,
    /// Calls within calls.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { steps: 1_000_000, bytes: 64 << 20, depth: 64 }
    }
}

/// Traces `preprocessing_fn(inputs)` of a module over columns of these names and types.
///
/// ```
/// use preprocessing::{Options, trace};
/// use transform::{DType, Type};
///
/// let module = br#"
/// def preprocessing_fn(inputs):
///     return {"z": tft.scale_to_z_score(inputs["fare"])}
/// "#;
/// let inputs = [("fare".to_owned(), Type::scalar(DType::Float32))];
/// let graph = trace("taxi.star", module, &inputs, &Options::default())?;
/// assert_eq!(graph.outputs[0].0, "z");
/// # Ok::<(), engine::Error>(())
/// ```
///
/// # Errors
/// When the module is no Starlark, fails, uses too much, or does not return a dict of columns. Every
/// error of a line of the module shows it, with the columns that take part and their types.
pub fn trace(
    file: &str,
    module: &[u8],
    inputs: &[(String, Type)],
    options: &Options<'_>,
) -> Result<Graph> {
    let session = Session::new(inputs);
    let names: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
    let place = Place { session: &session, inputs: &names, options };
    let ast = load::parse(file, module, &place)?;
    let mut loaded = Loaded::new(options, file);
    loaded.load_all(&ast, &place)?;
    session.read(&ast);
    let ast = load::rewrite(ast);
    let printer = Printer(options.print);
    let context = Context { session: &session, options };
    Module::with_temp_heap(|module| {
        let outputs = {
            let mut eval = Evaluator::new(&module);
            load::limit(&mut eval, options.limits);
            eval.set_loader(&loaded);
            eval.set_print_handler(&printer);
            let watch = Box::new(Watch(session.clone(), options.limits));
            eval.before_stmt_for_dap(BeforeStmtFunc::from_dyn(watch));
            let located = |e: &starlark::Error, eval: &Evaluator<'_, '_, '_>| {
                error::convert(e, &place, load::exceeded(eval, options.limits))
            };
            if let Err(e) = eval.eval_module(ast, names::globals()) {
                return Err(located(&e, &eval));
            }
            session.check().map_err(|e| located(&e, &eval))?;
            let function = function(&module, file)?;
            let columns = columns(&session, inputs)?;
            let columns = eval.heap().alloc(AllocDict(columns));
            eval.extra = Some(&context);
            let returned = eval.eval_function(function, &[columns], &[]);
            let returned = returned.and_then(|value| session.check().map(|()| value));
            let returned = returned.map_err(|e| located(&e, &eval))?;
            outputs(returned).map_err(|e| error::at(e, session.statement().as_ref()))?
        };
        let at = session.statement();
        session.finish(outputs).map_err(|e| error::at(e, at.as_ref()))
    })
}

struct Printer<'a>(&'a dyn Fn(&str));

impl PrintHandler for Printer<'_> {
    fn println(&self, text: &str) -> starlark::Result<()> {
        (self.0)(text);
        Ok(())
    }
}

/// The function to trace.
fn function<'v>(module: &Module<'v>, file: &str) -> Result<Value<'v>> {
    let found = module.get(FUNCTION);
    found.filter(|value| value.get_type() == "function").ok_or_else(|| {
        let error = Error::invalid(format!("`{file}` defines no function `{FUNCTION}`"));
        let names: Vec<_> = module.names().collect();
        match transform::nearest(FUNCTION, names.iter().map(|name| name.as_str())) {
            Some(near) if near != FUNCTION => error.with_hint(format!("Is it `{near}`?")),
            _ => error.with_hint(format!(
                "Write `def {FUNCTION}(inputs):`, which returns a dict from names to columns."
            )),
        }
    })
}

/// What the function is given: a column for each input.
fn columns(session: &Session, inputs: &[(String, Type)]) -> Result<Vec<(String, Column)>> {
    let column = |name: &String| {
        let value = session.with(|builder| builder.input(name))?;
        Ok((name.clone(), Column { value, session: session.clone() }))
    };
    inputs.iter().map(|(name, _)| column(name)).collect()
}

/// What the function returned: columns with their names.
fn outputs(returned: Value<'_>) -> Result<Vec<(String, Ref)>> {
    let Some(dict) = DictRef::from_value(returned) else {
        let what = kind(returned);
        return Err(Error::invalid(format!("`{FUNCTION}` returns {what}, not a dict"))
            .with_hint("Return a dict from names to columns: `{\"fare\": inputs[\"fare\"]}`."));
    };
    let mut outputs = Vec::new();
    for (name, value) in dict.iter() {
        let Some(text) = name.unpack_str() else {
            let what = kind(name);
            return Err(Error::invalid(format!("the name {name} of an output is {what}"))
                .with_hint("Names of outputs are strings."));
        };
        let Some(column) = value.downcast_ref::<Column>() else {
            let hint = match value.get_type() {
                "tuple" => "An operation with several results gives a tuple: take one, `x[0]`.",
                "int" | "float" | "string" | "bool" => {
                    "A column of one value is `tf.fill_like(x, value)` for any column `x`."
                }
                _ => "Outputs are columns.",
            };
            let what = kind(value);
            return Err(
                Error::invalid(format!("output `{text}` is {what}, not a column")).with_hint(hint)
            );
        };
        outputs.push((text.to_owned(), column.value));
    }
    Ok(outputs)
}

/// What a value is, with its article.
fn kind(value: Value<'_>) -> String {
    match value.get_type() {
        "NoneType" => "None".to_owned(),
        name if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}
