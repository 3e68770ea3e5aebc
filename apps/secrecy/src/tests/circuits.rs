//! Each circuit against the processor's own arithmetic.

use super::{PATIENT, agreed, bits, ints, three, three_waiting};
use crate::circuit::{add, bits_to_ints, equal, highest_first, less, to_column, to_ints};
use crate::link::Waiting;
use crate::planes::{from_values, to_bits, to_values};
use crate::prg::Prg;

/// Numbers of which every two are compared, added and multiplied: the ends of the range, neighbours, and any.
fn numbers() -> (Vec<u64>, Vec<u64>) {
    let mut numbers = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 0x5555_5555_5555_5555];
    numbers.extend(Prg::from_seed(2, "numbers", 0).words(7));
    let left = numbers.iter().flat_map(|number| vec![*number; 16]).collect();
    (left, numbers.repeat(16))
}

/// Applies an operation to each two of the numbers.
fn expected(operation: impl Fn(u64, u64) -> u64) -> Vec<u64> {
    let (left, right) = numbers();
    left.into_iter().zip(right).map(|(x, y)| operation(x, y)).collect()
}

const WORDS: usize = 4;

#[test]
fn and_is_that_of_the_words() {
    let (left, right) = numbers();
    let found = agreed(|party| {
        let both = party.and(&bits(&left, party.id), &bits(&right, party.id))?;
        party.open_bits(&both)
    });
    assert_eq!(found, expected(|x, y| x & y));
}

#[test]
fn multiplication_is_modulo_2_to_the_64() {
    let (left, right) = numbers();
    let found = agreed(|party| {
        let product = party.multiply(&ints(&left, party.id), &ints(&right, party.id))?;
        party.open_ints(&product)
    });
    assert_eq!(found, expected(u64::wrapping_mul));
}

#[test]
fn sums_products_and_constants_need_no_message() {
    let (left, right) = numbers();
    let (opened, rounds): (Vec<_>, Vec<_>) = three(|party| {
        let (x, y) = (ints(&left, party.id), ints(&right, party.id));
        let before = party.net.traffic.rounds;
        let sum = x.scale(3).add(&y.sub(&x));
        let rounds = party.net.traffic.rounds - before;
        Ok((party.open_ints(&sum)?, rounds))
    })
    .into_iter()
    .unzip();
    assert_eq!(opened[0], expected(|x, y| x.wrapping_mul(2).wrapping_add(y)));
    assert_eq!(rounds, [0; 3]);
}

#[test]
fn comparisons_are_those_of_unsigned_numbers() {
    let (left, right) = numbers();
    let [is_equal, is_less] = agreed(|party| {
        let [x, y] = [&left, &right].map(|side| highest_first(&bits(&from_values(side), party.id), WORDS));
        let is_equal = equal(party, &x, &y, WORDS)?;
        let is_less = less(party, &x, &y, WORDS)?;
        Ok([party.open_bits(&is_equal)?, party.open_bits(&is_less)?])
    });
    assert_eq!(to_bits(&is_equal), expected(|x, y| u64::from(x == y)));
    assert_eq!(to_bits(&is_less), expected(|x, y| u64::from(x < y)));
}

#[test]
fn comparisons_of_any_number_of_planes_are_right() {
    for count in [1, 2, 3, 5, 7] {
        // Every number of `count` bits with every other, the highest bit first.
        let size = 1u64 << count;
        let pairs: Vec<_> = (0..size * size).map(|pair| (pair / size, pair % size)).collect();
        let words = pairs.len().div_ceil(64);
        let planes = |side: fn(&(u64, u64)) -> u64| -> Vec<u64> {
            let plane = |bit: u64| {
                let mut plane = crate::planes::from_bits(pairs.iter().map(|pair| side(pair) >> bit & 1 == 1));
                plane.resize(words, 0);
                plane
            };
            (0..count).rev().flat_map(plane).collect()
        };
        let (left, right) = (planes(|pair| pair.0), planes(|pair| pair.1));
        let [is_equal, is_less] = agreed(|party| {
            let (x, y) = (bits(&left, party.id), bits(&right, party.id));
            let is_equal = equal(party, &x, &y, words)?;
            let is_less = less(party, &x, &y, words)?;
            Ok([party.open_bits(&is_equal)?, party.open_bits(&is_less)?])
        });
        let (is_equal, is_less) = (to_bits(&is_equal), to_bits(&is_less));
        for (at, (x, y)) in pairs.iter().enumerate() {
            assert_eq!((is_equal[at] == 1, is_less[at] == 1), (x == y, x < y), "{x} and {y} of {count} bits");
        }
    }
}

#[test]
fn the_adder_wraps() {
    let (left, right) = numbers();
    let sums = agreed(|party| {
        let [x, y] = [&left, &right].map(|side| bits(&from_values(side), party.id));
        let sums = add(party, &x, &y, WORDS)?;
        party.open_bits(&sums)
    });
    assert_eq!(to_values(&sums), expected(u64::wrapping_add));
}

#[test]
fn conversions_keep_the_values() {
    let (values, _) = numbers();
    let (column, arithmetic) = agreed(|party| {
        let column = to_column(party, &ints(&values, party.id))?;
        let arithmetic = to_ints(party, &bits(&from_values(&values), party.id))?;
        Ok((party.open_bits(&column)?, party.open_ints(&arithmetic)?))
    });
    assert_eq!(to_values(&column), values);
    assert_eq!(arithmetic, values);
}

#[test]
fn converted_components_are_replicated() {
    let (values, _) = numbers();
    let shares = three(|party| to_ints(party, &bits(&from_values(&values), party.id)));
    for id in 0..3 {
        assert_eq!(shares[id].0.next, shares[(id + 1) % 3].0.own, "component {}", (id + 1) % 3);
    }
}

#[test]
fn bits_become_zeros_and_ones() {
    let flags: Vec<u64> = (0..100).map(|row| u64::from(row % 3 == 0)).collect();
    let found = agreed(|party| {
        // As they come from a plane: every component is a bit.
        let dealt = bits(&flags, party.id).and_public(&vec![1; flags.len()]);
        let flags = bits_to_ints(party, &dealt)?;
        party.open_ints(&flags)
    });
    assert_eq!(found, flags);
}

#[test]
fn messages_larger_than_any_buffer_pass_in_both_ways_of_waiting() {
    let words = Prg::from_seed(4, "large", 0).words(1 << 20);
    for spin in [false, true] {
        let opened = three_waiting(Waiting { spin, ..PATIENT }, |party| {
            let shares = bits(&words, party.id);
            let both = party.and(&shares, &shares)?;
            party.open_bits(&both)
        });
        assert!(opened.iter().all(|opened| *opened == words), "spin {spin}");
    }
}

#[test]
fn rounds_and_bytes_are_those_of_the_documentation() {
    let (values, _) = numbers();
    let traffic = three(|party| {
        let x = bits(&from_values(&values), party.id);
        let column = ints(&values, party.id);
        let mut seen = Vec::new();
        let mut before = party.net.traffic;
        let mut note = |traffic: crate::net::Traffic| {
            seen.push((traffic.rounds - before.rounds, (traffic.bytes_sent - before.bytes_sent) / 8));
            before = traffic;
        };
        equal(party, &x, &x, WORDS)?;
        note(party.net.traffic);
        less(party, &x, &x, WORDS)?;
        note(party.net.traffic);
        add(party, &x, &x, WORDS)?;
        note(party.net.traffic);
        to_column(party, &column)?;
        note(party.net.traffic);
        bits_to_ints(party, &x)?;
        note(party.net.traffic);
        Ok(seen)
    });
    let planes = |planes: u64, rounds: u64| (rounds, planes * WORDS as u64 + 3 * rounds);
    let expected = [planes(63, 6), planes(64 + 2 * 63, 7), planes(64 * 7, 7), planes(64 * 8, 8), planes(128, 2)];
    assert_eq!(traffic[0], expected);
}
