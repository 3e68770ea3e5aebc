//! Results, for programs as JSON and for people as a table.

use crate::latency::Latency;
use crate::settings::Settings;
use crate::worker::Tally;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A run: what was asked for and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this program.
    pub version: String,
    pub settings: Settings,
    pub results: Results,
}

/// What one measurement brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// From the first request to the last answer.
    pub duration_s: f64,
    /// Requests made, whatever became of them: the sum of `gets`, `sets` and `commands`.
    pub requests: u64,
    pub gets: u64,
    pub sets: u64,
    pub commands: u64,
    /// Requests answered as they should be.
    pub completed: u64,
    pub hits: u64,
    pub misses: u64,
    pub errors: Errors,
    /// `completed` by `duration_s`.
    pub requests_per_s: f64,
    /// Bytes of requests and answers, without the headers of TCP and below.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Those bytes in both directions, in units of 1024, by `duration_s`: the column KB/sec of memtier_benchmark. The
    /// published Redis figures in "Kb/s" are this column: as kilobits, 6375 a second would be some 16,000 requests, and 300
    /// requests outstanding would then take 18 ms each (Little's law), while their p99 was 3.26 ms.
    pub kib_per_s: f64,
    /// Of the completed requests; none if they were not timed. An open loop's count from the intended time.
    pub latency: Option<Latency>,
    /// How late an open loop was in sending, be it through full connections or through itself.
    pub send_lag: Option<Latency>,
    /// Whether an open loop fell so far behind its schedule that it ended early.
    pub gave_up: bool,
}

/// What was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// The server said that it did not do it.
    pub error_answers: u64,
    /// Another value than was written, or an answer of another kind.
    pub wrong_answers: u64,
    /// Requests without an answer on lost connections.
    pub lost_requests: u64,
    /// Connections that broke off or carried nonsense.
    pub lost_connections: u64,
    /// The first of all, in words.
    pub first: Option<String>,
}

impl Errors {
    /// Requests that were not answered as they should have been.
    pub fn total(&self) -> u64 {
        self.error_answers + self.wrong_answers + self.lost_requests
    }

    /// Keeps the description if it is the first.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.first.is_none() {
            self.first = Some(text());
        }
    }

    pub(crate) fn add(&mut self, other: &Errors) {
        self.error_answers += other.error_answers;
        self.wrong_answers += other.wrong_answers;
        self.lost_requests += other.lost_requests;
        self.lost_connections += other.lost_connections;
        if self.first.is_none() {
            self.first.clone_from(&other.first);
        }
    }
}

impl Results {
    pub(crate) fn new(tally: Tally, duration_s: f64) -> Self {
        const BYTES_PER_KIB: f64 = 1024.0;
        Results {
            duration_s,
            requests: tally.gets + tally.sets + tally.commands,
            gets: tally.gets,
            sets: tally.sets,
            commands: tally.commands,
            completed: tally.completed,
            hits: tally.hits,
            misses: tally.misses,
            requests_per_s: tally.completed as f64 / duration_s,
            sent_bytes: tally.sent_bytes,
            received_bytes: tally.received_bytes,
            kib_per_s: (tally.sent_bytes + tally.received_bytes) as f64 / BYTES_PER_KIB / duration_s,
            latency: tally.latencies.summary(),
            send_lag: tally.lags.summary(),
            gave_up: tally.gave_up,
            errors: tally.errors,
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "requests    {} in {:.3} s: {} gets ({} hits, {} misses), {} sets, {} commands",
            self.requests, self.duration_s, self.gets, self.hits, self.misses, self.sets, self.commands
        )?;
        writeln!(
            f,
            "throughput  {:.1} requests/s, {:.2} KB/s (1024 bytes, both directions)",
            self.requests_per_s, self.kib_per_s
        )?;
        let errors = &self.errors;
        writeln!(
            f,
            "errors      {}: {} error answers, {} wrong answers, {} lost with {} connections",
            errors.total(),
            errors.error_answers,
            errors.wrong_answers,
            errors.lost_requests,
            errors.lost_connections
        )?;
        if let Some(first) = &errors.first {
            writeln!(f, "            the first: {first}")?;
        }
        if self.gave_up {
            writeln!(f, "            ended early: the server did not keep up with the rate")?;
        }
        if self.latency.is_some() || self.send_lag.is_some() {
            let heads = ["mean", "p50", "p90", "p99", "p99.9", "max"];
            write!(f, "{:<10}", "in µs")?;
            heads.iter().try_for_each(|head| write!(f, "{head:>11}"))?;
            writeln!(f)?;
        }
        for (name, latency) in [("latency", &self.latency), ("send lag", &self.send_lag)] {
            let Some(latency) = latency else { continue };
            write!(f, "{name:<10}")?;
            for us in
                [latency.mean_us, latency.p50_us, latency.p90_us, latency.p99_us, latency.p99_9_us, latency.max_us]
            {
                write!(f, "{us:>11.1}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let mut tally = Tally::new().unwrap();
        (tally.gets, tally.sets, tally.completed, tally.hits, tally.misses) = (3, 2, 4, 2, 1);
        (tally.sent_bytes, tally.received_bytes) = (2048, 1024);
        tally.errors.error_answers = 1;
        tally.errors.note(|| "OOM".to_owned());
        [1000, 2000].into_iter().for_each(|ns| tally.latencies.record_ns(ns));
        Results::new(tally, 2.0)
    }

    #[test]
    fn throughput_counts_what_was_answered_well_and_bytes_both_ways() {
        let results = results();
        assert_eq!((results.requests, results.requests_per_s, results.kib_per_s), (5, 2.0, 1.5));
    }

    #[test]
    fn the_table_has_every_figure() {
        let expected = "\
requests    5 in 2.000 s: 3 gets (2 hits, 1 misses), 2 sets, 0 commands
throughput  2.0 requests/s, 1.50 KB/s (1024 bytes, both directions)
errors      1: 1 error answers, 0 wrong answers, 0 lost with 0 connections
            the first: OOM
in µs            mean        p50        p90        p99      p99.9        max
latency           1.5        1.0        2.0        2.0        2.0        2.0
";
        assert_eq!(results().to_string(), expected);
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let results = results();
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }
}
