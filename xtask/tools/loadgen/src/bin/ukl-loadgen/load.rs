//! The options that describe a load, as settings.

use anyhow::Result;
use std::path::PathBuf;
use ukl_loadgen::{Amount, Arrivals, Failure, KeyDistribution, OpenLoop, Protocol, Ratio, Settings, Workload};

/// Options of `run` and `search`.
#[derive(clap::Args, Debug)]
pub(crate) struct Load {
    /// What the server speaks.
    #[arg(long, value_enum, default_value = "redis")]
    protocol: Protocol,
    /// Where it listens.
    #[arg(long, value_name = "HOST:PORT")]
    target: String,
    /// How many connections are open all the time.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How many threads share them; with one, everything is a function of the seed and of the answers.
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// How many requests a connection has outstanding: always without --rate, at most with it.
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pipeline: u32,
    /// How many keys are read for how many written.
    #[arg(long, value_name = "GETS:SETS", default_value = "10:1")]
    ratio: Ratio,
    /// Ask this Redis command instead; {key} stands for a drawn key and {value} for its value, as in `INCR count:{key}`.
    #[arg(long, value_name = "WORDS", conflicts_with = "ratio")]
    command: Option<String>,
    /// The size of a value.
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=536_870_912))]
    value_bytes: u32,
    /// How many different keys there are.
    #[arg(long, value_name = "K", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// How keys are drawn.
    #[arg(long, value_enum, default_value = "uniform")]
    key_distribution: Distribution,
    /// The key of rank r is drawn in proportion to 1/r^E.
    #[arg(long, value_name = "E", default_value_t = 0.99)]
    zipf_exponent: f64,
    /// How many requests are measured, all connections together.
    #[arg(long, value_name = "R", conflicts_with = "duration_s")]
    requests: Option<u64>,
    /// How long to measure.
    #[arg(long, value_name = "S")]
    duration_s: Option<f64>,
    /// When an open loop sends its requests.
    #[arg(long, value_enum, default_value = "poisson")]
    pub arrivals: Arrivals,
    /// How many requests precede the measured ones.
    #[arg(long, value_name = "W", default_value_t = 0)]
    warmup_requests: u64,
    /// What all chance depends on.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The pause between two connects.
    #[arg(long, value_name = "M", default_value_t = 0)]
    connect_pace_ms: u64,
    /// How long to wait when nothing at all is answered.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    answer_deadline_s: u64,
    /// Do not write every key before a load that reads.
    #[arg(long)]
    no_populate: bool,
    /// Execute address 0x13370000000 when the measured part begins and 0x13370000010 when it ends.
    #[arg(long)]
    mark: bool,
    /// End with an error at the first wrong answer.
    #[arg(long)]
    strict: bool,
    /// Also write the results to this file, as JSON; `-` is standard output, and the table goes to standard error.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Distribution {
    Uniform,
    Zipf,
}

impl Load {
    /// As settings, with what to do if neither --requests nor --duration-s is given.
    pub(crate) fn settings(&self, rate: Option<f64>, latency: bool, amount: Option<Amount>) -> Result<Settings> {
        let given = self.requests.map(Amount::Requests).or(self.duration_s.map(Amount::DurationS));
        let amount = given.or(amount).ok_or_else(|| {
            Failure::usage(
                "neither --requests nor --duration-s is given",
                "say how much to measure, such as --duration-s 10",
            )
        })?;
        let settings = Settings {
            connections: self.connections,
            threads: self.threads,
            pipeline: self.pipeline,
            workload: match &self.command {
                Some(command) => Workload::Command(command.clone()),
                None => Workload::Mix(self.ratio),
            },
            value_bytes: self.value_bytes,
            keys: self.keys,
            key_distribution: match self.key_distribution {
                Distribution::Uniform => KeyDistribution::Uniform,
                Distribution::Zipf => KeyDistribution::Zipf { exponent: self.zipf_exponent },
            },
            open_loop: rate.map(|requests_per_s| OpenLoop { requests_per_s, arrivals: self.arrivals }),
            warmup_requests: self.warmup_requests,
            seed: self.seed,
            connect_pace_ms: self.connect_pace_ms,
            answer_deadline_s: self.answer_deadline_s,
            latency,
            mark: self.mark,
            strict: self.strict,
            populate: !self.no_populate,
            ..Settings::new(self.protocol, &self.target, amount)
        };
        settings.check()?;
        Ok(settings)
    }

    /// Prints the table and writes the JSON file.
    pub(crate) fn deliver(&self, table: &str, results: &impl serde::Serialize) -> Result<()> {
        match &self.json {
            Some(path) if path.as_os_str() == "-" => eprint!("{table}"),
            _ => print!("{table}"),
        }
        self.json.as_deref().map_or(Ok(()), |path| ukl_loadgen::json::write(path, results))
    }
}
