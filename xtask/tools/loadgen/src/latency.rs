//! Latencies: collected in a histogram of three significant digits, told in microseconds.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that is told apart; longer ones count as this.
const MAX_NS: u64 = 3_600 * 1_000_000_000;
/// So each figure is right to a thousandth of itself.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Collected latencies.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// Their distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub samples: u64,
    pub min_us: f64,
    pub mean_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p99_9_us: f64,
    pub max_us: f64,
}

impl Latencies {
    pub(crate) fn new() -> Result<Self> {
        Ok(Latencies(Histogram::new_with_bounds(1, MAX_NS, SIGNIFICANT_DIGITS).context("making a histogram")?))
    }

    pub(crate) fn record_ns(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }

    pub(crate) fn add(&mut self, other: &Latencies) -> Result<()> {
        self.0.add(&other.0).context("adding two histograms")
    }

    /// None of no samples.
    pub(crate) fn summary(&self) -> Option<Latency> {
        let us = |ns: f64| ns / 1000.0;
        let quantile = |quantile| us(self.0.value_at_quantile(quantile) as f64);
        (!self.0.is_empty()).then(|| Latency {
            samples: self.0.len(),
            min_us: us(self.0.min() as f64),
            mean_us: us(self.0.mean()),
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p99_9_us: quantile(0.999),
            max_us: us(self.0.max() as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies_us: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new().unwrap();
        latencies_us.into_iter().for_each(|us| latencies.record_ns(us * 1000));
        latencies
    }

    /// Equal to three digits, which is what the histogram promises.
    fn close(got: f64, expected: f64) -> bool {
        (got - expected).abs() <= expected * 1e-3
    }

    #[test]
    fn the_figures_of_a_sample_worked_out_by_hand() {
        // 1, 2, … 1000 µs: of n sorted values the quantile q is the one of rank q times n.
        let summary = of(1..=1000).summary().unwrap();
        assert_eq!(summary.samples, 1000);
        let figures = [summary.min_us, summary.mean_us, summary.p50_us, summary.p90_us];
        for (got, expected) in figures.into_iter().zip([1.0, 500.5, 500.0, 900.0]) {
            assert!(close(got, expected), "{got} is not {expected}: {summary:?}");
        }
        for (got, expected) in
            [summary.p99_us, summary.p99_9_us, summary.max_us].into_iter().zip([990.0, 999.0, 1000.0])
        {
            assert!(close(got, expected), "{got} is not {expected}: {summary:?}");
        }
    }

    #[test]
    fn one_slow_answer_in_a_hundred_shows_only_above_its_rank() {
        let summary = of([10; 99].into_iter().chain([5000])).summary().unwrap();
        assert!(close(summary.p99_us, 10.0), "{summary:?}");
        assert!(close(summary.p99_9_us, 5000.0), "{summary:?}");
        assert!(close(summary.mean_us, 59.9), "{summary:?}");
    }

    #[test]
    fn histograms_of_threads_add_up() {
        let mut sum = of(1..=500);
        sum.add(&of(501..=1000)).unwrap();
        assert_eq!(sum.summary(), of(1..=1000).summary());
        assert_eq!(Latencies::new().unwrap().summary(), None);
    }

    #[test]
    fn a_latency_beyond_the_scale_counts_as_the_longest() {
        let summary = of([7200 * 1_000_000]).summary().unwrap();
        assert!(close(summary.max_us, 3600.0 * 1e6), "{summary:?}");
    }
}
