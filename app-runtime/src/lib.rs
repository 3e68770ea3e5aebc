//! The runtime of an application that is linked into the Linux kernel.
//!
//! It is what stands between the kernel's program loader and the C library: the entry point, the program headers that an
//! ELF file would have had, and the little a program can ask ([`level`]). System calls are not here: the C library
//! calls symbols that are bound when the application is linked for a level (`musl/arch/x86_64/syscall_arch.h`).
//!
//! The crate is built twice. As it stands, for the kernel; with the feature `process`, for ordinary processes, where the
//! compiler's start files and program headers do the work and only the interface remains.
//!
//! Everything here runs on the application's stack with interrupts on, possibly at CPL 0. It allocates nothing, cannot
//! panic, and uses no SSE register: the C library has not set anything up when it starts.
//!
//! Its tests run on the machine that compiles them, as an ordinary program with the standard library. What the kernel's link
//! defines is stood in for there (`standin.rs`).
#![cfg_attr(not(test), no_std)]

mod banner;
mod call;
mod direct;
#[cfg(not(any(feature = "process", test)))]
mod entry;
mod level;
mod paths;
#[cfg(not(feature = "process"))]
mod phdr;
#[cfg(all(test, not(feature = "process")))]
mod standin;

/// Required of a static library; nothing in this crate can panic, so the linker never sees a reference to it.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: ud2 has no operands and does not return; the kernel turns it into SIGILL.
    unsafe { core::arch::asm!("ud2", options(noreturn, nomem, nostack)) }
}
