//! `ukl-loadgen`: loads a Redis or memcached server and says how it answers. This file only dispatches.

mod cli;
mod compare;
mod load;
mod run;
mod search;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}
