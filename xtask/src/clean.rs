//! Removes what was built.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `clean`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `clean`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`clean` is not built yet");
}
