//! ORDER BY: Batcher's bitonic network, all comparisons of a stage at once.

use crate::circuit::{less, mask, select_planes};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::planes::{VALUE_BITS, from_bits, merge, split};
use crate::share::{Bits, Pair};
use crate::table::{MAX_ROWS, Table};

/// Sorts by these columns as unsigned numbers, the first being the most significant; places without a row go to the end.
///
/// Pads to a power of two. For `n` places and `b` bits of key: log n (log n + 1) / 2 stages of ceil(log2(b + 1)) + 2 rounds.
/// Rows with equal keys end in an order that is not specified.
pub fn sort(party: &mut Party, table: &Table, keys: &[usize]) -> Result<Table> {
    let mut table = table.extended(table.places.next_power_of_two());
    if table.places > MAX_ROWS {
        return Err(Error::TooLarge { what: "the number of places to sort", found: table.places, limit: MAX_ROWS });
    }
    let words = table.words();
    // The planes of the key, the highest bit first.
    let key: Vec<usize> =
        keys.iter().flat_map(|column| (0..VALUE_BITS).rev().map(move |bit| column * VALUE_BITS + bit)).collect();
    let mut all = table.all_planes();
    let mut run = 2;
    while run <= table.places {
        // Every second run is sorted downwards, so that two neighbours make a bitonic sequence for the next.
        let downwards = from_bits((0..table.places).map(|row| row & run != 0));
        let mut distance = run / 2;
        while distance > 0 {
            let (down, _) = split(&downwards, words, distance);
            all = exchange(party, &all, &key, [words, distance], &down)?;
            distance /= 2;
        }
        run *= 2;
    }
    table.set_planes(&all);
    Ok(table)
}

/// One stage: swaps the rows of each pair that are in the wrong order.
fn exchange(party: &mut Party, all: &Bits, key: &[usize], [words, distance]: [usize; 2], down: &[u64]) -> Result<Bits> {
    let (own, own_high) = split(&all.0.own, words, distance);
    let (next, next_high) = split(&all.0.next, words, distance);
    let [low, high] = [Pair { own, next }, Pair { own: own_high, next: next_high }].map(Bits);
    let id = party.id;
    // Behind a plane that is one where there is no row; the plane of what is one comes last of all.
    let key_of = |half: &Bits| {
        let mut planes = half.slice(half.len() - down.len()..half.len()).not(id);
        planes.append(&select_planes(half, down.len(), key.iter().copied()));
        planes
    };
    // Upwards they are swapped if the later is less; downwards if it is not.
    let swap = less(party, &key_of(&high), &key_of(&low), down.len())?.xor_public(id, down);
    let change = mask(party, &low.xor(&high), &swap)?;
    let (low, high) = (low.xor(&change).0, high.xor(&change).0);
    let own = merge(&low.own, &high.own, words, distance);
    Ok(Bits(Pair { own, next: merge(&low.next, &high.next, words, distance) }))
}
