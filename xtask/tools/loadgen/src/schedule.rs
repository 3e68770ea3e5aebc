//! When an open loop means to send each request. Latencies count from these times and not from when a request got its
//! turn, so that a server which stalls is charged for everything that had to wait (no coordinated omission).

use crate::mix::{Purpose, random_stream};
use crate::settings::{Arrivals, OpenLoop};
use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;

const NS_PER_S: f64 = 1e9;

/// The intended times of one thread, in nanoseconds from the beginning.
#[derive(Debug)]
pub(crate) struct Schedule {
    arrivals: Arrivals,
    stream: Xoshiro256PlusPlus,
    /// Between two requests of this thread, on average.
    interval_ns: f64,
    /// Of this thread's first request, so that all threads together keep equal intervals.
    offset_ns: f64,
    taken: u64,
    next_ns: f64,
}

impl Schedule {
    /// The share of one of `threads` threads.
    pub(crate) fn new(open_loop: OpenLoop, seed: u64, thread: u32, threads: u32) -> Self {
        let all_ns = NS_PER_S / open_loop.requests_per_s;
        let mut schedule = Schedule {
            arrivals: open_loop.arrivals,
            stream: random_stream(seed, thread, Purpose::Arrivals),
            interval_ns: all_ns * f64::from(threads),
            offset_ns: all_ns * f64::from(thread),
            taken: 0,
            next_ns: 0.0,
        };
        schedule.next_ns = match open_loop.arrivals {
            Arrivals::Constant => schedule.offset_ns,
            Arrivals::Poisson => schedule.gap_ns(),
        };
        schedule
    }

    /// The next request's intended time.
    pub(crate) fn next_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Goes on to the request after that one.
    pub(crate) fn advance(&mut self) {
        self.taken += 1;
        self.next_ns = match self.arrivals {
            // Not a running sum, which would collect rounding errors.
            Arrivals::Constant => self.offset_ns + self.taken as f64 * self.interval_ns,
            Arrivals::Poisson => self.next_ns + self.gap_ns(),
        };
    }

    fn gap_ns(&mut self) -> f64 {
        let gap: f64 = Exp1.sample(&mut self.stream);
        gap * self.interval_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(arrivals: Arrivals, rate: f64, seed: u64, (thread, threads): (u32, u32), count: usize) -> Vec<u64> {
        let mut schedule = Schedule::new(OpenLoop { requests_per_s: rate, arrivals }, seed, thread, threads);
        std::iter::repeat_with(|| {
            let time = schedule.next_ns();
            schedule.advance();
            time
        })
        .take(count)
        .collect()
    }

    #[test]
    fn constant_arrivals_keep_their_interval_over_all_threads() {
        assert_eq!(times(Arrivals::Constant, 1000.0, 1, (0, 1), 3), [0, 1_000_000, 2_000_000]);
        assert_eq!(times(Arrivals::Constant, 1000.0, 1, (0, 2), 3), [0, 2_000_000, 4_000_000]);
        assert_eq!(times(Arrivals::Constant, 1000.0, 1, (1, 2), 3), [1_000_000, 3_000_000, 5_000_000]);
        // The millionth of three a second, without drift.
        assert_eq!(times(Arrivals::Constant, 3.0, 1, (0, 1), 300_001)[300_000], 100_000_000_000_000);
    }

    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let times = times(Arrivals::Poisson, 1000.0, 1, (0, 1), 100_000);
        let gaps_ms: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps_ms.iter().sum::<f64>() / gaps_ms.len() as f64;
        let variance = gaps_ms.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps_ms.len() as f64;
        let longer = gaps_ms.iter().filter(|gap| **gap > 1.0).count() as f64 / gaps_ms.len() as f64;
        // Mean and deviation are both the interval, and 1/e of the gaps are longer than it.
        assert!((mean - 1.0).abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
        assert!((longer - (-1.0_f64).exp()).abs() < 0.01, "longer {longer}");
    }

    #[test]
    fn a_seed_determines_the_schedule() {
        let of = |seed, thread| times(Arrivals::Poisson, 1000.0, seed, (thread, 2), 100);
        assert_eq!(of(1, 0), of(1, 0));
        assert_ne!(of(1, 0), of(2, 0));
        assert_ne!(of(1, 0), of(1, 1));
    }
}
