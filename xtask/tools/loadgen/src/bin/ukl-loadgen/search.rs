//! `search`: the highest rate under a latency limit.

use crate::load::Load;
use anyhow::Result;
use serde::Serialize;
use ukl_loadgen::search::{Found, Goal, search_session};
use ukl_loadgen::{Amount, Session, Settings};

/// How long a rate is measured if nothing else is said.
const TRIAL_S: f64 = 5.0;

/// Options of `search`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    load: Load,
    /// What 99 of 100 requests have to stay below.
    #[arg(long, value_name = "US", default_value_t = 500.0)]
    p99_limit_us: f64,
    /// The first rate, in requests/s; it is doubled until it is too high.
    #[arg(long, value_name = "R", default_value_t = 1000.0)]
    start_rate: f64,
    /// No rate above this is tried.
    #[arg(long, value_name = "R", default_value_t = 10_000_000.0)]
    max_rate: f64,
    /// How far apart the highest rate that holds and the lowest that does not may stay.
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0)]
    precision_percent: f64,
    /// How often a rate is measured; the majority decides.
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeats: u32,
}

/// The JSON file.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    settings: Settings,
    found: Found,
}

/// Runs `search`: a line on standard error for each rate, and the result.
pub(crate) fn run(args: Args) -> Result<()> {
    let settings = args.load.settings(None, true, Some(Amount::DurationS(TRIAL_S)))?;
    let goal = Goal {
        p99_limit_us: args.p99_limit_us,
        start_requests_per_s: args.start_rate,
        max_requests_per_s: args.max_rate,
        precision_percent: args.precision_percent,
        repeats: args.repeats,
    };
    goal.check()?;
    let mut session = Session::open(&settings)?;
    session.prepare()?;
    let found = search_session(goal, &mut session, args.load.arrivals, |step| eprintln!("{step}"))?;
    let more = if found.ceiling_reached { "; that is --max-rate, and the server may do more" } else { "" };
    let table = format!(
        "highest rate with a p99 below {} µs: {:.1} requests/s{more}\n",
        goal.p99_limit_us, found.requests_per_s
    );
    args.load.deliver(&table, &Report { version: env!("CARGO_PKG_VERSION"), settings, found })
}
