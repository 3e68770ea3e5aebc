//! `compare`: whether this program sees the throughput that redis-benchmark sees. In a closed loop both wait for the
//! slower of client and server, so the two figures are about the same thing only where that is the server; how busy it
//! was stands beside them.

mod benchmark;
mod server;

use anyhow::Result;
use std::path::PathBuf;
use ukl_loadgen::{Amount, Failure, Protocol, Ratio, Session, Settings, Workload, host_and_port};

/// Options of `compare`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The program to compare with.
    #[arg(long, value_name = "PROGRAM", default_value = "redis-benchmark")]
    redis_benchmark: PathBuf,
    /// Where the Redis server listens.
    #[arg(long, value_name = "HOST:PORT")]
    target: String,
    /// How many connections are open all the time.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// The pipelines to compare at, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u32).range(1..))]
    pipelines: Vec<u32>,
    /// The size of a value.
    #[arg(long, value_name = "B", default_value_t = 64)]
    value_bytes: u32,
    /// How many different keys there are.
    #[arg(long, value_name = "K", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Requests of a run at pipeline 1; at pipeline P it makes P times as many.
    #[arg(long, value_name = "R", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// How often each of the two measures; their medians are compared.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How far apart the medians may be.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    tolerance_percent: f64,
}

/// A command at a pipeline, and what each program saw of it.
#[derive(Debug)]
struct Case {
    get: bool,
    pipeline: u32,
    theirs: Samples,
    ours: Samples,
}

/// The runs of one program.
#[derive(Debug, Default)]
struct Samples {
    requests_per_s: Vec<f64>,
    /// Of one CPU.
    server_busy_percent: Vec<f64>,
}

/// Runs `compare`: alternating runs, a table, and status 1 if a difference is above the tolerance.
pub(crate) fn run(args: &Args) -> Result<()> {
    host_and_port(&args.target)?;
    let mut cases: Vec<Case> = args
        .pipelines
        .iter()
        .flat_map(|pipeline| [true, false].map(|get| (*pipeline, get)))
        .map(|(pipeline, get)| Case { get, pipeline, theirs: Samples::default(), ours: Samples::default() })
        .collect();
    for round in 0..args.rounds {
        for case in &mut cases {
            // Each of the two goes first in half of the rounds.
            if round % 2 == 0 {
                case.theirs(args)?;
                case.ours(args)?;
            } else {
                case.ours(args)?;
                case.theirs(args)?;
            }
        }
    }
    println!("medians of {} rounds (least..most) [how much of a CPU the server used]\n", args.rounds);
    println!("{:<21}{:>36}{:>36}{:>12}", "requests/s", "redis-benchmark", "ukl-loadgen", "difference");
    let beyond = cases.iter().filter(|case| !case.print(args.tolerance_percent)).count();
    if beyond == 0 {
        return Ok(());
    }
    Err(Failure::new(
        format!("{beyond} of {} differences are above {} %", cases.len(), args.tolerance_percent),
        "compare on a server that is the bottleneck: where it is not busy all the time, a figure is the client's own",
    ))
}

impl Case {
    fn name(&self) -> &'static str {
        if self.get { "GET" } else { "SET" }
    }

    fn requests(&self, args: &Args) -> u64 {
        args.requests * u64::from(self.pipeline)
    }

    fn theirs(&mut self, args: &Args) -> Result<()> {
        let (get, pipeline, requests) = (self.get, self.pipeline, self.requests(args));
        self.theirs.take(args, requests, || benchmark::rate(args, get, pipeline, requests))
    }

    /// One thread, because redis-benchmark has one.
    fn ours(&mut self, args: &Args) -> Result<()> {
        let ratio = if self.get { Ratio { gets: 1, sets: 0 } } else { Ratio { gets: 0, sets: 1 } };
        let requests = self.requests(args);
        let mut session = Session::open(&Settings {
            connections: args.connections,
            pipeline: self.pipeline,
            workload: Workload::Mix(ratio),
            value_bytes: args.value_bytes,
            keys: args.keys,
            strict: true,
            ..Settings::new(Protocol::Redis, &args.target, Amount::Requests(requests))
        })?;
        session.prepare()?;
        self.ours.take(args, requests, || Ok(session.measure()?.requests_per_s))
    }

    /// A line of the table; whether the difference is within the tolerance.
    fn print(&self, tolerance_percent: f64) -> bool {
        let difference_percent =
            (median(&self.ours.requests_per_s) / median(&self.theirs.requests_per_s) - 1.0) * 100.0;
        let holds = difference_percent.abs() <= tolerance_percent;
        let case = format!("{} {}, pipeline {}", if holds { "ok  " } else { "FAR " }, self.name(), self.pipeline);
        println!("{case:<21}{:>36}{:>36}{difference_percent:>+10.1} %", self.theirs.shown(), self.ours.shown());
        holds
    }
}

impl Samples {
    fn take(&mut self, args: &Args, requests: u64, measure: impl FnOnce() -> Result<f64>) -> Result<()> {
        let before_s = server::cpu_s(&args.target)?;
        let requests_per_s = measure()?;
        let busy_s = server::cpu_s(&args.target)? - before_s;
        self.requests_per_s.push(requests_per_s);
        self.server_busy_percent.push(busy_s * requests_per_s / requests as f64 * 100.0);
        Ok(())
    }

    fn shown(&self) -> String {
        let (least, most) = self
            .requests_per_s
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
        let (rate, busy) = (median(&self.requests_per_s), median(&self.server_busy_percent));
        format!("{rate:.0} ({least:.0}..{most:.0}) [{busy:.0} %]")
    }
}

/// The middle one, or the mean of the middle two.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
