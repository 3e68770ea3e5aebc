//! Replicated shares of vectors of 64-bit words.
//!
//! A secret is split into three components; party `i` holds the components `i` and `i + 1` (modulo 3), so each component is
//! held by two parties and no party holds all. Two of the components are uniformly random, whatever the secret is.

use std::ops::Range;

/// The two components that a party holds, word by word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The component with the party's own number.
    pub own: Vec<u64>,
    /// The one after it.
    pub next: Vec<u64>,
}

/// Shares whose components XOR to the secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits(pub Pair);

/// Shares whose components add up to the secret modulo 2^64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ints(pub Pair);

impl Pair {
    /// Shares of which every component but one is zero, and that one is known to whoever holds it: a party passes
    /// `words` if it holds `component`, or anything if not. No message is needed.
    pub fn of_component(party: usize, component: usize, words: Vec<u64>) -> Pair {
        let zeros = vec![0; words.len()];
        if component == party {
            Pair { own: words, next: zeros }
        } else if component == (party + 1) % 3 {
            Pair { own: zeros, next: words }
        } else {
            Pair { own: zeros.clone(), next: zeros }
        }
    }

    pub fn zeros(words: usize) -> Pair {
        Pair { own: vec![0; words], next: vec![0; words] }
    }

    pub fn len(&self) -> usize {
        self.own.len()
    }

    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// The same change of both components.
    pub fn map(&self, change: impl Fn(&[u64]) -> Vec<u64>) -> Pair {
        Pair { own: change(&self.own), next: change(&self.next) }
    }

    pub fn combine(&self, other: &Pair, change: impl Fn(u64, u64) -> u64) -> Pair {
        assert_eq!(self.len(), other.len(), "vectors of shares of different lengths");
        let both = |left: &[u64], right: &[u64]| left.iter().zip(right).map(|(x, y)| change(*x, *y)).collect();
        Pair { own: both(&self.own, &other.own), next: both(&self.next, &other.next) }
    }

    pub fn slice(&self, range: Range<usize>) -> Pair {
        self.map(|words| words[range.clone()].to_vec())
    }

    pub fn append(&mut self, other: &Pair) {
        self.own.extend_from_slice(&other.own);
        self.next.extend_from_slice(&other.next);
    }
}

impl Bits {
    pub fn zeros(words: usize) -> Bits {
        Bits(Pair::zeros(words))
    }

    /// A public vector, as shares.
    pub fn public(party: usize, words: Vec<u64>) -> Bits {
        Bits(Pair::of_component(party, 0, words))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn xor(&self, other: &Bits) -> Bits {
        Bits(self.0.combine(&other.0, |x, y| x ^ y))
    }

    /// XOR with a public vector, which goes into component 0 alone.
    pub fn xor_public(&self, party: usize, words: &[u64]) -> Bits {
        self.xor(&Bits::public(party, words.to_vec()))
    }

    pub fn not(&self, party: usize) -> Bits {
        self.xor_public(party, &vec![u64::MAX; self.len()])
    }

    /// AND with a public vector.
    pub fn and_public(&self, words: &[u64]) -> Bits {
        Bits(self.0.map(|share| share.iter().zip(words).map(|(x, y)| x & y).collect()))
    }

    pub fn map(&self, change: impl Fn(&[u64]) -> Vec<u64>) -> Bits {
        Bits(self.0.map(change))
    }

    pub fn slice(&self, range: Range<usize>) -> Bits {
        Bits(self.0.slice(range))
    }

    pub fn append(&mut self, other: &Bits) {
        self.0.append(&other.0);
    }

    /// The vector, `times` times after each other.
    pub fn repeat(&self, times: usize) -> Bits {
        self.map(|words| words.repeat(times))
    }

    /// One after the other.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Bits>) -> Bits {
        parts.into_iter().fold(Bits::default(), |mut all, part| {
            all.append(part);
            all
        })
    }
}

impl Ints {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn add(&self, other: &Ints) -> Ints {
        Ints(self.0.combine(&other.0, u64::wrapping_add))
    }

    pub fn sub(&self, other: &Ints) -> Ints {
        Ints(self.0.combine(&other.0, u64::wrapping_sub))
    }

    /// Every word times a public factor.
    pub fn scale(&self, factor: u64) -> Ints {
        Ints(self.0.map(|words| words.iter().map(|word| word.wrapping_mul(factor)).collect()))
    }

    pub fn slice(&self, range: Range<usize>) -> Ints {
        Ints(self.0.slice(range))
    }

    pub fn append(&mut self, other: &Ints) {
        self.0.append(&other.0);
    }
}
