//! What protects the kernel is on, and the machine says so where it is not.

use anyhow::{Result, ensure};
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, protection};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::{BootWord, Mark};

/// Has to be on in every machine; of the vulnerabilities, QEMU's CPU has these two.
const ON: [&str; 7] = ["smep", "smap", "umip", "pti", "kaslr", "spectre_v1", "spectre_v2"];
/// What the control does without, and what has to be missed then.
const WITHOUT: &str = "clearcpuid=smap,smep nokaslr mitigations=off pti=off";
const MISSED: [&str; 6] = ["smep", "smap", "pti", "kaslr", "spectre_v1", "spectre_v2"];

/// In the running machine all of it is on; one that boots without is told from it.
pub(super) fn check(ctx: &Ctx, app: &App, level: &Level, vm: &mut Vm) -> Result<String> {
    let found = protection::of(vm)?;
    ensure!(found.off.is_empty(), "not protected: {:?}", found.off);
    for name in ON {
        ensure!(found.on.iter().any(|on| on == name), "{name} is not among {:?}", found.on);
    }

    let mut plan = run::plan(ctx, app, level, None)?;
    plan.name = format!("test-security-control-{}", level.name);
    plan.append.push(WITHOUT.to_owned());
    plan.tell(BootWord::Trial);
    let mut control = Vm::boot(ctx, &plan)?;
    let lacking = protection::of(&mut control)?.off;
    control.wait_for("the machine to be up", READY_DEADLINE, |mark| matches!(mark, Mark::Ready(_)))?;
    control.wait_end(READY_DEADLINE)?;
    for name in MISSED {
        ensure!(
            lacking.iter().any(|off| off == name),
            "with `{WITHOUT}`, {name} is not among what is off: {lacking:?}"
        );
    }
    Ok(format!("what is on with {ON:?}, and what a machine with `{WITHOUT}` misses with {MISSED:?}"))
}
