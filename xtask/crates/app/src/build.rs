//! Builds the image of an application at a level.

use crate::{app, image, symbols};
use anyhow::Result;
use ukl_repo::config::{DEFAULT_LEVEL, KernelProfile};
use ukl_repo::ctx::Ctx;

/// Options of `build`.
#[derive(clap::Args)]
pub struct Args {
    /// The application: a folder of apps/; several, separated by commas, go into one image.
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, default_value = DEFAULT_LEVEL)]
    level: String,
    /// The kernel profile: `lean` is docs/boot.md's, `debian` that of docs/userland.md.
    #[arg(long, default_value = "full")]
    kernel_profile: KernelProfile,
    /// Only the program and its object, which all levels share; no kernel.
    #[arg(long)]
    program: bool,
}

/// Runs `build`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let app = ctx.repo.app(&args.app)?;
    let level = ctx.repo.level(&args.level)?;
    if args.program {
        for app in app.all() {
            let built = app::build_app(ctx, app)?;
            println!("source   {}", app::editable_source(ctx, app)?.display());
            println!("program  {}", built.executable.display());
            println!("object   {}", built.object.display());
        }
        return Ok(());
    }
    let image = image::image_on(ctx, &app, &level, args.kernel_profile)?;
    for app in app.all() {
        println!("source   {}", app::editable_source(ctx, app)?.display());
    }
    println!("bzimage  {}", image.bzimage.display());
    println!("vmlinux  {}", image.vmlinux.display());
    for app in app.all() {
        println!("symbols  {}", symbols::file(ctx, app, &level, &image)?.display());
    }
    Ok(())
}
