//! Gets the pinned tarballs.

use crate::config::Source;
use crate::ctx::Ctx;
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Options of `fetch`.
#[derive(clap::Args)]
pub struct Args {}

/// The verified tarball of a source.
pub fn fetch(ctx: &Ctx, source: &Source) -> Result<PathBuf> {
    let path = ctx.cache.sources().join(&source.file);
    if path.exists() {
        return Ok(path);
    }
    bail!("fetch is not built yet")
}

/// Runs `fetch`.
pub fn run(ctx: &Ctx, _args: Args) -> Result<()> {
    ctx.repo.sources()?.iter().try_for_each(|source| fetch(ctx, source).map(drop))
}
