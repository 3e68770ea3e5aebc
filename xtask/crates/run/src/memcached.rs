//! A client for memcached's text protocol (doc/protocol.txt in its sources), as much of it as talking to a server once
//! and testing it needs.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;
use ukl_vm::net;

/// The largest value taken: what a server may be told to keep (`-I`).
const MAX_VALUE_BYTES: usize = 1 << 30;

/// Replies of one line that are no error, without their arguments.
const LINES: &[&str] =
    &["STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "OK", "RESET", "VERSION", "MN"];
/// Replies of one line that say that a command was not carried out.
const ERRORS: &[&str] = &["ERROR", "CLIENT_ERROR", "SERVER_ERROR"];

/// One item of an answer to `get` or `gets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub key: String,
    pub flags: u32,
    /// The version number that `gets` asks for.
    pub cas: Option<u64>,
    pub data: Vec<u8>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `STORED`, `VERSION 1.6.38`, the new number after `incr`.
    Line(String),
    Error(String),
    /// To a retrieval; empty when there is none of the keys.
    Values(Vec<Value>),
    Stats(Vec<(String, String)>),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Line(line) | Reply::Error(line) => f.write_str(line),
            Reply::Values(values) => {
                for Value { key, flags, cas, data } in values {
                    let cas = cas.map(|cas| format!(" {cas}")).unwrap_or_default();
                    writeln!(f, "VALUE {key} {flags} {}{cas}", data.len())?;
                    match data.len() {
                        0..=8192 => writeln!(f, "{}", String::from_utf8_lossy(data))?,
                        size => writeln!(f, "({size} bytes)")?,
                    }
                }
                f.write_str("END")
            }
            Reply::Stats(stats) => {
                stats.iter().try_for_each(|(name, value)| writeln!(f, "STAT {name} {value}"))?;
                f.write_str("END")
            }
        }
    }
}

/// A connection. Each read and write has the deadline given to `connect`.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16, deadline: Duration) -> Result<Self> {
        Ok(Client { stream: net::dial(port, deadline)? })
    }

    /// Sends the lines of one command, the second of which is a value, and returns the reply; an error is a reply.
    pub fn call(&mut self, lines: &[&[u8]]) -> Result<Reply> {
        self.send(lines)?;
        self.receive()
    }

    /// `call` with a command of one line.
    pub fn text(&mut self, line: &str) -> Result<Reply> {
        self.call(&[line.as_bytes()]).with_context(|| format!("`{line}`"))
    }

    /// Stores a value that never expires.
    pub fn set(&mut self, key: &str, value: &[u8]) -> Result<Reply> {
        let line = format!("set {key} 0 0 {}", value.len());
        self.call(&[line.as_bytes(), value]).with_context(|| format!("`{line}`"))
    }

    /// What the server counts, by name.
    pub fn stats(&mut self) -> Result<BTreeMap<String, String>> {
        match self.text("stats")? {
            Reply::Stats(stats) => Ok(stats.into_iter().collect()),
            other => bail!("`stats` was answered {other}"),
        }
    }

    /// Sends the lines of one or more commands without waiting.
    pub fn send(&mut self, lines: &[&[u8]]) -> Result<()> {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| [*line, b"\r\n"].concat()).collect();
        self.stream.get_mut().write_all(&bytes).context("sending a command")
    }

    /// Waits for one reply.
    pub fn receive(&mut self) -> Result<Reply> {
        decode(&mut self.stream).context("reading a reply")
    }
}

/// The next reply.
pub fn decode(from: &mut impl BufRead) -> Result<Reply> {
    let (mut values, mut stats) = (Vec::new(), Vec::new());
    loop {
        let line = read_line(from)?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let begun = !values.is_empty() || !stats.is_empty();
        match word {
            "VALUE" if stats.is_empty() => values.push(value(rest, from).with_context(|| format!("`{line}`"))?),
            "STAT" if values.is_empty() => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                stats.push((name.to_owned(), value.to_owned()));
            }
            "END" if stats.is_empty() => return Ok(Reply::Values(values)),
            "END" => return Ok(Reply::Stats(stats)),
            // Also in the middle of an answer, which then has no END.
            _ if ERRORS.contains(&word) => return Ok(Reply::Error(line)),
            _ if !begun && (LINES.contains(&word) || line.parse::<u64>().is_ok()) => return Ok(Reply::Line(line)),
            _ => bail!("reply line `{line}`; one of VALUE, STAT, END, {} was expected", LINES.join(", ")),
        }
    }
}

/// What follows `VALUE`: key, flags, size in bytes, perhaps a version number; and the data in the next line.
fn value(words: &str, from: &mut impl BufRead) -> Result<Value> {
    let words: Vec<_> = words.split(' ').collect();
    let (key, flags, size, cas) = match words[..] {
        [key, flags, size] => (key, flags, size, None),
        [key, flags, size, cas] => (key, flags, size, Some(cas.parse()?)),
        _ => bail!("{} words; 3 or 4 were expected", words.len()),
    };
    let size: usize = size.parse()?;
    ensure!(size <= MAX_VALUE_BYTES, "a value of {size} bytes; at most {MAX_VALUE_BYTES} were expected");
    let mut data = vec![0; size + 2];
    from.read_exact(&mut data)?;
    ensure!(data.ends_with(b"\r\n"), "the value does not end in CR LF after {size} bytes");
    data.truncate(size);
    Ok(Value { key: key.to_owned(), flags: flags.parse()?, cas, data })
}

fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(from.read_line(&mut line)? > 0, "the server closed the connection");
    let line = line.strip_suffix("\r\n").with_context(|| format!("reply line {line:?} does not end in CR LF"))?;
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Result<Reply> {
        decode(&mut text.as_bytes())
    }

    #[test]
    fn values_are_read_by_their_size() {
        let text = "VALUE a 7 5\r\nx\r\ny\u{0}\r\nVALUE b 0 0 42\r\n\r\nEND\r\n";
        let value = |key: &str, flags, cas, data: &[u8]| Value { key: key.to_owned(), flags, cas, data: data.to_vec() };
        let both = vec![value("a", 7, None, b"x\r\ny\0"), value("b", 0, Some(42), b"")];
        assert_eq!(reply(text).unwrap(), Reply::Values(both));
        assert_eq!(reply("END\r\n").unwrap(), Reply::Values(vec![]));
    }

    #[test]
    fn every_kind_of_reply() {
        assert_eq!(reply("STORED\r\n").unwrap(), Reply::Line("STORED".to_owned()));
        assert_eq!(reply("18446744073709551615\r\n").unwrap().to_string(), "18446744073709551615");
        assert_eq!(reply("CLIENT_ERROR no\r\n").unwrap(), Reply::Error("CLIENT_ERROR no".to_owned()));
        let stats = reply("STAT threads 4\r\nSTAT inter large\r\nEND\r\n").unwrap();
        assert_eq!(stats.to_string(), "STAT threads 4\nSTAT inter large\nEND");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "+PONG\r\n", "STORED\n", "VALUE a 0 2\r\nabcdEND\r\n", "VALUE a 0\r\nEND\r\n", "-1\r\n"] {
            assert!(reply(text).is_err(), "{text:?}");
        }
        assert!(reply("VALUE a 0 1\r\nx\r\nSTORED\r\n").is_err());
        assert!(reply("VALUE a 0 99999999999\r\n").is_err());
    }
}
