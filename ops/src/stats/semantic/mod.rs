//! Semantic domains: values that are times, natural language or images, whatever their type says.
//!
//! A domain is named when at least [`MIN_VALUES`] values were seen and at least [`MIN_RATIO`] of
//! them match, as TFDV does. TFDV looks at the first 100 values of each batch to recognise natural
//! language; here every value is looked at, so that the answer does not depend on how data are cut.

use arrow_array::Array;

use super::Values;

pub(super) mod image;
pub(super) mod natural_language_inference;
pub(super) mod time;

/// Fewer values than this prove nothing.
const MIN_VALUES: u64 = 100;

/// The share of values that must match.
const MIN_RATIO: f64 = 0.8;

/// The name of the custom statistic that schema inference reads, a text of a feature's domain.
const DOMAIN_INFO: &str = "domain_info";

/// Calls `each` with every text and how often it occurs; a dictionary's values come once each.
fn for_each_bytes(values: &Values, mut each: impl FnMut(&[u8], u64)) {
    match values {
        Values::Bytes(array) => array.iter().flatten().for_each(|value| each(value, 1)),
        Values::Dictionary { codes, values } => {
            let mut counts = vec![0_u64; values.len()];
            codes.iter().flatten().for_each(|code| counts[code as usize] += 1);
            for (i, &n) in counts.iter().enumerate().filter(|&(_, &n)| n > 0) {
                if values.is_valid(i) {
                    each(values.value(i), n);
                }
            }
        }
        _ => {}
    }
}
