//! What a party receives says nothing: every word of it is uniformly random, whatever the tables are.
//!
//! Everything is drawn from fixed seeds, so the outcome is the same in each run. The limits are six standard deviations: with
//! the about 5000 statistics here, true randomness under another seed would exceed one with a probability below 10^-4
//! (normal tail 2 * 10^-9 for a count; about 10^-7 for chi-square with 255 degrees of freedom), while the
//! broken sharings of the controls exceed them by far.

use super::three;
use crate::error::Result;
use crate::operators::{Operand, Predicate};
use crate::operators::{Order, distinct, group_by, join, reveal, select, semi_join, sort};
use crate::party::Party;
use crate::prg::Prg;
use crate::table::{Plain, Table};

const LIMIT: f64 = 6.0;

/// How many standard deviations the worst statistic of a transcript is off, and which it is.
fn worst(words: &[u64]) -> (f64, String) {
    assert!(words.len() > 2000, "{} words are too few to judge", words.len());
    let neighbours: Vec<u64> = words.windows(2).map(|pair| pair[0] ^ pair[1]).collect();
    let mut statistics = vec![
        (bytes_deviation(words), "the bytes".to_owned()),
        // Also uniform, unless words are equal to the ones before, or differ from them by a pattern.
        (bytes_deviation(&neighbours), "the difference of neighbours".to_owned()),
    ];
    for bit in 0..64 {
        let ones = words.iter().filter(|word| *word >> bit & 1 == 1).count() as f64;
        let count = words.len() as f64;
        statistics.push(((ones - count / 2.0) / (count / 4.0).sqrt(), format!("bit {bit}")));
    }
    let worst = statistics.into_iter().max_by(|x, y| x.0.abs().total_cmp(&y.0.abs()));
    worst.expect("there are statistics")
}

/// Chi-square of the bytes against 256 equally likely values, in standard deviations from its mean: 255, and a
/// variance of 2 * 255. Too even is as suspicious as too uneven.
fn bytes_deviation(words: &[u64]) -> f64 {
    let mut counts = [0.0; 256];
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        counts[usize::from(byte)] += 1.0;
    }
    let expected = 8.0 * words.len() as f64 / 256.0;
    let chi_square: f64 = counts.iter().map(|count| (count - expected) * (count - expected) / expected).sum();
    (chi_square - 255.0) / (2.0f64 * 255.0).sqrt()
}

/// Tables that would be seen at once if they shone through.
fn extremes() -> [(&'static str, Plain); 4] {
    let column = |value: u64| vec![value; 200];
    [
        ("zeros", Plain { columns: vec![column(0), column(0)] }),
        ("ones", Plain { columns: vec![column(u64::MAX), column(u64::MAX)] }),
        ("a count", Plain { columns: vec![(0..200).collect(), column(1)] }),
        ("one key", Plain { columns: vec![column(7), (0..200).map(|row| row << 32).collect()] }),
    ]
}

const QUERIES: [&str; 6] = ["sort", "group-by", "distinct", "select", "join", "semi-join"];

fn ask(query: &str, party: &mut Party, table: &Table) -> Result<Plain> {
    let (answer, order) = match query {
        "sort" => (sort(party, table, &[0, 1])?, Order::Kept),
        "group-by" => (group_by(party, table, &[0], 1)?, Order::Shuffled),
        "distinct" => (distinct(party, table, &[0])?, Order::Shuffled),
        "select" => {
            let predicate = Predicate::Less(Operand::Column(0), Operand::Constant(5));
            (select(party, table, &predicate)?, Order::Shuffled)
        }
        "join" => (join(party, table, table, [0, 0])?, Order::Shuffled),
        "semi-join" => (semi_join(party, table, table, [0, 0])?, Order::Shuffled),
        _ => unreachable!("{query} is not asked"),
    };
    reveal(party, &answer, order)
}

/// Which of the random draws are nothing but zeros.
#[derive(Clone, Copy)]
struct Broken {
    dealing: bool,
    protocol: bool,
}

/// What each party receives.
fn transcripts(query: &str, plain: &Plain, broken: Broken) -> [Vec<u64>; 3] {
    three(|party| {
        let mut dealer = Prg::from_seed(41, "shares", 0);
        if broken.dealing {
            dealer.break_it();
        }
        if broken.protocol {
            party.own.break_it();
            party.next.break_it();
        }
        party.net.transcript = Some(Vec::new());
        let table = Table::deal_with(plain, &mut dealer, party.id)?;
        ask(query, party, &table)?;
        Ok(party.net.transcript.take().expect("it was asked for"))
    })
}

#[test]
fn what_a_party_receives_is_uniform_for_every_query_and_table() {
    let sound = Broken { dealing: false, protocol: false };
    for query in QUERIES {
        for (name, plain) in extremes() {
            for (id, words) in transcripts(query, &plain, sound).iter().enumerate() {
                let (deviation, what) = worst(words);
                assert!(deviation.abs() < LIMIT, "{query} over {name}, party {id}: {what} is off by {deviation:.1}");
            }
        }
    }
}

#[test]
fn the_shares_that_are_dealt_to_a_party_are_uniform() {
    for (name, plain) in extremes() {
        let long = Plain { columns: plain.columns.iter().map(|column| column.repeat(20)).collect() };
        for id in 0..3 {
            let table = Table::deal(&long, 43, id).unwrap();
            let all = table.all_planes().0;
            // Both components, side by side, as the party sees them.
            let words = [all.own.clone(), all.next.clone()].concat();
            let (deviation, what) = worst(&words);
            assert!(deviation.abs() < LIMIT, "{name}, party {id}: {what} is off by {deviation:.1}");
            let both: Vec<u64> = all.own.iter().zip(&all.next).map(|(x, y)| x ^ y).collect();
            let (deviation, what) = worst(&both);
            assert!(deviation.abs() < LIMIT, "{name}, party {id}: {what} of both is off by {deviation:.1}");
        }
    }
}

/// A control: without the masks of the products, what is sent is a function of shares that are themselves uniform.
#[test]
fn a_protocol_without_masks_is_found_out() {
    for query in QUERIES {
        let (_, plain) = &extremes()[0];
        for (id, words) in transcripts(query, plain, Broken { dealing: false, protocol: true }).iter().enumerate() {
            let (deviation, what) = worst(words);
            assert!(deviation.abs() > 2.0 * LIMIT, "{query}, party {id}: only {what} is off, by {deviation:.1}");
        }
    }
}

/// A control: shares that are the secret and zeros.
#[test]
fn a_sharing_that_is_none_is_found_out() {
    for (name, plain) in extremes() {
        let long = Plain { columns: plain.columns.iter().map(|column| column.repeat(20)).collect() };
        for id in 0..3 {
            let mut dealer = Prg::from_seed(41, "shares", 0);
            dealer.break_it();
            let table = Table::deal_with(&long, &mut dealer, id).unwrap();
            let (deviation, _) = worst(&table.all_planes().0.own);
            assert!(deviation.abs() > 2.0 * LIMIT, "{name}, party {id}: off by only {deviation:.1}");
        }
    }
}

/// A control of the statistics themselves: a bias of one part in ten in one bit, and a repetition.
#[test]
fn small_patterns_are_found_out() {
    let random = Prg::from_seed(47, "patterns", 0).words(20_000);
    assert!(worst(&random).0.abs() < LIMIT);
    let biased: Vec<u64> =
        random.iter().enumerate().map(|(at, word)| if at % 10 == 0 { word | 8 } else { *word }).collect();
    assert!(worst(&biased).0.abs() > LIMIT);
    let repeated: Vec<u64> =
        random.iter().enumerate().map(|(at, word)| if at % 10 == 1 { random[at - 1] } else { *word }).collect();
    assert!(worst(&repeated).0.abs() > LIMIT);
}
