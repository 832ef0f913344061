//! Numbers, distances and anomalies in words: how each was made, and what to do about it.
//!
//! Everything here turns messages and tables into plain text; nothing is computed that statistics,
//! drift or validation do not compute.

mod anomalies;
mod codes;
mod comparison;
mod numbers;

pub use anomalies::explain_anomalies;
pub use codes::explain_code;
pub use comparison::{explain_comparison, explain_drift};
pub use numbers::{NUMBERS, Number, explain_feature, explain_statistics};

use crate::tfmd::{DatasetView, FeatureView};
use engine::{Error, Result};

/// The widest that lines of sentences become.
const WIDTH: usize = 96;

/// A sentence in lines that are indented and not too long.
fn paragraph(indent: usize, text: &str) -> String {
    let mut out = String::new();
    let mut line = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if line == 0 || indent + line + 1 + length > WIDTH {
            out.push_str(if line == 0 { "" } else { "\n" });
            out.extend(std::iter::repeat_n(' ', indent));
            line = 0;
        } else {
            out.push(' ');
            line += 1;
        }
        out.push_str(word);
        line += length;
    }
    out + "\n"
}

/// Rows as columns, the first flush left and the others flush right.
fn columns(indent: usize, rows: &[Vec<String>]) -> String {
    let n = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| {
        rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let room = " ".repeat(width - cell.chars().count());
            if i > 0 {
                line.push_str("  ");
            }
            let (first, second) = if i == 0 { (cell, &room) } else { (&room, cell) };
            line.push_str(first);
            line.push_str(second);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Text that cannot move the cursor, and not too long.
fn printable(text: &str) -> String {
    const MOST: usize = 40;
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == MOST {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// The feature of a name, or an error that knows similar ones.
fn find<'v, 'a>(view: &'v DatasetView<'a>, name: &str) -> Result<FeatureView<'v, 'a>> {
    let as_path = name.parse().ok().and_then(|path| view.get(&path));
    let found = as_path.or_else(|| view.features().find(|f| f.path().step == [name]));
    found.ok_or_else(|| {
        let known: Vec<String> = view.features().map(|f| f.path().to_string()).collect();
        let error = Error::invalid(format!("there is no feature `{name}` in these statistics"))
            .with_detail(format!("They are of {} features.", known.len()));
        crate::tfmd::nearest::hint(error, name, &known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_lines() {
        let text = paragraph(2, &"word ".repeat(40));
        assert!(text.lines().all(|line| line.starts_with("  word") && line.len() <= WIDTH));
        assert_eq!(paragraph(1, "a b"), " a b\n");
        let rows = [vec!["a".to_owned(), "10".to_owned()], vec!["bcd".to_owned(), "7".to_owned()]];
        assert_eq!(columns(1, &rows), " a    10\n bcd   7\n");
        assert_eq!(printable("a\u{1b}[1m\n"), "a\\u{1b}[1m\\n");
    }
}
