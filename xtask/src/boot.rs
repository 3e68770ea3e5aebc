//! Boots a built image.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `boot`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `boot`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`boot` is not built yet");
}
