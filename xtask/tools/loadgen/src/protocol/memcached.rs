//! Answers of memcached's text protocol to `get` of one key and to `set`.

use super::{Answer, Nonsense, Parsed, excerpt, line, number, value};

/// The first answer.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((text, after)) = line(bytes, 0)? else {
        return Ok(None);
    };
    let answer = match text {
        b"STORED" => Answer::Done,
        b"END" => Answer::Miss,
        b"NOT_STORED" | b"ERROR" => Answer::Error(text),
        _ if text.starts_with(b"VALUE ") => return found(bytes, text, after),
        _ if text.starts_with(b"SERVER_ERROR") || text.starts_with(b"CLIENT_ERROR") => Answer::Error(text),
        _ => return Err(Nonsense(format!("{} is no answer of memcached", excerpt(text)))),
    };
    Ok(Some((answer, after)))
}

/// What follows `VALUE <key> <flags> <bytes>`: the value, then `END`.
fn found<'a>(bytes: &'a [u8], header: &[u8], after: usize) -> Parsed<'a> {
    let Some(size) = header.split(|byte| *byte == b' ').nth(3) else {
        return Err(Nonsense(format!("{} is not `VALUE <key> <flags> <bytes>`", excerpt(header))));
    };
    let Some((data, after)) = value(bytes, after, number(size)?)? else {
        return Ok(None);
    };
    match line(bytes, after)? {
        None => Ok(None),
        Some((b"END", after)) => Ok(Some((Answer::Value(data), after))),
        Some((other, _)) => Err(Nonsense(format!("{} stands where END was expected", excerpt(other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Protocol, check_split_everywhere};

    #[test]
    fn every_kind_of_answer_split_at_every_byte() {
        let answers: [(&[u8], Answer<'_>); 7] = [
            (b"STORED\r\n", Answer::Done),
            (b"END\r\n", Answer::Miss),
            (b"ERROR\r\n", Answer::Error(b"ERROR")),
            (b"SERVER_ERROR out of memory\r\n", Answer::Error(b"SERVER_ERROR out of memory")),
            (b"VALUE key:000000000001 0 3\r\nabc\r\nEND\r\n", Answer::Value(b"abc")),
            (b"VALUE k 0 5\r\nEND\r\n\r\nEND\r\n", Answer::Value(b"END\r\n")),
            (b"VALUE k 0 0\r\n\r\nEND\r\n", Answer::Value(b"")),
        ];
        for (bytes, expected) in answers {
            check_split_everywhere(Protocol::Memcached, bytes, expected);
        }
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().0;
        assert_eq!(refused(b"+OK\r\n"), "\"+OK\" is no answer of memcached");
        assert_eq!(refused(b"VALUE k 0\r\n"), "\"VALUE k 0\" is not `VALUE <key> <flags> <bytes>`");
        assert_eq!(refused(b"VALUE k 0 1\r\na\r\nVALUE\r\n"), "\"VALUE\" stands where END was expected");
        assert_eq!(refused(b"VALUE k 0 1\r\nabc"), "a value of 1 bytes does not end in CR LF");
    }
}
