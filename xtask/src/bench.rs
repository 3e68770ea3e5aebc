//! Instruction counts and throughput.

use crate::ctx::Ctx;
use anyhow::{Result, bail};

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs `bench`.
pub fn run(_ctx: &Ctx, _args: Args) -> Result<()> {
    bail!("`bench` is not built yet");
}
