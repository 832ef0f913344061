//! Hashes of strings that other systems compute too, so that buckets agree with theirs.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// FarmHash's `Fingerprint64`: TensorFlow's `tf.strings.to_hash_bucket_fast` and the
/// out-of-vocabulary buckets of its look-up tables.
#[inline]
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    farmhash::fingerprint64(bytes)
}

/// SipHash-2-4 with a key of two words: TensorFlow's `tf.strings.to_hash_bucket_strong`.
#[inline]
pub fn sip_hash(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(key[0], key[1]);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_papers_and_of_tensorflow() {
        // The first of the vectors of SipHash's reference: key 00 … 0f, messages of 0 and 15 bytes.
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(sip_hash(key, b""), 0x726f_db47_dd0e_0e31);
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(sip_hash(key, &message), 0xa129_ca61_49be_45e5);
        let check = |text: &[u8], expected: u64| assert_eq!(fingerprint64(text), expected);
        check(b"", 0x9ae1_6a3b_2f90_404f);
        check(b"a", 12_917_804_110_809_363_939);
    }
}
