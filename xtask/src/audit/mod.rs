//! May an object be linked into the kernel?

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `audit`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `audit`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`audit` is not built yet");
}
