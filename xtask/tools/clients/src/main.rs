//! `ukl-clients`: plays scripted clients against a server and prints what they observed.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use ukl_clients::{Script, Server, Suite, play};

/// Plays scripted clients against a server and prints what each connection observed, as JSON.
#[derive(Parser)]
#[command(name = "ukl-clients", version, max_term_width = 120)]
struct Cli {
    /// Where the server listens.
    #[arg(long, value_name = "IPV4:PORT")]
    target: SocketAddrV4,
    /// How to talk to the server between scripts; the scripts are in the folder of the same name without `.toml`.
    #[arg(long, value_name = "FILE")]
    suite: PathBuf,
    /// The file with the number of the server's process, for scripts that stop it.
    #[arg(long, value_name = "FILE", default_value = "/run/application.pid")]
    pid_file: PathBuf,
    /// How long a step may wait.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    deadline_s: u64,
    /// Write the record to this file instead, on one line, compressed and as base64, and print the line's length.
    #[arg(long, value_name = "FILE")]
    packed_to: Option<PathBuf>,
    /// Scripts to play instead of all.
    names: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<String> {
    let suite = Suite::read(&cli.suite)?;
    let mut scripts = Script::read_all(&cli.suite.with_extension(""))?;
    for name in &cli.names {
        let known = || scripts.iter().map(|script| script.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(scripts.iter().any(|script| script.name == *name), "no script `{name}`; there are {}", known());
    }
    if !cli.names.is_empty() {
        scripts.retain(|script| cli.names.contains(&script.name));
    }
    let deadline = Duration::from_secs(cli.deadline_s);
    let server = Server { address: cli.target, pid_file: cli.pid_file.clone(), deadline };
    let record = play(&server, &suite, &scripts)?;
    let Some(path) = &cli.packed_to else { return Ok(serde_json::to_string_pretty(&record)?) };
    let line = record.pack()?;
    std::fs::write(path, &line).with_context(|| format!("writing {}", path.display()))?;
    Ok(line.len().to_string())
}
