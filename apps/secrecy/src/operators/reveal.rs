//! Opening a result to all parties.

use crate::circuit::mask;
use crate::error::Result;
use crate::operators::shuffle;
use crate::party::Party;
use crate::planes::{VALUE_BITS, to_bits, to_values};
use crate::share::Bits;
use crate::table::{Plain, Table};

/// In which order rows are revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they lie in the table, because that is what was asked for: after a sort.
    Kept,
    /// In a random one. Where a row lies would tell how many others there are of its group, or which row of the
    /// input it was.
    Shuffled,
}

/// Reveals the rows of a table and how many there are, and nothing else: what is no row is zeroed first.
///
/// One round to zero, three to shuffle, one to open.
pub fn reveal(party: &mut Party, table: &Table, order: Order) -> Result<Plain> {
    let columns = Bits::concat(&table.columns);
    let masked = mask(party, &columns, &table.valid)?;
    // From planes to one word a row.
    let plane_words = VALUE_BITS * table.words();
    let rows = masked.map(|share| share.chunks_exact(plane_words).flat_map(to_values).collect());
    let (valid, opened) = match order {
        Order::Kept => {
            let mut opened = party.open_bits(&Bits::concat([&table.valid, &rows]))?;
            let columns = opened.split_off(table.words());
            (to_bits(&opened), columns)
        }
        Order::Shuffled => {
            let rows = Bits::concat([&table.valid.map(to_bits), &rows]);
            let mut opened = shuffle(party, &rows, table.places).and_then(|rows| party.open_bits(&rows))?;
            let columns = opened.split_off(table.places);
            (opened, columns)
        }
    };
    let rows =
        |column: &[u64]| column.iter().zip(&valid).filter(|(_, valid)| **valid == 1).map(|(word, _)| *word).collect();
    Ok(Plain { columns: opened.chunks_exact(table.places).map(rows).collect() })
}
