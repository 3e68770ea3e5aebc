//! A Nix beside the system: Debian's package with all that it needs, unpacked into a folder and told to look only there.

use anyhow::Result;
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_sources::apt;
use xshell::{Shell, cmd};

/// The suite whose Nix is new enough for this flake; the one before has 2.8.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 2] = ["nix-bin", "patchelf"];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/// The folder of the programs, made the first time below `work`. It knows its place.
pub(super) fn nix(ctx: &Ctx, work: &Path) -> Result<PathBuf> {
    let key = Key::new("nix-v1").str(SUITE).str(&work.to_string_lossy());
    let system = work.join(format!("nix-{key}"));
    let bin = system.join("usr/bin");
    if system.is_dir() {
        return Ok(bin);
    }
    let _lock = ctx.cache.lock("nix")?;
    if system.is_dir() {
        return Ok(bin);
    }
    let scratch = ctx.cache.scratch()?;
    let unfinished = work.join(".unfinished-nix");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let sh = Shell::new()?;
    apt::unpack_with_dependencies(scratch.path(), SUITE, &PACKAGES.map(str::to_owned), &unfinished)?;
    // Its own loader and libraries by themselves: Nix starts itself again for each build, where no variable would follow.
    let (loader, libraries) = (unfinished.join(LOADER), unfinished.join(LIBRARIES));
    let (patchelf, program) = (unfinished.join("usr/bin/patchelf"), unfinished.join("usr/bin/nix"));
    let (interpreter, path) = (system.join(LOADER), system.join(LIBRARIES));
    let patchelf = cmd!(sh, "{loader} --library-path {libraries} {patchelf} --set-interpreter {interpreter}");
    let patchelf = patchelf.args(["--force-rpath", "--set-rpath"]).arg(path).arg(program);
    process::run(patchelf)?;
    fs::rename(&unfinished, &system)?;
    let nix = bin.join("nix");
    let version = process::read(cmd!(sh, "{nix} --version"))?;
    eprintln!("  {} in {}", version.trim(), system.display());
    Ok(bin)
}
