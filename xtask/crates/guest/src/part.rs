//! Builds one part of an image into a folder, for build systems that keep parts themselves, such as Nix.

use crate::busybox;
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_app::app::{self, BuiltApp};
use ukl_app::musl::{self, Flavour};
use ukl_app::{cxx, image, library, toolchain};
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_kernel::{configure, source};
use ukl_repo::config::{KernelFlavour, KernelProfile};
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// What `cargo xtask part` knows, for its messages; the layout is documented in `prebuilt.rs`.
const KNOWN: &str = "kernel-source/FLAVOUR, kernel-headers, config/FLAVOUR, musl/process, musl/kernel, toolchain, \
                     cxx, library/NAME, app/NAME, busybox, object/APP/LEVEL, image/APP/LEVEL";

/// Options of `part`.
#[derive(clap::Args)]
pub struct Args {
    /// The part, such as toolchain, app/redis or object/redis/byb.
    part: String,
    /// The folder into which it goes, under its own name. Some parts know their place: it is not moved afterwards.
    output: PathBuf,
    /// For config/FLAVOUR: also merge kernel/config/NAME.config; may be repeated.
    #[arg(long, value_name = "NAME")]
    fragment: Vec<String>,
}

/// Runs `part`: prints where the part is.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    fs::create_dir_all(&args.output)?;
    let output = args.output.canonicalize().with_context(|| format!("resolving {}", args.output.display()))?;
    let place = output.join(&args.part);
    if place.exists() {
        return Err(Failure::new(
            format!("{} exists already", place.display()),
            "name another folder, or remove what is there",
        ));
    }
    let words: Vec<_> = args.part.split('/').collect();
    match words.as_slice() {
        ["kernel-source", name] => keep(&source::kernel_source(ctx, flavour(name)?)?, &place),
        ["kernel-headers"] => keep(&toolchain::kernel_headers(ctx)?, &place),
        ["config", name] => {
            let config = configure::config_with(ctx, flavour(name)?, KernelProfile::Full, &args.fragment)?;
            keep(config.parent().context("a configuration has a folder")?, &place)
        }
        ["musl", "process"] => keep(&musl::musl(ctx, Flavour::Process)?, &place),
        ["musl", "kernel"] => keep(&musl::musl(ctx, Flavour::Kernel)?, &place),
        ["toolchain"] => in_place(&place, |place| toolchain::assemble(ctx, place, place)),
        ["cxx"] => keep(&cxx::library(ctx, &toolchain::toolchain(ctx)?)?, &place),
        ["library", name] => {
            let library = ctx.repo.library(name)?;
            let toolchain = toolchain::toolchain(ctx)?;
            let work = ctx.cache.scratch()?;
            in_place(&place, |place| library::build(ctx, &toolchain, &library, (work.path(), place, place)))
        }
        ["app", name] => {
            let app = ctx.repo.app(name)?;
            let BuiltApp { executable, object } = app::build_app(ctx, &app)?;
            in_place(&place, |place| [&executable, &object].into_iter().try_for_each(|file| copy(file, place)))
        }
        ["busybox"] => {
            let busybox = busybox::busybox(ctx)?;
            in_place(&place, |place| copy(&busybox, place))
        }
        ["object", app, level] => {
            let (app, level) = (ctx.repo.app(app)?, ctx.repo.level(level)?);
            let object = image::object(ctx, &app, &level)?;
            in_place(&place, |place| copy(&object, place))
        }
        ["image", app, level] => {
            let image = image::image(ctx, &ctx.repo.app(app)?, &ctx.repo.level(level)?)?;
            in_place(&place, |place| {
                copy(&image.bzimage, place)?;
                copy(&image.vmlinux, place)
            })
        }
        _ => Err(Failure::usage(format!("`{}` is no part", args.part), format!("use one of: {KNOWN}"))),
    }?;
    println!("{}", place.display());
    Ok(())
}

fn flavour(name: &str) -> Result<KernelFlavour> {
    let all = [KernelFlavour::Vanilla, KernelFlavour::Ukl];
    all.into_iter().find(|flavour| flavour.to_string() == name).ok_or_else(|| {
        Failure::usage(format!("`{name}` is no flavour of the kernel"), format!("use {} or {}", all[0], all[1]))
    })
}

/// Copies a finished folder to its place.
fn keep(from: &Path, place: &Path) -> Result<()> {
    in_place(place, |place| {
        let (sh, contents) = (Shell::new()?, from.join("."));
        process::run(cmd!(sh, "cp -a --reflink=auto {contents} {place}"))
    })
}

/// Builds right where the part will stay; what fails leaves nothing.
fn in_place(place: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    fs::create_dir_all(place)?;
    build(place).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(place);
    })
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().with_context(|| format!("{} has no name", file.display()))?;
    fs::copy(file, folder.join(name))?;
    Ok(())
}
