//! `cargo xtask`: configures, links, boots and measures Unikernel Linux images. This file only dispatches.
//!
//! A library, so that the fuzzers of `xtask/fuzz` reach its parsers; nothing else is offered.

// First, because its macros take the place of the standard library's in all that follows.
#[macro_use]
mod terminal;

mod app;
mod apt;
mod atomic;
mod audit;
mod bench;
mod boot;
mod build;
mod busybox;
mod cache;
mod calibrate;
mod clean;
mod cli;
mod columns;
mod compatibility;
mod config;
mod configure;
mod counting;
mod counts;
mod cpio;
mod ctx;
mod cxx;
mod debian;
mod debug;
mod doctor;
mod failure;
mod fetch;
mod fuzz;
mod initramfs;
mod kernel;
mod ldwrap;
mod lean;
mod library;
mod lines;
mod link;
mod memcached;
mod model;
mod musl;
mod net;
mod new;
mod nix;
mod packages;
#[doc(hidden)]
pub mod parsers;
mod part;
mod patches;
mod pins;
mod prebuilt;
mod process;
mod profile;
mod program;
mod qemu;
mod recipe;
mod record;
mod repo;
mod report;
mod reproduce;
mod resp;
mod run;
mod sbom;
mod smoke;
mod soak;
mod stats;
mod symbols;
mod syscalls;
mod test;
#[cfg(test)]
mod tidy;
mod toolchain;
mod unpack;
mod userland;
mod vm;
mod vmtest;

use std::path::Path;
use std::process::ExitCode;

/// Runs this program with its command line.
pub fn main() -> ExitCode {
    // gcc finds this program under the name `ld` in the toolchain folder and then expects a linker.
    let invoked_as = std::env::args_os().next().unwrap_or_default();
    if Path::new(&invoked_as).file_name().is_some_and(|name| name == "ld") {
        return ldwrap::main();
    }
    match cli::main().and_then(|()| terminal::check()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
