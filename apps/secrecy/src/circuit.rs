//! Comparisons, sums and conversions, for all rows at once, with a number of rounds that is logarithmic in the bits.

use crate::error::Result;
use crate::net::{after, before};
use crate::party::Party;
use crate::planes::{VALUE_BITS, from_values, to_values};
use crate::share::{Bits, Ints, Pair};

/// These planes of a vector of planes, `words` each, in the order named.
pub fn select_planes(bits: &Bits, words: usize, order: impl Iterator<Item = usize> + Clone) -> Bits {
    bits.map(|share| order.clone().flat_map(|plane| &share[plane * words..][..words]).copied().collect())
}

/// Per row, whether all planes are one.
///
/// A tree over the planes: for 65 of them, 7 rounds and 64 planes of traffic.
pub fn all(party: &mut Party, bits: &Bits, words: usize) -> Result<Bits> {
    let mut rest = bits.clone();
    while rest.len() > words {
        let count = rest.len() / words;
        let half = count / 2 * words;
        let mut both = party.and(&rest.slice(0..half), &rest.slice(half..2 * half))?;
        both.append(&rest.slice(2 * half..rest.len()));
        rest = both;
    }
    Ok(rest)
}

/// Per row, whether `left` and `right` have the same planes. Rounds: those of [`all`].
pub fn equal(party: &mut Party, left: &Bits, right: &Bits, words: usize) -> Result<Bits> {
    let same = left.xor(right).not(party.id);
    all(party, &same, words)
}

/// Per row, whether `left` is less than `right`, as unsigned numbers whose **highest** bit is the first plane.
///
/// A tree again: of each two neighbouring parts the higher decides, unless it is equal in both. For 64 planes, 7 rounds and
/// 64 + 2 * 63 planes of traffic.
pub fn less(party: &mut Party, left: &Bits, right: &Bits, words: usize) -> Result<Bits> {
    let mut less = party.and(&left.not(party.id), right)?;
    let mut same = left.xor(right).not(party.id);
    while less.len() > words {
        let count = less.len() / words;
        let pairs = count / 2;
        let higher = (0..pairs).map(|pair| 2 * pair);
        let lower = higher.clone().map(|plane| plane + 1);
        let same_higher = select_planes(&same, words, higher.clone());
        let lower_part =
            Bits::concat([&select_planes(&less, words, lower.clone()), &select_planes(&same, words, lower)]);
        let both = party.and(&same_higher.repeat(2), &lower_part)?;
        let middle = pairs * words;
        let mut next_less = select_planes(&less, words, higher).xor(&both.slice(0..middle));
        let mut next_same = both.slice(middle..2 * middle);
        let odd = 2 * middle..less.len();
        next_less.append(&less.slice(odd.clone()));
        next_same.append(&same.slice(odd));
        (less, same) = (next_less, next_same);
    }
    Ok(less)
}

/// A column's planes with the highest bit first, as [`less`] wants them.
pub fn highest_first(column: &Bits, words: usize) -> Bits {
    select_planes(column, words, (0..column.len() / words).rev())
}

/// Keeps the planes of the rows where `mask` is one and zeroes the others: one round.
pub fn mask(party: &mut Party, bits: &Bits, mask: &Bits) -> Result<Bits> {
    party.and(bits, &mask.repeat(bits.len() / mask.len()))
}

/// The sums of two columns modulo 2^64: 7 rounds (Sklansky's parallel prefix adder).
pub fn add(party: &mut Party, left: &Bits, right: &Bits, words: usize) -> Result<Bits> {
    let half = left.xor(right);
    let mut carry = party.and(left, right)?;
    let mut passes = half.clone();
    let mut span = 1;
    while span < VALUE_BITS {
        // Each plane in the upper half of a block takes what the highest plane of the lower half says.
        let upper = (0..VALUE_BITS).filter(move |plane| plane & span != 0);
        let source = upper.clone().map(move |plane| (plane & !(span - 1)) - 1);
        let passed = select_planes(&passes, words, upper.clone()).repeat(2);
        let from =
            Bits::concat([&select_planes(&carry, words, source.clone()), &select_planes(&passes, words, source)]);
        let news = party.and(&passed, &from)?;
        let (news_carry, news_passes) = (news.slice(0..news.len() / 2), news.slice(news.len() / 2..news.len()));
        for (at, plane) in upper.enumerate() {
            let (here, there) = (plane * words..(plane + 1) * words, at * words..(at + 1) * words);
            let joined = carry.slice(here.clone()).xor(&news_carry.slice(there.clone()));
            put(&mut carry, here.start, &joined);
            put(&mut passes, here.start, &news_passes.slice(there));
        }
        span *= 2;
    }
    Ok(half.xor(&shift_up(&carry, words)))
}

fn put(bits: &mut Bits, at: usize, part: &Bits) {
    bits.0.own[at..at + part.len()].copy_from_slice(&part.0.own);
    bits.0.next[at..at + part.len()].copy_from_slice(&part.0.next);
}

/// Twice the values: each plane takes the place of the next.
fn shift_up(column: &Bits, words: usize) -> Bits {
    column.map(|share| [&vec![0; words], &share[..share.len() - words]].concat())
}

/// The sums of three columns modulo 2^64: 8 rounds.
fn add_three(party: &mut Party, columns: [&Bits; 3], words: usize) -> Result<Bits> {
    let [a, b, c] = columns;
    // The majority of three bits.
    let carry = party.and(&a.xor(b), &a.xor(c))?.xor(a);
    add(party, &a.xor(b).xor(c), &shift_up(&carry, words), words)
}

/// Per row the value of an arithmetic vector as a column: 8 rounds. The length is a multiple of 64.
pub fn to_column(party: &mut Party, ints: &Ints) -> Result<Bits> {
    let words = ints.len() / 64;
    let held = [ints.0.own.clone(), ints.0.next.clone()].map(|component| from_values(&component));
    // Each component is known to two parties, and so a secret of its own that needs no message to be shared.
    let columns = [0, 1, 2].map(|component| {
        let known = if component == party.id { held[0].clone() } else { held[1].clone() };
        Bits(Pair::of_component(party.id, component, known))
    });
    add_three(party, [&columns[0], &columns[1], &columns[2]], words)
}

/// Per row the value of a column as an arithmetic vector: 9 rounds.
///
/// Components 1 and 2 are drawn by those who hold them; component 0 is the difference to the value, computed on shares
/// and then revealed to its two holders alone, to each of whom one of the others is unknown.
pub fn to_ints(party: &mut Party, column: &Bits) -> Result<Ints> {
    let words = column.len() / VALUE_BITS;
    let (id, rows) = (party.id, 64 * words);
    let own = if id == 0 { vec![0; rows] } else { party.own.words(rows) };
    let next = if id == 2 { vec![0; rows] } else { party.next.words(rows) };
    let negative = |component: usize| {
        let known = if component == id { &own } else { &next };
        let negated: Vec<u64> = known.iter().map(|word| word.wrapping_neg()).collect();
        Bits(Pair::of_component(id, component, from_values(&negated)))
    };
    let difference = add_three(party, [column, &negative(1), &negative(2)], words)?;
    // Party 0 lacks component 2 and party 2 lacks component 1; party 1 learns nothing.
    let to = (id != 2).then_some((before(id), difference.0.next.as_slice()));
    let from = (id != 1).then_some((after(id), difference.len()));
    let lacking = party.net.exchange(to, from)?;
    let value = || {
        let held = difference.0.own.iter().zip(&difference.0.next);
        to_values(&held.zip(&lacking).map(|((x, y), z)| x ^ y ^ z).collect::<Vec<_>>())
    };
    Ok(Ints(match id {
        0 => Pair { own: value(), next },
        1 => Pair { own, next },
        _ => Pair { own, next: value() },
    }))
}

/// Bits, one a word, as arithmetic shares of 0 and 1: 2 rounds.
///
/// With x0, x1, x2 the components, each known to two parties: x XOR y is x + y - 2xy.
pub fn bits_to_ints(party: &mut Party, bits: &Bits) -> Result<Ints> {
    let [x0, x1, x2] = [0, 1, 2].map(|component| {
        let known = if component == party.id { &bits.0.own } else { &bits.0.next };
        Ints(Pair::of_component(party.id, component, known.clone()))
    });
    let product = party.multiply(&x0, &x1)?;
    let first = x0.add(&x1).sub(&product.scale(2));
    let product = party.multiply(&first, &x2)?;
    Ok(first.add(&x2).sub(&product.scale(2)))
}
