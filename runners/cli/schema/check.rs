//! `frazil schema check`: one line for each thing that is wrong, as compilers write them.

use std::fmt::Write as _;

use ops::schema::{CHECKS, Finding, Severity, check};

use super::{CheckArgs, files, read_schema};
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn run(args: &CheckArgs) -> Done {
    let Some(path) = &args.file else { return list() };
    let file = read_schema(path)?;
    let mut found = check(&file.schema, file.places.as_ref());
    if args.no_notes {
        found.retain(|finding| finding.severity > Severity::Note);
    }
    if args.json {
        output::print(&files::pretty(&found)?)?;
    } else {
        let name =
            if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() };
        output::print(&lines(&name, &found))?;
    }
    let is_wrong = found.iter().any(|finding| finding.severity == Severity::Error);
    if is_wrong { Err(Failure::Data) } else { Ok(()) }
}

fn lines(name: &str, found: &[Finding]) -> String {
    let mut text = String::new();
    for finding in found {
        let place = match finding.place {
            Some((line, column)) => format!(":{line}:{column}"),
            None => format!(": {}", finding.field),
        };
        let Finding { code, severity, path, message, .. } = finding;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let _ = writeln!(text, "{name}{place}: {}: {path}{message} [{code}]", severity.name());
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let counted = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let _ = writeln!(
        text,
        "{}, {}, {}",
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Note), "note"),
    );
    text
}

fn list() -> Done {
    let width = CHECKS.iter().map(|check| check.code.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in CHECKS {
        let _ = writeln!(text, "{:8} {:width$}  {}", check.severity.name(), check.code, check.doc);
    }
    output::print(&text)
}
