//! What the clients of a script observed.

use crate::text::escaped;
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{Read, Write};

/// Every script that was played, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub scripts: Vec<Played>,
}

/// One script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Played {
    pub name: String,
    /// What was observed, in the order of the steps.
    pub events: Vec<Event>,
    /// What the server wrote into its log meanwhile, as far as the suite keeps it, sorted.
    pub log: Vec<String>,
}

/// What a step observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The number of the step from 1, within a repeated one `STEP/ROUND/STEP`; `end` after the last.
    pub step: String,
    /// What was done on which connection.
    pub action: String,
    #[serde(with = "escaped")]
    pub received: Vec<u8>,
    pub outcome: Outcome,
}

/// How a connection was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The server may send more.
    Open,
    /// The server has ended its side.
    Ended,
    Reset,
    /// Ended or reset, where the script says that it is up to timing.
    Closed,
    /// What the step waited for never came; the rest of the script was not played.
    Overdue,
    /// Another error of the call.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Open => "open",
            Outcome::Ended => "ended by the server",
            Outcome::Reset => "reset",
            Outcome::Closed => "ended or reset",
            Outcome::Overdue => "silent until the deadline",
            Outcome::Failed(error) => error,
        })
    }
}

impl Played {
    /// The first step whose outcome no script waits for: it is wrong, or the server is.
    pub fn unplayed(&self) -> Option<&Event> {
        self.events.iter().find(|event| event.outcome == Outcome::Overdue)
    }

    /// How much there is to compare.
    pub fn summary(&self) -> String {
        let bytes: usize = self.events.iter().map(|event| event.received.len()).sum();
        let count = |wanted: &[Outcome]| self.events.iter().filter(|event| wanted.contains(&event.outcome)).count();
        format!(
            "{} observations, {bytes} bytes, {} ends, {} resets, {} lines of the server's log",
            self.events.len(),
            count(&[Outcome::Ended, Outcome::Closed]),
            count(&[Outcome::Reset]),
            self.log.len()
        )
    }
}

impl Record {
    /// As one line for a console: JSON, compressed with a checksum, base64.
    pub fn pack(&self) -> Result<String> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&serde_json::to_vec(self).context("turning the record into JSON")?)?;
        Ok(BASE64_STANDARD.encode(encoder.finish().context("compressing the record")?))
    }

    /// The reverse of [`Record::pack`].
    pub fn unpack(line: &str) -> Result<Self> {
        let packed = BASE64_STANDARD.decode(line.trim()).context("the record is not base64")?;
        let mut json = Vec::new();
        ZlibDecoder::new(packed.as_slice()).read_to_end(&mut json).context("the record cannot be decompressed")?;
        serde_json::from_slice(&json).context("the record is not what this version writes")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn event(step: &str, received: &[u8], outcome: Outcome) -> Event {
        Event { step: step.to_owned(), action: "a reads".to_owned(), received: received.to_vec(), outcome }
    }

    pub(crate) fn played(events: Vec<Event>) -> Played {
        Played { name: "half-close".to_owned(), events, log: vec!["Client closed connection".to_owned()] }
    }

    #[test]
    fn a_packed_record_comes_back() {
        let events =
            vec![event("1", &[0, 255, b'\\'], Outcome::Open), event("2", b"", Outcome::Failed("refused".to_owned()))];
        let record = Record { scripts: vec![played(events)] };
        assert_eq!(Record::unpack(&record.pack().unwrap()).unwrap(), record);
        assert!(Record::unpack("%").is_err() && Record::unpack("AAAA").is_err());
    }
}
