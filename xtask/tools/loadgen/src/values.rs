//! Names of keys, and the value that belongs to each: a function of the key alone, so that an answer can be checked
//! without keeping what was written, by whichever run it was.

/// `key:` and twelve digits, as redis-benchmark names them.
pub(crate) const KEY_BYTES: usize = 16;
/// As many keys as twelve digits name.
pub(crate) const MAX_KEYS: u64 = 1_000_000_000_000;

/// A prime, so that keys a round number apart still have different values.
const PERIOD_BYTES: usize = 4093;

/// Appends the name of a key.
pub(crate) fn write_key(key: u64, to: &mut Vec<u8>) {
    let mut name = *b"key:000000000000";
    let mut rest = key;
    for digit in name[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    to.extend_from_slice(&name);
}

/// The values of one size.
#[derive(Debug)]
pub(crate) struct Values {
    /// Letters without a pattern; each value is a piece of it, so that neither writing nor checking one copies anything.
    letters: Vec<u8>,
    size_bytes: usize,
}

impl Values {
    pub(crate) fn new(size_bytes: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let period: Vec<u8> = (0..PERIOD_BYTES)
            .map(|_| {
                // Marsaglia, "Xorshift RNGs", 2003: the triple 13, 7, 17.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                b'a' + (state % 26) as u8
            })
            .collect();
        let letters = period.iter().copied().cycle().take(PERIOD_BYTES + size_bytes).collect();
        Values { letters, size_bytes }
    }

    /// The value that belongs to a key.
    pub(crate) fn of(&self, key: u64) -> &[u8] {
        let start = (key % PERIOD_BYTES as u64) as usize;
        &self.letters[start..start + self.size_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_have_one_length() {
        for (key, name) in [(0, "key:000000000000"), (42, "key:000000000042"), (MAX_KEYS - 1, "key:999999999999")] {
            let mut bytes = Vec::new();
            write_key(key, &mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), name);
            assert_eq!(name.len(), KEY_BYTES);
        }
    }

    #[test]
    fn values_of_different_keys_differ() {
        let values = Values::new(64);
        let distinct: BTreeSet<_> = (0..4000).map(|key| values.of(key)).collect();
        assert_eq!(distinct.len(), 4000);
        assert!(values.of(4092).iter().all(u8::is_ascii_lowercase));
        assert_eq!(Values::new(10_000).of(u64::MAX).len(), 10_000);
        assert_eq!(Values::new(0).of(5), b"");
    }
}
