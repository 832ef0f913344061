//! Keys that sort as a caller wants: parts of a key whose bytes, one part after the other, compare as
//! the values do.
//!
//! A ranking is a `sort_per_key` whose keys are such parts: a count descending, then a token
//! descending, say. Every part is prefix-free, so that what follows it only decides between equals.

/// Appends a number, the greatest first; small numbers take two bytes.
pub fn push_descending_u64(key: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = number.leading_zeros() as usize / 8;
    key.push(!(8 - zeros as u8));
    key.extend(bytes[zeros..].iter().map(|byte| !byte));
}

/// Reads what [`push_descending_u64`] wrote from the front of `key` and advances it; `None` if it is
/// something else.
pub fn read_descending_u64(key: &mut &[u8]) -> Option<u64> {
    let (&length, rest) = key.split_first()?;
    let length = usize::from(!length);
    let digits = rest.get(..length).filter(|_| length <= 8)?;
    *key = &rest[length..];
    Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(!digit)))
}

/// Appends a number, the greatest first, in the order of [`f64::total_cmp`].
pub fn push_descending_f64(key: &mut Vec<u8>, number: f64) {
    let bits = number.to_bits();
    // Ascending as unsigned integers: negative numbers have all bits turned, others the sign.
    let ascending = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    key.extend_from_slice(&(!ascending).to_be_bytes());
}

/// Reads what [`push_descending_f64`] wrote from the front of `key` and advances it; `None` if it is
/// cut off.
pub fn read_descending_f64(key: &mut &[u8]) -> Option<f64> {
    let (bytes, rest) = key.split_first_chunk::<8>()?;
    *key = rest;
    let ascending = !u64::from_be_bytes(*bytes);
    let bits = if ascending >> 63 == 1 { ascending & !(1 << 63) } else { !ascending };
    Some(f64::from_bits(bits))
}

/// Appends bytes, the greatest first: `b`, `ab`, `a`, the empty ones.
pub fn push_descending_bytes(key: &mut Vec<u8>, bytes: &[u8]) {
    // Turned bytes, and an end that is greater than whatever may follow in a longer text: 255 is
    // therefore written as 255, 0.
    for &byte in bytes {
        key.push(!byte);
        if byte == 0 {
            key.push(0);
        }
    }
    key.extend_from_slice(&[u8::MAX; 2]);
}

/// Reads what [`push_descending_bytes`] wrote from the front of `key` into `bytes` and advances `key`;
/// `None` if it is something else.
pub fn read_descending_bytes(key: &mut &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.clear();
    let mut rest = *key;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte == u8::MAX {
            let (&kind, after) = rest.split_first()?;
            rest = after;
            match kind {
                0 => {}
                u8::MAX => break,
                _ => return None,
            }
        }
        bytes.push(!byte);
    }
    *key = rest;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_descend_and_come_back() {
        let numbers = [u64::MAX, 1 << 56, (1 << 56) - 1, 65_536, 65_535, 256, 255, 2, 1, 0];
        let keys: Vec<Vec<u8>> = numbers
            .iter()
            .map(|&number| {
                let mut key = Vec::new();
                push_descending_u64(&mut key, number);
                let mut rest = &key[..];
                assert_eq!(read_descending_u64(&mut rest), Some(number));
                assert!(rest.is_empty());
                key
            })
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(read_descending_u64(&mut &[][..]), None);
        assert_eq!(read_descending_u64(&mut &[!2, 7][..]), None);
        assert_eq!(read_descending_u64(&mut &[0; 300][..]), None);
    }

    #[test]
    fn floats_descend_and_come_back() {
        let tiny = f64::from_bits(1);
        let numbers = [
            f64::NAN,
            f64::INFINITY,
            f64::MAX,
            1.5,
            1.0,
            tiny,
            0.0,
            -0.0,
            -tiny,
            -1.0,
            f64::NEG_INFINITY,
        ];
        let keys: Vec<Vec<u8>> = numbers
            .iter()
            .map(|&number| {
                let mut key = Vec::new();
                push_descending_f64(&mut key, number);
                let read = read_descending_f64(&mut &key[..]).unwrap();
                assert_eq!(read.to_bits(), number.to_bits());
                key
            })
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(read_descending_f64(&mut &[0; 7][..]), None);
    }

    #[test]
    fn bytes_descend_and_come_back_whatever_follows() {
        let texts: [&[u8]; 12] = [
            b"\xff\xff",
            b"\xff",
            b"b",
            b"ab\xff",
            b"ab",
            b"a\0\xff",
            b"a\0\0",
            b"a\0",
            b"a",
            b"\0\xff",
            b"\0",
            b"",
        ];
        let mut keys = Vec::new();
        for text in texts {
            for after in [&b""[..], &[0], &[1, 255], &[255; 3]] {
                let mut key = Vec::new();
                push_descending_bytes(&mut key, text);
                key.extend_from_slice(after);
                let (mut rest, mut bytes) = (&key[..], vec![7]);
                read_descending_bytes(&mut rest, &mut bytes).unwrap();
                assert_eq!((&bytes[..], rest), (text, after));
                keys.push(key);
            }
        }
        assert!(keys.is_sorted(), "{keys:?}");
        for damaged in [&[][..], &[1], &[255], &[255, 7], &[255, 0]] {
            assert_eq!(read_descending_bytes(&mut &*damaged, &mut Vec::new()), None);
        }
    }
}
