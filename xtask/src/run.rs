//! Builds, boots and serves an application.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `run`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `run`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`run` is not built yet");
}
