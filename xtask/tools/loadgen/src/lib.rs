//! Loads a Redis or memcached server and measures how it answers.
//!
//! [`run`] is one measurement from connecting to the [`Report`]; [`Session`] is its parts, for several measurements over
//! the same connections; [`search`] looks for the highest rate that a server sustains.

mod connection;
mod failure;
pub mod json;
mod latency;
mod mark;
mod mix;
mod protocol;
mod report;
mod schedule;
pub mod search;
mod session;
mod settings;
mod values;
mod worker;

pub use failure::Failure;
pub use latency::Latency;
pub use mark::{MARK_BEGIN, MARK_END};
pub use protocol::Protocol;
pub use report::{Errors, Report, Results};
pub use session::{Session, run};
pub use settings::{Amount, Arrivals, KeyDistribution, OpenLoop, Ratio, Settings, Workload, host_and_port};
