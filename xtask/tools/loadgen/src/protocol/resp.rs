//! Answers of the Redis protocol, version 2.

use super::{Answer, Nonsense, Parsed, excerpt, line, number, value};

/// More items than any command here could be answered with.
const MAX_ITEMS: usize = 1 << 24;

/// One element, an array's header for instance, and the place after it.
fn element(bytes: &[u8], from: usize) -> Parsed<'_> {
    let Some((text, after)) = line(bytes, from)? else {
        return Ok(None);
    };
    let Some((kind, rest)) = text.split_first() else {
        return Err(Nonsense("an empty line".to_owned()));
    };
    let answer = match kind {
        b'+' => Answer::Done,
        b'-' => Answer::Error(rest),
        b':' => Answer::Number(number(rest)?),
        b'$' | b'*' if rest == b"-1" => Answer::Miss,
        b'$' => return Ok(value(bytes, after, number(rest)?)?.map(|(value, after)| (Answer::Value(value), after))),
        b'*' => match number(rest)? {
            count if count <= MAX_ITEMS => Answer::Items(count),
            count => return Err(Nonsense(format!("an array of {count} items; at most {MAX_ITEMS} were expected"))),
        },
        _ => return Err(Nonsense(format!("{} begins with none of + - : $ *", excerpt(text)))),
    };
    Ok(Some((answer, after)))
}

/// The first answer. The items of an array are counted and not kept.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((answer, mut at)) = element(bytes, 0)? else {
        return Ok(None);
    };
    let mut missing = if let Answer::Items(count) = answer { count } else { 0 };
    while missing > 0 {
        let Some((item, after)) = element(bytes, at)? else {
            return Ok(None);
        };
        at = after;
        missing -= 1;
        if let Answer::Items(count) = item {
            missing += count;
        }
    }
    Ok(Some((answer, at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Protocol, check_split_everywhere};

    #[test]
    fn every_kind_of_answer_split_at_every_byte() {
        let answers: [(&[u8], Answer<'_>); 10] = [
            (b"+OK\r\n", Answer::Done),
            (b"-ERR no\r\n", Answer::Error(b"ERR no")),
            (b":-7\r\n", Answer::Number(-7)),
            (b"$-1\r\n", Answer::Miss),
            (b"$0\r\n\r\n", Answer::Value(b"")),
            (b"$6\r\nab\r\ncd\r\n", Answer::Value(b"ab\r\ncd")),
            (b"*-1\r\n", Answer::Miss),
            (b"*0\r\n", Answer::Items(0)),
            (b"*2\r\n$1\r\na\r\n:1\r\n", Answer::Items(2)),
            (b"*2\r\n*2\r\n:1\r\n*0\r\n$-1\r\n", Answer::Items(2)),
        ];
        for (bytes, expected) in answers {
            check_split_everywhere(Protocol::Redis, bytes, expected);
        }
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().0;
        assert_eq!(
            refused(b"HTTP/1.1 400 Bad Request\r\n"),
            "\"HTTP/1.1 400 Bad Request\" begins with none of + - : $ *"
        );
        assert_eq!(refused(b"$2\r\nabcd"), "a value of 2 bytes does not end in CR LF");
        assert_eq!(refused(b"$99999999999\r\n"), "a value of 99999999999 bytes; at most 536870912 were expected");
        assert_eq!(refused(b"*99999999999\r\n"), "an array of 99999999999 items; at most 16777216 were expected");
        assert_eq!(refused(b":one\r\n"), "\"one\" is not the number that was expected");
        assert_eq!(refused(b"+OK\n"), "the line \"+OK\" does not end in CR LF");
        assert_eq!(refused(b"\r\n"), "an empty line");
        assert!(refused(&[b'+'; 70_000]).starts_with("a line of more than 65536 bytes"));
    }
}
