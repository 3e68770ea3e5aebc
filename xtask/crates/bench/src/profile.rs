//! Where a server's time goes, application and kernel in one picture: sampled in the guest by perf, unwound here.
//!
//! perf knows the kernel's part of a stack; the application's part it records as registers and a copy of the stack. What
//! unwinds that is here, because application text is kernel text: no file in the guest has its table of frames.

mod draw;
mod guest;
mod load;
mod program;
mod samples;
mod stacks;
mod unwind;

use anyhow::{Context, Result};
use stacks::Stacks;
use std::path::{Path, PathBuf};
use ukl_app::{app, image, symbols};
use ukl_host::atomic;
use ukl_host::failure::Failure;
use ukl_repo::config::{App, DEFAULT_LEVEL, Level};
use ukl_repo::ctx::Ctx;
use ukl_sources::doctor;

pub use guest::{Recording, record};
pub use load::Load;

/// Options of `profile`.
#[derive(clap::Args)]
pub struct Args {
    /// The server: a folder of apps/ with `[requests]` in its bench.toml.
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, short, default_value = DEFAULT_LEVEL)]
    level: String,
    /// Where the pictures and the folded stacks go.
    #[arg(long)]
    out: PathBuf,
    /// A second level under the same load, and the differences between them.
    #[arg(long, value_name = "LEVEL")]
    against: Option<String>,
}

/// A level's profile.
#[derive(Debug)]
pub struct Profile {
    pub level: String,
    pub stacks: Stacks,
}

/// Runs `profile`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    doctor::prepare(ctx)?;
    let app = ctx.repo.app(&args.app)?;
    let load = Load::read(&ctx.repo, &app)?;
    let names = [Some(&args.level), args.against.as_ref()];
    let levels = names.into_iter().flatten().map(|name| ctx.repo.level(name)).collect::<Result<Vec<_>>>()?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("creating {}", args.out.display()))?;
    let mut profiles = Vec::new();
    for level in &levels {
        let profile = of_level(ctx, &app, level, &load)?;
        write(ctx, &args.out, &app, &profile, &load)?;
        println!("{}", profile.stacks.shares(&app.name, &level.name));
        profiles.push(profile);
    }
    if let [first, second] = &profiles[..] {
        // A picture shows only what its own level does, so what the other one does besides is in the second.
        for (own, other) in [(first, second), (second, first)] {
            let picture = args.out.join(format!("difference-{}-{}.svg", own.level, other.level));
            save(&picture, &draw::difference(ctx, &app.name, &load, own, other)?)?;
        }
    }
    Ok(())
}

/// Samples a level and puts the stacks together.
pub fn of_level(ctx: &Ctx, app: &App, level: &Level, load: &Load) -> Result<Profile> {
    let image = image::image_on(ctx, app, level, ukl_repo::config::KernelProfile::Debian)?;
    let recording = record(ctx, app, level, load)?;
    let executable = app::build_app(ctx, app)?.executable;
    let program = symbols::Program::new(app, level.kernel, &image.vmlinux, &executable)?;
    let (kernel, text) = symbols::kernel(&image.vmlinux)?;
    let place = unwind::Names { program: &program, kernel: &kernel, slide: recording.text.wrapping_sub(text) };
    let stacks = Stacks::new(&samples::read(ctx, &recording.file)?, &place, &recording)?;
    if stacks.of_application() == 0 {
        return Err(Failure::new(
            format!("perf took no sample of {} at level {}", app.name, level.name),
            format!("read what it said in {}", recording.log.display()),
        ));
    }
    Ok(Profile { level: level.name.clone(), stacks })
}

/// A level's files.
fn write(ctx: &Ctx, out: &Path, app: &App, profile: &Profile, load: &Load) -> Result<()> {
    save(&out.join(format!("profile-{}.folded", profile.level)), profile.stacks.folded().as_bytes())?;
    save(&out.join(format!("profile-{}.svg", profile.level)), &draw::picture(ctx, &app.name, load, profile)?)
}

fn save(path: &Path, content: &[u8]) -> Result<()> {
    atomic::write(path, content)?;
    println!("{}", path.display());
    Ok(())
}
