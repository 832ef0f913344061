//! `Session`: the graph that is being written, shared by all columns of one trace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::load::exceeded;
use crate::trace::{Limits, Options};
use engine::{Error, Result};
use starlark::any::ProvidesStaticType;
use starlark::codemap::{FileSpan, FileSpanRef};
use starlark::eval::{BeforeStmtFuncDyn, Evaluator};
use starlark::syntax::AstModule;
use starlark::syntax::ast::{AstExpr, AstStmt, BinOp, Expr, Stmt};
use transform::{Args, Builder, Graph, Origin, Ref, Type};

/// The graph that is being written, and where in the module that happens.
#[derive(Clone, ProvidesStaticType)]
pub(crate) struct Session(Arc<Mutex<State>>);

/// What calls of operations work on.
#[derive(ProvidesStaticType)]
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) options: &'a Options<'a>,
}

struct State {
    builder: Builder,
    /// The statement that runs.
    statement: Option<FileSpan>,
    /// Where the module asks whether something is true.
    questions: Vec<Question>,
    /// A column was asked whether it is true; Starlark takes no error there, so it waits here.
    asked: Option<(Error, Option<FileSpan>)>,
}

/// A place that asks whether something is true.
struct Question {
    /// `if`, `and`, `or` or `not`.
    word: &'static str,
    /// What is asked.
    of: FileSpan,
}

impl Session {
    pub(crate) fn new(inputs: &[(String, Type)]) -> Self {
        Session(Arc::new(Mutex::new(State {
            builder: Builder::new(inputs.iter().cloned()),
            statement: None,
            questions: Vec::new(),
            asked: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // One thread traces; a panic elsewhere does not make the graph wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the builder.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Builder) -> T) -> T {
        f(&mut self.state().builder)
    }

    /// Calls an operation from a place in a module; by default from the statement that runs.
    pub(crate) fn call(&self, name: &str, args: Args, at: Option<FileSpan>) -> Result<Vec<Ref>> {
        let mut state = self.state();
        let at = at.or_else(|| state.statement.clone());
        state.builder.at(at.as_ref().map(origin));
        state.builder.call(name, args)
    }

    /// The statement that runs.
    pub(crate) fn statement(&self) -> Option<FileSpan> {
        self.state().statement.clone()
    }

    /// Notes that a column was asked whether it is true.
    pub(crate) fn asked(&self, column: Ref) {
        let mut state = self.state();
        if state.asked.is_some() {
            return;
        }
        let question = state.statement.as_ref().and_then(|statement| {
            let within = statement.resolve_span();
            let mine = state.questions.iter().filter(|question| {
                question.of.file == statement.file
                    && within.contains(question.of.resolve_span().begin)
            });
            mine.min_by_key(|question| question.of.span.begin())
        });
        let (word, instead) = match question.map(|question| question.word) {
            Some("if") => ("`if` takes", "Write `tf.where(condition, x, y)`."),
            Some("and") => ("`and` takes", "Write `(x) & (y)`."),
            Some("or") => ("`or` takes", "Write `(x) | (y)`."),
            Some("not") => ("`not` takes", "Write `~x`."),
            _ => (
                "this takes",
                "Write `tf.where(condition, x, y)` for `if`, and `&`, `|`, `~` for `and`, `or`, `not`.",
            ),
        };
        let at = question.map(|question| question.of.clone()).or_else(|| state.statement.clone());
        let graph = state.builder.graph();
        let what = format!("`{}` is {}", graph.show(column), graph.ty(column));
        let error = Error::invalid(format!("{word} one truth value, not a column"))
            .with_detail(format!("{what}: it has a value for each row."))
            .with_hint(instead);
        state.asked = Some((error, at));
    }

    /// The error of a column that was asked whether it is true.
    pub(crate) fn check(&self) -> starlark::Result<()> {
        match self.state().asked.take() {
            None => Ok(()),
            Some((error, at)) => {
                let mut error = starlark::Error::new_other(error);
                if let Some(at) = at {
                    error.set_span(at.span, &at.file);
                }
                Err(error)
            }
        }
    }

    /// Notes where a module asks whether something is true.
    pub(crate) fn read(&self, module: &AstModule) {
        let mut questions = Vec::new();
        in_statement(module.statement(), module, &mut questions);
        module.statement().visit_expr(|expr| in_expression(expr, module, &mut questions));
        self.state().questions.append(&mut questions);
    }

    /// The finished graph.
    pub(crate) fn finish(&self, outputs: Vec<(String, Ref)>) -> Result<Graph> {
        let mut state = self.state();
        std::mem::replace(&mut state.builder, Builder::new([])).finish(outputs)
    }
}

/// A place as graphs note it.
pub(crate) fn origin(at: &FileSpan) -> Origin {
    let begin = at.resolve_span().begin;
    Origin {
        file: at.filename().into(),
        line: begin.line as u32 + 1,
        column: begin.column as u32 + 1,
    }
}

fn in_statement(statement: &AstStmt, module: &AstModule, questions: &mut Vec<Question>) {
    if let Stmt::If(condition, _) | Stmt::IfElse(condition, _) = &statement.node {
        questions.push(Question { word: "if", of: module.file_span(condition.span) });
    }
    statement.visit_stmt(|inner| in_statement(inner, module, questions));
}

fn in_expression(expr: &AstExpr, module: &AstModule, questions: &mut Vec<Question>) {
    let question = match &expr.node {
        Expr::If(parts) => Some(("if", parts.0.span)),
        Expr::Not(of) => Some(("not", of.span)),
        Expr::Op(of, BinOp::And, _) => Some(("and", of.span)),
        Expr::Op(of, BinOp::Or, _) => Some(("or", of.span)),
        _ => None,
    };
    if let Some((word, span)) = question {
        questions.push(Question { word, of: module.file_span(span) });
    }
    expr.visit_expr(|inner| in_expression(inner, module, questions));
}

/// Follows the statements that run.
pub(crate) struct Watch(pub(crate) Session, pub(crate) Limits);

impl<'e> BeforeStmtFuncDyn<'e> for Watch {
    fn call<'v>(
        &mut self,
        span: FileSpanRef<'_>,
        _continued: bool,
        eval: &mut Evaluator<'v, '_, 'e>,
    ) -> starlark::Result<()> {
        self.0.check()?;
        // By itself Starlark looks at its heap too rarely to stop what doubles.
        if let Some(error) = exceeded(eval, self.1) {
            return Err(starlark::Error::new_other(error));
        }
        self.0.state().statement = Some(span.to_file_span());
        Ok(())
    }
}
