//! Builds the kernel of a flavour once, for every level and application.

use crate::{configure, source};
use anyhow::Result;
use fs_err as fs;
use std::path::PathBuf;
use ukl_host::process;
use ukl_repo::config::{KernelFlavour, KernelProfile};
use ukl_repo::ctx::Ctx;
use xshell::Shell;

/// A built kernel.
#[derive(Clone, Debug)]
pub struct KernelBuild {
    /// The source tree, patched for `Ukl`.
    pub source: PathBuf,
    /// The `O=` tree with the objects.
    pub output: PathBuf,
    /// Identity of sources, patches, configuration and compiler.
    pub key: String,
}

/// The kernel of a flavour on a kernel profile with every object compiled, and no application linked in.
///
/// An interrupted build goes on where it ended; a complete one is recorded in a stamp file, so that asking again costs
/// nothing.
pub fn kernel(ctx: &Ctx, flavour: KernelFlavour, kernel_profile: KernelProfile) -> Result<KernelBuild> {
    let config = configure::config(ctx, flavour, kernel_profile)?;
    let stamp = ctx.repo.kernel()?.stamp;
    let key = source::source_key(ctx, flavour)?
        .str("kernel-v1")
        .file(&config)?
        .str(&source::compiler()?)
        .str(&format!("{} {} {}", stamp.time_s, stamp.user, stamp.host));
    let work = ctx.cache.work(&format!("kernel-{flavour}"), &key)?;
    let built = work.path.join("built");
    let build = KernelBuild {
        source: source::kernel_source(ctx, flavour)?,
        output: work.path.join("objects"),
        key: key.to_string(),
    };
    if built.is_file() {
        return Ok(build);
    }
    fs::create_dir_all(&build.output)?;
    let dot_config = build.output.join(".config");
    // Written only when it is not there: a newer file would make an interrupted build start over.
    if !dot_config.is_file() {
        let fresh = build.output.join(".config.new");
        fs::copy(&config, &fresh)?;
        fs::rename(&fresh, &dot_config)?;
    }
    let sh = Shell::new()?;
    let mut make = source::make(&sh, ctx, &build.source, &build.output)?;
    if kernel_profile == KernelProfile::Debian {
        // What gdb loads beside vmlinux; it is no part of bzImage.
        make = make.arg("scripts_gdb");
    }
    process::run_logged(
        &format!("building the {flavour} kernel, {kernel_profile} profile"),
        make.arg("bzImage"),
        &work.path.join("log"),
    )?;
    fs::write(&built, "")?;
    Ok(build)
}
