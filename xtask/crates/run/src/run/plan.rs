//! The machine for an application at a level; everything that is missing is built.

use anyhow::Result;
use std::path::PathBuf;
use ukl_app::image;
use ukl_guest::initramfs::{self, ExtraFile};
use ukl_guest::{debian, userland};
use ukl_repo::config::{App, KernelProfile, Level};
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::Plan;

/// What is beside the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Userland {
    /// The guest that is measured: a busybox in memory.
    Busybox,
    /// The same on the Debian kernel profile, with Debian's programs below /debian.
    Tools,
    /// Debian with systemd, the application a unit of it.
    Debian,
}

/// The machine with the small guest.
pub fn plan(ctx: &Ctx, app: &App, level: &Level, arguments: Option<&[String]>) -> Result<Plan> {
    plan_with(ctx, app, level, arguments, &[])
}

/// The same with more files in the guest.
pub fn plan_with(
    ctx: &Ctx,
    app: &App,
    level: &Level,
    arguments: Option<&[String]>,
    extra: &[ExtraFile],
) -> Result<Plan> {
    plan_on(ctx, app, level, Userland::Busybox, arguments, extra)
}

/// The same with any user space. In Debian, the files are there before systemd starts.
pub fn plan_on(
    ctx: &Ctx,
    app: &App,
    level: &Level,
    userland: Userland,
    arguments: Option<&[String]>,
    extra: &[ExtraFile],
) -> Result<Plan> {
    match userland {
        Userland::Busybox => {
            let initramfs = initramfs::initramfs(ctx, app, level, arguments, extra)?;
            machine(ctx, app, level, KernelProfile::Full, initramfs)
        }
        Userland::Tools => {
            let tools = debian::tools(ctx)?;
            let files = [extra, &tools.files].concat();
            let initramfs = initramfs::initramfs(ctx, app, level, arguments, &files)?;
            let mut plan = machine(ctx, app, level, KernelProfile::Debian, initramfs)?;
            tools.add(&mut plan);
            Ok(plan)
        }
        Userland::Debian => {
            let initramfs = userland::initramfs(ctx, app, level, arguments, extra)?;
            let mut plan = machine(ctx, app, level, KernelProfile::Debian, initramfs)?;
            userland::adapt(ctx, &mut plan)?;
            Ok(plan)
        }
    }
}

/// The small guest on a kernel of another profile.
pub fn on_profile(ctx: &Ctx, app: &App, level: &Level, kernel_profile: KernelProfile) -> Result<Plan> {
    machine(ctx, app, level, kernel_profile, initramfs::initramfs(ctx, app, level, None, &[])?)
}

/// Keeps journald from switching the audit of every system call on.
pub const NO_AUDIT: &str = "audit=0";

/// The machine with this initramfs, the kernel linked.
fn machine(ctx: &Ctx, app: &App, level: &Level, kernel_profile: KernelProfile, initramfs: PathBuf) -> Result<Plan> {
    Ok(Plan {
        name: format!("{}-{}", app.title(), level.name),
        flavour: level.kernel.to_string(),
        kernel: image::image_on(ctx, app, level, kernel_profile)?.bzimage,
        initramfs,
        accelerator: None,
        emulator: None,
        processor: None,
        counter: None,
        // What is freed is kept back for a while where the use of it is looked for.
        memory_mib: app.memory_mib() + if kernel_profile == KernelProfile::Checked { 1024 } else { 0 },
        cpus: 1,
        forwards: vec![],
        cables: vec![],
        disk: None,
        debian: None,
        debugger: false,
        patience: if kernel_profile == KernelProfile::Checked { 10 } else { 1 },
        append: match kernel_profile {
            KernelProfile::Debian => vec![NO_AUDIT.to_owned()],
            KernelProfile::Full | KernelProfile::Lean | KernelProfile::Checked | KernelProfile::Preempt => vec![],
        },
    })
}
