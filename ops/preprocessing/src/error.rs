//! Errors: what Starlark says, as an error of the house that shows the line.

use engine::Error;
use starlark::ErrorKind;
use starlark::codemap::FileSpan;
use starlark::errors::Frame;

use crate::names;
use crate::session::{Session, origin};
use crate::trace::Options;

/// What errors are seen against.
pub(crate) struct Place<'a> {
    pub(crate) session: &'a Session,
    /// Names of the columns.
    pub(crate) inputs: &'a [&'a str],
    pub(crate) options: &'a Options<'a>,
}

/// An error of Starlark, or ours that went through it; `exceeded` is the limit that was reached.
pub(crate) fn convert(
    error: &starlark::Error,
    place: &Place<'_>,
    exceeded: Option<Error>,
) -> Error {
    let statement = place.session.statement();
    let span = error.span().or(statement.as_ref());
    let error_of = |ours: &Error| with_place(ours.clone(), span, &error.call_stack().frames);
    let (ErrorKind::Fail(inner)
    | ErrorKind::StackOverflow(inner)
    | ErrorKind::Value(inner)
    | ErrorKind::Function(inner)
    | ErrorKind::Scope(inner)
    | ErrorKind::Parser(inner)
    | ErrorKind::Freeze(inner)
    | ErrorKind::Internal(inner)
    | ErrorKind::Native(inner)
    | ErrorKind::Other(inner)) = error.kind()
    else {
        return error_of(&Error::invalid(error.without_diagnostic().to_string()));
    };
    if let Some(ours) = inner.downcast_ref::<Error>() {
        return error_of(ours);
    }
    let text = inner.to_string();
    if let ErrorKind::StackOverflow(_) = error.kind() {
        let depth = place.options.limits.depth;
        let error =
            Error::invalid(format!("the module calls functions within functions {depth} deep"));
        return at(error.with_hint("Does a function call itself without end?"), span);
    }
    error_of(&match error.kind() {
        ErrorKind::Fail(_) => Error::invalid(format!("the module fails: {}", text.trim())),
        ErrorKind::Parser(_) => syntax(&text, span),
        _ => match exceeded {
            Some(exceeded) => exceeded,
            None => explained(&text, span, place),
        },
    })
}

/// An error with the place, which it does not know.
pub(crate) fn at(error: Error, span: Option<&FileSpan>) -> Error {
    with_place(error, span, &[])
}

fn with_place(error: Error, span: Option<&FileSpan>, frames: &[Frame]) -> Error {
    let Some(span) = span else { return error };
    let here = format!("At {}", origin(span));
    let mut detail = here.clone();
    // The innermost frames come last; each says where it was called.
    let calls: Vec<String> = frames
        .iter()
        .rev()
        .filter(|frame| frame.name != "preprocessing_fn")
        .filter_map(|frame| Some((frame, frame.location.as_ref()?)))
        .filter(|(_, location)| *location != span)
        .map(|(frame, location)| format!(", in `{}` called at {}", frame.name, origin(location)))
        .take(4)
        .collect();
    detail += &calls.concat();
    detail += ".";
    if let Some(known) = error.detail() {
        // The builder says where the call stands, too.
        let known = match known.strip_prefix("At ") {
            Some(rest) => rest.split_once(". ").map_or("", |(_, rest)| rest),
            None => known,
        };
        if !known.is_empty() {
            detail += " ";
            detail += known;
        }
    }
    detail += &snippet(span);
    error.with_detail(detail)
}

/// The first line of the place, with carets.
fn snippet(span: &FileSpan) -> String {
    const WIDEST: usize = 200;
    let resolved = span.resolve_span();
    let (begin, end) = (resolved.begin, resolved.end);
    let line = span.file.source_line(begin.line);
    if line.chars().count() > WIDEST {
        return String::new();
    }
    let number = (begin.line + 1).to_string();
    let indent = " ".repeat(number.len());
    // Tabs stay tabs, so that carets stand where they belong.
    let before = line.chars().take(begin.column);
    let before: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let length = line.trim_end().chars().count();
    let to = if end.line == begin.line { end.column } else { length };
    let carets = "^".repeat(to.saturating_sub(begin.column).max(1));
    format!("\n    {number} | {}\n    {indent} | {before}{carets}", line.trim_end())
}

/// What Starlark says, in the words of the house.
fn explained(text: &str, span: Option<&FileSpan>, place: &Place<'_>) -> Error {
    let source = span.map_or("", |span| span.source_span());
    let quoted = |before: &str| {
        let rest = text.strip_prefix(before)?;
        rest.split('`').next()
    };
    if let Some(key) = quoted("Key `") {
        let key = key.trim_matches('"');
        if let Some((_, error)) = place.options.unusable.iter().find(|(name, _)| name == key) {
            return error.clone();
        }
        let mut error = Error::invalid(format!("there is no `{key}` in the dict"));
        if !place.options.inputs_are.is_empty() {
            error = error.with_detail(place.options.inputs_are);
        }
        return match transform::nearest(key, place.inputs.iter().copied()) {
            Some(near) => error.with_hint(format!("Is the input `{near}` meant?")),
            None => error.with_hint(format!("Inputs are: {}.", place.inputs.join(", "))),
        };
    }
    if let Some(attribute) = quoted("Object of type `namespace` has no attribute `") {
        let called = source.split('(').next().unwrap_or(source);
        let name = if called.ends_with(attribute) { called } else { attribute };
        let error = Error::invalid(format!("there is no operation `{name}`"));
        if let Some((_, instead)) = names::INSTEAD.iter().find(|(other, _)| *other == name) {
            return error.with_hint(*instead);
        }
        return match names::nearest(name) {
            Some(near) => error.with_hint(format!("Is `{near}` meant?")),
            None => error.with_hint("`frazil ops` lists all operations."),
        };
    }
    if let Some(name) = quoted("Variable `") {
        let error = Error::invalid(format!("there is no variable `{name}`"));
        let meant = text.rsplit_once("did you mean `").map(|(_, rest)| rest);
        let meant = meant.and_then(|rest| rest.split('`').next());
        return match meant.filter(|meant| !meant.starts_with("operator ")) {
            Some(meant) => error.with_hint(format!("Is `{meant}` meant?")),
            None => error.with_hint(
                "Modules have Starlark's functions and `tft`, `tf`, `math`, `strings`, `dates`, `text`.",
            ),
        };
    }
    if text.starts_with("Object of type `column` has no attribute") {
        return Error::invalid(sentence(text)).with_hint(
            "Columns have `dtype` and `shape`; `tft.fill_in_missing` fills in missing values.",
        );
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let error = Error::invalid(sentence(first));
    if rest.is_empty() { error } else { error.with_detail(rest.replace('\n', " ")) }
}

/// A mistake of syntax, with a hint where the line is Python that is not Starlark.
fn syntax(text: &str, span: Option<&FileSpan>) -> Error {
    let text = text.strip_prefix("Parse error: ").unwrap_or(text);
    let error = Error::invalid(format!("the module is no Starlark: {}", sentence(text)));
    let line = span.map_or("", |span| span.file.source_line(span.resolve_span().begin.line));
    let first = line.split_whitespace().next().unwrap_or("");
    let hint = match first {
        "import" | "from" => {
            "Leave it out: `tft`, `tf`, `math`, `strings`, `dates` and `text` are there; files come \
             by `load(\"names.star\", \"f\")`."
        }
        "class" | "while" | "try:" | "raise" | "with" | "yield" | "async" | "assert" | "del"
        | "global" | "nonlocal" => {
            "Starlark has no classes, exceptions, `while`, `with` and `assert`; `fail(\"…\")` stops."
        }
        _ if line.contains("**") => "Write `math.pow(x, y)`.",
        _ if text.contains('<') || text.contains('>') || text.contains("==") => {
            "Comparisons are not chained: write `(a < x) & (x < b)`."
        }
        _ => return error,
    };
    error.with_hint(hint)
}

/// A text as a message: lower case, no full stop.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
