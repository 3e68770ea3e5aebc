//! A 32-bit SYSCALL behind MOV SS, made by an ordinary process: `ukl-intruder mov-ss`.
//!
//! An emulator that delivers the breakpoint's trap at once, as TCG does, only shows that the program comes through; one that
//! holds it back until the kernel's first instruction shows what the kernel takes it for.

use super::subject;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_app::tools::guest_program;
use ukl_guest::initramfs::{self, ExtraFile};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Plan, Vm};

/// Where the program lies in the guest.
const PROGRAM: &str = "/opt/ukl-intruder";
/// For one attempt.
const DEADLINE: Duration = Duration::from_secs(30);
/// What may become of it: the trap is the process's own, or the kernel keeps it.
const ANSWERS: [&str; 3] = ["done", "signal SIGTRAP", "signal SIGSEGV"];
/// What becomes of it on a processor that has no SYSCALL outside of 64-bit code.
const ABSENT: &str = "signal SIGILL";

/// The name of the test, the same on every machine.
pub const TEST: &str = "syscall32-behind-mov-ss";

/// Makes every attempt in a machine of this name, which `adapt` may change. The kernel is that of an application, none runs.
pub fn syscall32(ctx: &Ctx, machine: &str, adapt: impl FnOnce(&mut Plan) -> Result<()>) -> Result<String> {
    let (app, level) = subject(ctx)?;
    let scratch = ctx.cache.scratch()?;
    let program = initramfs::without_debug_data(&guest_program(ctx, "ukl-intruder")?, scratch.path())?;
    let content = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    let file = ExtraFile { target: PROGRAM.to_owned(), permissions: 0o755, content };
    let mut plan = run::plan_with(ctx, &app, &level, None, &[file])?;
    plan.name = machine.to_owned();
    plan.tell(BootWord::Idle);
    adapt(&mut plan)?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    let mut said = Vec::new();
    for gs in ["user", "elsewhere"] {
        let plain = attempt(&mut shell, &format!("--gs {gs} --harmless"))?;
        ensure!(plain == "done" || plain == ABSENT, "without a breakpoint: {plain}; done or {ABSENT} was expected");
        let watched = attempt(&mut shell, &format!("--gs {gs}"))?;
        ensure!(
            ANSWERS.contains(&watched.as_str()) || (plain == ABSENT && watched == ABSENT),
            "with GS base {gs}: {watched}; one of {} was expected",
            ANSWERS.join(", ")
        );
        said.push(format!("{watched} with GS base {gs} ({plain} without a breakpoint)"));
    }
    vm.check_kernel()?;
    vm.stop().context("stopping the machine")?;
    Ok(format!("what becomes of the process with {}: {}; the kernel is quiet", ANSWERS.join(", "), said.join(", ")))
}

/// The last line that an attempt prints.
fn attempt(shell: &mut Shell, words: &str) -> Result<String> {
    let output = shell.run(&format!("{PROGRAM} mov-ss {words}"), DEADLINE)?;
    ensure!(output.status == 0, "`mov-ss {words}` ended with {}: {}", output.status, output.text);
    Ok(output.text.lines().last().unwrap_or_default().to_owned())
}
