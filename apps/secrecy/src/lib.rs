//! Three-party secure computation over tables: replicated secret sharing (Araki et al., CCS '16) and the relational
//! operators of Secrecy (Liagouris et al., NSDI '23). The README says what is protected from whom.
//!
//! A [`Party`] has connections to the two others ([`Net`]) and randomness in common with each. It holds two of the three
//! components of every secret ([`share`]). [`circuit`] computes on them for all rows at once, [`operators`] make queries of
//! that, and [`Work`] is a query with its input.

#![forbid(unsafe_code)]

pub mod circuit;
pub mod error;
pub mod frame;
pub mod link;
pub mod net;
pub mod operators;
pub mod party;
pub mod plain;
pub mod planes;
pub mod prg;
pub mod query;
pub mod run;
pub mod share;
pub mod table;

pub use error::{Error, Result};
pub use link::Waiting;
pub use net::Net;
pub use party::{Party, Randomness};
pub use query::{Query, Work};
pub use run::{Report, listen, local, take_part};
pub use table::{Plain, Table};

#[cfg(test)]
mod tests;
