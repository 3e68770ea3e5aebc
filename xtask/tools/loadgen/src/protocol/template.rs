//! Requests of one kind: everything but the key and the value is written once, before the first of them is sent.

use super::Protocol;
use crate::values::{KEY_BYTES, Values, write_key};

/// A piece of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(Vec<u8>),
    Key,
    Value,
}

/// A kind of request. All keys have one length and so have all values, so that lengths in headers are fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

impl Template {
    /// The read of a key.
    pub(crate) fn get(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Redis => Template::redis("GET {key}", 0),
            Protocol::Memcached => Template::pieces("get {key}\r\n"),
            Protocol::Echo => Template::pieces("{value}\r\n"),
        }
    }

    /// The write of a key.
    pub(crate) fn set(protocol: Protocol, value_bytes: usize) -> Self {
        match protocol {
            Protocol::Redis => Template::redis("SET {key} {value}", value_bytes),
            Protocol::Memcached => Template::pieces(&format!("set {{key}} 0 0 {value_bytes}\r\n{{value}}\r\n")),
            // Never sent: settings with writes are refused.
            Protocol::Echo => Template::get(protocol),
        }
    }

    /// A Redis command: words with a space between, in which `{key}` and `{value}` stand for a key and a value.
    pub(crate) fn redis(command: &str, value_bytes: usize) -> Self {
        let words: Vec<&str> = command.split_whitespace().collect();
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            let (keys, values) = (word.matches("{key}").count(), word.matches("{value}").count());
            let fixed = word.len() - keys * "{key}".len() - values * "{value}".len();
            let size = fixed + keys * KEY_BYTES + values * value_bytes;
            text.push_str(&format!("${size}\r\n{word}\r\n"));
        }
        Template::pieces(&text)
    }

    /// Splits a text at its placeholders.
    fn pieces(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, part, length)) = [("{key}", Part::Key), ("{value}", Part::Value)]
            .into_iter()
            .filter_map(|(name, part)| rest.find(name).map(|at| (at, part, name.len())))
            .min_by_key(|(at, ..)| *at)
        {
            parts.push(Part::Fixed(rest.as_bytes()[..at].to_vec()));
            parts.push(part);
            rest = &rest[at + length..];
        }
        parts.push(Part::Fixed(rest.as_bytes().to_vec()));
        Template(parts)
    }

    /// Appends the request for one key.
    pub(crate) fn write(&self, key: u64, values: &Values, to: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Fixed(bytes) => to.extend_from_slice(bytes),
                Part::Key => write_key(key, to),
                Part::Value => to.extend_from_slice(values.of(key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &Template, value_bytes: usize) -> String {
        let mut bytes = Vec::new();
        template.write(7, &Values::new(value_bytes), &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn value(size: usize) -> String {
        String::from_utf8(Values::new(size).of(7).to_vec()).unwrap()
    }

    #[test]
    fn redis_requests_are_arrays_of_strings() {
        assert_eq!(written(&Template::get(Protocol::Redis), 3), "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n");
        assert_eq!(
            written(&Template::set(Protocol::Redis, 3), 3),
            format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000007\r\n$3\r\n{}\r\n", value(3))
        );
        assert_eq!(written(&Template::redis("PING", 3), 3), "*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            written(&Template::redis("LPUSH  l:{key} <{value}>", 2), 2),
            format!("*3\r\n$5\r\nLPUSH\r\n$18\r\nl:key:000000000007\r\n$4\r\n<{}>\r\n", value(2))
        );
    }

    #[test]
    fn an_echo_is_asked_for_the_value() {
        assert_eq!(written(&Template::get(Protocol::Echo), 3), format!("{}\r\n", value(3)));
    }

    #[test]
    fn memcached_requests_are_lines() {
        assert_eq!(written(&Template::get(Protocol::Memcached), 3), "get key:000000000007\r\n");
        assert_eq!(
            written(&Template::set(Protocol::Memcached, 3), 3),
            format!("set key:000000000007 0 0 3\r\n{}\r\n", value(3))
        );
    }
}
