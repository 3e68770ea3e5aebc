//! The stream of random words that two parties have in common.

use crate::error::{Error, Result};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// A key, 256 bits.
pub type Key = [u64; 4];

/// A key that nobody else has.
pub fn fresh_key() -> Result<Key> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|source| Error::Setup {
        action: "drawing a key from the system's generator".to_owned(),
        source: source.into(),
    })?;
    Ok(std::array::from_fn(|word| u64::from_le_bytes(bytes[8 * word..][..8].try_into().expect("eight bytes"))))
}

/// ChaCha20 in counter mode. Whoever has the key draws the same words in the same order.
pub struct Prg {
    stream: ChaCha20Rng,
    bytes: Vec<u8>,
    /// Draws nothing but zeros: what the tests of uniformity must find out.
    #[cfg(test)]
    broken: bool,
}

impl Prg {
    pub fn new(key: Key) -> Prg {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(key) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Prg {
            stream: ChaCha20Rng::from_seed(bytes),
            bytes: Vec::new(),
            #[cfg(test)]
            broken: false,
        }
    }

    /// A stream for tests and measurements: of a seed, a purpose and an index.
    pub fn from_seed(seed: u64, purpose: &str, index: u64) -> Prg {
        let mut name = [0; 16];
        assert!(purpose.len() <= name.len(), "`{purpose}` is longer than 16 bytes");
        name[..purpose.len()].copy_from_slice(purpose.as_bytes());
        let [low, high] = [0, 8].map(|at| u64::from_le_bytes(name[at..at + 8].try_into().expect("eight bytes")));
        Prg::new([seed, low, high, index])
    }

    #[cfg(test)]
    pub fn break_it(&mut self) {
        self.broken = true;
    }

    /// The next `count` words.
    pub fn words(&mut self, count: usize) -> Vec<u64> {
        #[cfg(test)]
        if self.broken {
            return vec![0; count];
        }
        self.bytes.resize(8 * count, 0);
        self.stream.fill_bytes(&mut self.bytes);
        self.bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
    }

    /// A number below `bound`, each as likely as the others.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The words past the last whole multiple of the bound would favour small numbers.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let word = self.stream.next_u64();
            if word < limit {
                return word % bound;
            }
        }
    }

    /// A permutation of `0..len`, each as likely as the others (Fisher and Yates).
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_rfc_8439() {
        // The key stream of the all-zero key, nonce and counter: RFC 8439, appendix A.1, test vector 1.
        let words = Prg::new([0; 4]).words(2);
        assert_eq!(words[0].to_le_bytes(), [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
        assert_eq!(words[1].to_le_bytes(), [0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28]);
    }

    #[test]
    fn every_permutation_of_three_is_as_likely() {
        let mut prg = Prg::from_seed(1, "permutation", 0);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            *seen.entry(prg.permutation(3)).or_insert(0) += 1;
        }
        // Six standard deviations of a binomial count around 1000.
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (827..1173).contains(count)), "{seen:?}");
    }

    #[test]
    fn two_purposes_have_nothing_in_common() {
        let streams = [("a", 0), ("b", 0), ("a", 1)].map(|(purpose, index)| Prg::from_seed(7, purpose, index).words(4));
        assert!(streams[0] != streams[1] && streams[0] != streams[2] && streams[1] != streams[2]);
    }
}
