//! The smallest application on any machine: it says where it runs and ends.

use anyhow::{Result, ensure};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::protocol::Mark;
use ukl_vm::vm::{Plan, Vm};
use ukl_vmtest::vmtest::suite::words;
use ukl_vmtest::vmtest::{Part, Tally, server};

/// The application.
pub(super) const APP: &str = "hello";

/// What the names of its tests end with.
pub(super) fn tests() -> Vec<String> {
    words(&["status", "privilege", "kernel-is-quiet"])
}

/// Runs it in a machine that `adapt` changes.
pub(super) fn boot_and_run(
    ctx: &Ctx,
    part: &Part,
    tally: &mut Tally,
    adapt: impl FnOnce(&mut Plan) -> Result<()>,
) -> Result<()> {
    let level = part.level()?;
    let mut plan = run::plan(ctx, &ctx.repo.app(APP)?, level, None)?;
    (plan.name, plan.cpus) = (part.machine_name(), part.cpus);
    adapt(&mut plan)?;
    let mut vm = Vm::boot(ctx, &plan)?;
    tally.check(&part.test("status"), status(&mut vm));
    tally.check(&part.test("privilege"), server::privilege(level, &vm));
    tally.kernel_is_quiet(&part.prefix, &mut vm);
    Ok(())
}

/// Waits for its end, and for that of the machine, which init stops then.
fn status(vm: &mut Vm) -> Result<String> {
    vm.wait_for("hello to end", READY_DEADLINE, |mark| matches!(mark, Mark::Exit(_)))?;
    ensure!(vm.marks().contains(&Mark::Exit(0)), "it ended with another status than 0: {:?}", vm.marks());
    vm.wait_end(vm.patient(READY_DEADLINE))?;
    Ok("the exit status of hello with 0, and the machine stopped by itself".to_owned())
}
