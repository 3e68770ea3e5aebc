//! What the kernel takes for application mode: only what runs an application, whoever pretends to.

mod decision;
pub mod mov_ss;
mod stub;

use super::suite::{Apps, Machines, Quick, Suite, When, names};
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use stub::Stub;
use ukl_app::image;
use ukl_repo::config::{App, DEFAULT_LEVEL, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;

/// What the kernel says of a mark that it has not made (arch/x86/ukl/entry.c).
const REFUSAL: &str = "frame of application mode outside of an application";
/// How long it may take to say so.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(60);
/// How often the kernel may come by a place on its own account.
const STOPS: u32 = 10_000;
/// The byte of the slot that has the mark, and the mark in it.
const MARK_BYTE: u64 = 7;
const MARK: u8 = 0x80;

type Test = (&'static str, fn(&Ctx) -> Result<String>);

const TESTS: &[Test] = &[
    ("breakpoints-in-the-kernel", breakpoints),
    ("forged-mark", forged_mark),
    ("mark-from-a-process", mark_from_a_process),
    (mov_ss::TEST, |ctx| mov_ss::syscall32(ctx, "test-entry-syscall32-behind-mov-ss", |_| Ok(()))),
];

/// One boot a test, each of a kernel whose entry code is that of every level.
pub(super) const SUITE: Suite = Suite {
    name: "entry",
    summary: "what the kernel takes for application mode, whoever pretends to it",
    prefix: "entry/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Default }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(names(TESTS)),
    run: |ctx, part, tally| {
        for (name, test) in TESTS {
            let name = part.test(name);
            if tally.wants(&name) {
                tally.check(&name, test(ctx));
            }
        }
        Ok(())
    },
};

fn subject(ctx: &Ctx) -> Result<(App, Level)> {
    Ok((ctx.repo.app("behaviour")?, ctx.repo.level(DEFAULT_LEVEL)?))
}

/// The code by which #DB decides, as linked, for every function of the kernel.
fn breakpoints(ctx: &Ctx) -> Result<String> {
    let (app, level) = subject(ctx)?;
    decision::check(&image::image(ctx, &app, &level)?.vmlinux)
}

/// A machine that has stopped where a breakpoint is, on its way from or to an ordinary process.
struct Stopped {
    vm: Vm,
    stub: Stub,
    /// Where the byte with the mark is.
    mark: u64,
}

/// A place in the kernel, and how far above RSP a CS of interest lies there.
type Stop = (&'static str, u64);
/// Where a system call returns by IRETQ, and so the child of a fork: to what is marked, and to processes.
const RETURN: Stop = ("ukl_restore_regs_and_return", 0x88);
/// A page fault, with what hardware has pushed.
const FAULT: Stop = ("asm_exc_page_fault", 0x10);

/// Stops at each of the places, one after the other, when the CS there is that of an ordinary process.
fn stop_at(ctx: &Ctx, name: &str, places: &[Stop]) -> Result<Stopped> {
    let (app, level) = subject(ctx)?;
    let mut plan = run::plan(ctx, &app, &level, None)?;
    plan.name = name.to_owned();
    plan.debugger = true;
    // Functions lie where the image says.
    plan.append.push("nokaslr".to_owned());
    plan.tell(BootWord::Idle);
    let vmlinux = image::image(ctx, &app, &level)?.vmlinux;
    let vm = Vm::boot(ctx, &plan)?;
    let mut stub = Stub::connect(&vm.debugger_socket())?;
    let mut slot = 0;
    for (function, offset) in places {
        stub.set_breakpoint(decision::address(&vmlinux, function)?)?;
        slot = stop_in_process(&mut stub, *offset).with_context(|| format!("stopping at {function}"))?;
        stub.remove_breakpoint()?;
    }
    Ok(Stopped { vm, stub, mark: slot + MARK_BYTE })
}

/// Runs until the CS above RSP is that of a process; its address.
fn stop_in_process(stub: &mut Stub, offset: u64) -> Result<u64> {
    for _ in 0..STOPS {
        stub.resume_until_stop()?;
        let slot = stub.stack_pointer()? + offset;
        let cs = stub.read(slot)?;
        if cs & 3 == 3 {
            ensure!(cs >> 56 == 0, "the CS slot of an ordinary process is {cs:#x}");
            return Ok(slot);
        }
    }
    bail!("the machine came by {STOPS} times, and never with the CS of a process")
}

/// A mark in a frame of init's, on the way back to it.
fn forged_mark(ctx: &Ctx) -> Result<String> {
    let mut at = stop_at(ctx, "test-entry-forged-mark", &[RETURN])?;
    at.stub.write(at.mark, MARK)?;
    at.stub.go_on()?;
    let start = Instant::now();
    loop {
        let ended = at.vm.ended()?.is_some();
        let said = std::fs::read(&at.vm.log).with_context(|| format!("reading {}", at.vm.log.display()))?;
        if String::from_utf8_lossy(&said).contains(REFUSAL) {
            return Ok(format!("what the kernel says of a mark in a frame of init's with \"{REFUSAL}\""));
        }
        if ended || start.elapsed() > REFUSAL_DEADLINE {
            return Err(at.vm.failure(format!("the kernel did not say \"{REFUSAL}\" of a mark in a frame of init's")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A mark in what hardware has pushed for a page fault of init's: the slot's upper half, which nobody promises to be zero.
fn mark_from_a_process(ctx: &Ctx) -> Result<String> {
    let mut at = stop_at(ctx, "test-entry-mark-from-a-process", &[RETURN, FAULT])?;
    at.stub.write(at.mark, MARK)?;
    at.stub.go_on()?;
    at.vm.wait_ready(READY_DEADLINE)?;
    at.vm.stop().context("stopping the machine")?;
    Ok("the boot with one in which hardware left a mark in a page fault's frame: both end in order".to_owned())
}
