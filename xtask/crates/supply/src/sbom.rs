//! `cargo xtask sbom`: what an image consists of, as an SPDX document.

mod contents;
mod crates;
mod spdx;

use crate::reproduce::manifest::hash;
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::PathBuf;
use ukl_app::image;
use ukl_host::atomic;
use ukl_repo::config::{DEFAULT_LEVEL, KernelProfile};
use ukl_repo::ctx::Ctx;

/// Options of `sbom`.
#[derive(clap::Args)]
pub struct Args {
    /// The application: a folder of apps/; several, separated by commas, are one image.
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, default_value = DEFAULT_LEVEL)]
    level: String,
    /// The file to write; standard output if none is named.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `sbom`: builds the image if it is not there, because its hash is in the document.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let app = ctx.repo.app(&args.app)?;
    let level = ctx.repo.level(&args.level)?;
    let image = image::image_on(ctx, &app, &level, KernelProfile::Full)?.bzimage;
    let bytes = fs::read(&image)?;
    let document = contents::document(ctx, &app, &level, &hash(&bytes))?;
    let text = serde_json::to_string_pretty(&document).context("writing the document as JSON")? + "\n";
    let Some(path) = args.out else {
        print!("{text}");
        return Ok(());
    };
    atomic::write(&path, text)?;
    println!("{}: {} packages", path.display(), document.packages.len());
    Ok(())
}
