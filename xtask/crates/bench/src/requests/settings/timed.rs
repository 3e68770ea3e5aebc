//! The part of `[requests]` that is about time: rounds under the clock, and the search for a rate.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// Throughput and latency in a closed loop.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// How often each level is booted and measured.
    pub rounds: u32,
    /// Of one measurement.
    pub duration_s: f64,
    pub warmup_requests: u64,
    /// The highest rate under a limit, where that was published.
    pub limit: Option<Limit>,
}

/// The search for the highest rate of an open loop whose 99th percentile stays below a limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// `GETS:SETS`.
    pub ratio: String,
    /// On hardware, and where the guest is emulated: there every request takes many times as long.
    pub p99_limit_us: u64,
    pub emulated_p99_limit_us: u64,
    /// The first rate that is tried, in requests a second, and how long each is.
    pub start_rate: u32,
    pub trial_s: f64,
    pub precision_percent: f64,
}

impl Timed {
    pub fn validate(&self) -> Result<()> {
        let positive = |name: &str, value: f64| {
            ensure!(value.is_finite() && value > 0.0, "`requests.timed.{name}` is {value}; more than 0 was expected");
            Ok(())
        };
        positive("rounds", f64::from(self.rounds))?;
        positive("duration_s", self.duration_s)?;
        let Some(limit) = &self.limit else { return Ok(()) };
        super::valid_ratio("timed.limit.ratio", &limit.ratio)?;
        positive("limit.p99_limit_us", limit.p99_limit_us as f64)?;
        positive("limit.emulated_p99_limit_us", limit.emulated_p99_limit_us as f64)?;
        positive("limit.start_rate", f64::from(limit.start_rate))?;
        positive("limit.trial_s", limit.trial_s)?;
        positive("limit.precision_percent", limit.precision_percent)
    }
}

impl Limit {
    /// The limit that holds here.
    pub fn p99_us(&self, emulated: bool) -> u64 {
        if emulated { self.emulated_p99_limit_us } else { self.p99_limit_us }
    }

    /// What is asked, as the parameter `command` of a sample.
    pub fn command(&self) -> String {
        format!("gets:sets {}", self.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FILE, read};

    const LIMIT: &str = "limit = { ratio = '29:1', p99_limit_us = 500, emulated_p99_limit_us = 20000, \
                         start_rate = 1000, trial_s = 0.5, precision_percent = 2.0 } }";

    fn with(limit: &str) -> String {
        FILE.replace("warmup_requests = 30 }", &format!("warmup_requests = 30, {limit}"))
    }

    #[test]
    fn the_limit_depends_on_what_executes_the_guest() {
        let limit = read(&with(LIMIT)).unwrap().timed.limit.unwrap();
        assert_eq!((limit.p99_us(false), limit.p99_us(true)), (500, 20_000));
        assert_eq!(limit.command(), "gets:sets 29:1");
    }

    #[test]
    fn wrong_values_are_named() {
        let error = |from: &str, to: &str| format!("{:#}", read(&with(LIMIT).replace(from, to)).unwrap_err());
        assert!(error("duration_s = 2.0", "duration_s = 0.0").contains("`requests.timed.duration_s` is 0"));
        assert!(error("29:1", "29").contains("`requests.timed.limit.ratio` is \"29\"; GETS:SETS was expected"));
        assert!(error("trial_s = 0.5", "trial_s = -1.0").contains("`requests.timed.limit.trial_s` is -1"));
        assert!(error("rounds = 5", "rounds = 0").contains("`requests.timed.rounds` is 0"));
    }
}
