//! Slices: which rows of a batch hold which values of the features to slice by.
//!
//! ```text
//!  feature a: rows 0 1 2 ► x {y,x} -      feature b: rows 0 1 2 ► 1 1 2
//!  cross:  a_x_b_1 ► rows 0, 1            a_y_b_1 ► row 1
//! ```
//!
//! **Invariant:** in which slices a row is depends on the row alone, and it is in each once: also
//! where a value occurs in it twice, or two slicings give one key.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use engine::{Error, ErrorKind, Result};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::column::{self, Values};
use super::presence::Presence;
use super::value_counts::KeyKind;
use super::{SliceSpec, text};

/// The features and values of a slice, by name of the feature.
pub type SliceKey = Vec<(String, String)>;

/// The rows of every slice of a batch, ascending, by the slice's key as TFDV writes it.
///
/// # Errors
/// When a feature cannot be sliced by, or a value is not UTF-8 where it must be.
pub(super) fn slices(
    specs: &[SliceSpec],
    records: &RecordBatch,
) -> Result<BTreeMap<String, Vec<u32>>> {
    slices_named(specs, records, |key| {
        let parts: Vec<_> = key.iter().map(|(name, value)| format!("{name}_{value}")).collect();
        parts.join("_")
    })
}

/// The rows of every slice of a batch, ascending, by what `name` makes of the slice's key.
///
/// # Errors
/// When a feature cannot be sliced by, or a value is not UTF-8 where it must be.
pub(crate) fn slices_named<K: Ord>(
    specs: &[SliceSpec],
    records: &RecordBatch,
    name: impl Fn(SliceKey) -> K,
) -> Result<BTreeMap<K, Vec<u32>>> {
    let mut slices = BTreeMap::<K, Vec<u32>>::new();
    // A slicing without features is all examples, which are there anyway.
    for spec in specs.iter().filter(|spec| !spec.features.is_empty()) {
        let mut features: Vec<_> = spec.features.iter().collect();
        features.sort();
        let mut crossed: Option<Keys> = None;
        for (name, values) in features {
            let keys = Keys::of_feature(records, name, values)?;
            crossed = Some(match crossed {
                None => keys,
                Some(others) => others.cross(&keys),
            });
        }
        for (key, rows) in crossed.into_iter().flat_map(Keys::rows_by_name) {
            slices.entry(name(key)).or_default().extend(rows);
        }
    }
    for rows in slices.values_mut() {
        rows.sort_unstable();
        rows.dedup();
    }
    Ok(slices)
}

/// Which keys every row has.
#[derive(Debug, Default)]
struct Keys {
    names: Vec<SliceKey>,
    /// (row, key), ascending by row, none twice.
    pairs: Vec<(u32, u32)>,
}

impl Keys {
    fn of_feature(records: &RecordBatch, name: &str, wanted: &[String]) -> Result<Keys> {
        let Ok(index) = records.schema_ref().index_of(name) else { return Ok(Keys::default()) };
        let records = records.project(&[index]).expect("the index was just looked up");
        let column = column::columns(&records, 0, |_| None, |_| true)?.swap_remove(0);
        if matches!(column.values, Values::Struct(_)) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("feature `{name}` cannot be sliced by: it holds structs"),
            )
            .with_hint("Slice by a feature that holds text or numbers."));
        }
        let Some(presence) = Presence::of(&column) else { return Ok(Keys::default()) };
        let wanted = match presence.kind {
            KeyKind::Text => wanted.to_vec(),
            KeyKind::Int => parse(name, "an integer", wanted, |value: i64| value.to_string())?,
            KeyKind::Float => parse(name, "a number", wanted, text::float::<f64>)?,
        };
        let mut keys = Keys::default();
        let mut kept = Vec::with_capacity(presence.keys.len());
        for key in &presence.keys {
            let label = presence.kind.label(key);
            if label.is_none() && wanted.is_empty() {
                return Err(not_utf8(name, key));
            }
            let label = label.filter(|label| wanted.is_empty() || wanted.contains(label));
            kept.push(label.is_some().then_some(keys.names.len() as u32));
            keys.names.extend(label.map(|value| vec![(name.to_owned(), value)]));
        }
        let kept = |(row, key): (u32, u32)| Some((row, kept[key as usize]?));
        keys.pairs = presence.pairs.into_iter().filter_map(kept).collect();
        Ok(keys)
    }

    /// Every pair of keys that a row has, as one key.
    fn cross(&self, other: &Keys) -> Keys {
        let mut keys = Keys::default();
        let mut known = HashMap::<(u32, u32), u32, _>::with_hasher(FixedState::default());
        let mut others = other.pairs.as_slice();
        for &(row, a) in &self.pairs {
            others = &others[others.partition_point(|&(r, _)| r < row)..];
            for &(_, b) in others.iter().take_while(|&&(r, _)| r == row) {
                let key = *known.entry((a, b)).or_insert_with(|| {
                    let (a, b) = (&self.names[a as usize], &other.names[b as usize]);
                    keys.names.push([a.as_slice(), b].concat());
                    keys.names.len() as u32 - 1
                });
                keys.pairs.push((row, key));
            }
        }
        keys
    }

    fn rows_by_name(self) -> impl Iterator<Item = (SliceKey, Vec<u32>)> {
        let mut rows = vec![Vec::new(); self.names.len()];
        for (row, key) in self.pairs {
            rows[key as usize].push(row);
        }
        self.names.into_iter().zip(rows)
    }
}

/// The wanted values as the data's values are shown.
fn parse<T: std::str::FromStr>(
    feature: &str,
    what: &str,
    wanted: &[String],
    show: impl Fn(T) -> String,
) -> Result<Vec<String>> {
    let parse = |value: &String| {
        value.trim().parse().map(&show).map_err(|_| {
            Error::invalid(format!("feature `{feature}` cannot be sliced by `{value}`"))
                .with_detail(format!("Its values are numbers; `{value}` is not {what}."))
        })
    };
    wanted.iter().map(parse).collect()
}

fn not_utf8(feature: &str, value: &[u8]) -> Error {
    Error::input(format!("feature `{feature}` cannot be sliced by: a value is not UTF-8"))
        .with_detail(format!("The value is `{}`.", value.escape_ascii()))
        .with_hint("Name the values to slice by, or slice by another feature.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BinaryArray, DictionaryArray, Float32Array, Int64Array, NullArray, StringArray,
    };

    use super::*;

    fn spec(features: &[(&str, &[&str])]) -> SliceSpec {
        let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
        SliceSpec {
            features: features.iter().map(|&(name, values)| (name.into(), owned(values))).collect(),
        }
    }

    fn records(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
            .unwrap()
    }

    fn example() -> RecordBatch {
        let mut many = ListBuilder::new(Int64Builder::new());
        many.append_value([Some(1), Some(2), Some(1)]);
        many.append_null();
        many.append_value([]);
        many.append_value([Some(2), None]);
        let dictionary: DictionaryArray<Int32Type> =
            vec![Some("u"), Some("v"), None, Some("u")].into_iter().collect();
        records(vec![
            ("s", Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("a")]))),
            ("i", Arc::new(Int64Array::from(vec![7, -7, 7, 7]))),
            ("many", Arc::new(many.finish())),
            ("d", Arc::new(dictionary)),
            ("f", Arc::new(Float32Array::from(vec![0.0, 1.0, f32::NAN, 0.1]))),
            ("n", Arc::new(NullArray::new(4))),
        ])
    }

    fn check(specs: &[SliceSpec], expected: &[(&str, &[u32])]) {
        let found = slices(specs, &example()).unwrap();
        let found: Vec<_> = found.iter().map(|(k, rows)| (k.as_str(), rows.as_slice())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn by_one_feature() {
        check(&[spec(&[])], &[]);
        check(&[spec(&[("s", &[])])], &[("s_a", &[0, 3]), ("s_b", &[1])]);
        check(&[spec(&[("d", &[])])], &[("d_u", &[0, 3]), ("d_v", &[1])]);
        check(&[spec(&[("i", &[])])], &[("i_-7", &[1]), ("i_7", &[0, 2, 3])]);
        check(&[spec(&[("many", &[])])], &[("many_1", &[0]), ("many_2", &[0, 3])]);
        check(
            &[spec(&[("f", &[])])],
            &[("f_0.0", &[0]), ("f_0.1", &[3]), ("f_1.0", &[1]), ("f_nan", &[2])],
        );
        check(&[spec(&[("n", &[])])], &[]);
        check(&[spec(&[("absent", &[])])], &[]);
    }

    #[test]
    fn by_listed_values() {
        check(&[spec(&[("s", &["a", "z"])])], &[("s_a", &[0, 3])]);
        check(&[spec(&[("i", &["7", "8"])])], &[("i_7", &[0, 2, 3])]);
        check(&[spec(&[("f", &["1"])])], &[("f_1.0", &[1])]);
    }

    #[test]
    fn crosses_and_several_slicings() {
        check(
            &[spec(&[("s", &[]), ("many", &[])])],
            &[("many_1_s_a", &[0]), ("many_2_s_a", &[0, 3])],
        );
        check(&[spec(&[("s", &[]), ("i", &["7"]), ("d", &["u"])])], &[("d_u_i_7_s_a", &[0, 3])]);
        check(&[spec(&[("s", &[]), ("absent", &[])])], &[]);
        // A row is in a slice once, however often it is asked for.
        check(
            &[spec(&[("s", &["a"])]), spec(&[("s", &[])]), spec(&[("d", &["v"])])],
            &[("d_v", &[1]), ("s_a", &[0, 3]), ("s_b", &[1])],
        );
    }

    #[test]
    fn what_cannot_be_sliced_by() {
        let bad = BinaryArray::from(vec![&b"ok"[..], b"\xff"]);
        let records = records(vec![("b", Arc::new(bad))]);
        let error = slices(&[spec(&[("b", &[])])], &records).unwrap_err();
        assert!(error.to_string().contains("\\xff"), "{error}");
        let listed = slices(&[spec(&[("b", &["ok"])])], &records).unwrap();
        assert_eq!(listed["b_ok"], [0]);
        assert!(slices(&[spec(&[("i", &["seven"])])], &example()).is_err());
    }
}
