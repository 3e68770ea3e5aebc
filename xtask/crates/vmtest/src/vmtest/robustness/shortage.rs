//! Without space, rights, network or tools, and in places with odd names.

use super::BUILD_DEADLINE;
use super::trial::{Ended, Trial};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// For a command that has little to do, its downloads included.
const DEADLINE: Duration = Duration::from_secs(300);
/// A user who is root in new mount and network namespaces.
const MOUNTS: &[&str] = &["--map-root-user", "--mount"];
const NETWORK: &[&str] = &["--map-root-user", "--net"];
/// A folder name that no tool of the build is to stumble over.
const ODD: &str = "J\u{fc}rgen's own (new) folder";

/// The tarball that is missing where one is.
fn tarball(ctx: &Ctx) -> Result<PathBuf> {
    ukl_sources::fetch::fetch(ctx, &ctx.repo.source("app-runtime/musl.toml")?)
}

/// A cache that lacks one tarball of all.
fn lacking(ctx: &Ctx, tarball: &Path) -> Result<Trial> {
    let trial = Trial::empty(ctx)?;
    let mut fetch = trial.command()?;
    let output = trial.output(fetch.env("UKL_CACHE", ctx.cache.root()).arg("fetch"), DEADLINE)?;
    ensure!(output.status == Some(0), "fetching failed: {}", output.stderr);
    let sources = trial.cache().join("sources");
    let (sh, from) = (Shell::new()?, ctx.cache.sources());
    process::read(cmd!(sh, "cp --archive {from} {sources}"))?;
    let missing = sources.join(tarball.file_name().context("a tarball has a name")?);
    fs::remove_file(&missing).with_context(|| format!("removing {}", missing.display()))?;
    Ok(trial)
}

/// Fails unless the command ended with status 1, the reason and a next step.
fn refused(output: &Ended, reason: &str, next: &str) -> Result<()> {
    let Ended { status, stderr, .. } = output;
    let (before, after) = stderr.split_once("\n next: ").with_context(|| format!("no next step in {stderr:?}"))?;
    ensure!(*status == Some(1), "status {status:?}: {stderr}");
    ensure!(before.contains(reason), "`{reason}` was not the reason: {stderr}");
    ensure!(after.contains(next), "`{next}` was not the next step: {stderr}");
    Ok(())
}

/// A download onto a disk that is full in the middle of it; with more room, the same command goes on.
pub(super) fn full_disk(ctx: &Ctx) -> Result<String> {
    let tarball = tarball(ctx)?;
    let trial = lacking(ctx, &tarball)?;
    let name = tarball.file_name().context("a tarball has a name")?.to_string_lossy().into_owned();
    let size = fs::metadata(&tarball).with_context(|| format!("looking at {}", tarball.display()))?.len();
    let (kept, large) = (trial.beside("kept"), trial.beside("large"));
    fs::rename(trial.cache(), &kept).context("moving the cache")?;
    fs::create_dir(trial.cache()).context("making the place of the disk")?;
    let disk = trial.cache();
    let script = format!(
        "mount -t tmpfs -o size=2G none '{disk}' && cp -a '{kept}'/. '{disk}' || exit 99
         used=$(df --output=used --block-size=1 '{disk}' | tail -n 1)
         mount -o remount,size=$((used + {size} / 2)) '{disk}' || exit 98
         $XTASK fetch; first=$?
         ls -A '{disk}'/sources >'{large}'
         mount -o remount,size=2G '{disk}' && $XTASK fetch || exit 97
         cmp '{disk}/sources/{name}' '{tarball}' || exit 96
         exit $first",
        disk = disk.display(),
        kept = kept.display(),
        large = large.display(),
        tarball = tarball.display(),
    );
    let output = trial.output(&mut trial.isolated(MOUNTS, &script)?, DEADLINE)?;
    refused(&output, "No space left on device", "free some space")?;
    let seen = fs::read_to_string(&large).with_context(|| format!("reading {}", large.display()))?;
    ensure!(!seen.lines().any(|line| line == name), "half a tarball had the name of a whole one: {seen}");
    Ok(format!("{name} on a disk half as large as it, and the same command with more room"))
}

/// A cache on a file system that nobody may write.
pub(super) fn read_only(ctx: &Ctx) -> Result<String> {
    let trial = Trial::empty(ctx)?;
    let script = "mount --bind $UKL_CACHE $UKL_CACHE && mount -o remount,bind,ro $UKL_CACHE && exec $XTASK fetch";
    let output = trial.output(&mut trial.isolated(MOUNTS, script)?, DEADLINE)?;
    refused(&output, "Read-only file system", "UKL_CACHE")?;
    Ok("the answer with the reason and a folder that can be written".to_owned())
}

/// A machine without a network, and the tarball brought by hand, as the answer says.
pub(super) fn no_network(ctx: &Ctx) -> Result<String> {
    let tarball = tarball(ctx)?;
    let trial = lacking(ctx, &tarball)?;
    let name = tarball.file_name().context("a tarball has a name")?;
    let place = trial.cache().join("sources").join(name);
    let output = trial.output(&mut trial.isolated(NETWORK, "exec $XTASK fetch")?, DEADLINE)?;
    refused(&output, "cannot be downloaded", &format!("put the file at {} by hand", place.display()))?;
    fs::copy(&tarball, &place).with_context(|| format!("writing {}", place.display()))?;
    let output = trial.output(&mut trial.isolated(NETWORK, "exec $XTASK fetch")?, DEADLINE)?;
    ensure!(output.status == Some(0), "with the file brought by hand: {}", output.stderr);
    Ok("the answer without a network, and the same command after what it asked for".to_owned())
}

/// A machine without `make`, and one with a QEMU that does not start.
pub(super) fn missing_tools(ctx: &Ctx) -> Result<String> {
    let trial = Trial::empty(ctx)?;
    let tools = trial.beside("tools");
    fs::create_dir(&tools).context("making a folder of tools")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path) {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let name = entry.context("listing the tools")?.file_name();
            // The first of a name is the one that is found.
            if name != "make" && fs::symlink_metadata(tools.join(&name)).is_err() {
                symlink(dir.join(&name), tools.join(&name)).context("making a link to a tool")?;
            }
        }
    }
    let mut command = trial.command()?;
    command.env("PATH", &tools).args(["--no-install", "build", "microbench", "--level", "byb"]);
    let install = "apt-get install --no-install-recommends make\n";
    refused(&trial.output(&mut command, DEADLINE)?, "this machine lacks make", install)?;
    ensure!(trial.find("")?.is_none(), "something was built without make");

    let broken = tools.join("qemu-system-x86_64");
    fs::remove_file(&broken).context("removing the link to QEMU")?;
    fs::write(&broken, "#!/bin/sh\necho 'libfdt.so.1: cannot open shared object file' >&2\nexit 127\n")
        .context("writing a broken QEMU")?;
    let sh = Shell::new()?;
    process::read(cmd!(sh, "chmod 755 {broken}"))?;
    let mut command = trial.command()?;
    command.env("PATH", format!("{}:{}", tools.display(), path.to_string_lossy()));
    command.env("UKL_CACHE", ctx.cache.root()).args(["run", "microbench", "--level", "linux"]);
    let output = trial.output(&mut command, BUILD_DEADLINE)?;
    ensure!(output.status == Some(1), "a broken QEMU: status {:?}: {}", output.status, output.stderr);
    ensure!(output.stderr.contains("libfdt.so.1"), "what QEMU said is not in the answer: {}", output.stderr);
    Ok("the answers without make, and with a QEMU that does not start".to_owned())
}

/// A checkout and a program below a folder with blanks, quotes, brackets and letters beyond ASCII.
pub(super) fn odd_paths(ctx: &Ctx) -> Result<String> {
    let trial = Trial::new(ctx)?;
    let odd = trial.beside(ODD);
    fs::create_dir(&odd).with_context(|| format!("creating {}", odd.display()))?;
    let checkout = odd.join("ukl");
    let (sh, root) = (Shell::new()?, &ctx.repo.root);
    let copy = "mkdir \"$2\" && tar -C \"$1\" --exclude=./target --exclude=./.git -c . | tar -C \"$2\" -x";
    process::read(cmd!(sh, "sh -c {copy} sh {root} {checkout}"))?;
    let mut command = trial.command()?;
    let output = trial.output(command.env("UKL_REPO", &checkout).args(["toolchain", "--bin"]), BUILD_DEADLINE)?;
    ensure!(output.status == Some(0), "a toolchain from {}: {}", checkout.display(), output.stderr);
    let bin = output.stdout.trim().to_owned();

    let source = odd.join("\u{fc} 1.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { puts(\"odd\"); return 0; }\n")
        .context("writing a program")?;
    let program = source.with_extension("");
    process::read(cmd!(sh, "{bin}/ukl-cc {source} -o {program}"))?;
    let mut command = trial.command()?;
    command.env("UKL_CACHE", ctx.cache.root()).args(["run", "--level", "byb"]).arg(&program);
    let output = trial.output(&mut command, BUILD_DEADLINE)?;
    ensure!(output.status == Some(0) && output.stdout.contains("odd"), "{}: {}", program.display(), output.stderr);
    Ok(format!("a checkout and a program in `{ODD}`"))
}
