//! Names of slices.

use crate::stats::{SliceKey, SliceSpec};

/// A slice for people: `country=de, device=phone`; `overall` for all rows.
pub fn slice_name(key: &SliceKey) -> String {
    if key.is_empty() {
        return "overall".to_owned();
    }
    let parts: Vec<_> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join(", ")
}

/// Whether a slice is one of those that a specification makes.
pub fn slice_of_specs(key: &SliceKey, spec: &SliceSpec) -> bool {
    key.len() == spec.features.len()
        && spec.features.iter().all(|(feature, values)| {
            let of_key = key.iter().find(|(name, _)| name == feature);
            of_key.is_some_and(|(_, value)| values.is_empty() || values.contains(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_belong_to_specifications() {
        let key: SliceKey = vec![("a".into(), "1".into()), ("b".into(), "x".into())];
        let check = |features: &[(&str, &[&str])], expected: bool| {
            let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
            let features = features.iter().map(|&(f, values)| (f.to_owned(), owned(values)));
            let spec = SliceSpec { features: features.collect() };
            assert_eq!(slice_of_specs(&key, &spec), expected, "{spec:?}");
        };
        check(&[("b", &[]), ("a", &["1"])], true);
        check(&[("a", &["1", "2"]), ("b", &[])], true);
        check(&[("a", &["2"]), ("b", &[])], false);
        check(&[("a", &[])], false);
        check(&[], false);
        assert_eq!(slice_name(&key), "a=1, b=x");
        assert_eq!(slice_name(&SliceKey::new()), "overall");
    }
}
