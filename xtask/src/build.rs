//! Builds the image of an application at a level.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `build`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `build`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`build` is not built yet");
}
