//! Links an application into a built kernel.

mod descriptor;
mod object;
mod room;
mod segments;

use crate::app;
use anyhow::Result;
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::{prebuilt, process};
use ukl_kernel::kernel::{self, KernelBuild};
use ukl_kernel::source;
use ukl_repo::config::{App, DEFAULT_LEVEL, KernelFlavour, KernelProfile, Level};
use ukl_repo::ctx::Ctx;
use xshell::Shell;

/// Options of `link`.
#[derive(clap::Args)]
pub struct Args {
    /// The application: a folder of apps/.
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, default_value = DEFAULT_LEVEL)]
    level: String,
    /// Stop at the application's object, which `make UKL_APP=` takes.
    #[arg(long)]
    object: bool,
}

/// Runs `link`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let app = ctx.repo.app(&args.app)?;
    let level = ctx.repo.level(&args.level)?;
    if args.object {
        println!("{}", object(ctx, &app, &level)?.display());
        return Ok(());
    }
    let image = image(ctx, &app, &level)?;
    println!("{}", image.bzimage.display());
    Ok(())
}

/// The object of an application at a level: what `make UKL_APP=` takes.
pub fn object(ctx: &Ctx, app: &App, level: &Level) -> Result<PathBuf> {
    if level.kernel != KernelFlavour::Ukl {
        return Err(Failure::usage(
            format!("level `{}` links nothing into its kernel", level.name),
            "name a level with kernel = \"ukl\"",
        ));
    }
    object::level_object(ctx, app, &app::build_app(ctx, app)?, level)
}

/// A bootable kernel.
#[derive(Clone, Debug)]
pub struct Image {
    pub bzimage: PathBuf,
    /// With symbols, for a debugger.
    pub vmlinux: PathBuf,
}

/// The image of an application at a level: for `linux` the vanilla kernel, else the patched one with the application in.
///
/// Everything is built first that is missing. When nothing changed, this costs what the application's make costs.
pub fn image(ctx: &Ctx, app: &App, level: &Level) -> Result<Image> {
    image_on(ctx, app, level, KernelProfile::Full)
}

/// The same on a kernel profile.
pub fn image_on(ctx: &Ctx, app: &App, level: &Level, kernel_profile: KernelProfile) -> Result<Image> {
    for app in app.all() {
        if let Some(reason) = app.skip_levels.get(&level.name) {
            return Err(Failure::usage(
                format!("{} does not run at level `{}`: {reason}", app.name, level.name),
                format!("use another level, or remove the line from {}", app.dir.join("app.toml").display()),
            ));
        }
    }
    if let Some(dir) = prebuilt::find(&format!("image/{}/{}", app.title(), level.name)) {
        return Ok(Image { bzimage: dir.join("bzImage"), vmlinux: dir.join("vmlinux") });
    }
    let built = app.all().map(|app| Ok((app, app::build_app(ctx, app)?))).collect::<Result<Vec<_>>>()?;
    let kernel = kernel::kernel(ctx, level.kernel, kernel_profile)?;
    match level.kernel {
        // Nothing is linked in, so every application shares the kernel as it was built.
        KernelFlavour::Vanilla => {
            Ok(Image { bzimage: kernel.output.join(BZIMAGE), vmlinux: kernel.output.join("vmlinux") })
        }
        KernelFlavour::Ukl => {
            let objects = built.iter().map(|(app, built)| object::level_object(ctx, app, built, level));
            with_apps(ctx, &kernel, &format!("{}-{}", app.title(), level.name), &objects.collect::<Result<Vec<_>>>()?)
        }
    }
}

/// Where kbuild puts the bootable kernel.
const BZIMAGE: &str = "arch/x86/boot/bzImage";
/// What it unpacks: `vmlinux` without what only tools read.
const UNPACKED: &str = "arch/x86/boot/compressed/vmlinux.bin";

/// Runs the kernel's own last steps with the applications' objects: make finds every other object up to date.
fn with_apps(ctx: &Ctx, kernel: &KernelBuild, name: &str, objects: &[PathBuf]) -> Result<Image> {
    let mut key = Key::new("image-v1").str(&kernel.key);
    for object in objects {
        key = key.file(object)?;
    }
    // In the key only where it changes the image.
    let room = room::of_all(objects)?;
    if room > 0 {
        key = key.str(&format!("{room} bytes of room"));
    }
    let dir = ctx.cache.step(&format!("image-{name}"), &key, |out| {
        // In the kernel's own object tree, one link at a time: a copy elsewhere would have objtool rebuilt, which knows its
        // path, and every object after it. A link leaves nothing behind that the next would not replace.
        let work = ctx.cache.work("link", &Key::new("link-v1").str(&kernel.key))?;
        let tree = &kernel.output;
        let vmlinux = tree.join("vmlinux");
        // Gone first: make would take one that an interrupted link left without its last steps.
        if vmlinux.exists() {
            fs::remove_file(&vmlinux)?;
        }
        let sh = Shell::new()?;
        let make = source::make(&sh, ctx, &kernel.source, tree)?;
        let mut objects: Vec<_> = objects.iter().map(|object| object.display().to_string()).collect();
        if room > 0 {
            let object = work.path.join("room.o");
            room::build(&sh, room, &object)?;
            objects.insert(0, object.display().to_string());
        }
        let make = make.arg(format!("UKL_APP={}", objects.join(" "))).arg("bzImage");
        let log = work.path.join("link.log");
        process::run_logged(&format!("linking {name}"), make, &log).map_err(|error| reach(error, &log))?;
        segments::check(&tree.join(UNPACKED))?;
        for (file, target) in [(BZIMAGE, "bzImage"), ("vmlinux", "vmlinux")] {
            let from = tree.join(file);
            fs::copy(&from, out.join(target))?;
        }
        Ok(())
    })?;
    Ok(Image { bzimage: dir.join("bzImage"), vmlinux: dir.join("vmlinux") })
}

/// Adds what to do to the linker's words for data that is too far away.
fn reach(error: anyhow::Error, log: &Path) -> anyhow::Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    if text.contains("relocation truncated to fit") {
        return Failure::new(
            format!("{error:#}: the application's data lies beyond the reach of its code"),
            format!("make its static data smaller than 24 MiB, for example with malloc; see {}", log.display()),
        );
    }
    error
}
