//! Which request is next: a function of the seed and of nothing else.

use crate::settings::{KeyDistribution, Ratio, Settings, Workload};
use anyhow::{Context, Result};
use rand::RngExt;
use rand::SeedableRng;
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Set,
    Command,
}

/// A request, before it is written in a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub operation: Operation,
    pub key: u64,
}

/// The random numbers of one thread. The streams for different threads and purposes do not overlap.
pub(crate) fn random_stream(seed: u64, thread: u32, purpose: Purpose) -> Xoshiro256PlusPlus {
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(seed);
    if matches!(purpose, Purpose::Arrivals) {
        stream.long_jump();
    }
    for _ in 0..thread {
        stream.jump();
    }
    stream
}

/// What random numbers are for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Requests,
    Arrivals,
}

/// Draws the requests of one thread.
#[derive(Debug)]
pub(crate) struct Mix {
    stream: Xoshiro256PlusPlus,
    /// None for a command.
    ratio: Option<Ratio>,
    keys: u64,
    zipf: Option<Zipf<f64>>,
}

impl Mix {
    pub(crate) fn new(settings: &Settings, thread: u32) -> Result<Self> {
        let zipf = match settings.key_distribution {
            KeyDistribution::Uniform => None,
            KeyDistribution::Zipf { exponent } => Some(
                Zipf::new(settings.keys as f64, exponent)
                    .with_context(|| format!("a zipf distribution over {} keys", settings.keys))?,
            ),
        };
        let ratio = match settings.workload {
            Workload::Mix(ratio) => Some(ratio),
            Workload::Command(_) => None,
        };
        Ok(Mix { stream: random_stream(settings.seed, thread, Purpose::Requests), ratio, keys: settings.keys, zipf })
    }

    pub(crate) fn draw(&mut self) -> Request {
        let operation = match self.ratio {
            None => Operation::Command,
            Some(Ratio { sets: 0, .. }) => Operation::Get,
            Some(Ratio { gets: 0, .. }) => Operation::Set,
            Some(Ratio { gets, sets }) => {
                let drawn = self.stream.random_range(0..u64::from(gets) + u64::from(sets));
                if drawn < u64::from(gets) { Operation::Get } else { Operation::Set }
            }
        };
        let key = match self.zipf {
            None => self.stream.random_range(0..self.keys),
            // A rank from 1; rounding must not lead past the last key.
            Some(zipf) => (zipf.sample(&mut self.stream) as u64).clamp(1, self.keys) - 1,
        };
        Request { operation, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::settings::Amount;

    fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings::new(Protocol::Redis, "127.0.0.1:6379", Amount::Requests(1));
        change(&mut settings);
        settings
    }

    fn drawn(settings: &Settings, thread: u32, count: usize) -> Vec<Request> {
        let mut mix = Mix::new(settings, thread).unwrap();
        (0..count).map(|_| mix.draw()).collect()
    }

    fn gets(requests: &[Request]) -> usize {
        requests.iter().filter(|request| request.operation == Operation::Get).count()
    }

    #[test]
    fn a_seed_determines_every_request() {
        let first = settings(|settings| settings.seed = 7);
        let second = settings(|settings| settings.seed = 8);
        assert_eq!(drawn(&first, 0, 1000), drawn(&first, 0, 1000));
        assert_ne!(drawn(&first, 0, 1000), drawn(&second, 0, 1000));
        assert_ne!(drawn(&first, 0, 1000), drawn(&first, 1, 1000));
    }

    #[test]
    fn the_ratio_is_kept() {
        let requests = drawn(&settings(|_| {}), 0, 110_000);
        // Ten to one: 100,000 are expected, and the standard deviation is 95.
        assert!(gets(&requests).abs_diff(100_000) < 600, "{}", gets(&requests));
        let only = |gets, sets| settings(|settings| settings.workload = Workload::Mix(Ratio { gets, sets }));
        assert_eq!(gets(&drawn(&only(1, 0), 0, 1000)), 1000);
        assert_eq!(gets(&drawn(&only(0, 1), 0, 1000)), 0);
    }

    #[test]
    fn uniform_keys_are_drawn_alike_and_zipf_keys_by_rank() {
        let mut counts = [0_u32; 10];
        for request in drawn(&settings(|settings| settings.keys = 10), 0, 100_000) {
            counts[request.key as usize] += 1;
        }
        // 10,000 each; the standard deviation is 95.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 600), "{counts:?}");

        let mut counts = [0_u32; 3];
        let zipf = settings(|settings| {
            settings.keys = 3;
            settings.key_distribution = KeyDistribution::Zipf { exponent: 1.0 };
        });
        for request in drawn(&zipf, 0, 110_000) {
            counts[request.key as usize] += 1;
        }
        // In proportion to 1, 1/2 and 1/3, which are 6/11, 3/11 and 2/11.
        for (count, expected) in counts.iter().zip([60_000, 30_000, 20_000]) {
            assert!(count.abs_diff(expected) < 1000, "{counts:?}");
        }
    }
}
