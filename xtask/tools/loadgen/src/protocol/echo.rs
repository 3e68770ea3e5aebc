//! Answers of an echo server to a line with a value.

use super::{Answer, Parsed, line};

/// The first answer: a line is the value that was sent.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    Ok(line(bytes, 0)?.map(|(text, after)| (Answer::Value(text), after)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Protocol, check_split_everywhere};

    #[test]
    fn a_line_split_at_every_byte_is_a_value() {
        check_split_everywhere(Protocol::Echo, b"abc\r\n", Answer::Value(b"abc"));
        check_split_everywhere(Protocol::Echo, b"\r\n", Answer::Value(b""));
        assert_eq!(parse(b"abc\n").unwrap_err().0, "the line \"abc\" does not end in CR LF");
    }
}
