//! A Nix beside the system: Debian's package with all that it needs, unpacked into a folder and told to look only there.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_sources::apt::PrivateApt;

/// The suite whose Nix is new enough for this flake; the one before has 2.8.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 2] = ["nix-bin", "patchelf"];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/// The folder of the programs, made the first time below `work`. It knows its place.
pub fn nix(ctx: &Ctx, work: &Path) -> Result<PathBuf> {
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
    let debs = download(scratch.path())?;
    let unfinished = work.join(".unfinished-nix");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("removing {}", unfinished.display()))?;
    }
    for deb in debs {
        process::read(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&unfinished))?;
    }
    // Its own loader and libraries by themselves: Nix starts itself again for each build, where no variable would follow.
    let (loader, libraries) = (unfinished.join(LOADER), unfinished.join(LIBRARIES));
    let mut patchelf = Command::new(&loader);
    patchelf.arg("--library-path").arg(&libraries).arg(unfinished.join("usr/bin/patchelf"));
    patchelf.arg("--set-interpreter").arg(system.join(LOADER)).arg("--force-rpath");
    patchelf.arg("--set-rpath").arg(system.join(LIBRARIES)).arg(unfinished.join("usr/bin/nix"));
    process::run(&mut patchelf)?;
    fs::rename(&unfinished, &system).with_context(|| format!("creating {}", system.display()))?;
    let version = process::read(Command::new(bin.join("nix")).arg("--version"))?;
    eprintln!("  {} in {}", version.trim(), system.display());
    Ok(bin)
}

/// The packages and what they need.
fn download(scratch: &Path) -> Result<Vec<PathBuf>> {
    let apt = PrivateApt::new(scratch, "deb", &[SUITE.to_owned()])?;
    let mut install = apt.command("apt-get");
    install.args(["--quiet", "--assume-yes", "install", "--download-only"]).args(PACKAGES);
    process::run(install.stdout(std::io::stderr()))?;
    let archives = apt.downloads();
    let listed = fs::read_dir(&archives).with_context(|| format!("listing {}", archives.display()))?;
    let debs: Vec<_> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    let debs: Vec<_> = debs.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect();
    ensure!(debs.len() > PACKAGES.len(), "apt downloaded {} packages into {}", debs.len(), archives.display());
    Ok(debs)
}
