//! The section `[requests]` of a `bench.toml`: what a server is asked, and how it runs meanwhile.

mod timed;

pub use timed::{Limit, Timed};

use anyhow::{Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the load generator does, and with which arguments the server runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// A protocol that `ukl-loadgen` speaks.
    pub protocol: String,
    /// Where the server listens.
    pub port: u16,
    pub connections: u32,
    /// Requests under way per connection.
    pub pipeline: u32,
    pub value_bytes: u32,
    pub keys: u32,
    /// How many are counted, and how many come before them.
    pub requests: u64,
    pub warmup_requests: u64,
    pub seed: u64,
    pub order: LevelOrder,
    /// The same load against the clock.
    pub timed: Timed,
    /// Arguments for the server instead of those in app.toml.
    pub arguments: Option<Vec<String>>,
    /// Kinds of request, each measured by itself: a name and `GETS:SETS`.
    pub ratios: BTreeMap<String, String>,
}

/// What `cargo xtask test order/` asserts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelOrder {
    /// From the most to the least expensive: each needs fewer instructions per request than the one before it.
    pub levels: Vec<String>,
    /// In place of the numbers of the same names that a benchmark takes.
    connections: u32,
    requests: u64,
    warmup_requests: u64,
}

impl Requests {
    /// Checks what the types do not.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("connections", u64::from(self.connections)),
            ("pipeline", u64::from(self.pipeline)),
            ("value_bytes", u64::from(self.value_bytes)),
            ("keys", u64::from(self.keys)),
            ("requests", self.requests),
            ("order.connections", u64::from(self.order.connections)),
            ("order.requests", self.order.requests),
        ] {
            ensure!(value > 0, "`requests.{name}` is 0; at least 1 was expected");
        }
        ensure!(!self.ratios.is_empty(), "`requests.ratios` is empty; a line such as GET = \"1:0\" was expected");
        for (name, ratio) in &self.ratios {
            valid_ratio(&format!("ratios.{name}"), ratio)?;
        }
        self.timed.validate()
    }

    /// The load under which levels are put in order.
    pub fn for_order(&self) -> Self {
        let LevelOrder { connections, requests, warmup_requests, .. } = self.order;
        Requests { connections, requests, warmup_requests, ..self.clone() }
    }

    /// The options of the load generator that every kind of measurement has.
    pub fn options(&self, ratio: &str) -> String {
        let Requests { protocol, port, connections, pipeline, value_bytes, keys, seed, .. } = self;
        format!(
            "--protocol {protocol} --target 127.0.0.1:{port} --connections {connections} --threads 1 \
             --pipeline {pipeline} --ratio {ratio} --value-bytes {value_bytes} --keys {keys} --seed {seed}"
        )
    }

    /// The load generator's command line in a guest that counts.
    pub fn command(&self, program: &str, ratio: &str) -> String {
        let (options, Requests { requests, warmup_requests, .. }) = (self.options(ratio), self);
        format!(
            "{program} run {options} --requests {requests} --warmup-requests {warmup_requests} --no-latency --mark \
             --strict --json /tmp/load.json"
        )
    }

    /// What stands above the table.
    pub fn headline(&self, app: &str) -> String {
        format!(
            "instructions of {app} per request ({} requests, {} connections, pipeline {}, {}-byte values, seed {}), \
             under qemu -icount shift=0:",
            self.requests, self.connections, self.pipeline, self.value_bytes, self.seed
        )
    }
}

/// Whether that key of `[requests]` is `GETS:SETS`.
fn valid_ratio(key: &str, ratio: &str) -> Result<()> {
    let parts = ratio.split_once(':').map(|(gets, sets)| (gets.parse::<u32>(), sets.parse::<u32>()));
    let valid = matches!(parts, Some((Ok(gets), Ok(sets))) if gets + sets > 0);
    ensure!(valid, "`requests.{key}` is {ratio:?}; GETS:SETS was expected, such as \"1:0\"");
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::schema::Schema;

    pub const FILE: &str = "[requests]\nprotocol = 'redis'\nport = 6379\nconnections = 300\npipeline = 1\nvalue_bytes = 64\n\
                        keys = 1000\nrequests = 30000\nwarmup_requests = 3000\nseed = 1\n\
                        ratios = { GET = '1:0' }\n\
                        order = { levels = ['linux', 'byb'], connections = 1, requests = 20, warmup_requests = 5 }\n\
                        timed = { rounds = 5, duration_s = 2.0, warmup_requests = 30 }\n";

    pub fn read(text: &str) -> Result<Requests> {
        match Schema::parse(text)? {
            Schema::Requests(requests) => Ok(requests),
            other => panic!("{other:?} is not about requests"),
        }
    }

    #[test]
    fn the_load_generator_is_told_everything() {
        let requests = read(FILE).unwrap();
        insta::assert_snapshot!(requests.command("load", "1:0"));
    }

    #[test]
    fn levels_are_put_in_order_under_a_load_of_its_own() {
        let requests = read(FILE).unwrap();
        let order = requests.for_order();
        assert_eq!((order.connections, order.requests, order.warmup_requests), (1, 20, 5));
        assert_eq!((order.keys, order.order.levels.len()), (requests.keys, 2));
    }

    #[test]
    fn a_benchmark_of_calls_has_no_requests() {}

    #[test]
    fn wrong_values_are_named() {
        let error = |from: &str, to: &str| format!("{:#}", read(&FILE.replace(from, to)).unwrap_err());
        assert!(error("'1:0'", "'1'").contains("`requests.ratios.GET` is \"1\"; GETS:SETS was expected"));
        assert!(error("keys = 1000", "keys = 0").contains("`requests.keys` is 0"));
        assert!(error("keys", "kees").contains("unknown field `kees`"));
    }
}
