//! A client for the Redis protocol (RESP2), as much of it as talking to a server once and testing it needs.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ukl_vm::net;

/// The largest reply taken: Redis's own limit for a string.
const MAX_BYTES: usize = 512 << 20;
/// How deep arrays stand in arrays in any answer that a test asks for, and more.
const MAX_DEPTH: usize = 16;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => f.write_str(text),
            Reply::Error(text) => write!(f, "(error) {text}"),
            Reply::Integer(number) => write!(f, "{number}"),
            Reply::Bulk(bytes) if bytes.len() > 8192 => write!(f, "({} bytes)", bytes.len()),
            Reply::Bulk(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Reply::Nil => f.write_str("(nil)"),
            Reply::Array(items) => {
                items.iter().enumerate().try_for_each(|(at, item)| write!(f, "{}{item}", if at > 0 { " " } else { "" }))
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

    /// Sends one command and returns its reply; an error reply is a reply.
    pub fn call(&mut self, words: &[&[u8]]) -> Result<Reply> {
        self.send(words)?;
        self.receive()
    }

    /// `call` with words that are text.
    pub fn text(&mut self, line: &str) -> Result<Reply> {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        self.call(&words).with_context(|| format!("`{line}`"))
    }

    /// Sends one command without waiting.
    pub fn send(&mut self, words: &[&[u8]]) -> Result<()> {
        self.send_raw(&encode(words))
    }

    /// Sends bytes that are commands already, several at once for instance.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes).context("sending a command")
    }

    /// Waits for one reply.
    pub fn receive(&mut self) -> Result<Reply> {
        decode(&mut self.stream).context("reading a reply")
    }
}

/// A command as an array of bulk strings.
pub fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// The next reply.
pub fn decode(from: &mut impl BufRead) -> Result<Reply> {
    decode_within(from, 0)
}

/// The next reply, which stands in `depth` arrays.
fn decode_within(from: &mut dyn BufRead, depth: usize) -> Result<Reply> {
    let mut line = String::new();
    anyhow::ensure!(from.read_line(&mut line)? > 0, "the server closed the connection");
    let line = line.strip_suffix("\r\n").with_context(|| format!("reply line {line:?} does not end in CR LF"))?;
    let (kind, rest) = line.split_at_checked(1).context("empty reply line")?;
    let number = || rest.parse::<i64>().with_context(|| format!("`{rest}` is no number"));
    Ok(match kind {
        "+" => Reply::Simple(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Integer(number()?),
        "$" => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(size) if size > MAX_BYTES => bail!("a string of {size} bytes; at most {MAX_BYTES} were expected"),
            Ok(size) => {
                // As it comes: what is announced is not what arrives.
                let mut bytes = Vec::new();
                from.take(size as u64 + 2).read_to_end(&mut bytes)?;
                anyhow::ensure!(bytes.len() == size + 2, "a string of {size} bytes ended after {}", bytes.len());
                anyhow::ensure!(bytes.ends_with(b"\r\n"), "a string of {size} bytes does not end in CR LF");
                bytes.truncate(size);
                Reply::Bulk(bytes)
            }
        },
        "*" => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(_) if depth == MAX_DEPTH => bail!("arrays in more than {MAX_DEPTH} arrays"),
            Ok(count) => Reply::Array((0..count).map(|_| decode_within(from, depth + 1)).collect::<Result<_>>()?),
        },
        _ => bail!("reply of unknown kind `{kind}`; one of + - : $ * was expected"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Result<Reply> {
        decode(&mut text.as_bytes())
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        let bytes = encode(&[b"SET", b"k", b""]);
        assert_eq!(String::from_utf8(bytes).unwrap(), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }

    #[test]
    fn every_kind_of_reply() {
        assert_eq!(reply("+OK\r\n").unwrap(), Reply::Simple("OK".to_owned()));
        assert_eq!(reply("-ERR no\r\n").unwrap(), Reply::Error("ERR no".to_owned()));
        assert_eq!(reply("$2\r\nabcd").unwrap_err().to_string(), "a string of 2 bytes does not end in CR LF");
        assert_eq!(reply("$2\r\n\r\n\r\n").unwrap(), Reply::Bulk(b"\r\n".to_vec()));
        let array = Reply::Array(vec![Reply::Integer(-7), Reply::Nil]);
        assert_eq!(reply("*2\r\n:-7\r\n$-1\r\n").unwrap(), array);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(reply("").is_err());
        assert!(reply("HTTP/1.1 200 OK\r\n").is_err());
        assert!(reply("$5\r\nab").is_err());
        assert!(reply("$99999999999\r\n").is_err());
        assert!(reply("$500000000\r\nab\r\n").is_err());
        assert!(reply(&"*1\r\n".repeat(100_000)).unwrap_err().to_string().contains("arrays in more than 16"));
    }
}
