//! Runs the tests of apps/behaviour inside one machine, each as a process of its own.

use super::Tally;
use crate::ctx::Ctx;
use crate::run;
use crate::vm::shell::{Output, Shell};
use crate::vm::{Vm, interrupt};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// Each test has its own deadline of 30 s inside the guest; this one is for a guest that is stuck.
const TEST_DEADLINE: Duration = Duration::from_secs(60);

/// How much of what a test compared is shown when all of it held.
const SHOWN_CHARS: usize = 300;

/// All behaviour tests at a level on that many CPUs.
pub fn run(ctx: &Ctx, level: &str, cpus: u32, tally: &mut Tally) -> Result<()> {
    let prefix = format!("{level}/smp{cpus}/behaviour/");
    if !tally.wants_group(&prefix) {
        return Ok(());
    }
    if let Err(error) = boot_and_run(ctx, level, cpus, &prefix, tally) {
        tally.check(&format!("{prefix}machine"), Err(error));
    }
    Ok(())
}

fn boot_and_run(ctx: &Ctx, level: &str, cpus: u32, prefix: &str, tally: &mut Tally) -> Result<()> {
    let (app, level) = (ctx.repo.app("behaviour")?, ctx.repo.level(level)?);
    let mut plan = run::plan(ctx, &app, &level, None)?;
    plan.name = format!("test-behaviour-{}-smp{cpus}", level.name);
    plan.cpus = cpus;
    plan.append.push("UKL_IDLE=1".to_owned());
    let program = app.program_name()?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(run::READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    let list = shell.run(&format!("{program} --list"), TEST_DEADLINE)?;
    ensure!(list.status == 0 && !list.text.is_empty(), "`{program} --list` printed {:?}", list.text);
    for name in list.text.lines() {
        let full = format!("{prefix}{name}");
        if !tally.wants(&full) {
            continue;
        }
        if interrupt::requested() {
            bail!("interrupted");
        }
        match shell.run(&format!("{program} run {name}"), TEST_DEADLINE) {
            Ok(output) => tally.check(&full, outcome(&output)),
            // The shell is lost: the rest of this machine's tests cannot be run.
            Err(error) => {
                tally.check(&full, Err(error));
                return Err(vm.failure(format!("the guest answers no more after {name}")));
            }
        }
    }
    control(&mut shell, &program, prefix, tally)?;
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

/// A test that does not exist fails: this way of running tests can tell failure from success.
fn control(shell: &mut Shell, program: &str, prefix: &str, tally: &mut Tally) -> Result<()> {
    let output = shell.run(&format!("{program} run no-such-test"), TEST_DEADLINE)?;
    let told = output.status != 0;
    tally.add(
        &format!("{prefix}negative-control"),
        told,
        &format!("the status of a test that does not exist ({}) with 0: they differ", output.status),
    );
    Ok(())
}

/// Success is status 0 together with at least one comparison.
fn outcome(output: &Output) -> Result<String> {
    let said = output.text.replace("compared: ", "").replace('\n', "; ");
    ensure!(output.status == 0, "status {}: {said}", output.status);
    ensure!(output.text.contains("compared: "), "status 0, but nothing was compared: {said}");
    Ok(shortened(&said))
}

/// The first comparisons of a test that passed; one that failed is shown in full.
fn shortened(said: &str) -> String {
    match said.char_indices().nth(SHOWN_CHARS) {
        None => said.to_owned(),
        Some((end, _)) => format!("{}… and so on", &said[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_without_a_comparison_is_a_failure() {
        let output = |text: &str, status| outcome(&Output { text: text.to_owned(), status });
        assert_eq!(output("compared: 1 with 1", 0).unwrap(), "1 with 1");
        assert!(output("all is well", 0).is_err());
        assert!(output("compared: 1 with 1", 139).is_err());
    }
}
