//! Bytes that are made instead of written down: functions of their size and seed, alike in every run.

/// Numbered lines, `size` bytes of them: a piece that is missing, doubled or in the wrong place shows. What they have in
/// common makes a record of megabytes small when it is compressed.
pub(crate) fn lines(size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 64);
    for number in 0.. {
        if bytes.len() >= size {
            break;
        }
        bytes.extend_from_slice(format!("line {number} of a value that is long enough to fill buffers\n").as_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Bytes without any order. SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn garbage(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_seeds_differ() {
        for size in [0, 1, 7, 8, 9, 4096] {
            assert_eq!((lines(size).len(), garbage(size, 1).len()), (size, size));
        }
        assert!(lines(70).starts_with(b"line 0 of a value") && lines(70).ends_with(b"\nline 1 of a valu"));
        assert_ne!(garbage(64, 1), garbage(64, 2));
        // The first number of the published generator for seed 0.
        assert_eq!(garbage(8, 0), 0xe220_a839_7b1d_cdaf_u64.to_le_bytes());
    }
}
