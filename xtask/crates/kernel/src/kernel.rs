//! Builds the kernel of a flavour once, for every level and application.

use crate::configure;
use crate::patches::Series;
use anyhow::Result;
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_repo::config::{KernelFlavour, KernelProfile};
use ukl_repo::ctx::Ctx;
use ukl_sources::{fetch, unpack};
use xshell::{Cmd, Shell, cmd};

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

/// The source tree of a flavour: the pinned tree, for `Ukl` with the patch series.
pub fn kernel_source(ctx: &Ctx, flavour: KernelFlavour) -> Result<PathBuf> {
    if let Some(tree) = prebuilt::find(&format!("kernel-source/{flavour}")) {
        return Ok(tree);
    }
    let source = ctx.repo.kernel()?.source;
    match flavour {
        KernelFlavour::Vanilla => unpack::unpacked(ctx, &source),
        KernelFlavour::Ukl => {
            let kind = format!("source-{}-ukl", source.stem());
            ctx.cache.step(&kind, &source_key(ctx, flavour)?, |out| {
                let tarball = fetch::fetch(ctx, &source)?;
                Series::read(&ctx.repo)?.unpack_patched(&tarball, out)
            })
        }
    }
}

/// Identity of a flavour's source tree.
pub fn source_key(ctx: &Ctx, flavour: KernelFlavour) -> Result<Key> {
    let key = Key::new("kernel-source-v1").str(&ctx.repo.kernel()?.source.sha256);
    match flavour {
        KernelFlavour::Vanilla => Ok(key),
        KernelFlavour::Ukl => Series::read(&ctx.repo)?.key(key),
    }
}

/// The compiler that builds the kernel, as it names itself.
pub fn compiler() -> Result<String> {
    let sh = Shell::new()?;
    process::read(cmd!(sh, "gcc --version"))
}

/// Tools that the kernel's configuration would tell of if this machine has them. kernel/default.nix says the same to Nix.
const ABSENT_TOOLS: [&str; 3] = ["RUSTC=absent", "BINDGEN=absent", "PAHOLE=absent"];

/// `make` for a kernel tree, with everything pinned that would otherwise differ from build to build.
pub fn make<'s>(sh: &'s Shell, ctx: &Ctx, source: &Path, output: &Path) -> Result<Cmd<'s>> {
    let stamp = ctx.repo.kernel()?.stamp;
    let time_s = stamp.time_s.to_string();
    let time = cmd!(sh, "date --utc --date=@{time_s} '+%a %b %e %H:%M:%S UTC %Y'").env("LC_ALL", "C");
    let time = process::read(time)?;
    let jobs = ctx.jobs.to_string();
    // Kconfig records which of these there are, though nothing here is built with them: no machine has them.
    let mut make = cmd!(sh, "make -C {source} O={output} -j{jobs} ARCH=x86_64 LOCALVERSION=").args(ABSENT_TOOLS);
    // Options meant for some other make must not reach the kernel's.
    for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CROSS_COMPILE", "KCFLAGS", "KCPPFLAGS", "KBUILD_OUTPUT"] {
        make = make.env_remove(variable);
    }
    let make = make
        .env("LC_ALL", "C")
        .env("SOURCE_DATE_EPOCH", time_s)
        .env("KBUILD_BUILD_TIMESTAMP", time.trim())
        .env("KBUILD_BUILD_USER", stamp.user)
        .env("KBUILD_BUILD_HOST", stamp.host)
        .env("KBUILD_BUILD_VERSION", "1");
    Ok(make)
}

/// The kernel of a flavour on a kernel profile with every object compiled, and no application linked in.
///
/// An interrupted build goes on where it ended; a complete one is recorded in a stamp file, so that asking again costs
/// nothing.
pub fn kernel(ctx: &Ctx, flavour: KernelFlavour, kernel_profile: KernelProfile) -> Result<KernelBuild> {
    let config = configure::config(ctx, flavour, kernel_profile)?;
    let stamp = ctx.repo.kernel()?.stamp;
    let key = source_key(ctx, flavour)?
        .str("kernel-v1")
        .file(&config)?
        .str(&compiler()?)
        .str(&format!("{} {} {}", stamp.time_s, stamp.user, stamp.host));
    let work = ctx.cache.work(&format!("kernel-{flavour}"), &key)?;
    let built = work.path.join("built");
    let build =
        KernelBuild { source: kernel_source(ctx, flavour)?, output: work.path.join("objects"), key: key.to_string() };
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
    let mut make = make(&sh, ctx, &build.source, &build.output)?;
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
