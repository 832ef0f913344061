//! Which split a row goes to: by hash buckets as TFX's ExampleGen, by time, or by its input.

use engine::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

use crate::example::canonical::{Single, find_feature, single};

/// The splits of an output: their names, and the rule by which rows go to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    names: Vec<String>,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// By the hash of a key: the whole example, or one feature.
    Buckets { ends: Vec<u64>, feature: Option<String> },
    /// By the value of a feature: below the first cut, below the second, and so on.
    Cuts { feature: String, cuts: Vec<Cut> },
    /// By the shard that a row is read from.
    Given { of_shard: Vec<usize> },
}

/// A value at which a split ends.
#[derive(Clone, Debug, PartialEq)]
struct Cut {
    text: String,
    int: Option<i64>,
    float: Option<f64>,
}

impl Splits {
    /// By hash buckets: a row's key is its deterministic serialisation, or that of one feature.
    ///
    /// `int(sha256(key)) mod sum(buckets)` falls into the bucket of one split (TFX's `_PartitionFn`).
    ///
    /// # Errors
    /// When there are no buckets, or names are no names or not distinct.
    pub fn by_buckets(splits: Vec<(String, u64)>, feature: Option<String>) -> Result<Self> {
        let mut end = 0_u64;
        let mut ends = Vec::new();
        for (name, buckets) in &splits {
            if *buckets == 0 {
                return Err(Error::invalid(format!("split `{name}` has no buckets"))
                    .with_hint("Give every split at least one, as in `train:2,eval:1`."));
            }
            end =
                end.checked_add(*buckets).filter(|end| *end <= u64::MAX / 2).ok_or_else(|| {
                    Error::invalid("there are too many buckets").with_hint(
                        "What counts is how many a split has of all: use smaller numbers.",
                    )
                })?;
            ends.push(end);
        }
        let names = distinct(splits.into_iter().map(|(name, _)| name).collect())?;
        Ok(Splits { names, rule: Rule::Buckets { ends, feature } })
    }

    /// By the value of a feature: rows below the first cut go to the first split, those from there on
    /// and below the second to the next, and so on. Numbers are compared as numbers, text by its bytes.
    ///
    /// # Errors
    /// When there is not one split more than there are cuts, or the cuts do not ascend.
    pub fn by_cuts(names: Vec<String>, feature: String, cuts: Vec<String>) -> Result<Self> {
        let names = distinct(names)?;
        if names.len() != cuts.len() + 1 {
            return Err(Error::invalid("splits and cuts do not fit together")
                .with_detail(format!("There are {} splits and {} cuts.", names.len(), cuts.len()))
                .with_hint("Between two splits is a cut: name one split more with `--splits`."));
        }
        let cut = |text: String| Cut {
            int: text.parse().ok(),
            float: text.parse().ok().filter(|number: &f64| number.is_finite()),
            text,
        };
        let cuts: Vec<Cut> = cuts.into_iter().map(cut).collect();
        let are_numbers = cuts.iter().all(|cut| cut.float.is_some());
        let ascend = |a: &Cut, b: &Cut| match (a.int, b.int) {
            _ if !are_numbers => a.text < b.text,
            (Some(a), Some(b)) => a < b,
            _ => a.float < b.float,
        };
        if let Some(pair) = cuts.windows(2).find(|pair| !ascend(&pair[0], &pair[1])) {
            let message = format!("the cut `{}` is not behind `{}`", pair[1].text, pair[0].text);
            return Err(Error::invalid(message).with_hint("Name cuts in ascending order."));
        }
        Ok(Splits { names, rule: Rule::Cuts { feature, cuts } })
    }

    /// As the input is split already: `of_shard` has the number of each shard's split.
    ///
    /// # Errors
    /// When names are no names or not distinct.
    pub fn given(names: Vec<String>, of_shard: Vec<usize>) -> Result<Self> {
        Ok(Splits { names: distinct(names)?, rule: Rule::Given { of_shard } })
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The split of every row of a shard, where rows need not be looked at.
    pub(super) fn of_shard(&self, shard: usize) -> Option<usize> {
        match &self.rule {
            Rule::Given { of_shard } => of_shard.get(shard).copied(),
            _ => None,
        }
    }

    /// The only feature that is looked at, if not the whole row is.
    pub(super) fn feature(&self) -> Option<&str> {
        match &self.rule {
            Rule::Buckets { feature, .. } => feature.as_deref(),
            Rule::Cuts { feature, .. } => Some(feature),
            Rule::Given { .. } => None,
        }
    }

    /// The split of a row, given its deterministic serialisation; `place` says which row it is.
    ///
    /// # Errors
    /// When the row has no such feature, or one that nothing can be told by.
    pub(super) fn of_row(&self, row: &[u8], place: impl Fn() -> String) -> Result<usize> {
        match &self.rule {
            Rule::Buckets { ends, feature: None } => Ok(bucket(ends, row)),
            Rule::Buckets { ends, feature: Some(name) } => {
                let (feature, value) = found(row, name, &place)?;
                match (feature.first(), value) {
                    // The tag of a list of floats.
                    (Some(0x12), _) => Err(unsuitable(name, "holds floats", &place)
                        .with_hint("Rows can be grouped by bytes and integers only.")),
                    _ => Ok(bucket(ends, feature)),
                }
            }
            Rule::Cuts { feature: name, cuts } => {
                let (_, value) = found(row, name, &place)?;
                let mut split = 0;
                for cut in cuts {
                    split += usize::from(!cut.is_behind(value, name, &place)?);
                }
                Ok(split)
            }
            Rule::Given { .. } => Ok(0),
        }
    }
}

impl Cut {
    /// Whether a value lies before the cut.
    fn is_behind(&self, value: Single<'_>, name: &str, place: &dyn Fn() -> String) -> Result<bool> {
        let no_number = || {
            Error::invalid(format!("the cut `{}` is no number", self.text))
                .with_detail(format!("Feature `{name}` holds numbers, in {}.", place()))
        };
        match value {
            Single::Bytes(bytes) => Ok(bytes < self.text.as_bytes()),
            Single::Int(int) => match (self.int, self.float) {
                (Some(cut), _) => Ok(int < cut),
                (None, Some(cut)) => Ok((int as f64) < cut),
                (None, None) => Err(no_number()),
            },
            Single::Float(float) if float.is_nan() => Err(unsuitable(name, "is NaN", place)),
            Single::Float(float) => Ok(f64::from(float) < self.float.ok_or_else(no_number)?),
            Single::None | Single::Other => {
                Err(unsuitable(name, "does not hold exactly one value", place)
                    .with_hint("Rows are cut by a feature that every row has once."))
            }
        }
    }
}

/// The feature of a row by which its split is chosen, and its value if it is one.
fn found<'a>(
    row: &'a [u8],
    name: &str,
    place: &dyn Fn() -> String,
) -> Result<(&'a [u8], Single<'a>)> {
    let feature = find_feature(row, name).unwrap_or_default();
    match single(feature) {
        Single::None => Err(unsuitable(name, "is missing", place)
            .with_hint("Rows are split by a feature that every row has.")),
        value => Ok((feature, value)),
    }
}

fn unsuitable(name: &str, what: &str, place: &dyn Fn() -> String) -> Error {
    Error::input(format!("feature `{name}` {what}")).with_detail(format!("It is {}.", place()))
}

/// The number of the split whose buckets hold the hash of a key.
fn bucket(ends: &[u64], key: &[u8]) -> usize {
    let total = ends.last().copied().unwrap_or(1);
    let digest = Sha256::digest(key);
    let rest = digest.chunks(8).fold(0_u128, |rest, bytes| {
        let word = bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        ((rest << 64) | u128::from(word)) % u128::from(total)
    });
    ends.partition_point(|end| u128::from(*end) <= rest)
}

/// Names of splits, as what directories are called by.
fn distinct(names: Vec<String>) -> Result<Vec<String>> {
    if names.is_empty() {
        return Err(Error::invalid("there are no splits"));
    }
    for (i, name) in names.iter().enumerate() {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(Error::invalid(format!("`{name}` is no name of a split"))
                .with_hint("Use letters, digits, `_`, `-` and `.`."));
        }
        if names[..i].contains(name) {
            return Err(Error::invalid(format!("there are two splits `{name}`"))
                .with_hint("Give every split a name of its own."));
        }
    }
    Ok(names)
}

/// `NAME:BUCKETS,…` or `NAME,…`: names, with numbers of buckets where they are said.
///
/// # Errors
/// When a number of buckets is none.
pub fn parse_splits(text: &str) -> Result<Vec<(String, Option<u64>)>> {
    let parts = text.split(',').map(|part| match part.split_once(':') {
        None => Ok((part.to_owned(), None)),
        Some((name, buckets)) => match buckets.parse() {
            Ok(buckets) => Ok((name.to_owned(), Some(buckets))),
            Err(_) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("`{buckets}` is no number of buckets"),
            )
            .with_hint("Write splits as `train:2,eval:1`: so many buckets of all for each.")),
        },
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, feature: &[u8]) -> Vec<u8> {
        let entry = [b"\x0a", &[name.len() as u8][..], name.as_bytes(), b"\x12"].concat();
        let entry = [&entry[..], &[feature.len() as u8], feature].concat();
        let map = [b"\x0a", &[entry.len() as u8][..], &entry].concat();
        [b"\x0a", &[map.len() as u8][..], &map].concat()
    }

    const INT_5: &[u8] = b"\x1a\x03\x0a\x01\x05";

    fn of(splits: &Splits, row: &[u8]) -> Result<usize> {
        splits.of_row(row, || "row 1".to_owned())
    }

    #[test]
    fn buckets_are_those_of_the_digest() {
        // Python: int(hashlib.sha256(key).hexdigest(), 16) % total, bisect.bisect(ends, …)
        let check = |key: &str, buckets: &[u64], expected: usize| {
            let mut ends = buckets.to_vec();
            (1..ends.len()).for_each(|i| ends[i] += ends[i - 1]);
            assert_eq!(bucket(&ends, key.as_bytes()), expected, "{key} {buckets:?}");
        };
        // sha256("") = e3b0…b855 is 1 mod 3 and 9 mod 10.
        check("", &[1, 1, 1], 1);
        check("", &[2, 1], 0);
        check("", &[5, 4, 1], 2);
        check("", &[9, 1], 1);
        check("", &[1], 0);
    }

    #[test]
    fn cuts_compare_by_kind() {
        let check = |cuts: &[&str], feature: &[u8], expected: usize| {
            let names = (0..=cuts.len()).map(|i| format!("s{i}")).collect();
            let cuts = cuts.iter().map(ToString::to_string).collect();
            let splits = Splits::by_cuts(names, "t".into(), cuts).unwrap();
            assert_eq!(of(&splits, &row("t", feature)).unwrap(), expected);
        };
        check(&["5"], INT_5, 1);
        check(&["6"], INT_5, 0);
        check(&["4", "5", "6"], INT_5, 2);
        check(&["5.5"], INT_5, 0);
        check(&["2024-03-01"], b"\x0a\x0c\x0a\x0a2024-02-29", 0);
        check(&["2024-03-01"], b"\x0a\x0c\x0a\x0a2024-03-01", 1);
        check(&["1.25", "1.5"], b"\x12\x06\x0a\x04\x00\x00\xc0\x3f", 2);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let said = |splits: Result<Splits>| splits.unwrap_err().message().to_owned();
        let buckets = |text: &str| {
            let splits = parse_splits(text).unwrap();
            let splits = splits.into_iter().map(|(name, n)| (name, n.unwrap())).collect();
            Splits::by_buckets(splits, Some("k".into()))
        };
        assert_eq!(said(buckets("a:1,b:0")), "split `b` has no buckets");
        assert_eq!(said(buckets("a:1,a:2")), "there are two splits `a`");
        assert_eq!(said(buckets("a/b:1")), "`a/b` is no name of a split");
        assert_eq!(said(buckets(":1")), "`` is no name of a split");
        assert_eq!(said(buckets(&format!("a:1,b:{}", u64::MAX))), "there are too many buckets");
        assert_eq!(parse_splits("a:x").unwrap_err().message(), "`x` is no number of buckets");
        let cuts = |names: &[&str], cuts: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
            Splits::by_cuts(own(names), "t".into(), own(cuts))
        };
        assert_eq!(said(cuts(&["a"], &["1"])), "splits and cuts do not fit together");
        assert_eq!(said(cuts(&["a", "b", "c"], &["10", "9"])), "the cut `9` is not behind `10`");
        let message = |splits: Result<Splits>, row: &[u8]| {
            of(&splits.unwrap(), row).unwrap_err().message().to_owned()
        };
        assert_eq!(message(buckets("a:1"), &row("x", INT_5)), "feature `k` is missing");
        assert_eq!(message(buckets("a:1"), &row("k", b"")), "feature `k` is missing");
        assert_eq!(message(buckets("a:1"), &row("k", b"\x12\x00")), "feature `k` holds floats");
        assert_eq!(
            message(cuts(&["a", "b"], &["x"]), &row("t", INT_5)),
            "the cut `x` is no number"
        );
        let two = row("t", b"\x1a\x04\x0a\x02\x01\x02");
        let expected = "feature `t` does not hold exactly one value";
        assert_eq!(message(cuts(&["a", "b"], &["1"]), &two), expected);
        assert_eq!(message(cuts(&["a", "b"], &["1"]), &row("t", b"")), "feature `t` is missing");
    }
}
