//! Cuts text into words, numbers, quoted strings and signs.

/// One piece of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name: letters, digits, underscores.
    Word(&'a str),
    /// Anything that begins like a number; whether it is one depends on what is wanted.
    Number(&'a str),
    /// What stands between two quotes, escapes included.
    Quoted(&'a str),
    /// A quote without its partner on the same line.
    Unclosed,
    /// A single other character.
    Sign(char),
    /// Nothing more.
    End,
}

/// The text and how far it is read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where the rest begins, in bytes.
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // Editors on Windows put a byte order mark in front.
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Scanner { text, at }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> (Token<'a>, usize) {
        self.skip_blanks();
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else { return (Token::End, start) };
        let second = rest[first.len_utf8()..].chars().next();
        let token = if first.is_ascii_alphabetic() || first == '_' {
            Token::Word(self.take(|c| c.is_ascii_alphanumeric() || c == '_'))
        } else if first.is_ascii_digit()
            || (first == '.' && second.is_some_and(|c| c.is_ascii_digit()))
        {
            Token::Number(self.number())
        } else if first == '"' || first == '\'' {
            self.quoted(first)
        } else {
            self.at += first.len_utf8();
            Token::Sign(first)
        };
        (token, start)
    }

    /// Everything up to a character on the same line, which is passed over too.
    pub(super) fn until(&mut self, end: char) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let len = rest.find([end, '\n']).filter(|&i| rest[i..].starts_with(end))?;
        self.at += len + end.len_utf8();
        Some(&rest[..len])
    }

    /// Line and column of a byte, both counted from 1.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        (line, before[line_start..].chars().filter(|&c| c != '\u{feff}').count() + 1)
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take(|c| c.is_ascii_whitespace() || c == '\u{b}');
            if !self.text[self.at..].starts_with('#') {
                return;
            }
            self.take(|c| c != '\n');
        }
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// Letters, digits, points, and a sign after the `e` of an exponent.
    fn number(&mut self) -> &'a str {
        let start = self.at;
        loop {
            let part = self.take(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            let whole = &self.text[start..self.at];
            let exponent = part.ends_with(['e', 'E']) && !whole.starts_with("0x");
            if !exponent || !self.text[self.at..].starts_with(['+', '-']) {
                return whole;
            }
            self.at += 1;
        }
    }

    fn quoted(&mut self, quote: char) -> Token<'a> {
        self.at += 1;
        let rest = &self.text[self.at..];
        let mut escaped = false;
        for (i, c) in rest.char_indices() {
            if c == '\n' {
                break;
            }
            if c == quote && !escaped {
                self.at += i + 1;
                return Token::Quoted(&rest[..i]);
            }
            escaped = c == '\\' && !escaped;
        }
        Token::Unclosed
    }
}

#[cfg(test)]
mod tests {
    use super::Token::{End, Number, Quoted, Sign, Unclosed, Word};
    use super::*;

    fn check(text: &str, expected: &[Token<'_>]) {
        let mut scanner = Scanner::new(text);
        let mut found = Vec::new();
        while found.last() != Some(&End) && found.last() != Some(&Unclosed) {
            found.push(scanner.next().0);
        }
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn tokens() {
        check("", &[End]);
        check("\u{feff} # a\n#b", &[End]);
        check("a_1: -2.5e-3f", &[Word("a_1"), Sign(':'), Sign('-'), Number("2.5e-3f"), End]);
        check(
            ".5 0x1e+1 1.",
            &[Number(".5"), Number("0x1e"), Sign('+'), Number("1"), Number("1."), End],
        );
        check(r#"'a"\'' "\\" 'é'"#, &[Quoted(r#"a"\'"#), Quoted(r"\\"), Quoted("é"), End]);
        check("\"a\nb\"", &[Unclosed]);
        check("\"a\\", &[Unclosed]);
        check("é{", &[Sign('é'), Sign('{'), End]);
    }

    #[test]
    fn positions() {
        let mut scanner = Scanner::new("\u{feff}a\n  é b");
        let mut positions = Vec::new();
        for _ in 0..3 {
            let (_, at) = scanner.next();
            positions.push(scanner.position(at));
        }
        assert_eq!(positions, [(1, 1), (2, 3), (2, 5)]);
    }
}
