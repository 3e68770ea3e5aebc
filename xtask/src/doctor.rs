//! What this machine has and lacks.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `doctor`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `doctor`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`doctor` is not built yet");
}
