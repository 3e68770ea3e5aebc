//! DISTINCT, and where the groups of a sorted table begin.

use crate::circuit::equal;
use crate::error::Result;
use crate::operators::sort;
use crate::party::Party;
use crate::planes::delay;
use crate::share::Bits;
use crate::table::Table;

/// Leaves one row of each combination of values in these columns; the result is sorted by them.
pub fn distinct(party: &mut Party, table: &Table, keys: &[usize]) -> Result<Table> {
    let mut table = sort(party, table, keys)?;
    let key = table.key(party.id, keys);
    let words = table.words();
    let previous = key.map(|share| share.chunks_exact(words).flat_map(delay).collect());
    let mut repeats = equal(party, &key, &previous, words)?;
    clear_first(&mut repeats);
    table.valid = first_rows(party, &table.valid, &repeats)?;
    Ok(table)
}

/// No row lies before the first.
fn clear_first(repeats: &mut Bits) {
    repeats.0.own[0] &= !1;
    repeats.0.next[0] &= !1;
}

/// The valid rows that do not repeat the one before them.
pub fn first_rows(party: &mut Party, valid: &Bits, repeats: &Bits) -> Result<Bits> {
    let first = repeats.not(party.id);
    party.and(valid, &first)
}
