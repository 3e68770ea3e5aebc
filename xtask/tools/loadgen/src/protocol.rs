//! The protocols: how requests are written, and what an answer means whichever protocol it came in.

mod echo;
mod memcached;
mod resp;
mod template;

pub(crate) use template::Template;

use serde::{Deserialize, Serialize};

/// The longest line taken from a server; longer ones mean that it speaks something else.
const MAX_LINE_BYTES: usize = 64 << 10;
/// The largest value taken: Redis's own limit for a string.
const MAX_VALUE_BYTES: usize = 512 << 20;

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RESP2.
    Redis,
    /// The text protocol.
    Memcached,
    /// Lines that come back as they were sent (RFC 862): a read sends the key's value, and nothing is written.
    Echo,
}

/// One answer. A value is borrowed from the bytes that were parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// `+OK` and other status lines, `STORED`.
    Done,
    Value(&'a [u8]),
    /// There is no such key.
    Miss,
    Number(i64),
    /// An array of this many items.
    Items(usize),
    /// The server's message.
    Error(&'a [u8]),
}

/// Bytes that are no answer in this protocol; nothing after them can be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Nonsense(pub String);

/// An answer and how many bytes it took; none if more bytes are needed.
pub(crate) type Parsed<'a> = Result<Option<(Answer<'a>, usize)>, Nonsense>;

impl Protocol {
    /// Whether the server keeps what it is given, so that there are keys to write.
    pub fn stores(self) -> bool {
        self != Protocol::Echo
    }

    /// The first answer in `bytes`.
    pub fn parse(self, bytes: &[u8]) -> Parsed<'_> {
        match self {
            Protocol::Redis => resp::parse(bytes),
            Protocol::Memcached => memcached::parse(bytes),
            Protocol::Echo => echo::parse(bytes),
        }
    }
}

impl Answer<'_> {
    /// For messages: short, and as text.
    pub fn describe(&self) -> String {
        match self {
            Answer::Done => "a status".to_owned(),
            Answer::Value(bytes) => format!("a value of {} bytes, {}", bytes.len(), excerpt(bytes)),
            Answer::Miss => "a miss".to_owned(),
            Answer::Number(number) => format!("the number {number}"),
            Answer::Items(count) => format!("an array of {count} items"),
            Answer::Error(text) => format!("the error {}", excerpt(text)),
        }
    }
}

/// The beginning of some bytes, quoted.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 80;
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(shown))
}

/// The line that starts at `from`, without its CR LF, and where the next one starts; none if it is not complete.
fn line(bytes: &[u8], from: usize) -> Result<Option<(&[u8], usize)>, Nonsense> {
    let rest = &bytes[from..];
    match memchr::memchr(b'\n', rest) {
        Some(end) if end > 0 && rest[end - 1] == b'\r' => Ok(Some((&rest[..end - 1], from + end + 1))),
        Some(end) => Err(Nonsense(format!("the line {} does not end in CR LF", excerpt(&rest[..end])))),
        None if rest.len() > MAX_LINE_BYTES => {
            Err(Nonsense(format!("a line of more than {MAX_LINE_BYTES} bytes: {}", excerpt(rest))))
        }
        None => Ok(None),
    }
}

/// A decimal number.
fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, Nonsense> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Nonsense(format!("{} is not the number that was expected", excerpt(text))))
}

/// The value of `size` bytes that starts at `from` and the place after its CR LF; none if it is not complete.
fn value(bytes: &[u8], from: usize, size: usize) -> Result<Option<(&[u8], usize)>, Nonsense> {
    if size > MAX_VALUE_BYTES {
        return Err(Nonsense(format!("a value of {size} bytes; at most {MAX_VALUE_BYTES} were expected")));
    }
    match bytes.get(from..from + size + 2) {
        None => Ok(None),
        Some(taken) if taken.ends_with(b"\r\n") => Ok(Some((&taken[..size], from + size + 2))),
        Some(_) => Err(Nonsense(format!("a value of {size} bytes does not end in CR LF"))),
    }
}

/// Checks that every beginning of a complete answer is incomplete, and that bytes after it are left alone.
#[cfg(test)]
fn check_split_everywhere(protocol: Protocol, bytes: &[u8], expected: Answer<'_>) {
    for end in 0..bytes.len() {
        assert_eq!(protocol.parse(&bytes[..end]), Ok(None), "after {end} bytes of {}", excerpt(bytes));
    }
    assert_eq!(protocol.parse(bytes), Ok(Some((expected, bytes.len()))));
    let followed = [bytes, b"-another\r\n"].concat();
    assert_eq!(protocol.parse(&followed), Ok(Some((expected, bytes.len()))));
}
