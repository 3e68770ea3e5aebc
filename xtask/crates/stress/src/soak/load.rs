//! Random requests of one connection, with a model of what the server must hold.

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use ukl_run::resp::{Client, Reply};

/// How many keys a connection has, and how long a value may be.
const KEYS: u64 = 500;
const VALUE_BYTES: usize = 2000;
/// What is appended at a time, and up to which length.
const PIECE: &str = "0123456789";
/// How long one answer may take: a fork of the server, under emulation, beside everything else.
const DEADLINE: Duration = Duration::from_secs(120);

/// One connection's requests and model.
#[derive(Debug)]
pub(super) struct Load {
    random: fastrand::Rng,
    connection: u64,
    model: BTreeMap<String, String>,
    requests: u64,
    elapsed: Duration,
}

impl Load {
    /// Connections of one seed ask for different keys.
    pub(super) fn new(seed: u64, connection: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(connection));
        Load { random, connection, model: BTreeMap::new(), requests: 0, elapsed: Duration::ZERO }
    }

    /// Asks until it is to stop; fails at the first answer that the model does not give.
    pub(super) fn run(mut self, port: u16, stop: &AtomicBool) -> Result<Self> {
        let mut client = Client::connect(port, DEADLINE)?;
        let start = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let (words, expected) = self.next();
            let bytes: Vec<_> = words.iter().map(String::as_bytes).collect();
            let answer = client.call(&bytes)?;
            self.requests += 1;
            ensure!(
                answer == expected,
                "request {}, {words:?}, was answered {answer:?}, not {expected:?}",
                self.requests
            );
        }
        self.elapsed = start.elapsed();
        Ok(self)
    }

    /// A request and its right answer; the model is then as the server's data.
    fn next(&mut self) -> (Vec<String>, Reply) {
        let key = format!("soak:{}:{}", self.connection, self.random.u64(..KEYS));
        let command = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self.random.u32(..10) {
            0..=4 => {
                let expected = self.model.get(&key).map_or(Reply::Nil, |value| Reply::Bulk(value.clone().into_bytes()));
                (command(&["GET", &key]), expected)
            }
            5..=7 => {
                let length = self.random.usize(1..=VALUE_BYTES);
                let value: String = std::iter::repeat_with(|| self.random.alphanumeric()).take(length).collect();
                let words = command(&["SET", &key, &value]);
                self.model.insert(key, value);
                (words, Reply::Simple("OK".to_owned()))
            }
            8 => {
                let words = command(&["APPEND", &key, PIECE]);
                let value = self.model.entry(key).or_default();
                value.push_str(PIECE);
                (words, Reply::Integer(value.len() as i64))
            }
            _ => {
                let words = command(&["DEL", &key]);
                (words, Reply::Integer(i64::from(self.model.remove(&key).is_some())))
            }
        }
    }
}

/// Compares everything that a server holds with the models of its connections.
pub(super) fn verify(loads: &[Load], port: u16) -> Result<String> {
    let mut client = Client::connect(port, DEADLINE)?;
    let mut bytes = 0;
    let expected: usize = loads.iter().map(|load| load.model.len()).sum();
    for (key, value) in loads.iter().flat_map(|load| &load.model) {
        let answer = client.text(&format!("GET {key}"))?;
        ensure!(answer == Reply::Bulk(value.clone().into_bytes()), "{key} holds {answer:?}; {value:?} was expected");
        bytes += value.len();
    }
    let size = client.text("DBSIZE")?;
    ensure!(size == Reply::Integer(expected as i64), "the server has {size} keys; {expected} were expected");
    let requests: u64 = loads.iter().map(|load| load.requests).sum();
    let rate: f64 = loads.iter().map(|load| load.requests as f64 / load.elapsed.as_secs_f64()).sum();
    Ok(format!("{requests} answers right ({rate:.0} a second), {expected} keys with {bytes} bytes as in the model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_requests_and_the_model_follows_them() {
        let (mut first, mut second, mut other) = (Load::new(1, 0), Load::new(1, 0), Load::new(1, 1));
        let requests: Vec<_> = (0..500).map(|_| first.next()).collect();
        assert_eq!(requests, (0..500).map(|_| second.next()).collect::<Vec<_>>());
        assert_ne!(requests, (0..500).map(|_| other.next()).collect::<Vec<_>>());
        let set = requests.iter().filter(|(words, _)| words[0] == "SET").count();
        assert!(set > 100 && !first.model.is_empty() && first.model.len() <= set + 60, "{set} {}", first.model.len());
    }
}
