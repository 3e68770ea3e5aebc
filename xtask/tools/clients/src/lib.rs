//! Plays scripted TCP clients against a server and records what each connection observes, so that the records of two
//! servers can be compared byte by byte.
//!
//! [`Suite`] and [`Script`] are what is played, [`play`] plays it, [`Record`] is what came of it, [`compare`] holds
//! one record against another.

mod compare;
mod connection;
mod payload;
mod player;
mod record;
mod script;
mod server;
mod text;

pub use compare::compare;
pub use player::{Server, play};
pub use record::{Event, Outcome, Played, Record};
pub use script::{Script, Step, Suite};
