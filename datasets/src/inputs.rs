//! Which files are meant: paths, directories, globs, numbered shards, spans.

mod pattern;
mod span;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use engine::{Error, ErrorKind, Result};

use self::pattern::{Found, Pattern};
pub use self::span::SpanRange;

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Absolute path, lexically normalised.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// A span that was chosen, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its number; for a date the days since 1970-01-01.
    pub number: u64,
    /// The latest version there is, where the pattern has versions.
    pub version: Option<u64>,
}

/// What inputs stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The files, sorted by path, each once.
    pub files: Vec<InputFile>,
    /// The spans that were chosen, sorted; empty when no input has a span.
    pub spans: Vec<Span>,
}

/// Finds the files that `inputs` stand for.
///
/// An input is a file; a directory, which stands for the files directly in it whose names do not
/// begin with `.` or `_`; a glob; `path@N` or `path@N.ext`, which stands for
/// `path-00000-of-N.ext` and so on; or a pattern with `{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}`,
/// `{DD}`, of which `span` (the latest, if `None`) chooses some spans, and of each its latest
/// version.
///
/// # Errors
/// When an input matches nothing, a shard is missing, a file cannot be read, a pattern makes no
/// sense, or patterns disagree about the spans there are.
pub fn resolve(inputs: &[String], span: Option<&SpanRange>) -> Result<Resolved> {
    if inputs.is_empty() {
        return Err(Error::invalid("no input was named"));
    }
    let mut paths = BTreeSet::new();
    let mut spans: Option<(&String, BTreeSet<Span>)> = None;
    for input in inputs {
        if let Some((scheme, _)) = input.split_once("://") {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("cannot read `{input}`: `{scheme}` is not supported"),
            )
            .with_hint("Copy the files, or mount the storage as a file system."));
        }
        let path = absolute(input)?;
        let (found, found_spans) = expand(input, &path, span.copied().unwrap_or_default())?;
        if let Some(found_spans) = found_spans {
            match &spans {
                Some((first, known)) if *known != found_spans => {
                    return Err(disagreement(first, known, input, &found_spans));
                }
                _ => spans = Some((input, found_spans)),
            }
        }
        for path in found {
            add_files(&path, &mut paths)?;
        }
    }
    if let (Some(span), None) = (span, &spans) {
        return Err(Error::invalid(format!("no input has spans to choose `{span}` from"))
            .with_hint("Put `{SPAN}` or `{YYYY}`, `{MM}`, `{DD}` in the path."));
    }
    let files = paths.into_iter().map(|path| input_file(&path)).collect::<Result<Vec<_>>>()?;
    if let (true, Some(input)) =
        (files.is_empty(), inputs.iter().find(|i| !splits_in(i).is_empty()))
    {
        let names = splits_in(input);
        return Err(Error::new(ErrorKind::NotFound, format!("`{input}` has splits, and no files"))
            .with_detail(format!("Its splits are `{}`.", names.join("`, `")))
            .with_hint(format!("Read one of them: pass `--split {}`.", names[0])));
    }
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the input has no files")
            .with_detail(format!("There are only directories without files in `{}`.", inputs[0]))
            .with_hint(
                "Names that begin with `.` or `_` are skipped; name such files themselves.",
            ));
    }
    let spans = spans.map(|(_, spans)| spans.into_iter().collect()).unwrap_or_default();
    Ok(Resolved { files, spans })
}

/// What names of directories of splits begin with.
pub const SPLIT: &str = "Split-";

/// One split of each input: its `Split-NAME`, below a directory or a pattern of directories.
///
/// # Errors
/// When an input is a directory without this split, or a file.
pub fn of_split(inputs: &[String], name: &str) -> Result<Vec<String>> {
    let of = |input: &String| {
        let path = format!("{}/{SPLIT}{name}", input.trim_end_matches('/'));
        if !Path::new(input).exists() || Path::new(&path).is_dir() {
            return Ok(path);
        }
        let error = Error::new(ErrorKind::NotFound, format!("`{input}` has no split `{name}`"));
        Err(match splits_in(input).join("`, `") {
            none if none.is_empty() => error
                .with_detail(format!("There is no directory `{SPLIT}…` in it."))
                .with_hint("Leave out `--split`."),
            names => error.with_detail(format!("It has `{names}`.")),
        })
    };
    inputs.iter().map(of).collect()
}

/// The names of the splits in a directory, sorted.
fn splits_in(path: &str) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_dir());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix(SPLIT)?.to_owned())).collect();
    names.sort_unstable();
    names
}

/// The path from the root, without `.` and `..`.
fn absolute(input: &str) -> Result<String> {
    let path =
        std::path::absolute(input).map_err(|e| Error::io(format_args!("find `{input}`"), &e))?;
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain.into_os_string().into_string().map_err(|path| {
        Error::new(ErrorKind::Unsupported, "the current directory's name is not UTF-8")
            .with_detail(format!("It is `{}`.", path.to_string_lossy()))
    })
}

/// The paths that one input stands for, and the spans it has, if it has any.
fn expand(
    input: &str,
    path: &str,
    span: SpanRange,
) -> Result<(Vec<String>, Option<BTreeSet<Span>>)> {
    if Path::new(path).exists() {
        return Ok((vec![path.to_owned()], None));
    }
    if let Some(shards) = numbered(input, path)? {
        return Ok((shards, None));
    }
    if pattern::has_placeholder(path) {
        let (paths, spans) = of_spans(input, path, span)?;
        return Ok((paths, Some(spans)));
    }
    if !path.contains(['*', '?', '[']) {
        // The reason why it does not exist: a missing directory, or no permission to look.
        let error = fs::metadata(path).map_or_else(|e| e, |_| std::io::ErrorKind::NotFound.into());
        return Err(Error::io(format_args!("read `{input}`"), &error)
            .with_detail(format!("The path is `{path}`.")));
    }
    let paths = glob(input, path)?;
    if paths.is_empty() {
        return Err(nothing_matches(input, path));
    }
    Ok((paths, None))
}

fn nothing_matches(input: &str, pattern: &str) -> Error {
    let from_root = pattern.split('/').take_while(|name| !name.contains(['*', '?', '[', '{']));
    let from_root = from_root.collect::<Vec<_>>().join("/");
    let detail = if Path::new(&from_root).is_dir() {
        format!("The directory `{from_root}` is there, but nothing in it matches.")
    } else {
        format!("There is no directory `{from_root}`.")
    };
    Error::new(ErrorKind::NotFound, format!("no file matches `{input}`"))
        .with_detail(detail)
        .with_hint("Quote the pattern if the shell may have changed it.")
}

/// The paths that a glob matches, sorted.
fn glob(input: &str, pattern: &str) -> Result<Vec<String>> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let matches = glob::glob_with(pattern, options).map_err(|e| {
        Error::invalid(format!("bad pattern `{input}`")).with_detail(format!("{}.", e.msg))
    })?;
    let names_underscore = pattern.rsplit('/').next().is_some_and(|name| name.starts_with('_'));
    let mut paths = Vec::new();
    for path in matches {
        let path =
            path.map_err(|e| Error::io(format_args!("read `{}`", e.path().display()), e.error()))?;
        let path = utf8(&path)?;
        let name = path.rsplit('/').next().unwrap_or(&path);
        // Marks such as `_SUCCESS` are not data, unless they are asked for.
        if !name.starts_with('_') || names_underscore {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn utf8(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("the name `{}` is not UTF-8", path.display()))
    })
}

/// `path@N` and `path@N.ext`, or a glob `path-?????-of-NNNNN.ext`: every shard has to be there.
fn numbered(input: &str, path: &str) -> Result<Option<Vec<String>>> {
    let (stem, count, suffix) = if let Some((stem, rest)) = path.rsplit_once('@') {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (count, suffix) = rest.split_at(end);
        if !(suffix.is_empty() || suffix.starts_with('.')) {
            return Ok(None);
        }
        (stem, count, suffix)
    } else if let Some((stem, rest)) = path.split_once("-?????-of-") {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (count, suffix) = rest.split_at(end);
        (stem, count, suffix)
    } else {
        return Ok(None);
    };
    let wildcards = |text: &str| text.contains(['*', '?', '[', '{', '/']);
    if wildcards(suffix) || stem.contains(['*', '?', '[', '{']) {
        return Ok(None);
    }
    let Some(count @ 1..=1_000_000) = span::digits(count) else {
        return Ok(None);
    };
    let shards = (0..count).map(|i| format!("{stem}-{i:05}-of-{count:05}{suffix}"));
    let shards: Vec<String> = shards.collect();
    let missing: Vec<&str> = shards
        .iter()
        .filter(|shard| !Path::new(shard).exists())
        .map(|shard| shard.rsplit('/').next().unwrap_or(shard))
        .collect();
    if missing.is_empty() {
        return Ok(Some(shards));
    }
    let shown = missing[..missing.len().min(5)].join("`, `");
    let more = missing.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::new(
        ErrorKind::NotFound,
        format!("{} of the {count} shards of `{input}` are missing", missing.len()),
    )
    .with_detail(format!("There is no `{shown}`{more}."))
    .with_hint("Wait until all are written, or use a glob to read those there are."))
}

/// The paths of the spans that are wanted, of each its latest version.
fn of_spans(input: &str, path: &str, wanted: SpanRange) -> Result<(Vec<String>, BTreeSet<Span>)> {
    let pattern = Pattern::parse(path)?;
    let mut found: Vec<(Found, String)> = Vec::new();
    for path in glob(input, &pattern.glob())? {
        if let Some(numbers) = pattern.find(&path)? {
            found.push((numbers, path));
        }
    }
    let Some(latest) = found.iter().map(|(numbers, _)| numbers.span).max() else {
        return Err(nothing_matches(input, path));
    };
    let first = found.iter().map(|(numbers, _)| numbers.span).min().unwrap_or(latest);
    found.retain(|(numbers, _)| wanted.contains(numbers.span, latest));
    let mut spans: Vec<Span> = found
        .iter()
        .map(|(numbers, _)| Span { number: numbers.span, version: numbers.version })
        .collect();
    spans.sort_unstable();
    spans.reverse();
    // The first of each number is now its latest version.
    spans.dedup_by_key(|span| span.number);
    let spans: BTreeSet<Span> = spans.into_iter().collect();
    if spans.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("`{input}` has no span `{wanted}`"))
            .with_detail(format!("The spans there are lie between {first} and {latest}.")));
    }
    let chosen =
        |numbers: &Found| spans.contains(&Span { number: numbers.span, version: numbers.version });
    let paths = found.iter().filter(|(numbers, _)| chosen(numbers)).map(|(_, path)| path.clone());
    Ok((paths.collect(), spans))
}

fn disagreement(first: &str, known: &BTreeSet<Span>, input: &str, found: &BTreeSet<Span>) -> Error {
    let list = |spans: &BTreeSet<Span>| {
        let names = spans.iter().take(5).map(|span| match span.version {
            None => span.number.to_string(),
            Some(version) => format!("{} version {version}", span.number),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    Error::invalid("inputs are at different spans")
        .with_detail(format!("`{first}` is at {}; `{input}` is at {}.", list(known), list(found)))
        .with_hint("Choose a span that all have with `--span`.")
}

/// Adds a file, or the files directly in a directory.
fn add_files(path: &str, paths: &mut BTreeSet<String>) -> Result<()> {
    let failed = |e: std::io::Error| Error::io(format_args!("read `{path}`"), &e);
    if !Path::new(path).is_dir() {
        paths.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let child = utf8(&entry.map_err(failed)?.path())?;
        let name = child.rsplit('/').next().unwrap_or(&child);
        if !name.starts_with(['.', '_']) && !Path::new(&child).is_dir() {
            paths.insert(child);
        }
    }
    Ok(())
}

/// Checks that a file can be read, and how large it is.
fn input_file(path: &str) -> Result<InputFile> {
    let failed = |e: std::io::Error| Error::io(format_args!("read `{path}`"), &e);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::Unsupported, format!("`{path}` is not a regular file"))
            .with_detail("Inputs are read more than once, so pipes and devices cannot be used.")
            .with_hint("Write the data to a file first."));
    }
    File::open(path).map_err(failed)?;
    Ok(InputFile { path: path.to_owned(), bytes: metadata.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes empty files under a new directory.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        directory
    }

    fn found(root: &Path, inputs: &[&str], span: Option<&str>) -> Result<(Vec<String>, Vec<Span>)> {
        let inputs: Vec<String> =
            inputs.iter().map(|input| format!("{}/{input}", root.display())).collect();
        let span = span.map(|span| span.parse::<SpanRange>().unwrap());
        let resolved = resolve(&inputs, span.as_ref())?;
        let prefix = format!("{}/", root.canonicalize().unwrap().display());
        let prefix = if resolved.files[0].path.starts_with(&prefix) {
            prefix
        } else {
            format!("{}/", root.display())
        };
        let names = resolved.files.iter().map(|file| file.path[prefix.len()..].to_owned());
        Ok((names.collect(), resolved.spans))
    }

    #[test]
    fn files_directories_globs_and_shards() {
        let tree = tree(&[
            "d/b.csv",
            "d/a.csv",
            "d/_SUCCESS",
            "d/.hidden",
            "d/deep/c.csv",
            "odd[1].csv",
            "s-00000-of-00002.rec",
            "s-00001-of-00002.rec",
            "t-00001-of-00003",
        ]);
        let check = |inputs: &[&str], expected: &[&str]| {
            assert_eq!(found(tree.path(), inputs, None).unwrap().0, expected, "{inputs:?}");
        };
        check(&["d/a.csv"], &["d/a.csv"]);
        check(&["./d/../d//a.csv", "d/a.csv"], &["d/a.csv"]);
        check(&["d"], &["d/a.csv", "d/b.csv"]);
        check(&["d/", "d/deep"], &["d/a.csv", "d/b.csv", "d/deep/c.csv"]);
        check(&["d/*"], &["d/a.csv", "d/b.csv", "d/deep/c.csv"]);
        check(&["d/_*"], &["d/_SUCCESS"]);
        check(&["d/[a]*", "d/?.csv"], &["d/a.csv", "d/b.csv"]);
        check(&["**/c.csv"], &["d/deep/c.csv"]);
        check(&["odd[1].csv"], &["odd[1].csv"]);
        let shards = ["s-00000-of-00002.rec", "s-00001-of-00002.rec"];
        check(&["s@2.rec"], &shards);
        check(&["s-?????-of-00002.rec"], &shards);
        check(&["s-*"], &shards);
    }

    #[test]
    fn errors_say_what_is_missing() {
        let tree = tree(&["d/a.csv", "t-00001-of-00003", "e/_x"]);
        let check = |input: &str, kind: ErrorKind, expected: &str| {
            let error = found(tree.path(), &[input], None).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        };
        check("d/x.csv", ErrorKind::NotFound, "cannot read");
        check("d/*.rec", ErrorKind::NotFound, "is there, but nothing in it matches");
        check("x/*.rec", ErrorKind::NotFound, "There is no directory");
        check("t@3", ErrorKind::NotFound, "There is no `t-00000-of-00003`, `t-00002-of-00003`.");
        check("t-?????-of-00003", ErrorKind::NotFound, "2 of the 3 shards");
        check("e", ErrorKind::NotFound, "the input has no files");
        check("{DAY}", ErrorKind::InvalidArgument, "is not a placeholder");
        let error = resolve(&["gs://bucket/x".to_owned()], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let error = resolve(&["/dev/null".to_owned()], None).unwrap_err();
        assert!(error.message().ends_with("is not a regular file"), "{error}");
        let error = found(tree.path(), &["d"], Some("3")).unwrap_err();
        assert!(error.message().contains("no input has spans"), "{error}");
    }

    #[test]
    fn spans_and_versions_are_chosen() {
        let tree = tree(&[
            "n/1/v1/a",
            "n/1/v2/a",
            "n/2/v1/a",
            "n/2/v1/b",
            "n/10/v9/a",
            "n/10/v10/a",
            "m/1/v2/x",
            "m/10/v9/x",
            "t/2024-03-30/a",
            "t/2024-03-31/a",
            "bad/1/a",
            "bad/tmp/a",
        ]);
        let check = |inputs: &[&str], span: Option<&str>, files: &[&str], spans: &[(u64, u64)]| {
            let (names, chosen) = found(tree.path(), inputs, span).unwrap();
            assert_eq!(names, files, "{inputs:?} {span:?}");
            let chosen: Vec<_> =
                chosen.iter().map(|span| (span.number, span.version.unwrap_or(0))).collect();
            assert_eq!(chosen, spans, "{inputs:?} {span:?}");
        };
        let numbers = ["n/{SPAN}/v{VERSION}/*"];
        check(&numbers, None, &["n/10/v10/a"], &[(10, 10)]);
        check(&numbers, Some("2"), &["n/2/v1/a", "n/2/v1/b"], &[(2, 1)]);
        let (files, spans) = (["n/1/v2/a", "n/2/v1/a", "n/2/v1/b"], [(1, 2), (2, 1)]);
        check(&numbers, Some("0..9"), &files, &spans);
        check(&["n/{SPAN}/v{VERSION}"], Some("1"), &["n/1/v2/a"], &[(1, 2)]);
        let both = ["n/{SPAN}/v{VERSION}/*", "m/{SPAN}/v{VERSION}/*"];
        check(&both, Some("1"), &["m/1/v2/x", "n/1/v2/a"], &[(1, 2)]);
        let dates = ["t/{YYYY}-{MM}-{DD}/*"];
        check(&dates, None, &["t/2024-03-31/a"], &[(19_813, 0)]);
        check(&dates, Some("2024-03-30"), &["t/2024-03-30/a"], &[(19_812, 0)]);

        let fails = |inputs: &[&str], span: Option<&str>, expected: &str| {
            let error = found(tree.path(), inputs, span).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        fails(&both, None, "is at 10 version 10; `");
        fails(&numbers, Some("3..9"), "The spans there are lie between 1 and 10.");
        fails(&["bad/{SPAN}/*"], None, "it stands for `tmp`");
    }
}
