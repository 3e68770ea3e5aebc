//! The same operators in the clear: what the answers are compared with.

use crate::operators::{Operand, Predicate};
use crate::table::Plain;
use std::collections::BTreeMap;

pub fn sort(table: &Plain, keys: &[usize]) -> Plain {
    let mut rows: Vec<_> = (0..table.rows()).map(|row| table.row(row)).collect();
    rows.sort_by_key(|row| keys.iter().map(|key| row[*key]).collect::<Vec<_>>());
    Plain::from_rows(table.columns.len(), &rows)
}

pub fn distinct(table: &Plain, keys: &[usize]) -> Plain {
    let rows: BTreeMap<Vec<u64>, Vec<u64>> = (0..table.rows())
        .map(|row| (keys.iter().map(|key| table.columns[*key][row]).collect(), table.row(row)))
        .collect();
    Plain::from_rows(table.columns.len(), &rows.into_values().collect::<Vec<_>>())
}

pub fn group_by(table: &Plain, keys: &[usize], sum_of: usize) -> Plain {
    let mut groups: BTreeMap<Vec<u64>, (u64, u64)> = BTreeMap::new();
    for row in 0..table.rows() {
        let group = groups.entry(keys.iter().map(|key| table.columns[*key][row]).collect()).or_default();
        *group = (group.0 + 1, group.1.wrapping_add(table.columns[sum_of][row]));
    }
    let rows: Vec<_> = groups.into_iter().map(|(key, (count, sum))| [key, vec![count, sum]].concat()).collect();
    Plain::from_rows(keys.len() + 2, &rows)
}

pub fn select(table: &Plain, predicate: &Predicate) -> Plain {
    let rows = (0..table.rows()).map(|row| table.row(row)).filter(|row| holds(row, predicate));
    Plain::from_rows(table.columns.len(), &rows.collect::<Vec<_>>())
}

fn holds(row: &[u64], predicate: &Predicate) -> bool {
    let value = |operand: &Operand| match operand {
        Operand::Column(column) => row[*column],
        Operand::Constant(value) => *value,
    };
    match predicate {
        Predicate::Equal(left, right) => value(left) == value(right),
        Predicate::Less(left, right) => value(left) < value(right),
        Predicate::Not(inner) => !holds(row, inner),
        Predicate::And(left, right) => holds(row, left) && holds(row, right),
        Predicate::Or(left, right) => holds(row, left) || holds(row, right),
    }
}

pub fn join(left: &Plain, right: &Plain, keys: [usize; 2]) -> Plain {
    let mut rows = Vec::new();
    for first in (0..left.rows()).map(|row| left.row(row)) {
        let matching = (0..right.rows()).map(|row| right.row(row)).filter(|row| row[keys[1]] == first[keys[0]]);
        rows.extend(matching.map(|second| [first.clone(), second].concat()));
    }
    Plain::from_rows(left.columns.len() + right.columns.len(), &rows)
}

pub fn semi_join(left: &Plain, right: &Plain, keys: [usize; 2]) -> Plain {
    let rows = (0..left.rows()).map(|row| left.row(row)).filter(|row| right.columns[keys[1]].contains(&row[keys[0]]));
    Plain::from_rows(left.columns.len(), &rows.collect::<Vec<_>>())
}
