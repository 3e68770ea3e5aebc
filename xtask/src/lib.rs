//! `cargo xtask`: configures, links, boots and measures Unikernel Linux images. This file only dispatches.
//!
//! A library, so that the fuzzers of `xtask/fuzz` reach its parsers; nothing else is offered.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

mod clean;
mod cli;
#[doc(hidden)]
pub mod parsers;
mod test;
#[cfg(test)]
mod tidy;

use std::process::ExitCode;
use ukl_host::{failure, terminal};

/// Runs this program with its command line.
pub fn main() -> ExitCode {
    match cli::main().and_then(|()| terminal::check()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
