//! The programs of this workspace that a build, a measurement or a test needs, built by cargo beside this one.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::GUEST_TARGET;
use xshell::cmd;

/// Where the sources of the linker lie, relative to the checkout.
const LINKER_SOURCES: &str = "xtask/crates/ld";
/// What the linker is called as a package, a program and a part.
const LINKER: &str = "ukl-ld";
/// The cargo profile of what runs in the guest or inside QEMU, where its speed is measured or waited for.
const MEASURED: &str = "release";

/// The program that gcc runs as `ld`: see `xtask/crates/ld`.
pub fn linker(ctx: &Ctx) -> Result<PathBuf> {
    match prebuilt::find(&format!("bin/{LINKER}")) {
        Some(program) => Ok(program),
        None => host_program(ctx, LINKER),
    }
}

/// Adds to a key what the linker is made of: its own sources, or the program that somebody hands in.
pub fn linker_key(ctx: &Ctx, key: Key) -> Result<Key> {
    match prebuilt::find(&format!("bin/{LINKER}")) {
        Some(program) => key.file(&program),
        None => key.tree(&ctx.repo.root.join(LINKER_SOURCES)),
    }
}

/// QEMU's plug-in that counts instructions.
pub fn counter(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(plugin) = prebuilt::find("counter/libukl_counter.so") {
        return Ok(plugin);
    }
    let arguments = ["rustc", "--lib", "--crate-type", "cdylib", "--package", "ukl-counter"];
    cargo(ctx, &arguments, MEASURED, Path::new("libukl_counter.so"))
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
    cargo(ctx, &arguments, MEASURED, Path::new(package))
}

/// The program of a package of that name, for this machine, in the profile that this program was built in.
pub fn host_program(ctx: &Ctx, package: &str) -> Result<PathBuf> {
    let own = own_folder()?;
    let profile = own.file_name().and_then(|name| name.to_str()).unwrap_or(MEASURED).to_owned();
    // The folder of cargo's `dev` profile has another name than the profile.
    let profile = if profile == "debug" { "dev" } else { &profile };
    cargo(ctx, &["build", "--package", package], profile, Path::new(package))
}

/// The folder that this program lies in: `target/PROFILE`.
fn own_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    Ok(own.parent().with_context(|| format!("{} is in no folder", own.display()))?.to_owned())
}

/// Runs cargo with the target folder that this program lies in, and returns what it made there under the name `product`.
fn cargo(ctx: &Ctx, arguments: &[&str], profile: &str, product: &Path) -> Result<PathBuf> {
    let own = own_folder()?;
    let target = own.parent().with_context(|| format!("{} is in no target folder", own.display()))?;
    let sh = process::shell_in(&ctx.repo.root)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    process::run(cmd!(sh, "{cargo} {arguments...} --quiet --locked --profile {profile} --target-dir {target}"))?;
    let mut folder = target.to_owned();
    if let Some(triple) = arguments.iter().skip_while(|word| **word != "--target").nth(1) {
        folder.push(triple);
    }
    folder.push(if profile == "dev" { "debug" } else { profile });
    let product = folder.join(product);
    ensure!(product.is_file(), "cargo built no {}", product.display());
    Ok(product)
}
