//! The crates of applications in Rust, into cargo's own cache, so that they build without a network.

use anyhow::Result;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::GUEST_TARGET;
use xshell::{Shell, cmd};

/// What proc macros and build scripts are compiled for.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// The manifests whose `Cargo.lock` says which crates are needed: those of the applications, and the standard library's.
pub(super) fn manifests(ctx: &Ctx) -> Result<Vec<PathBuf>> {
    let apps = ctx.repo.apps()?;
    let ours = apps.iter().filter(|app| app.source.is_none() && app.build.commands.name("cargo"));
    let mut manifests: Vec<_> = ours.map(|app| app.dir.join("Cargo.toml")).collect();
    if !manifests.is_empty() {
        let sh = process::shell_in(&ctx.repo.root)?;
        let sysroot = process::read(cmd!(sh, "rustc --print sysroot"))?;
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.toml");
        if !library.is_file() {
            return Err(Failure::new(
                format!("the sources of Rust's standard library are not there: {}", library.display()),
                "run `cargo xtask doctor --fix`, then the same command again",
            ));
        }
        manifests.push(library);
    }
    Ok(manifests)
}

/// Downloads what is missing; cargo compares each crate with the hash in the lock file.
pub(super) fn fetch(manifest: &Path) -> Result<()> {
    let sh = Shell::new()?;
    let cargo = cmd!(sh, "cargo fetch --locked --target {GUEST_TARGET} --target {HOST} --manifest-path {manifest}");
    let mut cargo = cargo.into();
    // The standard library's manifest has unstable features.
    process::run(process::without_cargo(&mut cargo).env("RUSTC_BOOTSTRAP", "1"))
}
