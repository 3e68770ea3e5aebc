//! Holds one record of a script against another.

use crate::record::{Event, Played};
use crate::text::escape;
use anyhow::{Result, bail, ensure};

/// How many bytes on either side of the first different one are shown.
const CONTEXT_BYTES: usize = 24;

/// Success when both are the same in every byte, end and line of the log; otherwise the first difference. The names say
/// in it which is which.
pub fn compare((reference, first): (&str, &Played), (other, second): (&str, &Played)) -> Result<String> {
    ensure!(first.name == second.name, "the script of `{}` was compared with that of `{}`", first.name, second.name);
    for (a, b) in first.events.iter().zip(&second.events) {
        same((reference, a), (other, b))?;
    }
    if first.events.len() != second.events.len() {
        let (longer, events, common) = match first.events.len() > second.events.len() {
            true => (reference, &first.events, second.events.len()),
            false => (other, &second.events, first.events.len()),
        };
        bail!(
            "{} observations at {reference}, {} at {other}; only at {longer}: {}",
            first.events.len(),
            second.events.len(),
            shown(&events[common])
        );
    }
    for at in 0..first.log.len().max(second.log.len()) {
        let line = |played: &Played| played.log.get(at).map_or("nothing".to_owned(), |line| format!("`{line}`"));
        let (a, b) = (line(first), line(second));
        ensure!(a == b, "line {} of the server's sorted log: {a} at {reference}, {b} at {other}", at + 1);
    }
    Ok(first.summary())
}

fn same((reference, a): (&str, &Event), (other, b): (&str, &Event)) -> Result<()> {
    if a == b {
        return Ok(());
    }
    let place = format!("step {} ({})", a.step, a.action);
    ensure!(
        a.step == b.step && a.action == b.action,
        "{place} was observed at {reference}, step {} ({}) at {other}",
        b.step,
        b.action
    );
    let ends = match a.outcome == b.outcome {
        true => format!("then at both: {}", a.outcome),
        false => format!("then {} at {reference}, {} at {other}", a.outcome, b.outcome),
    };
    if a.received == b.received {
        bail!("{place}: the same {} bytes, {ends}", a.received.len());
    }
    let common = a.received.iter().zip(&b.received).take_while(|(a, b)| a == b).count();
    bail!(
        "{place}: {} bytes at {reference}, {} at {other}; the first difference is at byte {common}: {} at {reference}, \
         {} at {other}; {ends}",
        a.received.len(),
        b.received.len(),
        around(&a.received, common),
        around(&b.received, common)
    );
}

fn shown(event: &Event) -> String {
    format!("step {} ({}): {}, then {}", event.step, event.action, around(&event.received, 0), event.outcome)
}

/// The bytes around a place, the place itself marked.
fn around(bytes: &[u8], at: usize) -> String {
    let start = at.saturating_sub(CONTEXT_BYTES);
    let end = bytes.len().min(at + CONTEXT_BYTES);
    let (before, after) = (escape(&bytes[start..at]), escape(&bytes[at..end]));
    let dots = |cut: bool| if cut { "…" } else { "" };
    format!("`{}{before}»{after}{}`", dots(start > 0), dots(end < bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;
    use crate::record::Outcome;
    use crate::record::tests::{event, played};

    fn difference(first: &Played, second: &Played) -> String {
        compare(("linux", first), ("shortcut", second)).unwrap_err().to_string()
    }

    fn reference() -> Played {
        played(vec![event("2", b"+PONG\r\n", Outcome::Open), event("5", &payload::lines(5000), Outcome::Ended)])
    }

    #[test]
    fn equal_records_say_what_was_compared() {
        insta::assert_snapshot!(
            compare(("linux", &reference()), ("shortcut", &reference())).unwrap(),
            @"2 observations, 5007 bytes, 1 ends, 0 resets, 1 lines of the server's log"
        );
    }

    #[test]
    fn the_first_different_byte_is_shown_with_what_is_around_it_and_both_ends() {
        let mut other = reference();
        other.events[1].received[4321] ^= 0x80;
        other.events[1].outcome = Outcome::Reset;
        insta::assert_snapshot!(difference(&reference(), &other), @r"step 5 (a reads): 5000 bytes at linux, 5000 at shortcut; the first difference is at byte 4321: `…e that is long enough to» fill buffers\nline 79 of…` at linux, `…e that is long enough to»\xa0fill buffers\nline 79 of…` at shortcut; then ended by the server at linux, reset at shortcut");
    }

    #[test]
    fn a_missing_tail_and_a_different_end_are_told_apart() {
        let mut shorter = reference();
        shorter.events[0].received.truncate(3);
        insta::assert_snapshot!(difference(&reference(), &shorter), @r"step 2 (a reads): 7 bytes at linux, 3 at shortcut; the first difference is at byte 3: `+PO»NG\r\n` at linux, `+PO»` at shortcut; then at both: open");
        let mut reset = reference();
        reset.events[1].outcome = Outcome::Reset;
        insta::assert_snapshot!(difference(&reference(), &reset), @r"step 5 (a reads): the same 5000 bytes, then ended by the server at linux, reset at shortcut");
    }

    #[test]
    fn a_script_that_ends_early_and_another_log_are_differences() {
        let mut early = reference();
        early.events.pop();
        insta::assert_snapshot!(difference(&reference(), &early), @r"2 observations at linux, 1 at shortcut; only at linux: step 5 (a reads): `»line 0 of a value that i…`, then ended by the server");
        let mut log = reference();
        log.log[0] = "Reading from client: Connection reset by peer".to_owned();
        insta::assert_snapshot!(difference(&reference(), &log), @"line 1 of the server's sorted log: `Client closed connection` at linux, `Reading from client: Connection reset by peer` at shortcut");
        log.log.clear();
        insta::assert_snapshot!(difference(&log, &reference()), @"line 1 of the server's sorted log: nothing at linux, `Client closed connection` at shortcut");
    }

    #[test]
    fn one_bit_anywhere_is_found() {
        let reference = played(vec![event("1", b"abc", Outcome::Open)]);
        for bit in 0..24 {
            let mut other = reference.clone();
            other.events[0].received[bit / 8] ^= 1 << (bit % 8);
            let said = difference(&reference, &other);
            assert!(said.contains(&format!("at byte {}:", bit / 8)), "{said}");
        }
    }
}
