//! The program that makes the root's folder the root.

use super::FOLDER;
use crate::initramfs::ExtraFile;
use anyhow::Result;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_kernel::source;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// For a program without a C library; it is some hundred instructions.
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

/// What the initramfs needs to get at the root: the first process, and the program under the name that one would type.
pub fn enter(ctx: &Ctx) -> Result<Vec<ExtraFile>> {
    let folder = ctx.repo.root.join(FOLDER);
    let source = folder.join("enter.c");
    let key = Key::new("debian-enter-v1").file(&source)?.str(&FLAGS.join(" ")).str(&source::compiler()?);
    let dir = ctx.cache.step("debian-enter", &key, |out| {
        let (sh, program) = (Shell::new()?, out.join("enter"));
        process::run(cmd!(sh, "gcc {FLAGS...} -o {program} {source}"))
    })?;
    let files = [(super::INIT, folder.join("init")), ("/bin/chroot", dir.join("enter"))];
    let read = |(target, path): (&str, std::path::PathBuf)| {
        let content = fs_err::read(&path)?;
        Ok(ExtraFile { target: target.to_owned(), permissions: 0o755, content })
    };
    files.into_iter().map(read).collect()
}
