//! What is to be measured. The fields are checked once, before anything is connected.

use crate::failure::Failure;
use crate::protocol::Protocol;
use crate::values::MAX_KEYS;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A load and where it goes. [`Settings::new`] fills in what the command line has as defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub protocol: Protocol,
    /// `HOST:PORT`.
    pub target: String,
    pub connections: u32,
    /// Each thread has an event loop and its share of the connections and requests.
    pub threads: u32,
    /// How many requests a connection has outstanding: always in closed loop, at most in open loop.
    pub pipeline: u32,
    pub workload: Workload,
    pub value_bytes: u32,
    pub keys: u64,
    pub key_distribution: KeyDistribution,
    pub amount: Amount,
    /// Closed loop if absent.
    pub open_loop: Option<OpenLoop>,
    /// Requests before the measured ones, all connections together.
    pub warmup_requests: u64,
    pub seed: u64,
    /// The pause between two connects.
    pub connect_pace_ms: u64,
    /// How long to wait when nothing at all is answered.
    pub answer_deadline_s: u64,
    /// Whether each request is timed. Without it a closed loop reads no clock between the first request and the last.
    pub latency: bool,
    /// Whether an observer outside is told where the measured part begins and ends.
    pub mark: bool,
    /// Whether the first wrong answer ends the run.
    pub strict: bool,
    /// Whether every key is written before the warm-up of a load that reads.
    pub populate: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// Reads and writes.
    Mix(Ratio),
    /// One Redis command, with `{key}` and `{value}` for a drawn key and its value.
    Command(String),
}

/// Reads to writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    pub gets: u32,
    pub sets: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyDistribution {
    Uniform,
    /// The key of rank r (from 1) is drawn in proportion to r to the power of minus this.
    Zipf {
        exponent: f64,
    },
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// All connections together.
    Requests(u64),
    /// No request is begun after this; those outstanding are waited for.
    DurationS(f64),
}

/// Requests sent when a schedule says so, whatever the server does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// All connections together.
    pub requests_per_s: f64,
    pub arrivals: Arrivals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// At equal intervals.
    Constant,
    /// At independent, exponentially distributed intervals.
    Poisson,
}

impl Settings {
    pub fn new(protocol: Protocol, target: impl Into<String>, amount: Amount) -> Self {
        Settings {
            protocol,
            target: target.into(),
            connections: 50,
            threads: 1,
            pipeline: 1,
            workload: Workload::Mix(Ratio { gets: 10, sets: 1 }),
            value_bytes: 64,
            keys: 10_000,
            key_distribution: KeyDistribution::Uniform,
            amount,
            open_loop: None,
            warmup_requests: 0,
            seed: 1,
            connect_pace_ms: 0,
            answer_deadline_s: 30,
            latency: true,
            mark: false,
            strict: false,
            populate: true,
        }
    }

    /// Whether anything is read, so that there have to be values.
    pub fn reads(&self) -> bool {
        matches!(&self.workload, Workload::Mix(ratio) if ratio.gets > 0)
    }

    /// Refuses what cannot be measured, with the value and what would do.
    pub fn check(&self) -> Result<()> {
        let refuse = |reason: String, next: &str| Err(Failure::usage(reason, next));
        host_and_port(&self.target)?;
        if self.threads == 0 || self.threads > self.connections {
            return refuse(
                format!("{} threads cannot share {} connections", self.threads, self.connections),
                "give each thread a connection: --threads from 1 to the number of --connections",
            );
        }
        if self.pipeline == 0 {
            return refuse("a pipeline of 0 requests".to_owned(), "give --pipeline 1 or more");
        }
        if self.keys == 0 || self.keys > MAX_KEYS {
            return refuse(format!("{} keys", self.keys), "give --keys from 1 to 1000000000000");
        }
        match self.amount {
            Amount::Requests(0) => return refuse("0 requests measure nothing".to_owned(), "give --requests 1 or more"),
            Amount::DurationS(seconds) if !positive(seconds) => {
                return refuse(format!("a duration of {seconds} s"), "give --duration-s more than 0");
            }
            _ => {}
        }
        if let Some(OpenLoop { requests_per_s: rate, .. }) = self.open_loop {
            if !positive(rate) {
                return refuse(format!("a rate of {rate} requests/s"), "give --rate more than 0");
            }
            if !self.latency {
                return refuse(
                    format!("an open loop of {rate} requests/s without latencies"),
                    "leave out --no-latency (a schedule needs the clock) or --rate",
                );
            }
        }
        if let KeyDistribution::Zipf { exponent } = self.key_distribution
            && !positive(exponent)
        {
            return refuse(format!("a zipf exponent of {exponent}"), "give --zipf-exponent more than 0, such as 0.99");
        }
        self.check_workload()
    }

    fn check_workload(&self) -> Result<()> {
        match &self.workload {
            Workload::Command(command) if self.protocol != Protocol::Redis => Err(Failure::usage(
                format!("the command `{command}` for {}", if self.protocol.stores() { "memcached" } else { "an echo" }),
                "give --ratio instead, or --protocol redis",
            )),
            Workload::Command(command) if command.trim().is_empty() => {
                Err(Failure::usage("an empty command", "give --command words, such as `INCR count:{key}`"))
            }
            Workload::Mix(Ratio { gets: 0, sets: 0 }) => {
                Err(Failure::usage("a ratio of 0:0 asks for nothing", "give --ratio GETS:SETS, such as 10:1"))
            }
            Workload::Mix(Ratio { sets: 1.., .. }) if !self.protocol.stores() => {
                Err(Failure::usage("writes to an echo server, which keeps nothing", "give --ratio 1:0"))
            }
            _ => Ok(()),
        }
    }
}

/// What to do about a target that is none.
pub(crate) const TARGET_REMEDY: &str = "give --target HOST:PORT, such as 127.0.0.1:6379";

/// The two halves of a target.
pub fn host_and_port(target: &str) -> Result<(&str, &str)> {
    let halves = target.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    halves.ok_or_else(|| Failure::usage(format!("the target `{target}` is not a host and a port"), TARGET_REMEDY))
}

fn positive(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(gets, sets)| Some((gets.parse().ok()?, sets.parse().ok()?)));
        match parts {
            Some((gets, sets)) if (gets, sets) != (0, 0) => Ok(Ratio { gets, sets }),
            _ => Err("it is not GETS:SETS with a number on each side, one of them above 0; such as 10:1".to_owned()),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.gets, self.sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::new(Protocol::Redis, "127.0.0.1:6379", Amount::Requests(1));
        change(&mut settings);
        let error = settings.check().unwrap_err();
        let failure = Failure::within(&error).unwrap();
        assert!(failure.is_usage());
        format!("{error:#}; {}", failure.next())
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_value_and_remedy() {
        assert_eq!(
            refused(|settings| settings.threads = 51),
            "51 threads cannot share 50 connections; give each thread a connection: --threads from 1 to the number of \
             --connections"
        );
        assert!(refused(|settings| settings.pipeline = 0).ends_with("give --pipeline 1 or more"));
        assert!(refused(|settings| settings.keys = MAX_KEYS + 1).starts_with("1000000000001 keys; give --keys"));
        assert!(refused(|settings| settings.amount = Amount::Requests(0)).ends_with("give --requests 1 or more"));
        assert!(refused(|settings| settings.amount = Amount::DurationS(f64::NAN)).contains("NaN s; give --duration-s"));
        let open_loop = Some(OpenLoop { requests_per_s: -3.0, arrivals: Arrivals::Poisson });
        assert!(refused(|settings| settings.open_loop = open_loop).contains("-3 requests/s; give --rate"));
        let open_loop = Some(OpenLoop { requests_per_s: 3.0, arrivals: Arrivals::Poisson });
        assert!(
            refused(|settings| (settings.open_loop, settings.latency) = (open_loop, false)).contains("--no-latency")
        );
        assert!(refused(|s| s.key_distribution = KeyDistribution::Zipf { exponent: 0.0 }).contains("--zipf-exponent"));
        assert!(refused(|settings| settings.workload = Workload::Command(" ".to_owned())).contains("--command"));
        let ratio = Workload::Mix(Ratio { gets: 0, sets: 0 });
        assert!(refused(|settings| settings.workload = ratio).ends_with("such as 10:1"));
        assert!(
            refused(|settings| {
                settings.protocol = Protocol::Memcached;
                settings.workload = Workload::Command("INCR x".to_owned());
            })
            .contains("the command `INCR x` for memcached")
        );
        assert_eq!(
            refused(|settings| settings.protocol = Protocol::Echo),
            "writes to an echo server, which keeps nothing; give --ratio 1:0"
        );
    }

    #[test]
    fn a_target_is_a_host_and_a_port() {
        assert_eq!(host_and_port("[::1]:6379").unwrap(), ("[::1]", "6379"));
        for target in ["localhost", "127.0.0.1:port", "127.0.0.1:65536", ":1", ""] {
            let error = host_and_port(target).unwrap_err();
            assert_eq!(error.to_string(), format!("the target `{target}` is not a host and a port"));
            assert_eq!(Failure::within(&error).unwrap().next(), TARGET_REMEDY);
        }
    }

    #[test]
    fn ratios_are_two_numbers() {
        assert_eq!("10:1".parse(), Ok(Ratio { gets: 10, sets: 1 }));
        assert_eq!("0:1".parse(), Ok(Ratio { gets: 0, sets: 1 }));
        for text in ["", "1", "1:", "a:b", "-1:1", "0:0", "1:1:1"] {
            assert!(text.parse::<Ratio>().unwrap_err().contains("GETS:SETS"), "{text}");
        }
    }
}
