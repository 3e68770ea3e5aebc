//! WHERE: selection by a predicate.

use crate::circuit::{equal, highest_first, less};
use crate::error::Result;
use crate::party::Party;
use crate::share::Bits;
use crate::table::Table;

/// A value of a row, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Column(usize),
    /// Known to all parties.
    Constant(u64),
}

/// What is asked of a row. The predicate is public, its outcome is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    Equal(Operand, Operand),
    Less(Operand, Operand),
    Not(Box<Predicate>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
}

/// Leaves the rows for which the predicate holds, at their places.
///
/// Equality takes 6 rounds, less-than 7, AND and OR one more than their parts together.
pub fn select(party: &mut Party, table: &Table, predicate: &Predicate) -> Result<Table> {
    let holds = evaluate(party, table, predicate)?;
    let valid = party.and(&table.valid, &holds)?;
    Ok(Table { valid, ..table.clone() })
}

fn evaluate(party: &mut Party, table: &Table, predicate: &Predicate) -> Result<Bits> {
    let words = table.words();
    match predicate {
        Predicate::Equal(left, right) => {
            let (left, right) = (operand(party.id, table, *left), operand(party.id, table, *right));
            equal(party, &left, &right, words)
        }
        Predicate::Less(left, right) => {
            let (left, right) = (operand(party.id, table, *left), operand(party.id, table, *right));
            less(party, &left, &right, words)
        }
        Predicate::Not(inner) => Ok(evaluate(party, table, inner)?.not(party.id)),
        Predicate::And(left, right) => {
            let (left, right) = (evaluate(party, table, left)?, evaluate(party, table, right)?);
            party.and(&left, &right)
        }
        Predicate::Or(left, right) => {
            let (left, right) = (evaluate(party, table, left)?, evaluate(party, table, right)?);
            Ok(party.and(&left, &right)?.xor(&left).xor(&right))
        }
    }
}

/// The planes of an operand, highest bit first.
fn operand(party: usize, table: &Table, operand: Operand) -> Bits {
    let words = table.words();
    match operand {
        Operand::Column(column) => highest_first(&table.columns[column], words),
        Operand::Constant(value) => {
            let plane = |bit: u32| vec![if value >> bit & 1 == 1 { u64::MAX } else { 0 }; words];
            Bits::public(party, (0..64).rev().flat_map(plane).collect())
        }
    }
}
