//! Links an application into a built kernel.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `link`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `link`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`link` is not built yet");
}
