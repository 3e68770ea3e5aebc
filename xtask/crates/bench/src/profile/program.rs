//! `ukl-profile`, which is a program of its own because of its libraries' licences.

use anyhow::Result;
use std::path::Path;
use ukl_app::tools::host_program;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// What it prints when it is given a file.
pub(super) fn output(ctx: &Ctx, command: &str, file: &Path) -> Result<Vec<u8>> {
    let (sh, program) = (Shell::new()?, host_program(ctx, "ukl-profile")?);
    process::output(cmd!(sh, "{program} {command} {file}"))
}
