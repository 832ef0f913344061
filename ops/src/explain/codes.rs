//! Names that appear in results and errors: kinds of anomalies and errors, distances, numbers.

use std::fmt::Write;

use engine::{Error, ErrorKind, Result};

use super::{NUMBERS, paragraph};
use crate::drift::METRICS;
use crate::validate::KINDS;

/// A kind of error, when it happens and what to do.
struct Failed {
    kind: ErrorKind,
    when: &'static str,
    remedy: &'static str,
}

const FAILED: &[Failed] = &[
    Failed {
        kind: ErrorKind::Input,
        when: "The bytes of an input are not what its format promises: cut off, damaged, or of another \
               kind.",
        remedy: "`detail:` says where. Repair or remove the file, or pass `--max-bad-records` or \
                 `--max-bad-shards` to go on without what is damaged.",
    },
    Failed {
        kind: ErrorKind::NotFound,
        when: "A file, directory or pattern that was named does not exist or matches nothing.",
        remedy: "Correct the path; quote patterns, so that the shell leaves them alone.",
    },
    Failed {
        kind: ErrorKind::Unsupported,
        when: "Something that is well-formed asks for what Frazil does not do.",
        remedy: "`hint:` says what there is instead.",
    },
    Failed {
        kind: ErrorKind::InvalidArgument,
        when: "A flag, an option or an argument is wrong, or two of them contradict each other.",
        remedy: "See `frazil help` of the command.",
    },
    Failed {
        kind: ErrorKind::Incompatible,
        when: "A stored file was written by another version or with other options: states are never \
               migrated.",
        remedy: "Compute it again, or use the version and options that wrote it.",
    },
    Failed {
        kind: ErrorKind::Io,
        when: "The operating system refused to read, to write or to connect.",
        remedy: "See permissions, free space, and whether the other machine can be reached.",
    },
    Failed {
        kind: ErrorKind::Worker,
        when: "A worker thread or process failed or was lost; the first failure is the run's.",
        remedy: "See what its own message says, and whether memory ran out: lower `--memory` or \
                 `--workers`.",
    },
    Failed {
        kind: ErrorKind::Reconciliation,
        when: "Records read are not records counted and rejected: the run cannot vouch for its result.",
        remedy: "This is a defect of Frazil, never of the data. Report it with the row receipt \
                 (`--receipt FILE`).",
    },
];

/// What an anomaly, an error, a distance or a number of this name is, in any spelling of cases.
///
/// # Errors
/// Nothing has the name; similar names are in the hint.
pub fn explain_code(name: &str) -> Result<String> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let is_it = |known: &str| plain(known) == plain(name);
    let mut out = String::new();
    if let Some(kind) = KINDS.iter().find(|kind| is_it(kind.name())) {
        let raised =
            if kind.raised { "an anomaly" } else { "a kind of anomaly that is never raised" };
        let _ = writeln!(out, "{}: {raised}", kind.name());
        out += &paragraph(2, &format!("when: {}", kind.trigger));
        out += &paragraph(2, &format!("remedy: {}", kind.remedy));
    }
    if let Some(failed) = FAILED.iter().find(|failed| is_it(&format!("{:?}", failed.kind))) {
        let _ = writeln!(out, "{:?}: a kind of error", failed.kind);
        out += &paragraph(2, &format!("when: {}", failed.when));
        out += &paragraph(2, &format!("remedy: {}", failed.remedy));
    }
    if let Some(metric) = METRICS.iter().find(|metric| is_it(metric.name)) {
        let _ = writeln!(out, "{}: a distance of two distributions", metric.name);
        out += &paragraph(2, metric.doc);
        out += &paragraph(2, &format!("value: {}", metric.formula));
        out += &paragraph(2, &format!("noise: {}", metric.noise));
        out += &paragraph(2, &format!("source: {}", metric.citation));
    }
    if let Some(number) = NUMBERS.iter().find(|number| is_it(number.name)) {
        let _ = writeln!(out, "{}: a number in statistics", number.name);
        out += &paragraph(2, number.how);
    }
    if !out.is_empty() {
        return Ok(out);
    }
    let known = names();
    // Cases do not count, so that each name is also near in capitals.
    let error = Error::invalid(format!("nothing is called `{name}`")).with_detail(
        "Looked for among kinds of anomalies and errors, distances and numbers; nor is there such a file.",
    );
    let hinted = crate::tfmd::nearest::hint(error.clone(), name, &known);
    if hinted.hint().is_some() {
        return Err(hinted);
    }
    Err(crate::tfmd::nearest::hint(error, &name.to_uppercase(), &known))
}

fn names() -> Vec<String> {
    let kinds = KINDS.iter().map(|kind| kind.name().to_owned());
    let errors = FAILED.iter().map(|failed| format!("{:?}", failed.kind));
    let metrics = METRICS.iter().map(|metric| metric.name.to_owned());
    let numbers = NUMBERS.iter().map(|number| number.name.to_owned());
    kinds.chain(errors).chain(metrics).chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_explained() {
        for name in names() {
            let text = explain_code(&name).unwrap();
            assert!(text.starts_with(&name), "{text}");
            assert!(text.lines().count() > 1);
        }
        assert!(
            explain_code("schema-new-column").unwrap().contains("SCHEMA_NEW_COLUMN: an anomaly")
        );
        assert!(explain_code("not_found").unwrap().contains("NotFound: a kind of error"));
    }

    #[test]
    fn unknown_names() {
        let hint = |name: &str| explain_code(name).unwrap_err().hint().map(str::to_owned);
        assert_eq!(hint("SCHEMA_NEW_COLUM").as_deref(), Some("Did you mean `SCHEMA_NEW_COLUMN`?"));
        assert_eq!(hint("schema_new_colum").as_deref(), Some("Did you mean `SCHEMA_NEW_COLUMN`?"));
        assert_eq!(
            hint("kolmogorov_smirnof").as_deref(),
            Some("Did you mean `kolmogorov_smirnov`?")
        );
        assert_eq!(hint("zebra"), None);
    }
}
