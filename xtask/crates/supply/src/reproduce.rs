//! Builds an image a second time under other circumstances and compares every byte; compares images with the manifest.

pub mod difference;
pub mod manifest;

use anyhow::{Context, Result};
use fs_err as fs;
use manifest::Manifest;
use std::path::{Path, PathBuf};
use ukl_app::musl::{self, Flavour};
use ukl_app::{app, image, toolchain};
use ukl_guest::{busybox, initramfs};
use ukl_host::cache::{Cache, Key};
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config::{App, DEFAULT_LEVEL, KernelFlavour, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::{self, Repo};
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, Suite, When, words};
use ukl_vmtest::vmtest::{Part, Tally};
use xshell::{Shell, cmd};

/// Options of `reproduce`.
#[derive(clap::Args)]
pub struct Args {
    /// The application: a folder of apps/.
    #[arg(default_value = "redis")]
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, default_value = DEFAULT_LEVEL)]
    level: String,
    /// Build the second time in this folder and leave everything there; it must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Build every application at every level, once, and compare with docs/manifest.toml.
    #[arg(long, conflicts_with_all = ["app", "level", "keep"])]
    manifest: bool,
    /// Write what was built to docs/manifest.toml instead of comparing with it.
    #[arg(long, requires = "manifest")]
    write: bool,
}

/// Runs `reproduce`: a line per product, and where two differ, how.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    if args.manifest {
        return every_image(ctx, args.write);
    }
    let (app, level) = (ctx.repo.app(&args.app)?, ctx.repo.level(&args.level)?);
    let first = products(ctx, &app, &level)?;
    let scratch = ctx.cache.scratch()?;
    let place = args.keep.unwrap_or_else(|| scratch.path().join("another-place"));
    let second = again(ctx, &app, &level, &place)?;
    let mut differing = 0;
    for ((name, ours), (_, theirs)) in first.iter().zip(&second) {
        let (ours, theirs) = (fs::read(ours)?, fs::read(theirs)?);
        let found = difference::between(&ours, &theirs);
        if found.is_empty() {
            println!("same    {}  {name}", manifest::hash(&ours));
            continue;
        }
        differing += 1;
        println!("DIFFERS {}  {name}", manifest::hash(&ours));
        println!("        {}", manifest::hash(&theirs));
        found.iter().for_each(|line| println!("        {line}"));
    }
    if differing > 0 {
        return Err(Failure::new(
            format!("{differing} of {} products of {} at {} differ", first.len(), app.name, level.name),
            "the first of them is the cause of the others: look where its bytes come from; --keep leaves both builds",
        ));
    }
    println!(
        "{} at level {}: built twice, in 2 folders, with {} and {} jobs: all {} products are the same",
        app.name,
        level.name,
        ctx.jobs,
        ctx.jobs + 1,
        first.len()
    );
    if let Some(tool) = Manifest::read(&ctx.repo)?.other_tool(&manifest::tools(ctx)?) {
        println!("docs/manifest.toml was not compared: {tool}");
        return Ok(());
    }
    manifest::compare(ctx, &app, &level).map(|line| println!("{line}"))
}

/// What was built against docs/manifest.toml, at the levels at which other tests boot Redis anyway. Whose hashes those are
/// depends on this machine's tools, so only when asked for.
pub const SUITE: Suite = Suite {
    name: "reproduce",
    summary: "the images of Redis are those of docs/manifest.toml, where the tools are",
    prefix: "reproduce/{app}/{level}/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(words(&["manifest"])),
    run: test,
};

fn test(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let name = part.test("manifest");
    match Manifest::read(&ctx.repo)?.other_tool(&manifest::tools(ctx)?) {
        Some(tool) => tally.skip(&name, &tool),
        None => tally.check(&name, manifest::compare(ctx, &ctx.repo.app(&part.app)?, part.level()?)),
    }
    Ok(())
}

/// What goes into an image, in the order of dependence: of several that differ, the first is the cause.
fn products(ctx: &Ctx, app: &App, level: &Level) -> Result<Vec<(String, PathBuf)>> {
    let toolchain = toolchain::toolchain(ctx)?;
    let built = app::build_app(ctx, app)?;
    let mut products = vec![
        ("musl/process/lib/libc.a".to_owned(), musl::musl(ctx, Flavour::Process)?.join("lib/libc.a")),
        ("musl/kernel/lib/libc.a".to_owned(), musl::musl(ctx, Flavour::Kernel)?.join("lib/libc.a")),
        ("toolchain/linux/lib/libukl.a".to_owned(), toolchain.dir.join("linux/lib/libukl.a")),
        ("toolchain/ukl/lib/libukl.a".to_owned(), toolchain.dir.join("ukl/lib/libukl.a")),
        (format!("app/{}/{}", app.name, app.program_name()?), guest_program(ctx, &built.executable)?),
        (format!("app/{}/app.o", app.name), built.object),
    ];
    if level.kernel == KernelFlavour::Ukl {
        products.push((format!("object/{}/{}/app.o", app.name, level.name), image::object(ctx, app, level)?));
    }
    products.push(("busybox/busybox".to_owned(), busybox::busybox(ctx)?));
    products.push(("initramfs.cpio".to_owned(), initramfs::initramfs(ctx, app, level, None, &[])?));
    let image = image::image(ctx, app, level)?;
    products.push((format!("image/{}/{}/vmlinux", app.name, level.name), image.vmlinux));
    products.push((format!("image/{}/{}/bzImage", app.name, level.name), image.bzimage));
    Ok(products)
}

/// A program as the guest has it: what is left out tells a debugger of this machine's folders.
fn guest_program(ctx: &Ctx, executable: &Path) -> Result<PathBuf> {
    let key = Key::new("guest-program-v1").file(executable)?;
    let dir = ctx.cache.step("guest-program", &key, |out| initramfs::without_debug_data(executable, out).map(drop))?;
    Ok(dir.join("program"))
}

/// The same from nothing but the tarballs: another checkout, another cache, later, with other numbers of jobs, another
/// time zone, language and umask.
fn again(ctx: &Ctx, app: &App, level: &Level, place: &Path) -> Result<Vec<(String, PathBuf)>> {
    if place.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::usage(
            format!("--keep {}: the folder is not empty", place.display()),
            "name one that does not exist yet",
        ));
    }
    fs::create_dir_all(place)?;
    let place = place.canonicalize().with_context(|| format!("resolving {}", place.display()))?;
    let (checkout, cache) = (place.join("checkout"), Cache::at(&place.join("cache"))?);
    repo::copy_tree(&ctx.repo.root, &checkout)?;
    fs::create_dir_all(cache.sources())?;
    for source in ctx.repo.sources()? {
        let (from, to) = (ctx.cache.sources().join(&source.file), cache.sources().join(&source.file));
        if from.is_file() {
            fs::hard_link(&from, &to)
                .or_else(|_| fs::copy(&from, &to).map(drop))
                .with_context(|| format!("copying {}", from.display()))?;
        }
    }
    let sh = Shell::new()?;
    let own = std::env::current_exe().context("finding this program")?;
    let (jobs, app_name, level_name) = ((ctx.jobs + 1).to_string(), &app.name, &level.name);
    let umask = "umask 077; exec \"$@\"";
    let build = cmd!(sh, "sh -c {umask} sh {own} --no-install --jobs {jobs} build {app_name} --level {level_name}");
    let build = build.env("UKL_CACHE", cache.root()).env("UKL_REPO", &checkout);
    let build = build.env("TZ", "Pacific/Kiritimati").env("LANG", "C.UTF-8").env_remove("LC_ALL");
    process::run_on_stderr(build)?;
    let other = Ctx { repo: Repo { root: checkout }, cache, install: ctx.install, jobs: ctx.jobs + 1 };
    products(&other, app, level)
}

/// Builds everything and compares it with the manifest, or writes it.
fn every_image(ctx: &Ctx, write: bool) -> Result<()> {
    let recorded = Manifest::read(&ctx.repo)?;
    let tools = manifest::tools(ctx)?;
    if let Some(tool) = recorded.other_tool(&tools).filter(|_| !write) {
        return Err(Failure::new(
            format!("docs/manifest.toml cannot be compared with: {tool}"),
            "build with the tools that it names, or compare two builds of your own with `cargo xtask reproduce`",
        ));
    }
    let built = Manifest::of(ctx, tools)?;
    if write {
        return built.write(&ctx.repo);
    }
    let differences = recorded.differences(&built);
    differences.iter().for_each(|line| println!("{line}"));
    if !differences.is_empty() {
        return Err(Failure::new(
            format!("{} lines of docs/manifest.toml differ from what was built", differences.len()),
            "if the change is meant, `cargo xtask reproduce --manifest --write` records it",
        ));
    }
    println!("{} programs and images are those of docs/manifest.toml", built.outputs());
    Ok(())
}
