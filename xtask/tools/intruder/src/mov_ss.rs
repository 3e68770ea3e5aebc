//! The 32-bit SYSCALL behind MOV SS, with a data breakpoint on what MOV SS reads.
//!
//! Hardware holds a breakpoint's trap back until the instruction after MOV SS has ended (Intel SDM, volume 3, "Masking
//! Exceptions and Interrupts When Switching Stacks"; CVE-2018-8897). When that is SYSCALL, the trap comes at the first
//! instruction of the kernel, which still has the stack and the GS base of the process. From 32-bit code that is not
//! `entry_SYSCALL_64` but `entry_SYSCALL32_ignore` in a kernel without 32-bit programs, on every processor but Intel's: there
//! SYSCALL is an invalid instruction outside of 64-bit code.

use crate::outcome::{Outcome, in_child};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::arch::asm;
use std::num::NonZeroUsize;

/// What the GS base of the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Gs {
    /// Memory of the process.
    User,
    /// Nothing that is mapped: in the kernel's half where the processor lets a process say so, else in its own.
    Elsewhere,
}

/// `__USER32_CS` and `__USER_DS` (arch/x86/include/asm/segment.h).
const USER32_CS: u16 = 0x23;
const USER_DS: u16 = 0x2b;
/// The bit of AT_HWCAP2 that says that WRGSBASE works (arch/x86/include/uapi/asm/hwcap2.h).
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// The beginning of the kernel's half, which nothing lies at.
const HOLE: u64 = 0xffff_8000_0000_0000;
/// The end of a process's half.
const TOP: u64 = 0x7fff_ffff_0000;
const ARCH_SET_GS: i32 = 0x1001;
/// Where in the page the word for SS lies, and what the GS base points at.
const WORD: usize = 1024;
const AREA: usize = 2048;
/// Breakpoint 0 is enabled, on reads and writes of two bytes (Intel SDM, volume 3, "Debug Control Register").
const WATCH: u64 = 1 | 3 << 16 | 1 << 18;

/// `mov WORD, %ss; syscall` in 32-bit code, then back to 64 bits and to the end with status 0.
fn code(page: u32) -> Vec<u8> {
    let mut code = vec![0x8e, 0x15];
    code.extend((page + WORD as u32).to_le_bytes());
    code.extend([0x0f, 0x05, 0xea]);
    let end = page + code.len() as u32 + 6;
    code.extend(end.to_le_bytes());
    code.extend([0x33, 0]);
    // exit_group(0)
    code.extend([0xb8, 231, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]);
    code
}

pub(crate) fn attempt(gs: Gs, harmless: bool) -> Result<Outcome> {
    const PAGE: NonZeroUsize = NonZeroUsize::new(4096).expect("not 0");
    // 32-bit code reaches the first 4 GiB.
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT;
    // SAFETY: a page of its own.
    let page = unsafe { mmap_anonymous(None, PAGE, ProtFlags::all(), flags) }.context("mmap")?;
    let address = page.as_ptr() as usize;
    let low = u32::try_from(address).context("the page's address")?;
    let code = code(low);
    // SAFETY: both fit the page, and nobody else knows it.
    unsafe {
        std::ptr::copy_nonoverlapping(code.as_ptr(), page.as_ptr().cast::<u8>(), code.len());
        page.as_ptr().cast::<u8>().add(WORD).cast::<u16>().write(USER_DS);
    }
    let child = in_child(|| {
        let begun = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP));
        if let Err(error) = begun.and_then(|()| set_gs(gs, address + AREA)) {
            return error as i32;
        }
        enter(low)
    })?;
    let status = waitpid(child, None).context("waiting for the stop")?;
    ensure!(matches!(status, WaitStatus::Stopped(_, Signal::SIGSTOP)), "the child is {status:?}; a stop was expected");
    if !harmless {
        set_debug_register(child, 0, (address + WORD) as u64)?;
        set_debug_register(child, 7, WATCH)?;
    }
    // Breakpoints stay when the tracer goes.
    ptrace::detach(child, None).context("detaching")?;
    Outcome::of_child(child)
}

fn set_debug_register(child: Pid, number: usize, value: u64) -> Result<()> {
    let place = std::mem::offset_of!(libc::user, u_debugreg) + number * size_of::<u64>();
    ptrace::write_user(child, place as *mut libc::c_void, value as i64)
        .with_context(|| format!("setting debug register {number}"))
}

fn set_gs(gs: Gs, area: usize) -> nix::Result<()> {
    // SAFETY: this program's own GS base is nothing that its code uses.
    unsafe {
        let base = match gs {
            Gs::User => area as u64,
            Gs::Elsewhere if libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 => {
                asm!("wrgsbase {0}", in(reg) HOLE);
                return Ok(());
            }
            Gs::Elsewhere => TOP - 4096,
        };
        nix::errno::Errno::result(libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base)).map(drop)
    }
}

/// Goes on in the page, as 32-bit code.
fn enter(page: u32) -> ! {
    let mut pointer = [0; 6];
    pointer[..4].copy_from_slice(&page.to_le_bytes());
    pointer[4..].copy_from_slice(&USER32_CS.to_le_bytes());
    // SAFETY: nothing comes back from it; that is what is tested. 32-bit code reads through DS, which is empty before.
    unsafe {
        asm!(
            "mov ds, cx",
            "mov eax, 20",
            "jmp fword ptr [rdx]",
            in("ecx") u32::from(USER_DS),
            in("rdx") pointer.as_ptr(),
            options(noreturn)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_jumps_to_its_own_end() {
        let code = code(0x4000_0000);
        assert_eq!(code.len(), 6 + 2 + 7 + 9);
        assert_eq!(code[9..13], (0x4000_0000_u32 + 15).to_le_bytes());
        assert_eq!(code[2..6], (0x4000_0000_u32 + WORD as u32).to_le_bytes());
    }
}
