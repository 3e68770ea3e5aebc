//! What this machine has and lacks, and how to mend it.

mod install;
mod needs;
mod rust;

use anyhow::{Context, Result};
use needs::{NEEDS, Places, packages};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_host::prebuilt;
use ukl_repo::ctx::{Ctx, Install};

/// Room for two kernel trees with their objects, the sources and the images.
const FRESH_CACHE_BYTES: u64 = 6 << 30;
/// Room for another image when the kernels are there already.
const WARM_CACHE_BYTES: u64 = 1 << 30;

/// Options of `doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing.
    #[arg(long)]
    fix: bool,
}

/// Runs `doctor`: a line for each thing; fails when something is missing that nothing replaces.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    if args.fix {
        prepare(ctx)?;
    }
    let places = Places::of_this_machine();
    for need in NEEDS {
        let state = if places.have(need) { "ok" } else { "missing" };
        println!("{state:<8} {:<20} {}", need.package, need.purpose);
    }
    let lacking = rust::missing();
    for part in rust::PARTS {
        let state = if lacking.contains(part) { "missing" } else { "ok" };
        println!("{state:<8} {:<20} {}", part.name, part.purpose);
    }
    let free = free_bytes(ctx.cache.root())?;
    let space = format!("{:.1} GiB free", gib(free));
    let enough = free >= needed_bytes(ctx);
    println!("{:<8} {space:<20} in {}", if enough { "ok" } else { "missing" }, ctx.cache.root().display());
    let kvm = match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => "ok",
        Err(error) if error.kind() == ErrorKind::NotFound => "absent",
        Err(_) => "refused",
    };
    println!("{kvm:<8} {:<20} without it the guest is emulated; a trial boot decides", "/dev/kvm");
    let missing = places.missing();
    if !missing.is_empty() {
        println!("mend it with: {}", install::shown(&packages(&missing)));
    }
    for part in &lacking {
        println!("mend it with: {}", part.command());
    }
    check_space(ctx)?;
    if missing.iter().any(|need| !need.optional) || !lacking.is_empty() {
        return Err(Failure::new(
            "this machine lacks something",
            "run the command above, or `cargo xtask doctor --fix`",
        ));
    }
    Ok(())
}

/// Makes the machine ready to build and boot: installs what is missing when that is allowed, else names it.
pub fn prepare(ctx: &Ctx) -> Result<()> {
    if prebuilt::in_use() {
        return Ok(());
    }
    check_space(ctx)?;
    let places = Places::of_this_machine();
    if !places.missing().is_empty() || !rust::missing().is_empty() {
        let _lock = ctx.cache.lock("install")?;
        install_packages(ctx, &places)?;
        rust::install(ctx)?;
    }
    Ok(())
}

/// Makes sure of programs that one piece of work needs beside those that everything needs: program = Debian package.
pub fn require(ctx: &Ctx, needs: &BTreeMap<String, String>) -> Result<()> {
    let have = |program: &str| Places::of_this_machine().programs.iter().any(|dir| dir.join(program).is_file());
    let missing: Vec<&str> =
        needs.iter().filter(|(program, _)| !have(program)).map(|(_, name)| name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if ctx.install == Install::Auto && install::possible() {
        let _lock = ctx.cache.lock("install")?;
        return install::install(&missing, &ctx.cache);
    }
    Err(Failure::new(
        format!("this machine lacks {}", missing.join(", ")),
        format!("install them: {}", install::shown(&missing)),
    ))
}

fn install_packages(ctx: &Ctx, places: &Places) -> Result<()> {
    // Asked again, because another process may have installed them while this one waited for the lock.
    let missing = places.missing();
    let (optional, required): (Vec<_>, Vec<_>) = missing.into_iter().partition(|need| need.optional);
    if ctx.install == Install::Auto && install::possible() {
        if !required.is_empty() {
            install::install(&packages(&required), &ctx.cache)?;
        }
        for need in optional {
            // Older Debian releases do not have it; whoever uses it says what replaces it.
            if let Err(error) = install::install(&[need.package], &ctx.cache) {
                eprintln!("warning: going on without {}: {error:#}", need.package);
            }
        }
    } else if !required.is_empty() {
        let names = packages(&required);
        return Err(Failure::new(
            format!("this machine lacks {}", names.join(", ")),
            format!("install them: {}", install::shown(&names)),
        ));
    }
    let still: Vec<_> = places.missing().into_iter().filter(|need| !need.optional).collect();
    if let Some(need) = still.first() {
        return Err(Failure::new(
            format!("{} is not there although {} was installed", need.probe, need.package),
            "check PATH, then run `cargo xtask doctor`",
        ));
    }
    Ok(())
}

/// Stops before anything is written when the disk is too small for it.
fn check_space(ctx: &Ctx) -> Result<()> {
    let (free, needed) = (free_bytes(ctx.cache.root())?, needed_bytes(ctx));
    if free >= needed {
        return Ok(());
    }
    Err(Failure::new(
        format!("{} has {:.1} GiB free, but {:.0} GiB are needed", ctx.cache.root().display(), gib(free), gib(needed)),
        "free some space (`cargo xtask clean` removes old builds), or set UKL_CACHE to a folder on a larger disk",
    ))
}

/// How much a run may still write.
fn needed_bytes(ctx: &Ctx) -> u64 {
    let steps = fs_err::read_dir(ctx.cache.root().join("steps"));
    let kernel_is_there = steps.is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"source-linux"))
    });
    if kernel_is_there { WARM_CACHE_BYTES } else { FRESH_CACHE_BYTES }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// Bytes that this user may still write to the file system of `path`.
fn free_bytes(path: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(path).with_context(|| format!("measuring {}", path.display()))?;
    Ok(stat.f_bavail * stat.f_frsize)
}
