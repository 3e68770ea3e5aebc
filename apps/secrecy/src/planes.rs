//! Bit-sliced vectors: one plane a bit, 64 rows a word.
//!
//! A column of `rows` 64-bit values is 64 planes after each other, plane `p` with bit `p` of every row; row `r` is bit
//! `r % 64` of word `r / 64`. One word of an AND then serves 64 rows, and a comparison costs no more than its gates.
//! Everything here rearranges bits that a party holds, so it works on each component of a share by itself.

/// Bits of a value, planes of a column.
pub const VALUE_BITS: usize = 64;

/// Words a plane of that many rows has.
pub fn plane_words(rows: usize) -> usize {
    rows.div_ceil(64)
}

/// Transposes 64 words of 64 bits: bit `c` of word `r` becomes bit `r` of word `c`.
fn transpose_block(block: &mut [u64; 64]) {
    let mut width = 32;
    // The bits of each word that lie in the lower half of every group of `2 * width`.
    let mut low = u64::MAX >> 32;
    while width > 0 {
        for row in (0..64).filter(|row| row & width == 0) {
            let swapped = ((block[row] >> width) ^ block[row + width]) & low;
            block[row] ^= swapped << width;
            block[row + width] ^= swapped;
        }
        width /= 2;
        low ^= low << width;
    }
}

/// The planes of a column, from its values; rows that are lacking in the last word are zero.
pub fn from_values(values: &[u64]) -> Vec<u64> {
    let words = plane_words(values.len());
    let mut planes = vec![0; VALUE_BITS * words];
    for (word, rows) in values.chunks(64).enumerate() {
        let mut block = [0; 64];
        block[..rows.len()].copy_from_slice(rows);
        transpose_block(&mut block);
        for (plane, bits) in block.into_iter().enumerate() {
            planes[plane * words + word] = bits;
        }
    }
    planes
}

/// The values of a column, from its planes; their number is a multiple of 64.
pub fn to_values(planes: &[u64]) -> Vec<u64> {
    let words = planes.len() / VALUE_BITS;
    let mut values = Vec::with_capacity(64 * words);
    for word in 0..words {
        let mut block = std::array::from_fn(|plane| planes[plane * words + word]);
        transpose_block(&mut block);
        values.extend_from_slice(&block);
    }
    values
}

/// One word a row, 0 or 1, from one plane.
pub fn to_bits(plane: &[u64]) -> Vec<u64> {
    plane.iter().flat_map(|word| (0..64).map(move |row| word >> row & 1)).collect()
}

/// One plane, from one bit a row.
pub fn from_bits(bits: impl IntoIterator<Item = bool>) -> Vec<u64> {
    let mut plane = Vec::new();
    for (row, bit) in bits.into_iter().enumerate() {
        if row % 64 == 0 {
            plane.push(0);
        }
        plane[row / 64] |= u64::from(bit) << (row % 64);
    }
    plane
}

/// Planes in which row `r` has what row `r + distance` had; the last rows become zero.
pub fn advance(planes: &[u64], words: usize, distance: usize) -> Vec<u64> {
    let (whole, part) = (distance / 64, distance % 64);
    let mut advanced = Vec::with_capacity(planes.len());
    for plane in planes.chunks_exact(words) {
        let word = |at: usize| plane.get(at).copied().unwrap_or(0);
        advanced.extend((0..words).map(|at| {
            let low = word(at + whole) >> part;
            if part == 0 { low } else { low | word(at + whole + 1) << (64 - part) }
        }));
    }
    advanced
}

/// One plane in which row `r + 1` has what row `r` had; row 0 becomes zero.
pub fn delay(plane: &[u64]) -> Vec<u64> {
    let before = std::iter::once(0).chain(plane.iter().copied());
    plane.iter().zip(before).map(|(word, before)| word << 1 | before >> 63).collect()
}

/// The rows of a word whose number has this bit (`distance`, a power of two below 64) clear.
fn lower_rows(distance: usize) -> u64 {
    from_bits((0..64).map(|row| row & distance == 0))[0]
}

/// Splits planes into those of the rows whose number has a bit clear, and of those `distance` rows further on, lane by lane.
///
/// `distance` is a power of two. Below 64 a pair of words is packed densely; a single word is half empty.
pub fn split(planes: &[u64], words: usize, distance: usize) -> (Vec<u64>, Vec<u64>) {
    let mut low = Vec::with_capacity(planes.len() / 2);
    let mut high = Vec::with_capacity(planes.len() / 2);
    if distance >= 64 {
        for pair in planes.chunks_exact(2 * (distance / 64)) {
            let (first, second) = pair.split_at(distance / 64);
            low.extend_from_slice(first);
            high.extend_from_slice(second);
        }
        return (low, high);
    }
    let rows = lower_rows(distance);
    for plane in planes.chunks_exact(words) {
        for pair in plane.chunks(2) {
            let (first, second) = (pair[0], pair.get(1).copied().unwrap_or(0));
            low.push(first & rows | (second & rows) << distance);
            high.push(first >> distance & rows | second & !rows);
        }
    }
    (low, high)
}

/// Puts together what [`split`] took apart.
pub fn merge(low: &[u64], high: &[u64], words: usize, distance: usize) -> Vec<u64> {
    let mut planes = Vec::with_capacity(2 * low.len());
    if distance >= 64 {
        for (first, second) in low.chunks_exact(distance / 64).zip(high.chunks_exact(distance / 64)) {
            planes.extend_from_slice(first);
            planes.extend_from_slice(second);
        }
        return planes;
    }
    let rows = lower_rows(distance);
    for (low, high) in low.chunks_exact(words.div_ceil(2)).zip(high.chunks_exact(words.div_ceil(2))) {
        let end = planes.len() + words;
        for (low, high) in low.iter().zip(high) {
            planes.push(low & rows | (high & rows) << distance);
            planes.push(low >> distance & rows | high & !rows);
        }
        planes.truncate(end);
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    fn values(count: usize) -> Vec<u64> {
        Prg::from_seed(3, "planes", count as u64).words(count)
    }

    #[test]
    fn values_are_the_same_after_slicing_and_back() {
        let sliced = from_values(&values(192));
        for (row, value) in values(192).into_iter().enumerate() {
            let bit = |plane: usize| sliced[plane * 3 + row / 64] >> (row % 64) & 1;
            assert_eq!((0..64).map(|plane| bit(plane) << plane).sum::<u64>(), value);
        }
        assert_eq!(to_values(&sliced), values(192));
        assert_eq!(to_values(&from_values(&values(65)))[..65], values(65));
    }

    #[test]
    fn rows_are_split_by_a_bit_of_their_number_and_merged_again() {
        for words in [1, 2, 4, 8] {
            let planes = values(3 * words);
            for distance in (0..).map(|bit| 1 << bit).take_while(|distance| *distance < 64 * words) {
                let (low, high) = split(&planes, words, distance);
                assert_eq!(merge(&low, &high, words, distance), planes, "{words} words, distance {distance}");
                let numbers = from_bits((0..64 * words).map(|row| row & distance == 0));
                let (low, high) = split(&numbers, words, distance);
                let full = if words == 1 { lower_rows(distance) } else { u64::MAX };
                assert!(low.iter().all(|word| *word == full) && high.iter().all(|word| *word == 0));
            }
        }
    }

    #[test]
    fn lanes_of_both_halves_are_partners() {
        let numbers: Vec<u64> = (0..256).collect();
        let planes = from_values(&numbers);
        for distance in [1, 2, 16, 32, 64, 128] {
            let (low, high) = split(&planes, 4, distance);
            for (low, high) in to_values(&low).into_iter().zip(to_values(&high)) {
                assert_eq!(low + distance as u64, high);
            }
        }
    }

    #[test]
    fn rows_advance_by_any_distance_and_are_delayed_by_one() {
        let bits = to_bits(&values(4));
        for distance in [0, 1, 31, 64, 65, 255] {
            let moved = to_bits(&advance(&values(4), 4, distance));
            assert_eq!(moved[..256 - distance], bits[distance..]);
            assert!(moved[256 - distance..].iter().all(|bit| *bit == 0));
        }
        assert_eq!(to_bits(&delay(&values(4)))[1..], bits[..255]);
        assert_eq!(delay(&values(4))[0] & 1, 0);
    }
}
