//! `run`: one measurement.

use crate::load::Load;
use anyhow::Result;

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    load: Load,
    /// Open loop: send this many requests a second, all connections together, whatever the server does. Latencies count
    /// from the intended time.
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Do not time requests: a closed loop of --requests then reads no clock between the first and the last.
    #[arg(long)]
    no_latency: bool,
}

/// Runs `run`.
pub(crate) fn run(args: Args) -> Result<()> {
    let settings = args.load.settings(args.rate, !args.no_latency, None)?;
    let report = ukl_loadgen::run(&settings)?;
    args.load.deliver(&report.results.to_string(), &report)
}
