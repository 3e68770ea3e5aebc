//! The highest rate at which the p99 stays below a limit: doubling until one is too high, then halving the interval.

use crate::failure::Failure;
use crate::report::Results;
use crate::session::Session;
use crate::settings::{Arrivals, OpenLoop};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Below this rate nothing is looked for.
const MIN_REQUESTS_PER_S: f64 = 1.0;
/// A rate at which requests are sent this many limits too late is too high, however long one measures on.
const GIVE_UP_LIMITS: u32 = 100;
/// But a hiccup of the client's machine is not taken for that.
const MIN_GIVE_UP: Duration = Duration::from_millis(500);

/// What is looked for and how closely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    pub p99_limit_us: f64,
    pub start_requests_per_s: f64,
    /// Nothing above this is tried.
    pub max_requests_per_s: f64,
    /// How far apart the highest rate that holds and the lowest that does not may stay.
    pub precision_percent: f64,
    /// How often a rate is measured; the majority decides.
    pub repeats: u32,
}

/// One measurement at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// None if nothing was answered.
    pub p99_us: Option<f64>,
    pub completed_per_s: f64,
    pub errors: u64,
    pub gave_up: bool,
}

/// One rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub requests_per_s: f64,
    pub trials: Vec<Trial>,
    /// Whether most trials stayed below the limit.
    pub holds: bool,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub goal: Goal,
    /// The highest rate that held.
    pub requests_per_s: f64,
    /// Whether it is the highest that was allowed, and the server could have done more.
    pub ceiling_reached: bool,
    pub steps: Vec<Step>,
}

impl Goal {
    /// Refuses what cannot be found, with the value and what would do.
    pub fn check(&self) -> Result<()> {
        let refuse = |reason: String, next: &str| Err(Failure::usage(reason, next));
        let positive = |number: f64| number.is_finite() && number > 0.0;
        if !positive(self.p99_limit_us) {
            return refuse(format!("a p99 limit of {} µs", self.p99_limit_us), "give --p99-limit-us more than 0");
        }
        if !(self.start_requests_per_s >= MIN_REQUESTS_PER_S && self.start_requests_per_s <= self.max_requests_per_s) {
            return refuse(
                format!("a search from {} to {} requests/s", self.start_requests_per_s, self.max_requests_per_s),
                "give --start-rate 1 or more, and --max-rate at least as much",
            );
        }
        if !positive(self.precision_percent) {
            return refuse(
                format!("a precision of {} %", self.precision_percent),
                "give --precision-percent more than 0, such as 2",
            );
        }
        if self.repeats == 0 {
            return refuse("0 repeats measure nothing".to_owned(), "give --repeats 1 or more");
        }
        Ok(())
    }

    fn holds(&self, trial: &Trial) -> bool {
        trial.errors == 0 && !trial.gave_up && trial.p99_us.is_some_and(|p99_us| p99_us < self.p99_limit_us)
    }
}

/// Looks for the highest rate by means of `measure`, which measures once at a rate; `say` gets each step when it is
/// done.
pub fn search(goal: Goal, mut measure: impl FnMut(f64) -> Result<Trial>, mut say: impl FnMut(&Step)) -> Result<Found> {
    goal.check()?;
    let mut steps = Vec::new();
    let mut holds = |rate: f64, steps: &mut Vec<Step>| -> Result<bool> {
        let step = step(goal, rate, &mut measure)?;
        say(&step);
        steps.push(step);
        Ok(steps.last().is_some_and(|step| step.holds))
    };
    // The interval: the lower end holds, the upper does not.
    let mut low = goal.start_requests_per_s;
    let mut high = None;
    while !holds(low, &mut steps)? {
        high = Some(low);
        if low <= MIN_REQUESTS_PER_S {
            return Err(Failure::new(
                format!("no rate down to {low} requests/s keeps the p99 below {} µs", goal.p99_limit_us),
                "look at the latency of a closed loop (`run`), then give a larger --p99-limit-us",
            ));
        }
        low = (low / 2.0).max(MIN_REQUESTS_PER_S);
    }
    while high.is_none() && low < goal.max_requests_per_s {
        let rate = (low * 2.0).min(goal.max_requests_per_s);
        if holds(rate, &mut steps)? {
            low = rate;
        } else {
            high = Some(rate);
        }
    }
    let ceiling_reached = high.is_none();
    let mut high = high.unwrap_or(low);
    while high > low * (1.0 + goal.precision_percent / 100.0) {
        let rate = f64::midpoint(low, high);
        if holds(rate, &mut steps)? {
            low = rate;
        } else {
            high = rate;
        }
    }
    Ok(Found { goal, requests_per_s: low, ceiling_reached, steps })
}

/// Measures a rate until a majority of the repeats agrees.
fn step(goal: Goal, rate: f64, measure: &mut impl FnMut(f64) -> Result<Trial>) -> Result<Step> {
    let mut trials = Vec::new();
    let (mut for_it, mut against) = (0, 0);
    while for_it <= goal.repeats / 2 && against <= (goal.repeats - 1) / 2 {
        let trial = measure(rate)?;
        if goal.holds(&trial) {
            for_it += 1
        } else {
            against += 1
        }
        trials.push(trial);
    }
    Ok(Step { requests_per_s: rate, trials, holds: for_it > against })
}

/// The same over a session.
pub fn search_session(goal: Goal, session: &mut Session, arrivals: Arrivals, say: impl FnMut(&Step)) -> Result<Found> {
    let limit = Duration::from_secs_f64(goal.p99_limit_us.clamp(0.0, 1e9) / 1e6);
    let give_up_lag = (limit * GIVE_UP_LIMITS).max(MIN_GIVE_UP);
    let measure = |rate| {
        let results = session.measure_at(OpenLoop { requests_per_s: rate, arrivals }, give_up_lag)?;
        Ok(Trial::from(&results))
    };
    search(goal, measure, say)
}

impl From<&Results> for Trial {
    fn from(results: &Results) -> Self {
        Trial {
            p99_us: results.latency.map(|latency| latency.p99_us),
            completed_per_s: results.requests_per_s,
            errors: results.errors.total(),
            gave_up: results.gave_up,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "holds" } else { "too high" };
        write!(f, "{:>12.1} requests/s  {verdict:<8}  p99 in µs:", self.requests_per_s)?;
        for trial in &self.trials {
            match trial.p99_us {
                Some(p99_us) => write!(f, " {p99_us:.1}")?,
                None => write!(f, " none")?,
            }
            if trial.gave_up {
                write!(f, " (fell behind)")?;
            }
            if trial.errors > 0 {
                write!(f, " ({} errors)", trial.errors)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal {
        p99_limit_us: 500.0,
        start_requests_per_s: 1000.0,
        max_requests_per_s: 1e6,
        precision_percent: 2.0,
        repeats: 3,
    };

    /// A server whose p99 is 100 µs when idle and grows without bound towards 80,000 requests/s: it is 500 µs at 64,000.
    fn queue(rate: f64) -> Trial {
        let p99_us = (rate < 80_000.0).then(|| 100.0 / (1.0 - rate / 80_000.0));
        Trial { p99_us, completed_per_s: rate.min(80_000.0), errors: 0, gave_up: p99_us.is_none() }
    }

    #[test]
    fn the_rate_is_found_within_the_precision() {
        for start in [1000.0, 64_000.0, 300_000.0] {
            let goal = Goal { start_requests_per_s: start, ..GOAL };
            let mut said = 0;
            let found = search(goal, |rate| Ok(queue(rate)), |_| said += 1).unwrap();
            assert!(found.requests_per_s < 64_000.0 && found.requests_per_s > 64_000.0 / 1.021, "{found:?}");
            assert!(!found.ceiling_reached);
            assert_eq!(said, found.steps.len());
        }
    }

    #[test]
    fn the_majority_of_the_repeats_decides_and_no_more_are_made_than_it_needs() {
        // Each first trial at a rate has bad luck.
        let mut last = 0.0;
        let unlucky = |rate: f64| {
            let first = std::mem::replace(&mut last, rate) != rate;
            Ok(if first { Trial { p99_us: Some(9000.0), ..queue(rate) } } else { queue(rate) })
        };
        let found = search(GOAL, unlucky, |_| ()).unwrap();
        assert!(found.requests_per_s > 62_000.0, "{found:?}");
        assert!(found.steps.iter().all(|step| step.trials.len() == if step.holds { 3 } else { 2 }));
    }

    #[test]
    fn errors_and_lost_schedules_do_not_hold() {
        let errors = |rate| Ok(Trial { errors: u64::from(rate > 5000.0), p99_us: Some(1.0), ..queue(rate) });
        let found = search(GOAL, errors, |_| ()).unwrap();
        assert!(found.requests_per_s <= 5000.0 && found.requests_per_s > 4800.0, "{found:?}");
    }

    #[test]
    fn the_ends_of_the_search_are_said() {
        let fast = |rate| Ok(Trial { p99_us: Some(1.0), ..queue(rate) });
        let found = search(Goal { max_requests_per_s: 5000.0, ..GOAL }, fast, |_| ()).unwrap();
        assert!(found.ceiling_reached && found.requests_per_s == 5000.0, "{found:?}");
        let slow = |rate| Ok(Trial { p99_us: Some(501.0), ..queue(rate) });
        let error = search(GOAL, slow, |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "no rate down to 1 requests/s keeps the p99 below 500 µs");
    }

    #[test]
    fn a_goal_without_sense_is_refused_with_value_and_remedy() {
        let refused = |goal| {
            let error = search(goal, |rate| Ok(queue(rate)), |_| ()).unwrap_err();
            format!("{error}; {}", Failure::within(&error).unwrap().next())
        };
        assert_eq!(refused(Goal { p99_limit_us: 0.0, ..GOAL }), "a p99 limit of 0 µs; give --p99-limit-us more than 0");
        assert!(refused(Goal { start_requests_per_s: 0.5, ..GOAL }).contains("from 0.5 to 1000000"));
        assert!(refused(Goal { precision_percent: -1.0, ..GOAL }).contains("--precision-percent"));
        assert!(refused(Goal { repeats: 0, ..GOAL }).contains("--repeats"));
    }
}
