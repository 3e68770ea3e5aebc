//! One attempt to enter or steer ring 0 through a linked-in application, made by a process that may not load kernel code.
//!
//! Prints one line: `done` when the attempt did what it is for, `refused ERROR` when a call was, `signal NAME` when it was
//! answered with one. The caller knows which of them it wants; the exit status is 0 for all, and 2 where nothing was tried.

mod forge;
mod identity;
mod mov_ss;
mod open;
mod outcome;
mod restrict;
mod start;
mod touch;

use clap::{Parser, Subcommand};
use identity::Identity;
use outcome::Outcome;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

#[derive(Parser)]
#[command(about)]
struct Cli {
    /// Who tries it; taken on before the attempt.
    #[arg(long = "as", value_enum, default_value_t = Identity::Root)]
    identity: Identity,
    #[command(subcommand)]
    attempt: Attempt,
}

#[derive(Subcommand)]
enum Attempt {
    /// Become a program, which keeps the identity.
    Exec {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Start a program in a way that gives its starter a hold on it.
    Start {
        #[arg(value_enum)]
        way: start::Way,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Read or change a running process.
    Touch {
        #[arg(value_enum)]
        way: touch::Way,
        pid: i32,
    },
    /// Be taken for an application: forge what the kernel knows one by.
    Forge {
        #[arg(value_enum)]
        way: forge::Way,
        /// Where to jump to, hexadecimal.
        #[arg(long, value_parser = address, default_value = "0")]
        target: u64,
        /// The same with legal values, which has to work.
        #[arg(long)]
        harmless: bool,
    },
    /// Make a 32-bit SYSCALL behind a MOV SS that a data breakpoint watches.
    MovSs {
        #[arg(long, value_enum)]
        gs: mov_ss::Gs,
        /// The same without the breakpoint, which has to work.
        #[arg(long)]
        harmless: bool,
    },
    /// Open a file for writing.
    Open { path: PathBuf },
    /// Read what tells where the kernel lies.
    Learn {
        #[arg(value_enum)]
        what: open::Secret,
    },
    /// Change how many descriptors a running process may have, as whoever may do that.
    Descriptors { pid: i32, limit: u64 },
    /// Become a program under a restriction.
    Restrict {
        #[arg(value_enum)]
        by: restrict::Restriction,
        /// The only folder that it may write to.
        #[arg(long, default_value = "/tmp")]
        folder: PathBuf,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn address(text: &str) -> Result<u64, std::num::ParseIntError> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match attempt(cli) {
        Ok(outcome) => {
            println!("{outcome}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nothing was tried: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn attempt(cli: Cli) -> anyhow::Result<Outcome> {
    cli.identity.take_on()?;
    match cli.attempt {
        Attempt::Exec { command } => become_program(&command),
        Attempt::Start { way, command } => start::attempt(way, &command),
        Attempt::Touch { way, pid } => touch::attempt(way, nix::unistd::Pid::from_raw(pid)),
        Attempt::Forge { way, target, harmless } => forge::attempt(way, target, harmless),
        Attempt::MovSs { gs, harmless } => mov_ss::attempt(gs, harmless),
        Attempt::Open { path } => open::for_writing(&path),
        Attempt::Learn { what } => open::learn(what),
        Attempt::Descriptors { pid, limit } => touch::descriptors(nix::unistd::Pid::from_raw(pid), limit),
        Attempt::Restrict { by, folder, command } => {
            restrict::take_on(by, &folder)?;
            become_program(&command)
        }
    }
}

/// Returns only where the program could not be started.
fn become_program(command: &[String]) -> anyhow::Result<Outcome> {
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    Ok(Outcome::refused(nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
}
