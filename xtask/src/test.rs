//! Every test of the repository.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `test`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `test`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`test` is not built yet");
}
