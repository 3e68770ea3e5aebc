//! Builds the C library: as published for ordinary processes, and with our files laid over it for the kernel.

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::{prebuilt, process};
use ukl_repo::ctx::Ctx;
use ukl_sources::unpack;
use xshell::{Shell, cmd};

/// The two builds of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// As published, for level `linux`.
    Process,
    /// With `app-runtime/musl` laid over it.
    Kernel,
}

/// The same optimisation in both, so that levels differ by nothing else. `-g0` would not reach the assembly files.
const FLAGS: &str = "-O2 -fno-stack-protector -fcf-protection=none";
/// Text in the top 2 GiB, data in the low ones: both reachable by sign-extended 32-bit addresses. The library's calls into
/// the kernel push a return address, hence no red zone.
const KERNEL_FLAGS: &str = "-mcmodel=kernel -fno-pic -fno-pie -mno-red-zone -ftls-model=local-exec";

/// Libraries that are part of libc.a here and exist, empty, because build systems ask for them.
const EMPTY: &[&str] = &["m", "rt", "pthread", "crypt", "util", "xnet", "resolv", "dl"];

/// The installed library: `lib/libc.a`, and for processes `lib/crt1.o`, ..., `include/`.
pub fn musl(ctx: &Ctx, flavour: Flavour) -> Result<PathBuf> {
    let part = if flavour == Flavour::Kernel { "musl/kernel" } else { "musl/process" };
    if let Some(installed) = prebuilt::find(part) {
        return Ok(installed);
    }
    let source = ctx.repo.source("app-runtime/musl.toml")?;
    let overlay = ctx.repo.root.join("app-runtime/musl");
    let mut key = Key::new("musl-v1").str(&source.sha256).str(FLAGS);
    let mut flags = FLAGS.to_owned();
    if flavour == Flavour::Kernel {
        key = key.str(KERNEL_FLAGS).tree(&overlay)?;
        flags = format!("{FLAGS} {KERNEL_FLAGS}");
    }
    let name = if flavour == Flavour::Kernel { "musl-ukl" } else { "musl-process" };
    ctx.cache.step(name, &key, |out| {
        let pristine = unpack::unpacked(ctx, &source)?;
        let tree = out.join("build");
        let sh = Shell::new()?;
        process::run(cmd!(sh, "cp -a --reflink=auto {pristine} {tree}"))?;
        if flavour == Flavour::Kernel {
            let ours = overlay.join(".");
            process::run(cmd!(sh, "cp -r {ours} {tree}"))?;
            refuse_instruction(&tree)?;
        }
        let logs = ctx.cache.root().join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.log"));
        sh.change_dir(&tree);
        let configure =
            cmd!(sh, "./configure --disable-shared --disable-wrapper --prefix=/ CC=gcc AR=ar RANLIB=ranlib");
        process::run_logged(&format!("configuring {name}"), configure.arg(format!("CFLAGS={flags}")), &log)?;
        let jobs = ctx.jobs.to_string();
        let make = match flavour {
            Flavour::Process => cmd!(sh, "make -j{jobs} DESTDIR={out} install-libs install-headers"),
            // Not everything: the start files for shared objects cannot have this code model.
            Flavour::Kernel => {
                let archives = EMPTY.iter().chain(&["c"]).map(|name| format!("lib/lib{name}.a"));
                cmd!(sh, "make -j{jobs} {archives...}")
            }
        };
        process::run_logged(&format!("building {name}"), make, &log)?;
        if flavour == Flavour::Kernel {
            let lib = tree.join("lib");
            process::run(cmd!(sh, "cp -r {lib} {out}"))?;
        }
        let library = out.join("lib/libc.a");
        ensure!(library.is_file(), "the build of {name} succeeded, but there is no {}", library.display());
        Ok(fs::remove_dir_all(&tree)?)
    })
}

/// Stops when a file that is going to be compiled still holds the SYSCALL instruction: a new version of the library may
/// have one that our files do not replace. What comes from elsewhere is found by the audit of each application.
fn refuse_instruction(tree: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(tree.join("src")) {
        let entry = entry.context("listing the C library's sources")?;
        let path = entry.path();
        let machine = path.parent().and_then(Path::file_name).is_some_and(|folder| folder == "x86_64");
        if !machine || !path.extension().is_some_and(|extension| extension == "s" || extension == "S") {
            continue;
        }
        let text = fs::read_to_string(path)?;
        ensure!(
            !text.lines().any(|line| line.split_whitespace().next() == Some("syscall")),
            "{} holds a `syscall` instruction; put a replacement into app-runtime/musl",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_replacement_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("src/thread/x86_64");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("clone.s"), "clone:\n\tjmp ukl_entry_syscall\n").unwrap();
        refuse_instruction(dir.path()).unwrap();
        fs::write(folder.join("clone.s"), "clone:\n\tsyscall /* clone */\n").unwrap();
        assert!(refuse_instruction(dir.path()).unwrap_err().to_string().contains("holds a `syscall` instruction"));
    }
}
