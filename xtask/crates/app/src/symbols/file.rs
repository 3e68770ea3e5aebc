//! The companion as a file in the cache.

use super::{Program, companion};
use crate::image::Image;
use crate::{app, image};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_repo::config::{App, KernelFlavour, KernelProfile, Level};
use ukl_repo::ctx::Ctx;

/// What a debugger loads for an application at a level: `PROGRAM.symbols`, or the program itself where it is an ordinary one.
pub fn file(ctx: &Ctx, app: &App, level: &Level, image: &Image) -> Result<PathBuf> {
    let executable = app::build_app(ctx, app)?.executable;
    if level.kernel == KernelFlavour::Vanilla {
        return Ok(executable);
    }
    let name = format!("{}.symbols", app.program_name()?);
    let key = Key::new("symbols-v3").file(&image.vmlinux)?.str(&app.name);
    let dir = ctx.cache.step(&format!("symbols-{}-{}", app.name, level.name), &key, |out| {
        let program = Program::new(app, level.kernel, &image.vmlinux, &executable)?;
        fs_err::write(out.join(&name), companion(&program)?).context("writing the symbols")
    })?;
    Ok(dir.join(name))
}

/// The same on the kernel profile that has the tools.
pub fn with_tools(ctx: &Ctx, app: &App, level: &Level) -> Result<PathBuf> {
    file(ctx, app, level, &image::image_on(ctx, app, level, KernelProfile::Debian)?)
}

/// gdb's command for the companion where the kernel's text has been moved by `slide`. The application's data is where it was.
pub fn gdb_command(companion: &Path, guest: &str, slide: u64) -> Result<String> {
    let bytes = fs_err::read(companion)?;
    let elf = super::parse(companion, &bytes)?;
    let mut command = format!("add-symbol-file {guest}");
    for (name, moved) in [(".text", slide), (".eh_frame", 0)] {
        use object::{Object, ObjectSection};
        let section = elf.section_by_name(name).with_context(|| format!("{} has no {name}", companion.display()))?;
        command.push_str(&format!(" -s {name} {:#x}", section.address().wrapping_add(moved)));
    }
    Ok(command)
}
