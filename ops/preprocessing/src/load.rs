//! Loading: parsing, rewriting and limits of modules, and the files that they load.

use std::collections::BTreeMap;

use engine::{Error, Result};
use starlark::environment::{FrozenModule, Module};
use starlark::eval::{BeforeStmtFunc, Evaluator, FileLoader};
use starlark::syntax::{AstModule, Dialect, DialectTypes};

use crate::error::{self, Place};
use crate::names;
use crate::operators::SYMBOLS;
use crate::session::Watch;
use crate::trace::{Limits, Options};

/// Parses a module.
pub(crate) fn parse(file: &str, module: &[u8], place: &Place<'_>) -> Result<AstModule> {
    let text = std::str::from_utf8(module).map_err(|e| {
        let line = module[..e.valid_up_to()].split(|byte| *byte == b'\n').count();
        Error::input(format!("`{file}` is not UTF-8"))
            .with_detail(format!("Line {line}, byte {} of the file.", e.valid_up_to()))
    })?;
    let dialect = Dialect {
        enable_keyword_only_arguments: true,
        enable_types: DialectTypes::ParseOnly,
        enable_top_level_stmt: true,
        enable_f_strings: true,
        ..Dialect::Standard
    };
    AstModule::parse(file, text.to_owned(), &dialect).map_err(|e| error::convert(&e, place, None))
}

/// Makes calls of operators.
pub(crate) fn rewrite(mut ast: AstModule) -> AstModule {
    let calls = SYMBOLS.iter().map(|s| (s.symbol.to_owned(), s.function.to_owned()));
    ast.replace_binary_operators(&calls.collect());
    ast
}

/// Sets the limits of an evaluation.
pub(crate) fn limit(eval: &mut Evaluator<'_, '_, '_>, limits: Limits) {
    let set = [
        eval.set_max_tick_count(limits.steps.max(1)).is_ok(),
        eval.set_max_heap_size(limits.bytes.max(1)).is_ok(),
        eval.set_max_callstack_size(limits.depth.max(1)).is_ok(),
    ];
    debug_assert!(set.iter().all(|ok| *ok), "limits are set once and are not 0");
}

/// The limit that an evaluation reached, if any.
pub(crate) fn exceeded(eval: &Evaluator<'_, '_, '_>, limits: Limits) -> Option<Error> {
    let error = |what: String| {
        Error::invalid(what).with_hint("A module only writes a graph down: is a loop endless?")
    };
    if eval.get_total_tick_count() > limits.steps {
        return Some(error(format!(
            "the module takes more than {} steps (calls and turns of loops)",
            limits.steps
        )));
    }
    let bytes = eval.heap().peak_allocated_bytes() + eval.frozen_heap().allocated_bytes();
    (bytes > limits.bytes)
        .then(|| error(format!("the module uses more than {} MiB", limits.bytes >> 20)))
}

/// The files that a module loads, and those that they load.
pub(crate) struct Loaded<'a> {
    options: &'a Options<'a>,
    /// By path.
    modules: BTreeMap<String, FrozenModule>,
    /// The files that are being loaded, outermost first.
    open: Vec<String>,
}

impl<'a> Loaded<'a> {
    pub(crate) fn new(options: &'a Options<'a>, file: &str) -> Self {
        let name = file.rsplit('/').next().unwrap_or(file).to_owned();
        Loaded { options, modules: BTreeMap::new(), open: vec![name] }
    }

    /// Loads what a module asks for.
    pub(crate) fn load_all(&mut self, ast: &AstModule, place: &Place<'_>) -> Result<()> {
        for load in ast.loads() {
            self.load(load.module_id, place).map_err(|e| {
                if e.detail().is_some_and(|detail| detail.starts_with("At ")) {
                    e
                } else {
                    error::at(e, Some(&load.span))
                }
            })?;
        }
        Ok(())
    }

    fn load(&mut self, wanted: &str, place: &Place<'_>) -> Result<()> {
        let path = path(wanted)?;
        if self.modules.contains_key(path) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == path) {
            let circle = [&self.open[..], &[path.to_owned()]].concat().join("` loads `");
            return Err(Error::invalid(format!("`{path}` loads itself"))
                .with_detail(format!("`{circle}`.")));
        }
        let text = (self.options.load)(path)?;
        let ast = parse(path, &text, place)?;
        self.open.push(path.to_owned());
        self.load_all(&ast, place)?;
        self.open.pop();
        place.session.read(&ast);
        let ast = rewrite(ast);
        let module = Module::with_temp_heap(|module| {
            {
                let mut eval = Evaluator::new(&module);
                limit(&mut eval, self.options.limits);
                eval.set_loader(&*self);
                let watch = Box::new(Watch(place.session.clone(), self.options.limits));
                eval.before_stmt_for_dap(BeforeStmtFunc::from_dyn(watch));
                if let Err(e) = eval.eval_module(ast, names::globals()) {
                    let exceeded = exceeded(&eval, self.options.limits);
                    return Err(error::convert(&e, place, exceeded));
                }
            }
            module.freeze().map_err(|e| {
                Error::invalid(format!("`{path}` cannot be loaded")).with_detail(format!("{e:?}."))
            })
        })?;
        self.modules.insert(path.to_owned(), module);
        Ok(())
    }
}

impl FileLoader for Loaded<'_> {
    fn load(&self, wanted: &str) -> starlark::Result<FrozenModule> {
        let path = path(wanted).map_err(starlark::Error::new_other)?;
        self.modules.get(path).cloned().ok_or_else(|| {
            starlark::Error::new_other(Error::invalid(format!("`{path}` is not loaded")))
        })
    }
}

/// The path of a module from the folder of the first one: `names.star`, `common/names.star`, also
/// written `//common/names.star`.
fn path(wanted: &str) -> Result<&str> {
    inside(wanted).filter(|path| path.strip_suffix(".star").is_some()).ok_or_else(|| {
        Error::invalid(format!("`{wanted}` is no file that a module may load"))
            .with_hint("Name a `.star` file by its path from the module's folder, without `..`.")
    })
}

/// The path from the folder of the first module, if it stays there.
fn inside(wanted: &str) -> Option<&str> {
    let path = wanted.strip_prefix("//").unwrap_or(wanted);
    let strange = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', ':', '\0']);
    (!path.split('/').any(strange)).then_some(path)
}

/// Reads a file that a call names, such as a vocabulary; gives its path, too.
pub(crate) fn file<'a>(wanted: &'a str, options: &Options<'_>) -> Result<(&'a str, Vec<u8>)> {
    let path = inside(wanted).ok_or_else(|| {
        Error::invalid(format!("`{wanted}` is no file that a module may read"))
            .with_hint("Name it by its path from the module's folder, without `..`.")
    })?;
    Ok((path, (options.load)(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_loaded() {
        let check = |wanted: &str, expected: Option<&str>| {
            assert_eq!(path(wanted).ok(), expected, "{wanted}");
        };
        check("a.star", Some("a.star"));
        check("//a.star", Some("a.star"));
        check("b/a.star", Some("b/a.star"));
        check("", None);
        check("a.py", None);
        check("/etc/a.star", None);
        check("///a.star", None);
        check("../a.star", None);
        check("b/../../a.star", None);
        check("./a.star", None);
        check("b\\a.star", None);
        check("C:a.star", None);
        check("a\0.star", None);
    }
}
