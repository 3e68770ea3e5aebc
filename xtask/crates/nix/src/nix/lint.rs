//! Formatting and dead code of all Nix files, by programs from the crate registry.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// The crates with their versions, and the programs that they make.
const LINTERS: [(&str, &str, &str); 2] = [("nixfmt_rs", "0.5.3", "nixfmt"), ("deadnix", "1.3.1", "deadnix")];

/// Every Nix file is as nixfmt writes it; a file that is not is noticed.
pub(super) fn format(ctx: &Ctx) -> Result<String> {
    let (sh, nixfmt) = (Shell::new()?, program(ctx, 0)?);
    let files = files(ctx)?;
    process::read(cmd!(sh, "{nixfmt} --check").args(&files))?;
    let scratch = ctx.cache.scratch()?;
    let control = scratch.path().join("control.nix");
    fs_err::write(&control, "{a=1 ;}").context("writing the control")?;
    let told = process::read(cmd!(sh, "{nixfmt} --check {control}")).is_err();
    ensure!(told, "nixfmt takes `{{a=1 ;}}` for well formatted");
    Ok(format!("{} Nix files with what nixfmt writes; one that differs is refused", files.len()))
}

/// No binding that nobody uses; one is noticed.
pub(super) fn dead_code(ctx: &Ctx) -> Result<String> {
    let (sh, deadnix) = (Shell::new()?, program(ctx, 1)?);
    let files = files(ctx)?;
    process::read(cmd!(sh, "{deadnix} --fail").args(&files))?;
    let scratch = ctx.cache.scratch()?;
    let control = scratch.path().join("control.nix");
    fs_err::write(&control, "let unused = 1; in 2\n").context("writing the control")?;
    let told = process::read(cmd!(sh, "{deadnix} --fail {control}")).is_err();
    ensure!(told, "deadnix sees no dead code in `let unused = 1; in 2`");
    Ok(format!("{} Nix files with what is used of them; a binding that is not used is refused", files.len()))
}

/// A linter, built the first time.
fn program(ctx: &Ctx, number: usize) -> Result<PathBuf> {
    let (name, version, program) = LINTERS[number];
    let dir = ctx.cache.step(name, &Key::new("linter-v1").str(name).str(version), |out| {
        let sh = Shell::new()?;
        process::run(cmd!(sh, "cargo install --quiet --locked --version {version} {name} --root {out}"))
    })?;
    Ok(dir.join("bin").join(program))
}

fn files(ctx: &Ctx) -> Result<Vec<PathBuf>> {
    let kept = |entry: &walkdir::DirEntry| entry.file_name() != ".git" && entry.file_name() != "target";
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&ctx.repo.root).sort_by_file_name().into_iter().filter_entry(kept) {
        let entry = entry.context("listing the repository")?;
        if entry.path().extension().is_some_and(|extension| extension == "nix") {
            files.push(entry.into_path());
        }
    }
    ensure!(!files.is_empty(), "the repository has no Nix file");
    Ok(files)
}
