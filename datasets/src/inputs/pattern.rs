//! Patterns with placeholders: `{SPAN}`, `{VERSION}`, dates; what they match, and with which numbers.

use engine::{Error, Result};

use super::span::{days, digits};

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Span,
    Version,
    Year,
    Month,
    Day,
}

const PLACES: [(&str, Place); 5] = [
    ("SPAN", Place::Span),
    ("VERSION", Place::Version),
    ("YYYY", Place::Year),
    ("MM", Place::Month),
    ("DD", Place::Day),
];

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    AnyChar,
    /// `*`: anything within one name.
    AnyChars,
    /// `**/`: any directories.
    AnyDirectories,
    /// `[a-z]`, `[!a-z]`.
    Class(Vec<(char, char)>, bool),
    /// A placeholder, of so many characters if it says so.
    Place(Place, Option<usize>),
}

/// A path with wildcards and placeholders.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

/// What the placeholders of one path say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) span: u64,
    pub(super) version: Option<u64>,
}

/// True when `text` has a placeholder, or something that may be meant as one.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains('{')
}

impl Pattern {
    /// Parses a pattern and checks that its placeholders make sense together.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (token, length) = match c {
                '{' => placeholder(text, rest)?,
                '*' if rest.starts_with("**/") => (Token::AnyDirectories, 3),
                '*' => (Token::AnyChars, 1),
                '?' => (Token::AnyChar, 1),
                '[' => class(rest).unwrap_or((Token::Literal('['), 1)),
                c => (Token::Literal(c), c.len_utf8()),
            };
            tokens.push(token);
            rest = &rest[length..];
        }
        let pattern = Pattern { text: text.to_owned(), tokens };
        pattern.check()?;
        Ok(pattern)
    }

    fn count(&self, place: Place) -> usize {
        self.tokens
            .iter()
            .filter(|token| matches!(token, Token::Place(p, _) if *p == place))
            .count()
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str, hint: &str| {
            Err(Error::invalid(format!("bad pattern `{}`: {what}", self.text)).with_hint(hint))
        };
        for (name, place) in PLACES {
            if self.count(place) > 1 {
                let what = format!("`{{{name}}}` appears {} times", self.count(place));
                return wrong(&what, "Use each placeholder once, and `*` elsewhere.");
            }
        }
        let dates = [Place::Year, Place::Month, Place::Day].map(|place| self.count(place));
        let has_span = self.count(Place::Span) == 1;
        match (has_span, dates.iter().sum::<usize>()) {
            (true, 1..) => wrong("it has both `{SPAN}` and a date", "A date is a span; use one."),
            (false, 1..=2) => {
                wrong("its date is not complete", "Use `{YYYY}`, `{MM}` and `{DD}` together.")
            }
            (false, 0) if self.count(Place::Version) == 1 => {
                wrong("it has `{VERSION}` without a span", "Add `{SPAN}` or a date before it.")
            }
            _ => Ok(()),
        }
    }

    /// The pattern for listing files, with wildcards where the placeholders are.
    pub(super) fn glob(&self) -> String {
        let mut glob = String::new();
        let mut rest = self.text.as_str();
        while let Some(open) = rest.find('{') {
            let close = rest.find('}').map_or(rest.len(), |close| close + 1);
            glob.push_str(&rest[..open]);
            glob.push('*');
            rest = &rest[close..];
        }
        glob.push_str(rest);
        glob
    }

    /// What the placeholders stand for in `path`, or `None` when it does not match.
    ///
    /// # Errors
    /// When it matches only with something that is not a number, or not a day.
    pub(super) fn find(&self, path: &str) -> Result<Option<Found>> {
        let path: Vec<char> = path.chars().collect();
        let mut numbers = Vec::new();
        if matches(&self.tokens, &path, true, &mut numbers) {
            return self.found(&numbers).map(Some);
        }
        let mut texts = Vec::new();
        if !matches(&self.tokens, &path, false, &mut texts) {
            return Ok(None);
        }
        let (place, text) = texts
            .iter()
            .find(|(_, text)| digits(text).is_none())
            .map_or((Place::Span, ""), |(place, text)| (*place, text.as_str()));
        let name = PLACES.iter().find(|(_, p)| *p == place).map_or("SPAN", |(name, _)| name);
        Err(Error::invalid(format!("`{{{name}}}` is not a number in a matching file"))
            .with_detail(format!(
                "In `{}`, which `{}` matches, it stands for `{text}`.",
                path.iter().collect::<String>(),
                self.text
            ))
            .with_hint("Make the pattern narrower, or move the file away."))
    }

    fn found(&self, numbers: &[(Place, String)]) -> Result<Found> {
        let number = |wanted: Place| -> Result<Option<u64>> {
            let Some((_, text)) = numbers.iter().find(|(place, _)| *place == wanted) else {
                return Ok(None);
            };
            let number = digits(text);
            number
                .map(Some)
                .ok_or_else(|| Error::invalid(format!("`{text}` is too large a number")))
        };
        let version = number(Place::Version)?;
        let date = (number(Place::Year)?, number(Place::Month)?, number(Place::Day)?);
        let span = match date {
            (Some(year), Some(month), Some(day)) => days(year, month, day).ok_or_else(|| {
                Error::invalid(format!("{year}-{month:02}-{day:02} is not a day since 1970"))
                    .with_detail(format!("A file that `{}` matches has it as its date.", self.text))
            })?,
            _ => number(Place::Span)?.unwrap_or(0),
        };
        Ok(Found { span, version })
    }
}

/// The placeholder at the beginning of `rest`, and its length.
fn placeholder(text: &str, rest: &str) -> Result<(Token, usize)> {
    let known = "The placeholders are `{SPAN}`, `{SPAN:width}`, `{VERSION}`, `{VERSION:width}`, \
                 `{YYYY}`, `{MM}` and `{DD}`.";
    let wrong =
        |what: String| Error::invalid(format!("bad pattern `{text}`: {what}")).with_hint(known);
    let Some(close) = rest.find('}') else {
        return Err(wrong("a `{` is not closed".to_owned()));
    };
    let inside = &rest[1..close];
    let (name, width) = match inside.split_once(':') {
        Some((name, width)) => (name, Some(width)),
        None => (inside, None),
    };
    let Some((_, place)) = PLACES.iter().find(|(known, _)| *known == name) else {
        return Err(wrong(format!("`{{{inside}}}` is not a placeholder")));
    };
    let width = match (place, width) {
        (Place::Year, None) => Some(4),
        (Place::Month | Place::Day, None) => Some(2),
        (Place::Span | Place::Version, None) => None,
        (Place::Span | Place::Version, Some(width)) => match digits(width) {
            Some(width @ 1..=20) => Some(width as usize),
            _ => return Err(wrong(format!("`{width}` is not a width from 1 to 20"))),
        },
        (_, Some(_)) => return Err(wrong(format!("`{{{name}}}` takes no width"))),
    };
    Ok((Token::Place(*place, width), close + 1))
}

/// The class at the beginning of `rest`, and its length; `None` when the bracket is not closed.
fn class(rest: &str) -> Option<(Token, usize)> {
    let inside = &rest[1..];
    let negated = inside.starts_with('!');
    let inside = if negated { &inside[1..] } else { inside };
    // A bracket that comes first stands for itself.
    let close = inside.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(i, _)| i)?;
    let chars: Vec<char> = inside[..close].chars().collect();
    let mut ranges = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if i + 2 < chars.len() && chars[i + 1] == '-' {
            ranges.push((chars[i], chars[i + 2]));
            i += 3;
        } else {
            ranges.push((chars[i], chars[i]));
            i += 1;
        }
    }
    let length = 1 + usize::from(negated) + close + 1;
    Some((Token::Class(ranges, negated), length))
}

/// Whether all of `path` matches, the longest way first; `found` gets what placeholders matched.
fn matches(
    tokens: &[Token],
    path: &[char],
    only_digits: bool,
    found: &mut Vec<(Place, String)>,
) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return path.is_empty() };
    let one = |accepts: bool, found: &mut Vec<(Place, String)>| {
        accepts && matches(rest, &path[1..], only_digits, found)
    };
    match token {
        Token::Literal(c) => one(path.first() == Some(c), found),
        Token::AnyChar => one(path.first().is_some_and(|c| *c != '/'), found),
        Token::Class(ranges, negated) => {
            let inside = |c: &char| ranges.iter().any(|(low, high)| (low..=high).contains(&c));
            one(path.first().is_some_and(|c| *c != '/' && inside(c) != *negated), found)
        }
        Token::AnyChars => {
            let longest = path.iter().take_while(|c| **c != '/').count();
            (0..=longest).rev().any(|n| matches(rest, &path[n..], only_digits, found))
        }
        Token::AnyDirectories => {
            let starts = (0..=path.len()).filter(|&n| n == 0 || path[n - 1] == '/');
            starts.into_iter().any(|n| matches(rest, &path[n..], only_digits, found))
        }
        Token::Place(place, width) => {
            let accepts = |c: &&char| if only_digits { c.is_ascii_digit() } else { **c != '/' };
            let longest = path.iter().take_while(accepts).count();
            let lengths = match width {
                Some(width) if *width <= longest => *width..=*width,
                Some(_) => return false,
                None => 1..=longest,
            };
            for n in lengths.rev() {
                let before = found.len();
                found.push((*place, path[..n].iter().collect()));
                if matches(rest, &path[n..], only_digits, found) {
                    return true;
                }
                found.truncate(before);
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_match_numbers() {
        let check = |pattern: &str, path: &str, expected: Option<(u64, Option<u64>)>| {
            let found = Pattern::parse(pattern).unwrap().find(path).unwrap();
            assert_eq!(found.map(|f| (f.span, f.version)), expected, "{pattern} {path}");
        };
        check("/d/span-{SPAN}/*", "/d/span-12/a.csv", Some((12, None)));
        check("/d/span-{SPAN}/*", "/d/span-12/x/a.csv", None);
        check("/d/{SPAN:3}-{VERSION:2}", "/d/007-02", Some((7, Some(2))));
        check("/d/{SPAN:3}-{VERSION}", "/d/1007-2", None);
        check("/d/{YYYY}-{MM}-{DD}/v{VERSION}/x", "/d/1970-02-01/v3/x", Some((31, Some(3))));
        check("/d/{YYYY}{MM}{DD}.csv", "/d/19700102.csv", Some((1, None)));
        check("/d/data-{SPAN}-*.csv", "/d/data-12-3-x.csv", Some((12, None)));
        check("/d/[a-c]?[!x]{SPAN}", "/d/bzy5", Some((5, None)));
        check("/d/[a-c]?[!x]{SPAN}", "/d/bzx5", None);
        check("/d/**/s{SPAN}", "/d/s5", Some((5, None)));
        check("/d/**/s{SPAN}", "/d/x/y/s5", Some((5, None)));
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        let check = |pattern: &str, path: &str, expected: &str| {
            let error = Pattern::parse(pattern).unwrap().find(path).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("/d/span-{SPAN}/*", "/d/span-tmp/a", "it stands for `tmp`");
        check("/d/{SPAN}/v{VERSION}", "/d/3/vx", "`{VERSION}` is not a number");
        check("/d/{YYYY}{MM}{DD}", "/d/20240230", "2024-02-30 is not a day");
        check("/d/{SPAN}", "/d/99999999999999999999", "too large");
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        let check = |pattern: &str, expected: &str| {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.message().ends_with(expected), "{error}");
        };
        check("{SPAN}/{SPAN}", "`{SPAN}` appears 2 times");
        check("{YYYY}-{MM}", "its date is not complete");
        check("{SPAN}/{YYYY}{MM}{DD}", "it has both `{SPAN}` and a date");
        check("{VERSION}", "it has `{VERSION}` without a span");
        check("{SPAN:x}", "`x` is not a width from 1 to 20");
        check("{SPAN:0}", "`0` is not a width from 1 to 20");
        check("{YYYY:4}{MM}{DD}", "`{YYYY}` takes no width");
        check("{DAY}", "`{DAY}` is not a placeholder");
        check("{SPAN", "a `{` is not closed");
    }
}
