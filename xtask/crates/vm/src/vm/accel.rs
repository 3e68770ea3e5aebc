//! Which accelerator to use: KVM where a trial boot ends well, else emulation.

use crate::qemu::{self, Accelerator};
use crate::vm::protocol::{BootWord, Mark};
use crate::vm::{Plan, Vm};
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::time::Duration;
use ukl_host::cache::Key;
use ukl_host::interrupt;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// A machine that KVM can boot is up long before this.
const TRIAL_DEADLINE: Duration = Duration::from_secs(8);

/// The accelerator for machines like `plan`. The outcome of the trial is kept per host kernel, QEMU and guest kernel
/// flavour.
pub fn choose(ctx: &Ctx, plan: &Plan) -> Result<Accelerator> {
    if OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accelerator::Tcg);
    }
    let (sh, program) = (Shell::new()?, qemu::PROGRAM);
    let qemu = process::read(cmd!(sh, "{program} --version"))?;
    let host = std::fs::read_to_string("/proc/version").unwrap_or_default();
    let key = Key::new("accelerator-v1").str(&qemu).str(&host).str(&plan.flavour);
    let dir = ctx.cache.step("accelerator", &key, |out| {
        let failed = trial(ctx, plan)?;
        let works = failed.is_none();
        match failed {
            None => eprintln!("KVM: a trial boot works"),
            Some(reason) => eprintln!("KVM: a trial boot fails, so machines are emulated: {reason}"),
        }
        std::fs::write(out.join("kvm"), if works { "yes" } else { "no" }).context("writing the outcome")
    })?;
    let outcome = std::fs::read_to_string(dir.join("kvm")).context("reading the outcome of the trial boot")?;
    Ok(if outcome == "yes" { Accelerator::Kvm } else { Accelerator::Tcg })
}

/// Boots the same kernel without network and disk, up to the point where init stops it; returns why that failed, if it
/// did. An interrupted trial shows nothing and is an error.
fn trial(ctx: &Ctx, plan: &Plan) -> Result<Option<String>> {
    let plan = Plan {
        name: format!("{}-kvm-trial", plan.name),
        accelerator: Some(Accelerator::Kvm),
        emulator: None,
        forwards: vec![],
        cables: vec![],
        disk: None,
        debian: None,
        debugger: false,
        append: vec![BootWord::Trial.to_string()],
        ..plan.clone()
    };
    let failed = Vm::boot(ctx, &plan)?.watch(TRIAL_DEADLINE, |mark| matches!(mark, Mark::Ready(_)))?;
    anyhow::ensure!(!interrupt::requested(), "interrupted");
    Ok(failed)
}
