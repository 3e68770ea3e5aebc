//! What a job brought: counts, bytes, latencies, and what was wrong.

use crate::connection::Sent;
use crate::latency::Latencies;
use crate::mix::Operation;
use crate::protocol::Answer;
use crate::report::Errors;
use crate::values::write_key;
use anyhow::Result;

/// Redis commands that answer with a number.
const ANSWER_NUMBER: [&str; 10] = ["INCR", "DECR", "LPUSH", "RPUSH", "SADD", "HSET", "DEL", "EXISTS", "LLEN", "APPEND"];

/// Whether a command that does what it should is answered with a number.
pub(super) fn answers_number(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default();
    ANSWER_NUMBER.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[derive(Debug)]
pub(crate) struct Tally {
    pub gets: u64,
    pub sets: u64,
    pub commands: u64,
    pub hits: u64,
    pub misses: u64,
    /// Requests answered as they should be.
    pub completed: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub errors: Errors,
    pub latencies: Latencies,
    /// How much later than intended an open loop sent its requests.
    pub lags: Latencies,
    /// Whether an open loop fell so far behind that it ended early.
    pub gave_up: bool,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        Ok(Tally {
            gets: 0,
            sets: 0,
            commands: 0,
            hits: 0,
            misses: 0,
            completed: 0,
            sent_bytes: 0,
            received_bytes: 0,
            errors: Errors::default(),
            latencies: Latencies::new()?,
            lags: Latencies::new()?,
            gave_up: false,
        })
    }

    /// Counts a request.
    pub(crate) fn made(&mut self, operation: Operation) {
        match operation {
            Operation::Get => self.gets += 1,
            Operation::Set => self.sets += 1,
            Operation::Command => self.commands += 1,
        }
    }

    /// Compares an answer with what the request should have brought.
    pub(crate) fn judge(
        &mut self,
        connection: usize,
        sent: Sent,
        answer: &Answer<'_>,
        value: &[u8],
        command_answers_number: bool,
        now_ns: Option<u64>,
    ) {
        match (sent.request.operation, answer) {
            (Operation::Get, Answer::Value(got)) if *got == value => self.hits += 1,
            (Operation::Get, Answer::Miss) => self.misses += 1,
            (Operation::Set, Answer::Done) | (Operation::Command, Answer::Number(_)) => {}
            (Operation::Command, answer) if !command_answers_number && !matches!(answer, Answer::Error(_)) => {}
            (operation, answer) => {
                let count = match answer {
                    Answer::Error(_) => &mut self.errors.error_answers,
                    _ => &mut self.errors.wrong_answers,
                };
                *count += 1;
                self.errors.note(|| {
                    let asked = describe(operation, sent.request.key);
                    let (answer, expected) = (answer.describe(), expectation(operation, value, command_answers_number));
                    format!("connection {connection}: {asked} was answered with {answer}; expected was {expected}")
                });
                return;
            }
        }
        self.completed += 1;
        if let Some(now_ns) = now_ns {
            self.latencies.record_ns(now_ns.saturating_sub(sent.since_ns));
        }
    }

    /// Counts a connection that is of no use any more.
    pub(crate) fn lost(&mut self, connection: usize, outstanding: usize, why: &str) {
        self.errors.lost_connections += 1;
        self.errors.lost_requests += outstanding as u64;
        self.errors.note(|| format!("connection {connection}: {why}, with {outstanding} requests unanswered"));
    }

    /// Adds another thread's.
    pub(crate) fn add(&mut self, other: &Tally) -> Result<()> {
        self.gets += other.gets;
        self.sets += other.sets;
        self.commands += other.commands;
        self.hits += other.hits;
        self.misses += other.misses;
        self.completed += other.completed;
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.errors.add(&other.errors);
        self.gave_up |= other.gave_up;
        self.latencies.add(&other.latencies)?;
        self.lags.add(&other.lags)
    }
}

fn describe(operation: Operation, key: u64) -> String {
    let mut name = Vec::new();
    write_key(key, &mut name);
    let name = String::from_utf8_lossy(&name);
    match operation {
        Operation::Get => format!("the read of {name}"),
        Operation::Set => format!("the write of {name}"),
        Operation::Command => format!("the command with {name}"),
    }
}

fn expectation(operation: Operation, value: &[u8], command_answers_number: bool) -> String {
    match operation {
        Operation::Get => format!("the value of {} bytes that belongs to it, or a miss", value.len()),
        Operation::Set => "that it is stored".to_owned(),
        Operation::Command if command_answers_number => "a number".to_owned(),
        Operation::Command => "anything but an error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Request;

    fn judged(operation: Operation, answer: &Answer<'_>, number: bool) -> Tally {
        let mut tally = Tally::new().unwrap();
        let sent = Sent { request: Request { operation, key: 5 }, since_ns: 1_000 };
        tally.judge(3, sent, answer, b"abc", number, Some(5_000));
        tally
    }

    #[test]
    fn right_answers_are_counted_and_timed() {
        let hit = judged(Operation::Get, &Answer::Value(b"abc"), false);
        assert_eq!((hit.hits, hit.misses, hit.completed, hit.errors.total()), (1, 0, 1, 0));
        assert_eq!(hit.latencies.summary().unwrap().max_us.round(), 4.0);
        let miss = judged(Operation::Get, &Answer::Miss, false);
        assert_eq!((miss.hits, miss.misses, miss.completed), (0, 1, 1));
        for (operation, answer, number) in [
            (Operation::Set, Answer::Done, false),
            (Operation::Command, Answer::Items(2), false),
            (Operation::Command, Answer::Number(2), true),
        ] {
            assert_eq!(judged(operation, &answer, number).completed, 1, "{operation:?} {answer:?}");
        }
    }

    #[test]
    fn wrong_answers_are_errors_and_not_timed() {
        for (operation, answer, number) in [
            (Operation::Get, Answer::Value(b"ab"), false),
            (Operation::Get, Answer::Value(b"abd"), false),
            (Operation::Get, Answer::Done, false),
            (Operation::Set, Answer::Miss, false),
            (Operation::Command, Answer::Done, true),
        ] {
            let tally = judged(operation, &answer, number);
            assert_eq!((tally.completed, tally.errors.wrong_answers), (0, 1), "{operation:?} {answer:?}");
            assert_eq!(tally.latencies.summary(), None);
        }
        for operation in [Operation::Get, Operation::Set, Operation::Command] {
            let tally = judged(operation, &Answer::Error(b"OOM"), false);
            assert_eq!((tally.completed, tally.errors.error_answers), (0, 1));
        }
        assert_eq!(
            judged(Operation::Get, &Answer::Value(b"ab"), false).errors.first.unwrap(),
            "connection 3: the read of key:000000000005 was answered with a value of 2 bytes, \"ab\"; expected was the \
             value of 3 bytes that belongs to it, or a miss"
        );
    }

    #[test]
    fn commands_that_answer_a_number_are_known() {
        assert!(answers_number("incr c:{key}") && answers_number(" LPUSH l {value}"));
        assert!(!answers_number("GET {key}") && !answers_number(""));
    }
}
