//! Bytes as text that one can read and write: printable ASCII as it is, the rest as `\r`, `\n`, `\t`, `\\` and `\xNN`.

use anyhow::{Result, bail};

/// The text of some bytes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// The bytes of a text; the reverse of [`escape`]. Characters outside of ASCII stand for their UTF-8.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = match escaped.chars().next() {
            Some('r') => (b'\r', 1),
            Some('n') => (b'\n', 1),
            Some('t') => (b'\t', 1),
            Some('\\') => (b'\\', 1),
            Some('x') => match escaped.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => (byte, 3),
                None => bail!(r"`\x` without two hexadecimal digits in `{text}`"),
            },
            other => bail!(
                r"`\{}` in `{text}`; \r, \n, \t, \\ and \xNN are known",
                other.map(String::from).unwrap_or_default()
            ),
        };
        bytes.push(byte);
        rest = &escaped[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// For serde: bytes as such a text.
pub(crate) mod escaped {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::escape(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        super::unescape(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        assert_eq!(escape(b"+OK\r\n\\\xff'\""), r#"+OK\r\n\\\xff'""#);
    }

    #[test]
    fn a_wrong_escape_is_named() {
        assert!(unescape(r"a\q").unwrap_err().to_string().contains(r"`\q`"));
        assert!(unescape(r"a\x4").unwrap_err().to_string().contains("two hexadecimal digits"));
        assert!(unescape("a\\").is_err());
    }
}
