//! How a run fails. Whatever the reason, no party prints an answer: each ends with one of these.

use crate::query::Query;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Error)]
pub enum Error {
    /// Nothing came, or nothing could be sent, within the deadline.
    #[error("party {peer}: message {sequence} could not be {doing} within {deadline_ms} ms")]
    Timeout { peer: usize, sequence: u64, doing: Direction, deadline_ms: u128 },
    /// The connection ended in the middle of the protocol.
    #[error("party {peer} closed the connection where message {sequence} was to be {doing}")]
    Closed { peer: usize, sequence: u64, doing: Direction },
    #[error("party {peer}: message {sequence} could not be {doing}: {source}")]
    Io { peer: usize, sequence: u64, doing: Direction, source: io::Error },
    /// Bytes that are no message of this protocol, or of another sender.
    #[error("party {peer}: where message {sequence} was expected there is {found}")]
    Foreign { peer: usize, sequence: u64, found: String },
    /// The content does not fit the checksum.
    #[error("party {peer}: message {sequence} arrived altered: checksum {found:016x}, expected {expected:016x}")]
    Corrupt { peer: usize, sequence: u64, expected: u64, found: u64 },
    /// A message was lost, repeated or overtaken.
    #[error("party {peer}: message {found} arrived where {expected} was expected: one was lost, repeated or overtaken")]
    Sequence { peer: usize, expected: u64, found: u64 },
    #[error("party {peer}: message {sequence} has {found} bytes, expected {expected}")]
    Length { peer: usize, sequence: u64, expected: usize, found: usize },
    /// Another party failed and said so.
    #[error("party {peer} gave up: {reason}")]
    Aborted { peer: usize, reason: String },
    #[error("party {peer} at {address} was not reached within {deadline_ms} ms: {source}")]
    Connect { peer: usize, address: SocketAddr, deadline_ms: u128, source: io::Error },
    #[error("party {missing} did not connect within {deadline_ms} ms")]
    Absent { missing: usize, deadline_ms: u128 },
    /// The parties were started for different work.
    #[error("party {peer} was started with another {what}: {found}, expected {expected}")]
    Mismatch { peer: usize, what: &'static str, expected: String, found: String },
    /// Two parties opened different results.
    #[error("party {peer} opened another result: digest {found:016x}, here {expected:016x}")]
    Disagreement { peer: usize, expected: u64, found: u64 },
    #[error("the answer of `{query}` differs from that of the plaintext query: {detail}")]
    Wrong { query: Query, detail: String },
    #[error("{what} is {found}, at most {limit}")]
    TooLarge { what: &'static str, found: usize, limit: usize },
    #[error("{action}: {source}")]
    Setup { action: String, source: io::Error },
}

/// What was being done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Sent,
    Received,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Direction::Sent => "sent",
            Direction::Received => "received",
        })
    }
}

impl Error {
    /// What the user can do about it.
    pub fn next(&self) -> &'static str {
        match self {
            Error::Timeout { .. } | Error::Connect { .. } | Error::Absent { .. } => {
                "see whether that party runs and can be reached, or raise --deadline-ms; then start all three again"
            }
            Error::Closed { .. } | Error::Io { .. } | Error::Aborted { .. } => {
                "read what that party reported, then start all three again"
            }
            Error::Foreign { .. } | Error::Corrupt { .. } | Error::Sequence { .. } | Error::Length { .. } => {
                "the network or a party alters the stream; look for a proxy or another run at that address"
            }
            Error::Mismatch { .. } => {
                "start the three parties with the same --query, --rows, --seed and --message-words"
            }
            Error::Disagreement { .. } | Error::Wrong { .. } => "this is a defect; report the query, rows and seed",
            Error::TooLarge { .. } => "ask for fewer rows",
            Error::Setup { .. } => "choose another address for this party in --peers",
        }
    }
}
