//! A party: its connections, its share of the common randomness, and the operations that need a message.

use crate::error::Result;
use crate::net::{Net, after, before};
use crate::prg::{self, Key, Prg};
use crate::share::{Bits, Ints, Pair};

pub struct Party {
    pub id: usize,
    pub net: Net,
    /// The streams of the components that this party holds: one in common with the party before it, one with that after.
    /// Every draw is made by both holders, at the same place of the protocol.
    pub own: Prg,
    pub next: Prg,
}

/// Where the keys of the common randomness come from.
#[derive(Clone, Copy, Debug)]
pub enum Randomness {
    /// From the system, one drawn by each party. Anything else is for tests.
    System,
    /// From a seed, the same in each run.
    Seed(u64),
}

impl Party {
    /// Makes each key known to the two parties that hold it: a party draws that of its own component and sends it to the
    /// party before. An error has been told to the others.
    pub fn new(mut net: Net, randomness: Randomness) -> Result<Party> {
        let id = net.id;
        let drawn: Key = match randomness {
            Randomness::System => prg::fresh_key()?,
            Randomness::Seed(seed) => Prg::from_seed(seed, "pairwise", id as u64).words(4).try_into().expect("four"),
        };
        let exchanged = net.exchange(Some((before(id), &drawn)), Some((after(id), 4)));
        let received = exchanged.inspect_err(|error| net.abort(error))?;
        let next: Key = received.try_into().expect("as many words as were asked for");
        net.traffic = Default::default();
        Ok(Party { id, net, own: Prg::new(drawn), next: Prg::new(next) })
    }

    /// One round: every party sends its component to the party before and gets that of the party after.
    fn replicate(&mut self, own: Vec<u64>) -> Result<Pair> {
        let next = self.net.exchange(Some((before(self.id), &own)), Some((after(self.id), own.len())))?;
        Ok(Pair { own, next })
    }

    /// The AND of each two words, in one round and one word a word from each party (Araki et al., section 2.1).
    pub fn and(&mut self, left: &Bits, right: &Bits) -> Result<Bits> {
        assert_eq!(left.len(), right.len(), "operands of different lengths");
        let masks = self.own.words(left.len()).into_iter().zip(self.next.words(left.len()));
        let product = terms(&left.0, &right.0).zip(masks);
        // The three parties' masks XOR to zero, and each alone is uniformly random to the others.
        let own = product.map(|([x, x1, y, y1], (mask, mask1))| (x & y) ^ (x & y1) ^ (x1 & y) ^ mask ^ mask1).collect();
        Ok(Bits(self.replicate(own)?))
    }

    /// The product of each two words modulo 2^64, in one round and one word a word from each party.
    pub fn multiply(&mut self, left: &Ints, right: &Ints) -> Result<Ints> {
        assert_eq!(left.len(), right.len(), "operands of different lengths");
        let masks = self.own.words(left.len()).into_iter().zip(self.next.words(left.len()));
        let product = terms(&left.0, &right.0).zip(masks);
        let own = product
            .map(|([x, x1, y, y1], (mask, mask1))| {
                let sum = x.wrapping_mul(y.wrapping_add(y1)).wrapping_add(x1.wrapping_mul(y));
                sum.wrapping_add(mask).wrapping_sub(mask1)
            })
            .collect();
        Ok(Ints(self.replicate(own)?))
    }

    /// Reveals words to all parties, in one round.
    pub fn open_bits(&mut self, bits: &Bits) -> Result<Vec<u64>> {
        self.open(&bits.0, |x, y| x ^ y)
    }

    pub fn open_ints(&mut self, ints: &Ints) -> Result<Vec<u64>> {
        self.open(&ints.0, u64::wrapping_add)
    }

    fn open(&mut self, shares: &Pair, add: impl Fn(u64, u64) -> u64) -> Result<Vec<u64>> {
        // The party before lacks the component after this party's own.
        let lacking = self.net.exchange(Some((before(self.id), &shares.next)), Some((after(self.id), shares.len())))?;
        let held = shares.own.iter().zip(&shares.next);
        Ok(held.zip(lacking).map(|((own, next), third)| add(add(*own, *next), third)).collect())
    }

    /// Ends the run with the others; all must have opened the same.
    pub fn finish(&mut self, digest: u64) -> Result<()> {
        self.net.finish(digest)
    }
}

/// Both components of both operands, word by word.
fn terms<'a>(left: &'a Pair, right: &'a Pair) -> impl Iterator<Item = [u64; 4]> + 'a {
    let left = left.own.iter().zip(&left.next);
    left.zip(right.own.iter().zip(&right.next)).map(|((x, x1), (y, y1))| [*x, *x1, *y, *y1])
}
