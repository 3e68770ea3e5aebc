//! The kernel's sources, and what every build of them needs: their identity, the compiler, `make`.

use crate::patches::Series;
use anyhow::Result;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_repo::config::KernelFlavour;
use ukl_repo::ctx::Ctx;
use ukl_sources::{fetch, unpack};
use xshell::{Cmd, Shell, cmd};

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
