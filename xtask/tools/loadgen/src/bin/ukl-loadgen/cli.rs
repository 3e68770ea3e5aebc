//! The command line: one variant per subcommand, and how an error looks.

use crate::{compare, run, search};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use ukl_loadgen::Failure;

/// Exit status of a command that could not do its work, or whose check does not hold.
const FAILED: u8 = 1;
/// Exit status of a command that was asked for something that makes no sense; the same as clap's.
const USAGE: u8 = 2;

/// Loads a Redis or memcached server and says how it answers.
#[derive(Parser)]
#[command(name = "ukl-loadgen", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure once: throughput, latencies and errors.
    Run(run::Args),
    /// Find the highest rate of an open loop whose p99 stays below a limit.
    Search(search::Args),
    /// Compare the throughput seen by this program with that seen by redis-benchmark, on the same server.
    Compare(compare::Args),
}

/// Parses the command line and runs what it asks for; a usage error ends the process with status 2.
pub(crate) fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Search(args) => search::run(args),
        Command::Compare(args) => compare::run(&args),
    }
}

/// Prints the error once, the whole chain on one line, and returns the exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    let failure = Failure::within(error);
    if let Some(failure) = failure {
        eprintln!(" next: {}", failure.next());
    }
    ExitCode::from(if failure.is_some_and(Failure::is_usage) { USAGE } else { FAILED })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
