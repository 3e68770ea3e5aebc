//! Debian as the application's user space: systemd starts it, and everything else, as on any machine. docs/userland.md.

mod archive;
mod ssh;
mod unit;
mod ways_in;

pub use archive::initramfs;
pub use ssh::Keys;
pub use ways_in::WaysIn;

use crate::debian;
use anyhow::Result;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::Plan;

/// What Debian needs beside the application, in MiB.
const MEMORY_MIB: u32 = 512;
/// Emulated, systemd takes half a minute to where the small guest is in two seconds; a busy host takes longer.
const PATIENCE: u32 = 6;

/// The name of an application's unit, without `.service`.
pub fn unit_name(app: &str) -> String {
    format!("ukl-{app}")
}

/// Makes a machine whose initramfs is `initramfs`'s one that boots Debian.
pub fn adapt(ctx: &Ctx, plan: &mut Plan) -> Result<()> {
    plan.debian = Some(debian::root(ctx)?);
    plan.memory_mib += MEMORY_MIB;
    plan.patience = PATIENCE;
    plan.name += "-debian";
    plan.append.push(format!("rdinit={}", debian::INIT));
    // The console is the kernel's and ours. One card, whose address the kernel has set: it keeps its name.
    plan.append.extend(["systemd.show_status=0", "net.ifnames=0"].map(str::to_owned));
    Ok(())
}
