//! `ukl-profile`: reads what perf recorded and draws flame graphs.

mod draw;
mod samples;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reads what perf recorded and draws flame graphs.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the samples: a line of JSON for each, behind it the bytes of its stack.
    Samples {
        /// What `perf record` wrote.
        file: PathBuf,
    },
    /// Prints a flame graph as SVG.
    Draw {
        /// What is to be drawn, as JSON.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Samples { file } => samples::print(&file),
        Command::Draw { file } => draw::print(&file),
    };
    report(outcome)
}

fn report(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ukl-profile: {error:#}");
            ExitCode::FAILURE
        }
    }
}
