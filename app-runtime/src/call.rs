//! The system calls the runtime itself makes, by the path that works at every level.

use core::arch::asm;

/// Numbers from the kernel's arch/x86/entry/syscalls/syscall_64.tbl.
const WRITE: u64 = 1;
const GETPID: u64 = 39;
#[cfg(feature = "process")]
const SENDTO: u64 = 44;
#[cfg(feature = "process")]
const RECVFROM: u64 = 45;
#[cfg(not(feature = "process"))]
const ARCH_PRCTL: u64 = 158;
const EXIT_GROUP: u64 = 231;

/// Standard error.
pub(crate) const STDERR: u64 = 2;

/// Writes to a file descriptor; the result is not looked at, because a banner that cannot be written is not an error.
pub(crate) fn write(fd: u64, bytes: &[u8]) {
    // SAFETY: write only reads `bytes`, which outlive the call.
    unsafe { call(WRITE, fd, bytes.as_ptr() as u64, bytes.len() as u64) };
}

/// The process ID.
pub(crate) fn getpid() -> u64 {
    // SAFETY: getpid has no arguments and touches no memory.
    unsafe { call(GETPID, 0, 0, 0) }
}

/// A request of this architecture; the runtime's own cannot fail.
#[cfg(not(feature = "process"))]
pub(crate) fn arch_prctl(request: u64, argument: u64) {
    // SAFETY: the requests of the kernel patches take a number and touch no memory of the program.
    unsafe { call(ARCH_PRCTL, request, argument, 0) };
}

/// Ends the program.
pub(crate) fn exit_group(status: u64) {
    // SAFETY: nothing of the program runs afterwards.
    unsafe { call(EXIT_GROUP, status, 0, 0) };
}

/// A system call from inside the kernel, by the base path.
///
/// # Safety
/// The arguments must be valid for the call. `ukl_entry_syscall` keeps the register contract of the SYSCALL instruction:
/// number in rax, rcx holds the return address, r11 is lost. The jump before label 2 is two bytes long, so that the kernel
/// restarts the call by going back two bytes, as it does with SYSCALL.
#[cfg(not(feature = "process"))]
unsafe fn call(number: u64, a: u64, b: u64, c: u64) -> u64 {
    let result;
    // SAFETY: the stack is not touched; every register the kernel changes is declared.
    unsafe {
        asm!(
            "lea rcx, [rip + 2f]",
            "3: jmp ukl_entry_syscall",
            "jmp 3b",
            "2:",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// A system call from an ordinary process.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(feature = "process")]
unsafe fn call(number: u64, a: u64, b: u64, c: u64) -> u64 {
    let result;
    // SAFETY: the registers SYSCALL changes are declared (Intel SDM volume 2, SYSCALL).
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// `sendto` without an address, bound as the level binds that call.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(not(feature = "process"))]
pub(crate) unsafe fn sendto(fd: u64, bytes: u64, length: u64, flags: u64) -> u64 {
    let result;
    // SAFETY: as in the C library (musl/arch/x86_64/syscall_arch.h): the C calling convention, and the return address below
    // the stack pointer, of which the compiler knows because `nostack` is not said.
    unsafe {
        asm!(
            "call __ukl_sys_44",
            lateout("rax") result,
            inlateout("rdi") fd => _, inlateout("rsi") bytes => _, inlateout("rdx") length => _,
            inlateout("rcx") flags => _, inlateout("r8") 0_u64 => _, inlateout("r9") 0_u64 => _,
            lateout("r10") _, lateout("r11") _,
        );
    }
    result
}

/// `recvfrom` without an address, bound as the level binds that call.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(not(feature = "process"))]
pub(crate) unsafe fn recvfrom(fd: u64, buffer: u64, length: u64, flags: u64) -> u64 {
    let result;
    // SAFETY: as in `sendto`.
    unsafe {
        asm!(
            "call __ukl_sys_45",
            lateout("rax") result,
            inlateout("rdi") fd => _, inlateout("rsi") buffer => _, inlateout("rdx") length => _,
            inlateout("rcx") flags => _, inlateout("r8") 0_u64 => _, inlateout("r9") 0_u64 => _,
            lateout("r10") _, lateout("r11") _,
        );
    }
    result
}

/// A call of six arguments, of which the last two are 0, from an ordinary process.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(feature = "process")]
unsafe fn call4(number: u64, a: u64, b: u64, c: u64, d: u64) -> u64 {
    let result;
    // SAFETY: the registers SYSCALL changes are declared (Intel SDM volume 2, SYSCALL).
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") 0_u64, in("r9") 0_u64,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// `sendto` without an address.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(feature = "process")]
pub(crate) unsafe fn sendto(fd: u64, bytes: u64, length: u64, flags: u64) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { call4(SENDTO, fd, bytes, length, flags) }
}

/// `recvfrom` without an address.
///
/// # Safety
/// The arguments must be valid for the call.
#[cfg(feature = "process")]
pub(crate) unsafe fn recvfrom(fd: u64, buffer: u64, length: u64, flags: u64) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { call4(RECVFROM, fd, buffer, length, flags) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_id_is_that_of_the_kernel() {
        assert_eq!(getpid(), u64::from(std::process::id()));
    }
}
