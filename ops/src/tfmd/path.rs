//! Paths of features and the text that names them in anomalies.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use engine::Error;

use super::Path;

impl Path {
    /// The path with these steps.
    pub fn new<S: Into<String>>(steps: impl IntoIterator<Item = S>) -> Path {
        Path { step: steps.into_iter().map(Into::into).collect() }
    }

    /// This path and one step more.
    pub fn child(&self, step: &str) -> Path {
        let mut path = self.clone();
        path.step.push(step.to_owned());
        path
    }
}

/// Writes the steps with points between them, as TFDV names features.
///
/// A step that is empty or holds one of `( ) . '` is put in single quotes and its own quotes are
/// doubled, unless it stands in one pair of parentheses as a whole.
///
/// # Examples
///
/// ```
/// use ops::tfmd::Path;
///
/// assert_eq!(Path::new(["a", "b.c", "(d.e)"]).to_string(), "a.'b.c'.(d.e)");
/// ```
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.step.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if plain(step) == Some(step.len()) {
                f.write_str(step)?;
            } else {
                write!(f, "'{}'", step.replace('\'', "''"))?;
            }
        }
        Ok(())
    }
}

/// Reads what `Display` writes.
impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Path, Error> {
        let mut path = Path::default();
        if text.is_empty() {
            return Ok(path);
        }
        let mut rest = text;
        loop {
            let (len, step) = match quoted(rest) {
                Some(len) => (len, rest[1..len - 1].replace("''", "'")),
                None => plain(rest).map_or((0, String::new()), |len| (len, rest[..len].to_owned())),
            };
            let after = &rest[len..];
            if len == 0 || !(after.is_empty() || after.starts_with('.')) {
                let at = text.len() - after.len() + 1;
                return Err(Error::invalid(format!("`{text}` is not the path of a feature"))
                    .with_detail(format!("A step is not well-formed at byte {at}."))
                    .with_hint(
                        "Put a step that holds a point, a parenthesis or a quote in single quotes.",
                    ));
            }
            path.step.push(step);
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None => return Ok(path),
            }
        }
    }
}

/// How long the step at the start is that needs no quotes.
fn plain(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix('(') {
        let len = inside.find(['(', ')'])? + 2;
        return (text.as_bytes()[len - 1] == b')').then_some(len);
    }
    let len = text.find(['(', ')', '.', '\'']).unwrap_or(text.len());
    (len > 0).then_some(len)
}

/// How long the step in quotes at the start is, quotes included.
fn quoted(text: &str) -> Option<usize> {
    let mut quotes = text.match_indices('\'').map(|(i, _)| i).peekable();
    quotes.next_if_eq(&0)?;
    while let Some(i) = quotes.next() {
        if quotes.next_if_eq(&(i + 1)).is_none() {
            return Some(i + 1);
        }
    }
    None
}

/// Step by step, by bytes; a path comes before everything below it.
impl Ord for Path {
    fn cmp(&self, other: &Path) -> Ordering {
        self.step.cmp(&other.step)
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Path) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        fn check(steps: &[&str], expected: &str) {
            let path = Path::new(steps.iter().copied());
            assert_eq!(path.to_string(), expected);
            assert_eq!(expected.parse::<Path>().unwrap(), path);
        }
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "b"], "a.b");
        check(&["##SEQUENCE##", "é x"], "##SEQUENCE##.é x");
        check(&["a.b", "c"], "'a.b'.c");
        check(&[""], "''");
        check(&["", "a", ""], "''.a.''");
        check(&["it's"], "'it''s'");
        check(&["'", "''", "'.'"], "''''.''''''.'''.'''");
        check(&["(a.b'c)"], "(a.b'c)");
        check(&["(a)", "()"], "(a).()");
        check(&["(a)b"], "'(a)b'");
        check(&["((a))"], "'((a))'");
        check(&["(a"], "'(a'");
        check(&["a)"], "'a)'");
    }

    #[test]
    fn malformed() {
        for text in [".", "a.", ".a", "a..b", "'a", "'a'b", "(a", "(a)b", "a'b", "((a))", "'''"] {
            let error = text.parse::<Path>().unwrap_err();
            assert!(error.message().contains("is not the path"), "{text}");
        }
    }

    #[test]
    fn order() {
        let mut paths = ["b", "a.b", "a", "a b", "a.a"].map(|text| text.parse::<Path>().unwrap());
        paths.sort();
        assert_eq!(paths.map(|p| p.to_string()), ["a", "a.a", "a.b", "a b", "b"]);
    }
}
