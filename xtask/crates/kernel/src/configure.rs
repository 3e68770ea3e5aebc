//! Produces the complete kernel configuration of a flavour: `allnoconfig` plus the fragments, every request checked.

pub mod fragment;

use crate::source;
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::PathBuf;
use ukl_host::failure::Failure;
use ukl_host::{prebuilt, process};
use ukl_repo::config::{DEFAULT_LEVEL, KernelFlavour, KernelProfile};
use ukl_repo::ctx::Ctx;
use xshell::Shell;

/// Options of `configure`.
#[derive(clap::Args)]
pub struct Args {
    /// The level whose kernel is configured.
    #[arg(long, default_value = DEFAULT_LEVEL)]
    level: String,
    /// The kernel profile: `lean` is docs/boot.md's, `debian` that of docs/userland.md, `checked` that of `fuzz --checked`,
    /// `preempt` that of `test preempt`.
    #[arg(long, default_value = "full")]
    kernel_profile: KernelProfile,
    /// Also write the configuration to this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs `configure`: prints where the configuration is.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let level = ctx.repo.level(&args.level)?;
    let config = config(ctx, level.kernel, args.kernel_profile)?;
    if let Some(output) = args.output {
        fs::copy(&config, &output)?;
    }
    println!("{}", config.display());
    Ok(())
}

/// The complete configuration of a flavour on a kernel profile, as a file in the cache.
pub fn config(ctx: &Ctx, flavour: KernelFlavour, kernel_profile: KernelProfile) -> Result<PathBuf> {
    config_with(ctx, flavour, kernel_profile, &[])
}

/// The same with more fragments of kernel/config, named without their extension.
pub fn config_with(
    ctx: &Ctx,
    flavour: KernelFlavour,
    kernel_profile: KernelProfile,
    extra: &[String],
) -> Result<PathBuf> {
    let plain = kernel_profile == KernelProfile::Full && extra.is_empty();
    if let Some(config) = prebuilt::find(&format!("config/{flavour}/config")).filter(|_| plain) {
        return Ok(config);
    }
    let mut fragments = fragments(ctx, flavour, kernel_profile);
    fragments.extend(extra.iter().map(|name| ctx.repo.root.join(format!("kernel/config/{name}.config"))));
    let requests = fragment::read(&fragments)?;
    let asked = fragment::render(&requests);
    // Kconfig asks the compiler what it can do, so another compiler may give another configuration.
    let key = source::source_key(ctx, flavour)?.str("configure-v2").str(&asked).str(&source::compiler()?);
    let step = ctx.cache.step(&format!("config-{flavour}"), &key, |out| {
        let source = source::kernel_source(ctx, flavour)?;
        let work = tempfile::tempdir_in(out).context("making a directory for Kconfig")?;
        let wanted = work.path().join("fragments");
        fs::write(&wanted, &asked)?;
        let sh = Shell::new()?;
        let make = source::make(&sh, ctx, &source, work.path())?;
        let make = make.env("KCONFIG_ALLCONFIG", &wanted).arg("allnoconfig");
        process::run_logged("configuring", make, &work.path().join("log"))?;
        let complete = fs::read_to_string(work.path().join(".config")).context("reading what Kconfig made")?;
        check(&requests, &complete)?;
        fs::write(out.join("config"), complete).context("writing the configuration")
    })?;
    Ok(step.join("config"))
}

/// The fragments of a flavour on a kernel profile, in the order in which they are merged.
fn fragments(ctx: &Ctx, flavour: KernelFlavour, kernel_profile: KernelProfile) -> Vec<PathBuf> {
    let own = match flavour {
        KernelFlavour::Vanilla => None,
        KernelFlavour::Ukl => Some("ukl.config"),
    };
    let names = ["base.config"].into_iter().chain(kernel_profile.fragments().iter().copied()).chain(own);
    names.map(|name| ctx.repo.root.join("kernel/config").join(name)).collect()
}

/// Stops when an option that was asked for did not come out as asked.
fn check(requests: &[fragment::Request], config: &str) -> Result<()> {
    let refusals = fragment::refusals(requests, config);
    if refusals.is_empty() {
        return Ok(());
    }
    refusals.iter().for_each(|refusal| eprintln!("  {refusal}"));
    Err(Failure::new(
        format!("Kconfig refused {} of {} requested options, first {}", refusals.len(), requests.len(), refusals[0]),
        "add what the option depends on to the fragment, or drop the request",
    ))
}
