//! What Rust's standard library needs, checked by apps/hello-rs inside the guest, and what a panic does to program and kernel.

use super::Tally;
use crate::ctx::Ctx;
use crate::run;
use crate::vm::Vm;
use crate::vm::shell::Shell;
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// For all checks together, under emulation.
const DEADLINE: Duration = Duration::from_secs(60);
/// The status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// All tests at a level on that many CPUs: one boot.
pub fn run(ctx: &Ctx, level: &str, cpus: u32, tally: &mut Tally) {
    let prefix = format!("{level}/smp{cpus}/hello-rs/");
    if tally.wants_group(&prefix)
        && let Err(error) = boot_and_run(ctx, level, cpus, &prefix, tally)
    {
        tally.check(&format!("{prefix}machine"), Err(error));
    }
}

fn boot_and_run(ctx: &Ctx, level: &str, cpus: u32, prefix: &str, tally: &mut Tally) -> Result<()> {
    let (app, level) = (ctx.repo.app("hello-rs")?, ctx.repo.level(level)?);
    let mut plan = run::plan(ctx, &app, &level, None)?;
    plan.name = format!("test-hello-rs-{}-smp{cpus}", level.name);
    plan.cpus = cpus;
    plan.append.push("UKL_IDLE=1".to_owned());
    let program = app.program_name()?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(run::READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    let output = shell.run(&program, DEADLINE)?;
    let lines = checks(&output.text);
    for (name, passed, compared) in &lines {
        tally.add(&format!("{prefix}{name}"), *passed, compared);
    }
    let passed = lines.iter().filter(|(_, passed, _)| *passed).count();
    let ended = output.status == 0 && output.text.contains(&format!("{passed} passed, 0 failed")) && passed > 0;
    let compared =
        format!("status {} and the lines of the program with 0 and its own sum: {passed} checks", output.status);
    tally.add(&format!("{prefix}every-check-was-made"), ended, &compared);
    tally.check(&format!("{prefix}panic-exits-with-101"), panic(&mut shell, &program));
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

/// Name, outcome and comparison in lines such as `ok   files: 3 names with what was made`.
fn checks(text: &str) -> Vec<(&str, bool, &str)> {
    let words = [("ok   ", true), ("FAIL ", false)];
    text.lines()
        .filter_map(|line| {
            let (rest, passed) = words.iter().find_map(|(word, passed)| Some((line.strip_prefix(word)?, *passed)))?;
            let (name, compared) = rest.split_once(": ")?;
            Some((name, passed, compared))
        })
        .collect()
}

/// A panic that nobody catches ends the program and nothing else: the next one runs.
fn panic(shell: &mut Shell, program: &str) -> Result<String> {
    let output = shell.run(&format!("{program} panic 2>&1"), DEADLINE)?;
    ensure!(output.status == PANICKED, "the status is {}; {PANICKED} was expected: {}", output.status, output.text);
    for part in ["thread 'main' (", "panicked at src/panics.rs:", "on purpose"] {
        ensure!(output.text.contains(part), "the message has no {part:?}: {}", output.text);
    }
    // The unwinder walks to the first function, and the search for names in a file that has none ends well.
    let traced = shell.run(&format!("RUST_BACKTRACE=1 {program} panic 2>&1"), DEADLINE)?;
    let walked = traced.status == PANICKED && traced.text.contains("stack backtrace:");
    ensure!(walked, "with RUST_BACKTRACE=1 the status is {}: {}", traced.status, traced.text);
    let next = shell.run(&format!("echo from the parent | {program} child word"), DEADLINE)?;
    ensure!(next.status == 7 && next.text.contains("word from the parent"), "the next program printed {:?}", next.text);
    Ok("message and status of a panic with what they are of any, and the next program's output with what it was told"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_outcomes_are_taken_for_checks() {
        let text =
            "ukl: level=byb cpl=0 pid=50\nok   files: 1000 lines: all\nFAIL level: it is 3\n1 passed, 1 failed\n";
        assert_eq!(checks(text), [("files", true, "1000 lines: all"), ("level", false, "it is 3")]);
    }
}
