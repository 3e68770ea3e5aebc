//! The initramfs that lays a run's files over Debian and starts systemd.

use super::{Keys, unit, unit_name};
use crate::cpio::Tree;
use crate::initramfs::{ExtraFile, Layout, Program, protection};
use crate::{busybox, debian};
use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;

/// The folder of the archive that stands for Debian's root, and that of the repository with what every run has.
const OVERLAY: &str = "overlay/";
const FOLDER: &str = "guest/debian/overlay";

/// The archive for `app` at `level`; `args` replace those of the manifest.
pub fn initramfs(ctx: &Ctx, app: &App, level: &Level, args: Option<&[String]>, extra: &[ExtraFile]) -> Result<PathBuf> {
    let busybox = busybox::busybox(ctx)?;
    let mut enter = debian::enter(ctx)?;
    enter.push(protection(ctx)?);
    let programs = app.all().map(|app| Program::new(ctx, app, level)).collect::<Result<Vec<_>>>()?;
    let mut files = Keys::open(ctx)?.files()?;
    files.extend(overlay(&ctx.repo.root.join(FOLDER))?);
    for (at, program) in programs.iter().enumerate() {
        let arguments = args.filter(|_| at == 0).unwrap_or(&program.app.guest.args);
        let text = unit::unit(program.app, level, &program.name, arguments, at == 0);
        let target = format!("/etc/systemd/system/{}.service", unit_name(&program.app.name));
        files.push(ExtraFile { target, permissions: 0o644, content: text.into_bytes() });
    }
    files.extend_from_slice(extra);

    let mut key = Key::new("userland-v1").file(&busybox)?;
    for program in &programs {
        key = program.identify(key)?;
    }
    for file in enter.iter().chain(&files) {
        key = key.str(&file.target).str(&format!("{:o}", file.permissions)).bytes(&file.content);
    }
    let dir = ctx.cache.step("userland", &key, |out| {
        let mut tree = Tree::default();
        for folder in ["proc", "sys", "dev", "bin", "debian"] {
            tree.folder(folder);
        }
        // The kernel opens this for the first process before anything is mounted.
        tree.character_device("dev/console", 0o600, (5, 1));
        let content = fs_err::read(&busybox)?;
        tree.file("bin/busybox", 0o755, &content);
        for file in &enter {
            tree.file(file.target.trim_start_matches('/'), file.permissions, &file.content);
        }
        // What sshd insists on.
        tree.directory("overlay/root", 0o700);
        for program in &programs {
            program.add(&mut tree, Layout { root: OVERLAY, programs: unit::PROGRAMS }, out)?;
        }
        for file in &files {
            let target = format!("{OVERLAY}{}", file.target.trim_start_matches('/'));
            tree.file(&target, file.permissions, &file.content);
        }
        fs_err::write(out.join("initramfs.cpio"), tree.finish()).context("writing the initramfs")
    })?;
    Ok(dir.join("initramfs.cpio"))
}

/// The files of a folder, under the names that they have in the guest.
fn overlay(folder: &Path) -> Result<Vec<ExtraFile>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("listing {}", folder.display()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let name = entry.path().strip_prefix(folder).context("a file lies below its folder")?;
        files.push(ExtraFile {
            target: format!("/{}", name.display()),
            permissions: if entry.metadata()?.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 },
            content: fs_err::read(entry.path())?,
        });
    }
    Ok(files)
}
