//! GROUP BY with COUNT and SUM, by odd-even aggregation.

use crate::circuit::{bits_to_ints, equal, to_column, to_ints};
use crate::error::Result;
use crate::operators::distinct::first_rows;
use crate::operators::sort;
use crate::party::Party;
use crate::planes::{advance, delay, from_bits, to_bits};
use crate::share::{Bits, Ints};
use crate::table::Table;

/// One row for each combination of values in `keys`: those, COUNT(*), and SUM of a column modulo 2^64.
///
/// After the sort, log n steps with distances n/2, n/4, … 1: every row adds what the row at that distance has, if it is of
/// the same group. Every later row of the group is then reached in exactly one way (the binary digits of how far it is),
/// so the first row of a group ends with the sums over all of it. The rounds after the sort: 7 for which rows belong together,
/// 9 to have the values arithmetically, 2 the bits, one a step, and 8 for having the results as bits again.
pub fn group_by(party: &mut Party, table: &Table, keys: &[usize], sum_of: usize) -> Result<Table> {
    let table = sort(party, table, keys)?;
    let (places, words) = (table.places, table.words());
    let key = table.key(party.id, keys);
    let distances: Vec<usize> = (0..places.ilog2()).rev().map(|step| 1 << step).collect();

    let same = same_groups(party, &key, places, &distances)?;
    let one_a_row = |plane: &Bits| plane.map(to_bits);
    let mut flags = one_a_row(&same);
    flags.append(&one_a_row(&table.valid));
    let flags = bits_to_ints(party, &flags)?;

    // What is no row has the value 0 wherever it comes from a padding, but not after a selection.
    let values = crate::circuit::mask(party, &table.columns[sum_of], &table.valid)?;
    let mut sums = to_ints(party, &values)?;
    let mut counts = flags.slice(distances.len() * places..flags.len());
    for (step, distance) in distances.iter().enumerate() {
        let reached = places - distance;
        let belongs = flags.slice(step * places..step * places + reached);
        let mut factors = belongs.clone();
        factors.append(&belongs);
        let mut later = counts.slice(*distance..places);
        later.append(&sums.slice(*distance..places));
        let news = party.multiply(&factors, &later)?;
        counts = add_to_first(&counts, &news.slice(0..reached));
        sums = add_to_first(&sums, &news.slice(reached..2 * reached));
    }

    let mut both = counts;
    both.append(&sums);
    let both = to_column_pair(party, &both)?;
    let nearest = distances.len() - 1;
    let repeats = same.slice(nearest * words..(nearest + 1) * words).map(delay);
    let valid = first_rows(party, &table.valid, &repeats)?;
    let columns = keys.iter().map(|column| table.columns[*column].clone()).chain(both).collect();
    Ok(Table { places, rows: table.rows, columns, valid })
}

/// For each distance one plane: whether the row at that distance is of the same group.
fn same_groups(party: &mut Party, key: &Bits, places: usize, distances: &[usize]) -> Result<Bits> {
    let words = places / 64;
    // Plane by plane of the key, all distances after each other: one comparison of a longer table.
    let apart = |share: &[u64]| -> Vec<u64> {
        let planes = share.chunks_exact(words);
        planes.flat_map(|plane| distances.iter().flat_map(|distance| advance(plane, words, *distance))).collect()
    };
    let repeated = |share: &[u64]| share.chunks_exact(words).flat_map(|plane| plane.repeat(distances.len())).collect();
    let same = equal(party, &key.map(repeated), &key.map(apart), distances.len() * words)?;
    let there = distances.iter().flat_map(|distance| from_bits((0..places).map(|row| row + distance < places)));
    Ok(same.and_public(&there.collect::<Vec<_>>()))
}

fn add_to_first(values: &Ints, news: &Ints) -> Ints {
    let mut sum = values.slice(0..news.len()).add(news);
    sum.append(&values.slice(news.len()..values.len()));
    sum
}

/// The two halves of a vector as a column each, in the rounds of one.
fn to_column_pair(party: &mut Party, both: &Ints) -> Result<[Bits; 2]> {
    let planes = to_column(party, both)?;
    let words = both.len() / 64;
    let half = |range: std::ops::Range<usize>| {
        planes.map(|share| share.chunks_exact(words).flat_map(|plane| &plane[range.clone()]).copied().collect())
    };
    Ok([half(0..words / 2), half(words / 2..words)])
}
