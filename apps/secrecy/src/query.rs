//! The queries of the command line, over tables made from a seed.

use crate::error::{Error, Result};
use crate::operators::{self, Operand, Order, Predicate, reveal};
use crate::party::Party;
use crate::plain;
use crate::prg::Prg;
use crate::table::{Plain, Table};
use clap::ValueEnum;
use serde::Serialize;
use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroUsize;

/// What is asked of a table with the columns `key` and `value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Query {
    /// SELECT key, COUNT(*), SUM(value) … GROUP BY key
    GroupBy,
    /// SELECT key, value … ORDER BY key, value
    Sort,
    /// SELECT * FROM a JOIN b ON a.key = b.key
    Join,
    /// SELECT * FROM a WHERE a.key IN (SELECT key FROM b)
    SemiJoin,
    /// SELECT key, value … WHERE value < 2^62 AND NOT key = 1
    Select,
    /// SELECT DISTINCT key
    Distinct,
}

pub const QUERIES: [Query; 6] =
    [Query::GroupBy, Query::Sort, Query::Join, Query::SemiJoin, Query::Select, Query::Distinct];

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().expect("no query is hidden").get_name())
    }
}

/// A query and the tables that it is asked of.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub query: Query,
    /// Of each table.
    pub rows: usize,
    pub seed: u64,
    /// Most words of a message, at least 1. None: a round is one message.
    pub message_words: Option<NonZeroUsize>,
}

fn predicate() -> Predicate {
    let small = Predicate::Less(Operand::Column(1), Operand::Constant(1 << 62));
    let one = Predicate::Equal(Operand::Column(0), Operand::Constant(1));
    Predicate::And(Box::new(small), Box::new(Predicate::Not(Box::new(one))))
}

impl Work {
    /// What all parties must have in common, as a number.
    pub fn digest(&self) -> u64 {
        let mut hasher = SipHasher24::new();
        hasher.write(format!("{self:?}").as_bytes());
        hasher.finish()
    }

    /// The input in the clear: one table or, for the joins, two. About four rows have the same key; values are any.
    pub fn tables(&self) -> Vec<Plain> {
        let count = if matches!(self.query, Query::Join | Query::SemiJoin) { 2 } else { 1 };
        let table = |index: u64| {
            let mut prg = Prg::from_seed(self.seed, "rows", index);
            let keys = (self.rows as u64 / 4).max(1);
            let columns: [Vec<u64>; 2] = [(0..self.rows).map(|_| prg.below(keys)).collect(), prg.words(self.rows)];
            match self.query {
                Query::Distinct => Plain { columns: columns[..1].to_vec() },
                _ => Plain { columns: columns.to_vec() },
            }
        };
        (0..count).map(table).collect()
    }

    /// The shares that a party gets of the input.
    pub fn shares(&self, party: usize) -> Result<Vec<Table>> {
        let mut prg = Prg::from_seed(self.seed, "shares", 0);
        self.tables().iter().map(|table| Table::deal_with(table, &mut prg, party)).collect()
    }

    /// The answer in the clear. Its rows are in order.
    pub fn oracle(&self) -> Plain {
        let tables = self.tables();
        let table = &tables[0];
        let answer = match self.query {
            Query::GroupBy => plain::group_by(table, &[0], 1),
            Query::Sort => plain::sort(table, &[0, 1]),
            Query::Join => plain::join(table, &tables[1], [0, 0]),
            Query::SemiJoin => plain::semi_join(table, &tables[1], [0, 0]),
            Query::Select => plain::select(table, &predicate()),
            Query::Distinct => plain::distinct(table, &[0]),
        };
        self.in_order(answer)
    }

    /// The answer by the protocol. Its rows are in the order of the query or, where that has none, in that of
    /// [`Plain::sorted_rows`].
    pub fn answer(&self, party: &mut Party, tables: &[Table]) -> Result<Plain> {
        let table = &tables[0];
        let (answer, order) = match self.query {
            Query::GroupBy => (operators::group_by(party, table, &[0], 1)?, Order::Shuffled),
            Query::Sort => (operators::sort(party, table, &[0, 1])?, Order::Kept),
            Query::Join => (operators::join(party, table, &tables[1], [0, 0])?, Order::Shuffled),
            Query::SemiJoin => (operators::semi_join(party, table, &tables[1], [0, 0])?, Order::Shuffled),
            Query::Select => (operators::select(party, table, &predicate())?, Order::Shuffled),
            Query::Distinct => (operators::distinct(party, table, &[0])?, Order::Shuffled),
        };
        Ok(self.in_order(reveal(party, &answer, order)?))
    }

    fn in_order(&self, answer: Plain) -> Plain {
        match self.query {
            Query::Sort => answer,
            _ => Plain::from_rows(answer.columns.len(), &answer.sorted_rows()),
        }
    }

    /// Compares an answer with the oracle.
    pub fn check(&self, answer: &Plain) -> Result<()> {
        let expected = self.oracle();
        if *answer == expected {
            return Ok(());
        }
        let [found, expected_rows] = [answer.rows(), expected.rows()];
        let first = (0..found.min(expected_rows)).find(|row| answer.row(*row) != expected.row(*row));
        let detail = match first {
            Some(row) => format!("row {row} is {:?}, expected {:?}", answer.row(row), expected.row(row)),
            None => format!("{found} rows, expected {expected_rows}"),
        };
        Err(Error::Wrong { query: self.query, detail })
    }
}

/// A number by which parties compare what they opened.
pub fn digest(answer: &Plain) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write_u64(answer.columns.len() as u64);
    answer.columns.iter().flatten().for_each(|word| hasher.write_u64(*word));
    hasher.finish()
}
