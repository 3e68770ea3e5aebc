//! Each operator against the oracle, on tables of any size with many, few and no equal keys.

use super::{agreed, table, three};
use crate::error::Result;
use crate::operators::{Operand, Order, Predicate, distinct, group_by, join, reveal, select, semi_join, shuffle, sort};
use crate::party::Party;
use crate::plain;
use crate::prg::Prg;
use crate::query::{QUERIES, Work};
use crate::share::Bits;
use crate::table::{Plain, Table};

/// Sizes at and around where the padding changes.
const SIZES: [usize; 8] = [0, 1, 2, 63, 64, 65, 129, 200];

/// Three columns: keys below `keys`, keys below 4 or at the end of the range, and any values.
fn random(rows: usize, keys: u64, seed: u64) -> Plain {
    let mut prg = Prg::from_seed(seed, "operators", rows as u64 ^ keys.rotate_left(32));
    let mut columns = vec![Vec::new(); 3];
    for _ in 0..rows {
        columns[0].push(prg.below(keys));
        columns[1].push([0, 1, 2, 3, u64::MAX, u64::MAX - 1][prg.below(6) as usize]);
        columns[2].push(prg.words(1)[0]);
    }
    Plain { columns }
}

fn tables() -> impl Iterator<Item = Plain> {
    SIZES.into_iter().flat_map(|rows| [1, 5, u64::MAX].map(|keys| random(rows, keys, 1)))
}

/// What the parties reveal of a table.
fn revealed(order: Order, steps: impl Fn(&mut Party) -> Result<Table> + Sync) -> Plain {
    agreed(|party| {
        let answer = steps(party)?;
        reveal(party, &answer, order)
    })
}

fn assert_same_rows(found: &Plain, expected: &Plain, what: &str) {
    assert_eq!(found.sorted_rows(), expected.sorted_rows(), "{what}");
}

#[test]
fn a_sort_by_one_or_two_keys_is_in_order_and_loses_no_row() {
    for plain in tables() {
        for keys in [vec![0], vec![1, 2], vec![2]] {
            let found = revealed(Order::Kept, |party| sort(party, &table(&plain, party.id), &keys));
            assert_same_rows(&found, &plain, "a sort keeps the rows");
            let key_of = |table: &Plain| -> Vec<Vec<u64>> {
                (0..table.rows()).map(|row| keys.iter().map(|key| table.columns[*key][row]).collect()).collect()
            };
            assert_eq!(key_of(&found), key_of(&plain::sort(&plain, &keys)), "{} rows by {keys:?}", plain.rows());
        }
    }
}

#[test]
fn groups_have_their_count_and_sum() {
    for plain in tables() {
        for keys in [vec![0], vec![1], vec![0, 1]] {
            let found = revealed(Order::Shuffled, |party| group_by(party, &table(&plain, party.id), &keys, 2));
            let what = format!("{} rows by {keys:?}", plain.rows());
            assert_same_rows(&found, &plain::group_by(&plain, &keys, 2), &what);
        }
    }
}

#[test]
fn distinct_leaves_one_row_of_each() {
    for plain in tables() {
        // The other columns are functions of the keys: which of the equal rows is left is not specified.
        let plain = Plain { columns: plain.columns[..2].to_vec() };
        let found = revealed(Order::Shuffled, |party| distinct(party, &table(&plain, party.id), &[0, 1]));
        assert_same_rows(&found, &plain::distinct(&plain, &[0, 1]), &format!("{} rows", plain.rows()));
    }
}

fn predicates() -> Vec<Predicate> {
    use Operand::{Column, Constant};
    let small = Predicate::Less(Column(2), Constant(1 << 63));
    let same = Predicate::Equal(Column(0), Column(1));
    let last = Predicate::Equal(Constant(u64::MAX), Column(1));
    let not = |predicate: &Predicate| Predicate::Not(Box::new(predicate.clone()));
    vec![
        small.clone(),
        same.clone(),
        not(&last),
        Predicate::And(Box::new(small.clone()), Box::new(not(&same))),
        Predicate::Or(Box::new(last), Box::new(Predicate::And(Box::new(same), Box::new(small)))),
        Predicate::Less(Constant(5), Constant(5)),
    ]
}

#[test]
fn selections_are_those_of_the_predicate() {
    for plain in tables() {
        for predicate in predicates() {
            let found = revealed(Order::Shuffled, |party| select(party, &table(&plain, party.id), &predicate));
            assert_same_rows(
                &found,
                &plain::select(&plain, &predicate),
                &format!("{} rows {predicate:?}", plain.rows()),
            );
        }
    }
}

#[test]
fn joins_have_every_pair_and_no_other() {
    for (left_rows, right_rows, keys) in [(0, 5, 3), (5, 0, 3), (1, 1, 1), (40, 70, 9), (70, 40, 200), (65, 64, 2)] {
        let (left, right) = (random(left_rows, keys, 2), random(right_rows, keys, 3));
        let shares = |party: &Party| (table(&left, party.id), table(&right, party.id));
        let what = format!("{left_rows} rows with {right_rows}");
        let joined = revealed(Order::Shuffled, |party| {
            let (left, right) = shares(party);
            join(party, &left, &right, [0, 0])
        });
        assert_same_rows(&joined, &plain::join(&left, &right, [0, 0]), &what);
        let matched = revealed(Order::Shuffled, |party| {
            let (left, right) = shares(party);
            semi_join(party, &left, &right, [0, 0])
        });
        assert_same_rows(&matched, &plain::semi_join(&left, &right, [0, 0]), &what);
    }
}

#[test]
fn operators_compose() {
    let (left, right) = (random(50, 20, 4), random(70, 20, 5));
    let predicate = &predicates()[0];
    let keys = [0, 0];
    let found = revealed(Order::Kept, |party| {
        let kept = select(party, &table(&left, party.id), predicate)?;
        let joined = join(party, &kept, &table(&right, party.id), keys)?;
        let grouped = group_by(party, &joined, &[0], 5)?;
        let large = Predicate::Less(Operand::Constant(2), Operand::Column(1));
        let large = select(party, &grouped, &large)?;
        sort(party, &large, &[2])
    });
    let joined = plain::join(&plain::select(&left, predicate), &right, keys);
    let grouped = plain::group_by(&joined, &[0], 5);
    let large = plain::select(&grouped, &Predicate::Less(Operand::Constant(2), Operand::Column(1)));
    assert!(large.rows() > 3 && large.rows() < grouped.rows(), "the predicates leave some and drop some");
    assert_eq!(found, plain::sort(&large, &[2]));
}

#[test]
fn a_shuffle_keeps_rows_together_and_changes_their_order() {
    let columns: Vec<u64> = (0..100).chain(1000..1100).collect();
    let opened = agreed(|party| {
        let shuffled = shuffle(party, &super::bits(&columns, party.id), 100)?;
        party.open_bits(&shuffled)
    });
    assert!((0..100).all(|row| opened[row] + 1000 == opened[100 + row]));
    let mut sorted = opened[..100].to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, columns[..100]);
    assert!((0..100).filter(|row| opened[*row] == *row as u64).count() < 10, "{opened:?}");
}

#[test]
fn the_columns_of_what_is_no_row_are_zero_when_opened() {
    let plain = random(60, 5, 6);
    let opened = agreed(|party| {
        let shares = table(&plain, party.id);
        let kept = select(party, &shares, &predicates()[0])?;
        let masked = crate::circuit::mask(party, &Bits::concat(&kept.columns), &kept.valid)?;
        party.open_bits(&masked)
    });
    let values: Vec<Vec<u64>> = opened.chunks_exact(64).map(crate::planes::to_values).collect();
    for row in 0..60 {
        let kept = plain.columns[2][row] < 1 << 63;
        assert_eq!(values.iter().all(|column| column[row] == 0), !kept && plain.row(row) != [0; 3], "row {row}");
    }
}

#[test]
fn the_traffic_depends_on_the_number_of_rows_alone() {
    let zeros = Plain { columns: vec![vec![0; 100]; 3] };
    for plain in [random(100, 5, 7), random(100, u64::MAX, 8)] {
        let [of_zeros, of_random] = [&zeros, &plain].map(|plain| {
            three(|party| {
                let grouped = group_by(party, &table(plain, party.id), &[0], 2)?;
                reveal(party, &grouped, Order::Shuffled)?;
                Ok(party.net.traffic)
            })
        });
        assert_eq!(of_zeros, of_random);
    }
}

#[test]
fn every_query_of_the_command_line_is_answered_right() {
    for query in QUERIES {
        for rows in [0, 3, 100] {
            let work = Work { query, rows, seed: 9, message_words: None };
            let answer = agreed(|party| {
                let shares = work.shares(party.id)?;
                work.answer(party, &shares)
            });
            work.check(&answer).unwrap();
        }
    }
}

#[test]
fn a_wrong_answer_is_found_by_the_check() {
    let work = Work { query: QUERIES[0], rows: 20, seed: 9, message_words: None };
    let mut answer = work.oracle();
    answer.columns[2][1] ^= 1;
    let error = work.check(&answer).unwrap_err().to_string();
    assert!(
        error.starts_with("the answer of `group-by` differs from that of the plaintext query: row 1 is"),
        "{error}"
    );
    answer.columns.iter_mut().for_each(|column| column.truncate(1));
    assert!(work.check(&answer).unwrap_err().to_string().ends_with("1 rows, expected 5"));
}
