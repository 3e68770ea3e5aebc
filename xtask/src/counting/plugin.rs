//! The programs of this workspace that a measurement or a test needs, built by cargo beside this one.

use crate::ctx::Ctx;
use crate::repo::GUEST_TARGET;
use crate::{prebuilt, process};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// QEMU's plug-in.
pub fn build(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(plugin) = prebuilt::find("counter/libukl_counter.so") {
        return Ok(plugin);
    }
    cargo(ctx, &["rustc", "--lib", "--crate-type", "cdylib", "--package", "ukl-counter"], "release/libukl_counter.so")
}

/// The program that asks the server, for the guest.
pub fn load_generator(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(program) = prebuilt::find("loadgen/ukl-loadgen") {
        return Ok(program);
    }
    guest_program(ctx, "ukl-loadgen")
}

/// The program of a package of that name, linked statically for the guest.
pub fn guest_program(ctx: &Ctx, package: &str) -> Result<PathBuf> {
    let arguments = ["build", "--package", package, "--target", GUEST_TARGET];
    cargo(ctx, &arguments, &format!("{GUEST_TARGET}/release/{package}"))
}

/// The program of a package of that name, for this machine.
pub fn host_program(ctx: &Ctx, package: &str) -> Result<PathBuf> {
    cargo(ctx, &["build", "--package", package], &format!("release/{package}"))
}

/// Runs cargo with the target folder that this program lies in, and returns what it made there.
fn cargo(ctx: &Ctx, arguments: &[&str], product: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let target = own.ancestors().nth(2).with_context(|| format!("{} is in no target folder", own.display()))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&ctx.repo.root).args(arguments).args(["--quiet", "--release", "--locked"]);
    process::run(cargo.arg("--target-dir").arg(target))?;
    let product = target.join(product);
    ensure!(product.is_file(), "cargo built no {}", product.display());
    Ok(product)
}
