//! Tables, in the clear and shared.

use crate::error::{Error, Result};
use crate::planes::{self, VALUE_BITS, plane_words};
use crate::prg::Prg;
use crate::share::{Bits, Pair};

/// Most rows of a shared table, the rows of a cross join among them: about 100 bytes a row and column in each party.
pub const MAX_ROWS: usize = 1 << 20;

/// A table in the clear: columns of unsigned 64-bit values, all of the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain {
    pub columns: Vec<Vec<u64>>,
}

impl Plain {
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    pub fn row(&self, row: usize) -> Vec<u64> {
        self.columns.iter().map(|column| column[row]).collect()
    }

    /// A table of that many columns from its rows.
    pub fn from_rows(columns: usize, rows: &[Vec<u64>]) -> Plain {
        Plain { columns: (0..columns).map(|column| rows.iter().map(|row| row[column]).collect()).collect() }
    }

    /// The rows in order: two tables with the same rows in whatever order have the same.
    pub fn sorted_rows(&self) -> Vec<Vec<u64>> {
        let mut rows: Vec<_> = (0..self.rows()).map(|row| self.row(row)).collect();
        rows.sort_unstable();
        rows
    }
}

/// A shared table. Its columns and the number of its places are public; the values, and which places hold a row of the
/// table, are not.
#[derive(Clone, Debug)]
pub struct Table {
    /// Places, a multiple of 64.
    pub places: usize,
    /// No row lies at this place or after it.
    pub rows: usize,
    /// Each of 64 planes.
    pub columns: Vec<Bits>,
    /// One plane: whether a place holds a row.
    pub valid: Bits,
}

impl Table {
    /// Words of a plane.
    pub fn words(&self) -> usize {
        self.places / 64
    }

    /// The planes of these columns, highest bit first, behind a plane that is one where there is no row: rows in this order
    /// are sorted, with what is no row at the end; equal ones are of the same group.
    pub fn key(&self, party: usize, columns: &[usize]) -> Bits {
        let invalid = self.valid.not(party);
        columns.iter().fold(invalid, |mut key, column| {
            key.append(&crate::circuit::highest_first(&self.columns[*column], self.words()));
            key
        })
    }

    /// The same rows with places, a multiple of 64, added behind them.
    pub fn extended(&self, places: usize) -> Table {
        let (words, more) = (self.words(), plane_words(places));
        let extend = |bits: &Bits| {
            bits.map(|share| {
                let plane = |plane: &[u64]| [plane, &vec![0; more - words]].concat();
                share.chunks_exact(words).flat_map(plane).collect()
            })
        };
        Table {
            places,
            rows: self.rows,
            columns: self.columns.iter().map(extend).collect(),
            valid: extend(&self.valid),
        }
    }

    /// The shares that the owner of a table gives to a party, drawn from a seed.
    ///
    /// In this form every party must know the table, as in tests and measurements, where each derives it from the seed. An
    /// owner who keeps it to himself calls this for each party and sends the result.
    pub fn deal(plain: &Plain, seed: u64, party: usize) -> Result<Table> {
        let mut prg = Prg::from_seed(seed, "shares", 0);
        Table::deal_with(plain, &mut prg, party)
    }

    pub fn deal_with(plain: &Plain, prg: &mut Prg, party: usize) -> Result<Table> {
        let rows = plain.rows();
        if rows > MAX_ROWS {
            return Err(Error::TooLarge { what: "the number of rows", found: rows, limit: MAX_ROWS });
        }
        // A table without rows has places too, so that no operator has a special case.
        let words = plane_words(rows.max(1));
        let mut split = |planes: Vec<u64>| {
            let (first, second) = (prg.words(planes.len()), prg.words(planes.len()));
            let third = planes.iter().zip(first.iter().zip(&second)).map(|(word, (x, y))| word ^ x ^ y).collect();
            let mut components = [first, second, third];
            let next = std::mem::take(&mut components[(party + 1) % 3]);
            Bits(Pair { own: std::mem::take(&mut components[party]), next })
        };
        let columns = plain.columns.iter().map(|column| {
            let mut values = column.clone();
            values.resize(64 * words, 0);
            split(planes::from_values(&values))
        });
        let columns: Vec<_> = columns.collect();
        let valid = split(planes::from_bits((0..64 * words).map(|row| row < rows)));
        Ok(Table { places: 64 * words, rows, columns, valid })
    }

    /// All planes after each other, the columns' and the valid one, for an operation on all of them.
    pub fn all_planes(&self) -> Bits {
        Bits::concat(self.columns.iter().chain([&self.valid]))
    }

    /// Puts planes in the order of [`Table::all_planes`] back.
    pub fn set_planes(&mut self, all: &Bits) {
        let column_words = VALUE_BITS * self.words();
        for (at, column) in self.columns.iter_mut().enumerate() {
            *column = all.slice(at * column_words..(at + 1) * column_words);
        }
        self.valid = all.slice(self.columns.len() * column_words..all.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dealt_components_xor_to_the_table_and_neighbours_hold_the_same() {
        let plain = Plain { columns: vec![(0..70).collect(), vec![u64::MAX; 70]] };
        let tables = [0, 1, 2].map(|party| Table::deal(&plain, 5, party).unwrap());
        for (party, table) in tables.iter().enumerate() {
            assert_eq!((table.places, table.rows), (128, 70));
            assert_eq!(table.all_planes().0.next, tables[(party + 1) % 3].all_planes().0.own);
        }
        let shares = tables.each_ref().map(|table| table.columns[0].0.own.clone());
        let planes: Vec<u64> = (0..shares[0].len()).map(|at| shares[0][at] ^ shares[1][at] ^ shares[2][at]).collect();
        let values = planes::to_values(&planes);
        assert_eq!(values[..70], plain.columns[0]);
        assert!(values[70..].iter().all(|value| *value == 0));
    }
}
