//! What `cargo xtask` runs first: a program that compiles in seconds, and becomes the whole one.
//!
//! On a new checkout most of the first minutes belong to the kernel, which needs a small part of this workspace. So this
//! program has cargo compile the rest, and meanwhile installs what is missing, fetches, patches, configures and builds the
//! kernel that the command will ask for, in a process of its own. When cargo is done, this process becomes `xtask`, which
//! waits for the kernel where it needs it. On a checkout that is compiled already, all this does is ask cargo whether it is.

mod early;

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use ukl_host::failure::{self, Failure};
use xshell::{Shell, cmd};

/// The package and the program that this one becomes.
const WHOLE: &str = "xtask";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = match early::Request::of_child(&arguments) {
        Some(request) => request.and_then(|request| early::build(&request)),
        None => become_whole(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

/// Returns only with an error: otherwise this process is another program by then.
fn become_whole(arguments: &[OsString]) -> Result<()> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let (folder, target) = places(&own)?;
    let whole = folder.join(WHOLE);
    if let Some(request) = early::Request::of_command(arguments).filter(|_| !whole.is_file()) {
        request.start(&own)?;
    }
    compile(&folder, &target)?;
    let error = Command::new(&whole).args(arguments).exec();
    Err(error).with_context(|| format!("starting {}", whole.display()))
}

/// The folder that this program lies in, and cargo's target folder around it.
fn places(own: &Path) -> Result<(PathBuf, PathBuf)> {
    let folder = own.parent().with_context(|| format!("{} is in no folder", own.display()))?;
    let target = folder.parent().with_context(|| format!("{} is in no target folder", own.display()))?;
    Ok((folder.to_owned(), target.to_owned()))
}

/// Has cargo compile the whole program, in the profile of this one.
fn compile(folder: &Path, target: &Path) -> Result<()> {
    let profile = folder.file_name().unwrap_or_default();
    let profile = if profile == "debug" { "dev".as_ref() } else { profile };
    let sh = Shell::new()?;
    // The checkout, wherever the command was given.
    if let Some(own) = std::env::var_os("CARGO_MANIFEST_DIR") {
        sh.change_dir(own);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let cargo = cmd!(sh, "{cargo} build --quiet --package {WHOLE} --profile {profile} --target-dir {target}");
    let mut cargo = Command::from(cargo);
    let status = cargo.stdin(Stdio::null()).status().context("starting cargo")?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new(
            format!("cargo cannot compile {WHOLE}: {status}"),
            "mend what it says above, then run the same command again",
        )),
    }
}
