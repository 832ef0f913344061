//! Values of flags that are more than a number: counts, sizes, delimiters and slices.

use std::str::FromStr;

use ops::stats::SliceSpec;

/// A number of things, such as `1000`, `10k` or `2.5M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: &[(&str, u64)] =
            &[("", 1), ("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000)];
        scaled(text, UNITS).map(Count).ok_or_else(|| {
            "write a whole number, with k, M or G behind it for thousands, millions or thousands \
             of millions"
                .to_owned()
        })
    }
}

impl Count {
    pub(crate) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A number of bytes, such as `512MiB` or `2GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: &[(&str, u64)] = &[
            ("", 1),
            ("b", 1),
            ("k", 1 << 10),
            ("kib", 1 << 10),
            ("kb", 1_000),
            ("m", 1 << 20),
            ("mib", 1 << 20),
            ("mb", 1_000_000),
            ("g", 1 << 30),
            ("gib", 1 << 30),
            ("gb", 1_000_000_000),
            ("t", 1 << 40),
            ("tib", 1 << 40),
            ("tb", 1_000_000_000_000),
        ];
        scaled(text, UNITS)
            .map(Size)
            .ok_or_else(|| "write a number of bytes, such as 512MiB or 2GB".to_owned())
    }
}

/// A number with a unit; `None` unless the product is a whole number that fits 64 bits.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim().replace([',', '_'], "").to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(*factor);
    }
    let product = digits.parse::<f64>().ok()? * *factor as f64;
    (product.fract() == 0.0 && product < 9e15).then_some(product as u64)
}

/// One byte that separates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delimiter(pub(crate) u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Delimiter(b'\t')),
            [b'\n' | b'\r' | b'"'] => Err("this character has a meaning of its own in CSV".into()),
            [byte] => Ok(Delimiter(*byte)),
            _ => Err("write one character of ASCII, or `tab`".into()),
        }
    }
}

/// `FEATURE[=VALUE,…][:FEATURE[=VALUE,…]]…`; a backslash takes a character's meaning away.
pub(crate) fn parse_slice(text: &str) -> Result<SliceSpec, String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Feature,
        Value,
    }
    let mut features: Vec<(String, Vec<String>)> = vec![Default::default()];
    let mut part = Part::Feature;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = features.last_mut().ok_or("no feature")?;
        let literal = match (c, part) {
            ('\\', _) => chars.next().ok_or("nothing follows the backslash")?,
            (':' | '×', _) => {
                features.push(Default::default());
                part = Part::Feature;
                continue;
            }
            ('=', Part::Feature) => {
                last.1.push(String::new());
                part = Part::Value;
                continue;
            }
            (',', Part::Value) => {
                last.1.push(String::new());
                continue;
            }
            _ => c,
        };
        match (part, last.1.last_mut()) {
            (Part::Value, Some(value)) => value.push(literal),
            _ => last.0.push(literal),
        }
    }
    for (i, (feature, values)) in features.iter().enumerate() {
        if feature.is_empty() {
            return Err("a feature without a name; write FEATURE, FEATURE=VALUE,… or \
                        FEATURE:FEATURE"
                .to_owned());
        }
        if features[..i].iter().any(|(other, _)| other == feature) {
            return Err(format!("`{feature}` is named twice"));
        }
        if values.iter().any(String::is_empty) {
            return Err(format!("a value of `{feature}` is empty"));
        }
    }
    Ok(SliceSpec { features })
}

/// `LEFT=RIGHT`, for example a name and a path.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err("write it with a `=` between".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_have_units() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<Count>().ok().map(|count| count.0), expected, "{text}");
        };
        check("1000", Some(1000));
        check("1,000", Some(1000));
        check("10k", Some(10_000));
        check("2.5M", Some(2_500_000));
        check("0.5", None);
        check("-1", None);
        check("", None);
        check("99999999999999999999", None);
        check("1MiB", None);
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<Size>().ok().map(|size| size.0), expected, "{text}");
        };
        check("512MiB", Some(512 << 20));
        check("2 GB", Some(2_000_000_000));
        check("1.5g", Some(3 << 29));
        check("100", Some(100));
        check("17000000TB", Some(17_000_000_000_000_000_000));
        check("x", None);
    }

    #[test]
    fn delimiters_are_one_byte() {
        assert_eq!("tab".parse(), Ok(Delimiter(b'\t')));
        assert_eq!(";".parse(), Ok(Delimiter(b';')));
        for wrong in ["", "ab", "é", "\"", "\n"] {
            assert!(wrong.parse::<Delimiter>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn slices_are_crosses_of_features_with_values() {
        let check = |text: &str, expected: &[(&str, &[&str])]| {
            let own = |(feature, values): &(&str, &[&str])| {
                (feature.to_string(), values.iter().map(ToString::to_string).collect())
            };
            let features = expected.iter().map(own).collect();
            assert_eq!(parse_slice(text), Ok(SliceSpec { features }), "{text}");
        };
        check("company", &[("company", &[])]);
        check("company=A,B c", &[("company", &["A", "B c"])]);
        check("a=1:b", &[("a", &["1"]), ("b", &[])]);
        check("a×b=x=y", &[("a", &[]), ("b", &["x=y"])]);
        check(r"a\:b=10\:30,\\", &[("a:b", &["10:30", "\\"])]);
        for wrong in ["", ":a", "a:", "=x", "a=", "a=x,,y", "a:a", "a\\"] {
            assert!(parse_slice(wrong).is_err(), "{wrong}");
        }
    }
}
