//! Builds a package of `apps/packages/` as its own documentation says, with the compiler that `cargo xtask toolchain` names.

use crate::toolchain::{self, Contents};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::config::Package;
use ukl_repo::ctx::Ctx;
use ukl_sources::{doctor, unpack};
use xshell::cmd;

/// The package's tree with everything built in it.
pub fn build(ctx: &Ctx, package: &Package) -> Result<PathBuf> {
    doctor::require(ctx, &package.build.needs)?;
    let toolchain = toolchain::toolchain(ctx)?;
    let place = toolchain::folder(ctx, &toolchain, Contents { cxx: package.build.cxx, libraries: &[] })?;
    let key = Key::new("package-v1")
        .str(&package.source.sha256)
        .str(&place.to_string_lossy())
        .str(&package.build.commands.join("\n"));
    ctx.cache.step(&format!("package-{}", package.name), &key, |out| {
        let pristine = unpack::unpacked(ctx, &package.source)?.join(".");
        let sh = process::shell_in(out)?;
        process::run(cmd!(sh, "cp -a --reflink=auto {pristine} {out}"))?;
        package.build.commands.iter().enumerate().try_for_each(|(number, line)| {
            let line = line.replace("{jobs}", &ctx.jobs.to_string());
            let command = cmd!(sh, "sh -ec {line}").env("LC_ALL", "C").envs(toolchain::environment(&place));
            let names = ["MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "CARGO_MANIFEST_DIR"];
            let command = names.into_iter().fold(command, |command, name| command.env_remove(name));
            let log = logs(ctx)?.join(format!("package-{}-{number}.log", package.name));
            process::run_logged(&format!("building {}", package.name), command, &log)
        })
    })
}

fn logs(ctx: &Ctx) -> Result<PathBuf> {
    let logs = ctx.cache.root().join("logs");
    fs_err::create_dir_all(&logs)?;
    Ok(logs)
}

/// Every file below a path of the tree, with its path relative to that; a file by itself has none.
pub fn files_below(path: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let walk = walkdir::WalkDir::new(path).sort_by_file_name();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.with_context(|| format!("listing {}", path.display()))?;
        if entry.path().is_file() {
            files.push((entry.path().to_owned(), entry.path().strip_prefix(path)?.to_owned()));
        }
    }
    Ok(files)
}
