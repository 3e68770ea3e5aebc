//! A Nix beside the system: Debian's package with all that it needs, unpacked into a folder and told to look only there.

use crate::cache::Key;
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::{apt, process};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The suite whose Nix is new enough for this flake; the one before has 2.8.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 2] = ["nix-bin", "patchelf"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
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

/// The packages and what they need, through apt with a state of its own: this machine's packages stay as they are, and as
/// apt believes that none is installed, nothing is left out.
fn download(scratch: &Path) -> Result<Vec<PathBuf>> {
    let archives = apt::archives()?;
    let archive = archives.iter().find(|archive| !archive.ends_with("-security/")).ok_or_else(|| {
        Failure::new(
            "the apt configuration of this machine names no Debian archive",
            "add one and run `apt-get update`",
        )
    })?;
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        let folder = scratch.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let place = scratch.display();
    let write = |name: &str, text: String| {
        fs::write(scratch.join(name), text).with_context(|| format!("writing {}", scratch.join(name).display()))
    };
    write("status", String::new())?;
    write("sources.list", format!("deb [signed-by={KEYRING}] {archive} {SUITE} main\n"))?;
    write(
        "apt.conf",
        format!(
            "Dir::State \"{place}/state\";\nDir::State::status \"{place}/status\";\nDir::Cache \"{place}/cache\";\n\
             Dir::Etc::sourcelist \"{place}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
             APT::Sandbox::User \"\";\nAPT::Install-Recommends \"false\";\nAcquire::Languages \"none\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nAcquire::Retries \"3\";\n"
        ),
    )?;
    let apt = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("APT_CONFIG", scratch.join("apt.conf")).args(["--quiet", "--assume-yes"]).args(words);
        process::run(apt.stdout(std::io::stderr()))
    };
    apt(&["update"])?;
    let words = ["install", "--download-only"].into_iter().chain(PACKAGES);
    apt(&words.collect::<Vec<_>>())?;
    let archives = scratch.join("cache/archives");
    let listed = fs::read_dir(&archives).with_context(|| format!("listing {}", archives.display()))?;
    let debs: Vec<_> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    let debs: Vec<_> = debs.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect();
    ensure!(debs.len() > PACKAGES.len(), "apt downloaded {} packages into {}", debs.len(), archives.display());
    Ok(debs)
}
