//! `ukl-profile`, which is a program of its own because of its libraries' licences.

use anyhow::Result;
use std::path::Path;
use std::process::Command;
use ukl_app::tools::host_program;
use ukl_host::process;
use ukl_repo::ctx::Ctx;

/// What it prints when it is given a file.
pub(super) fn output(ctx: &Ctx, command: &str, file: &Path) -> Result<Vec<u8>> {
    process::output(Command::new(host_program(ctx, "ukl-profile")?).arg(command).arg(file))
}
