//! Shuffling: three times two parties reorder what they hold by a permutation that the third does not know.

use crate::error::Result;
use crate::net::after;
use crate::party::Party;
use crate::share::{Bits, Pair};

/// Brings rows into a random order that no party knows. `columns` has one word a row, column by column.
///
/// Three steps of one round (Laur, Willemson and Zhang, ISC 2011). In step `s` the parties `s` and `s + 1` together hold
/// all components. They draw a permutation from the stream that they alone have in common, apply it to what makes up
/// the secret, and share the result anew, with components that each of them draws with the third party.
pub fn shuffle(party: &mut Party, columns: &Bits, rows: usize) -> Result<Bits> {
    let mut shared = columns.clone();
    for first in 0..3 {
        let second = after(first);
        shared = if party.id == first {
            let order = party.next.permutation(rows);
            let drawn = party.own.words(columns.len());
            let held: Vec<u64> = shared.0.own.iter().zip(&shared.0.next).map(|(x, y)| x ^ y).collect();
            let next = reshare(party, second, &permuted(&held, &order), &drawn)?;
            Bits(Pair { own: drawn, next })
        } else if party.id == second {
            let order = party.own.permutation(rows);
            let drawn = party.next.words(columns.len());
            let own = reshare(party, first, &permuted(&shared.0.next, &order), &drawn)?;
            Bits(Pair { own, next: drawn })
        } else {
            party.net.sit_out(columns.len());
            let next = party.next.words(columns.len());
            Bits(Pair { own: party.own.words(columns.len()), next })
        };
    }
    Ok(shared)
}

fn permuted(columns: &[u64], order: &[usize]) -> Vec<u64> {
    columns.chunks_exact(order.len()).flat_map(|column| order.iter().map(|row| column[*row])).collect()
}

/// The component that the two parties hold in common: both send what they have, masked with what they drew.
fn reshare(party: &mut Party, other: usize, held: &[u64], drawn: &[u64]) -> Result<Vec<u64>> {
    let masked: Vec<u64> = held.iter().zip(drawn).map(|(x, y)| x ^ y).collect();
    let received = party.net.exchange(Some((other, &masked)), Some((other, masked.len())))?;
    Ok(masked.iter().zip(&received).map(|(x, y)| x ^ y).collect())
}
