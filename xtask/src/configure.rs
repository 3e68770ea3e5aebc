//! Produces the kernel configuration.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `configure`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `configure`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`configure` is not built yet");
}
