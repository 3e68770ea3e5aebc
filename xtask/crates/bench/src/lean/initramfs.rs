//! The lean guest's file system: a first process of a few hundred instructions, the application or its stub, and busybox
//! for whatever else one wants to run.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use ukl_app::app;
use ukl_guest::cpio::Tree;
use ukl_guest::{busybox, initramfs};
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::config::{App, KernelFlavour, Level};
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// Devices that need no file system of devices: name, major and minor number (Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, (u32, u32)); 6] =
    [("console", (5, 1)), ("null", (1, 3)), ("zero", (1, 5)), ("random", (1, 8)), ("urandom", (1, 9)), ("tty", (5, 0))];

/// The archive for `app` at `level` with these arguments; `beside` is a shell script to be run beside it.
pub(super) fn build(
    ctx: &Ctx,
    app: &App,
    level: &Level,
    arguments: &[String],
    beside: Option<&str>,
) -> Result<PathBuf> {
    let (busybox, first) = (busybox::busybox(ctx)?, first(ctx)?);
    let program = app.program_name()?;
    let lines = lines(&format!("/usr/bin/{program}"), arguments)?;
    let ordinary = app::build_app(ctx, app)?.executable;
    let mut key = Key::new("lean-initramfs-v1").file(&busybox)?.file(&first)?.str(&lines).str(beside.unwrap_or(""));
    key = match level.kernel {
        KernelFlavour::Ukl => key.str(&initramfs::stub(&app.name)),
        KernelFlavour::Vanilla => key.file(&ordinary)?,
    };
    for (target, file) in &app.guest.files {
        key = key.str(target).file(&app.dir.join(file))?;
    }
    let dir = ctx.cache.step("lean-initramfs", &key, |out| {
        let mut tree = Tree::default();
        for folder in ["proc", "sys", "dev", "bin", "usr/bin", "tmp", "root", "data", "etc/ukl"] {
            tree.folder(folder);
        }
        for (name, number) in DEVICES {
            tree.character_device(&format!("dev/{name}"), 0o666, number);
        }
        tree.file("init", 0o755, &read(&first)?);
        tree.file("bin/busybox", 0o755, &read(&busybox)?);
        tree.file("etc/ukl/arguments", 0o644, lines.as_bytes());
        if let Some(script) = beside {
            tree.file("etc/ukl/beside", 0o644, script.as_bytes());
        }
        let content = match level.kernel {
            KernelFlavour::Ukl => initramfs::stub(&app.name).into_bytes(),
            KernelFlavour::Vanilla => stripped(&ordinary)?,
        };
        tree.file(&format!("usr/bin/{program}"), 0o755, &content);
        for (target, file) in &app.guest.files {
            tree.file(target.trim_start_matches('/'), 0o644, &read(&app.dir.join(file))?);
        }
        std::fs::write(out.join("initramfs.cpio"), tree.finish()).context("writing the initramfs")
    })?;
    Ok(dir.join("initramfs.cpio"))
}

/// The program and its arguments, a line each, as `guest/first.c` reads them.
fn lines(program: &str, arguments: &[String]) -> Result<String> {
    let words = std::iter::once(program).chain(arguments.iter().map(String::as_str));
    let mut lines = String::new();
    for word in words {
        ensure!(!word.contains('\n'), "argument {word:?} has a line break, and guest/first.c reads an argument a line");
        lines += &format!("{word}\n");
    }
    Ok(lines)
}

/// The first process, compiled from `guest/first.c`.
fn first(ctx: &Ctx) -> Result<PathBuf> {
    const FLAGS: [&str; 12] = [
        "-Os",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffreestanding",
        "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables",
        "-no-pie",
        "-fno-pie",
        "-static",
        "-nostdlib",
        "-s",
    ];
    let source = ctx.repo.root.join("guest/first.c");
    let key = Key::new("lean-first-v1").file(&source)?.str(&FLAGS.join(" ")).str(&ukl_kernel::source::compiler()?);
    let dir = ctx.cache.step("lean-first", &key, |out| {
        let (sh, program) = (Shell::new()?, out.join("first"));
        process::run(cmd!(sh, "gcc {FLAGS...} -o {program} {source}"))
    })?;
    Ok(dir.join("first"))
}

/// A program without symbols: nobody looks into it here, and it would fill the guest's memory.
pub(super) fn stripped(program: &Path) -> Result<Vec<u8>> {
    let scratch = tempfile::tempdir().context("making a directory for the stripped program")?;
    let copy = scratch.path().join("program");
    let (sh, ours) = (Shell::new()?, ukl_ld::SECTIONS.map(|section| format!("--remove-section={section}")));
    process::read(cmd!(sh, "objcopy --strip-all {ours...} {program} {copy}"))?;
    read(&copy)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_line() {
        let arguments = ["--save", ""].map(str::to_owned);
        assert_eq!(lines("/usr/bin/redis-server", &arguments).unwrap(), "/usr/bin/redis-server\n--save\n\n");
        assert!(lines("/p", &["a\nb".to_owned()]).unwrap_err().to_string().contains("line break"));
    }
}
