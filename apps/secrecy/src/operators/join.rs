//! JOIN and SEMI JOIN on the equality of two columns.

use crate::circuit::all;
use crate::error::{Error, Result};
use crate::party::Party;
use crate::planes::VALUE_BITS;
use crate::share::Bits;
use crate::table::{MAX_ROWS, Table};

/// The cross product of two tables, of which the pairs with equal keys are rows: the columns of the left, then of the right.
///
/// All pairs are places of the result, since how many match is secret: left rows times right places, at most [`MAX_ROWS`].
/// 7 rounds.
pub fn join(party: &mut Party, left: &Table, right: &Table, keys: [usize; 2]) -> Result<Table> {
    let pairs = pairs(left, right)?;
    let valid = matches(party, left, right, keys)?;
    let left_columns = left.columns.iter().map(|column| each_left(column, left, right));
    let columns = left_columns.chain(right.columns.iter().map(|column| each_right(column, left, right)));
    Ok(Table { places: pairs, rows: pairs, columns: columns.collect(), valid })
}

/// Leaves the rows of the left table whose key is in the right one.
///
/// 7 rounds to compare all pairs and ceil(log2(right places)) to see whether a row has any.
pub fn semi_join(party: &mut Party, left: &Table, right: &Table, keys: [usize; 2]) -> Result<Table> {
    pairs(left, right)?;
    // None of a row's pairs matches: the AND over the pairs, brought into planes of one row a lane.
    let unmatched = matches(party, left, right, keys)?.not(party.id);
    let planes = unmatched.map(|share| pairs_as_planes(share, left, right));
    let found = all(party, &planes, left.words())?.not(party.id);
    let valid = party.and(&left.valid, &found)?;
    Ok(Table { valid, ..left.clone() })
}

fn pairs(left: &Table, right: &Table) -> Result<usize> {
    let found = left.rows.max(1) * right.places;
    if found > MAX_ROWS {
        return Err(Error::TooLarge { what: "the number of pairs of rows to join", found, limit: MAX_ROWS });
    }
    Ok(found)
}

/// One plane over all pairs: whether both are rows and have the same key.
fn matches(party: &mut Party, left: &Table, right: &Table, keys: [usize; 2]) -> Result<Bits> {
    let left_key = each_left(&left.columns[keys[0]], left, right);
    let right_key = each_right(&right.columns[keys[1]], left, right);
    let mut conditions = left_key.xor(&right_key).not(party.id);
    conditions.append(&each_left(&left.valid, left, right));
    conditions.append(&each_right(&right.valid, left, right));
    let words = conditions.len() / (VALUE_BITS + 2);
    all(party, &conditions, words)
}

/// Planes over all pairs, from those over the left rows: each row's bit as often as the right table has places.
fn each_left(bits: &Bits, left: &Table, right: &Table) -> Bits {
    let row_of = |plane: &[u64]| -> Vec<u64> {
        let bit = |row: usize| 0u64.wrapping_sub(plane[row / 64] >> (row % 64) & 1);
        (0..left.rows.max(1)).flat_map(|row| std::iter::repeat_n(bit(row), right.words())).collect()
    };
    bits.map(|share| share.chunks_exact(left.words()).flat_map(row_of).collect())
}

/// Planes over all pairs, from those over the right rows: the whole plane as often as the left table has rows.
fn each_right(bits: &Bits, left: &Table, right: &Table) -> Bits {
    bits.map(|share| share.chunks_exact(right.words()).flat_map(|plane| plane.repeat(left.rows.max(1))).collect())
}

/// From one plane over all pairs, a plane for each right place over the left places; places without a row get ones.
fn pairs_as_planes(pairs: &[u64], left: &Table, right: &Table) -> Vec<u64> {
    let mut planes = vec![0; right.places * left.words()];
    for (row, of_row) in pairs.chunks_exact(right.words()).enumerate() {
        for place in 0..right.places {
            let bit = of_row[place / 64] >> (place % 64) & 1;
            planes[place * left.words() + row / 64] |= bit << (row % 64);
        }
    }
    planes
}
