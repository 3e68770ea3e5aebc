//! Forging what the kernel knows an application by.
//!
//! Each attempt is made by a child: what succeeds ends it with status 0, what is answered with a signal is seen by that.

use crate::outcome::{Outcome, in_child};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::ptrace;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use std::arch::{asm, naked_asm};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// sigreturn with the kernel's code segment.
    SigreturnSegment,
    /// sigreturn with the mark of application mode, to an address in the kernel.
    SigreturnMark,
    /// PTRACE_POKEUSER of the kernel's code segment.
    PokeSegment,
    /// A jump to the target.
    Jump,
    /// A system call that goes on at the target: sigreturn with an address in the kernel.
    SigreturnTarget,
    /// A far jump to the kernel's code segment.
    FarJump,
    /// The entry for 32-bit programs.
    Interrupt80,
    /// The numbers of x32.
    X32,
    /// clone3 with flags that do not exist.
    CloneFlags,
}

const KERNEL_CS: u64 = 0x10;
const USER_CS: u64 = 0x33;
/// What a frame of application mode has next to its code segment (arch/x86/include/asm/ukl.h).
const MARK: u64 = 1 << 63;
/// Of a signal's registers, the one with the segments (glibc's `REG_CSGSFS`) and the instruction pointer.
const SEGMENTS: usize = 18;
const INSTRUCTION: usize = 16;

static FORGED_SEGMENTS: AtomicU64 = AtomicU64::new(0);
static FORGED_TARGET: AtomicU64 = AtomicU64::new(0);

pub(crate) fn attempt(way: Way, target: u64, harmless: bool) -> Result<Outcome> {
    let choose = |forged: u64, legal: u64| if harmless { legal } else { forged };
    let here = arrived as *const () as u64;
    match way {
        Way::SigreturnSegment => sigreturn(choose(KERNEL_CS, USER_CS), here),
        // Both forged values are the same as a real application's frame; the kernel keeps neither.
        Way::SigreturnMark => sigreturn(choose(KERNEL_CS | MARK, USER_CS), choose(target, here)),
        Way::SigreturnTarget => sigreturn(USER_CS, choose(target, here)),
        Way::PokeSegment => poke(choose(KERNEL_CS, USER_CS)),
        Way::Jump => Outcome::of_child(in_child(|| jump(choose(target, here)))?),
        Way::FarJump => far_jump(u16::try_from(choose(KERNEL_CS, USER_CS))?),
        Way::Interrupt80 => {
            Outcome::of_child(in_child(|| if harmless { call(libc::SYS_getpid) } else { interrupt_80() })?)
        }
        Way::X32 => Outcome::of_child(in_child(|| call(choose(1 << 30, 0) as i64 + libc::SYS_getpid))?),
        Way::CloneFlags => Outcome::of_child(in_child(|| clone(choose(1 << 40, 0)))?),
    }
}

/// Where a successful attempt ends: status 0, without a stack.
#[unsafe(naked)]
extern "C" fn arrived() -> ! {
    naked_asm!("mov eax, 231", "xor edi, edi", "syscall", "ud2")
}

fn sigreturn(segments: u64, target: u64) -> Result<Outcome> {
    FORGED_SEGMENTS.store(segments, Ordering::Relaxed);
    FORGED_TARGET.store(target, Ordering::Relaxed);
    let child = in_child(|| {
        let action = SigAction::new(SigHandler::SigAction(forge_frame), SaFlags::SA_SIGINFO, SigSet::empty());
        // SAFETY: the handler changes the frame that it was given, and nothing else.
        match unsafe { sigaction(Signal::SIGUSR1, &action) }.and_then(|_| raise(Signal::SIGUSR1)) {
            Ok(()) => libc::ENOTRECOVERABLE,
            Err(error) => error as i32,
        }
    })?;
    Outcome::of_child(child)
}

extern "C" fn forge_frame(_signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO its frame.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    // The upper half of the slot has the other segments; a mark there replaces them.
    let forged = FORGED_SEGMENTS.load(Ordering::Relaxed);
    registers[SEGMENTS] = (registers[SEGMENTS] as u64 & !0xffff | forged) as i64;
    registers[INSTRUCTION] = FORGED_TARGET.load(Ordering::Relaxed) as i64;
}

fn poke(segment: u64) -> Result<Outcome> {
    let child = in_child(|| {
        let stopped = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP));
        stopped.map_or_else(|error| error as i32, |()| 0)
    })?;
    let status = waitpid(child, None).context("waiting for the stop")?;
    ensure!(matches!(status, WaitStatus::Stopped(_, Signal::SIGSTOP)), "the child is {status:?}; a stop was expected");
    let place = std::mem::offset_of!(libc::user_regs_struct, cs);
    let poked = ptrace::write_user(child, place as *mut libc::c_void, segment as i64);
    ptrace::detach(child, None).context("detaching")?;
    match (poked, Outcome::of_child(child)?) {
        (Err(error), Outcome::Done) => Ok(Outcome::refused(error)),
        (Ok(()), ended) => Ok(ended),
        (Err(error), ended) => bail!("ptrace said {error}, and the child ended with {ended}"),
    }
}

fn jump(target: u64) -> i32 {
    // SAFETY: nothing comes back from it; that is what is tested.
    unsafe {
        asm!("mov eax, 39", "lea rcx, [rip + {arrived}]", "jmp rdx", in("rdx") target, arrived = sym arrived, options(noreturn))
    }
}

/// Not a far return: QEMU before 9.1 reads the stack for one with the kernel's rights, which SMAP then refuses.
fn far_jump(segment: u16) -> Result<Outcome> {
    /// `mov $231, %eax; xor %edi, %edi; syscall`: exit_group with status 0.
    const ARRIVED: [u8; 9] = [0xb8, 231, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    const PAGE: NonZeroUsize = NonZeroUsize::new(4096).expect("not 0");

    // The offset has 32 bits.
    let (protection, flags) = (ProtFlags::all(), MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT);
    // SAFETY: a page of its own.
    let code = unsafe { mmap_anonymous(None, PAGE, protection, flags) }.context("mmap")?;
    // SAFETY: as long as a page.
    unsafe { code.cast::<[u8; 9]>().write(ARRIVED) };
    let offset = u32::try_from(code.as_ptr() as usize).context("the page's address")?;
    let mut pointer = [0; 6];
    pointer[..4].copy_from_slice(&offset.to_le_bytes());
    pointer[4..].copy_from_slice(&segment.to_le_bytes());
    Outcome::of_child(in_child(|| {
        // SAFETY: nothing comes back from it; that is what is tested.
        unsafe { asm!("jmp fword ptr [{0}]", in(reg) pointer.as_ptr(), options(noreturn)) }
    })?)
}

fn interrupt_80() -> i32 {
    let mut answer: u64 = 20;
    // SAFETY: getpid of the 32-bit interface, which has no arguments.
    unsafe { asm!("int 0x80", inout("rax") answer, out("r8") _, out("r9") _, out("r10") _, out("r11") _) };
    i32::from((answer as i64) < 0)
}

/// A call without arguments: 0, or its error.
fn call(number: i64) -> i32 {
    // SAFETY: getpid, or nothing.
    match nix::errno::Errno::result(unsafe { libc::syscall(number) }) {
        Ok(_) => 0,
        Err(error) => error as i32,
    }
}

fn clone(flags: u64) -> i32 {
    // struct clone_args of clone3(2): flags, six values that are not used here but for the signal, and their end.
    let arguments: [u64; 8] = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    // SAFETY: as fork().
    match nix::errno::Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &arguments, size_of_val(&arguments)) }) {
        Ok(_) => 0,
        Err(error) => error as i32,
    }
}
