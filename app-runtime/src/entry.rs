//! Where a program begins.

use core::arch::global_asm;
use core::ffi::{c_char, c_int};

/// The program's `main`.
type Main = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;

unsafe extern "C" {
    fn main(argc: c_int, argv: *mut *mut c_char, environment: *mut *mut c_char) -> c_int;
    /// The C library's start: sets up thread pointer and stdio, runs constructors, calls `main`, exits.
    fn __libc_start_main(
        main: Main,
        argc: c_int,
        argv: *mut *mut c_char,
        init: extern "C" fn(),
        fini: extern "C" fn(),
        unused: usize,
    ) -> c_int;
}

// The kernel enters here as it would enter a static ELF program: rsp points to argc and is a multiple of 16, every other
// register is undefined but rdx, which is 0. rbp = 0 ends backtraces. The call leaves the stack as the ABI wants it at a
// function's first instruction. ukl_main_entry does not return.
global_asm!(
    ".pushsection .text._ukl_start, \"ax\", @progbits",
    ".globl _ukl_start",
    ".type _ukl_start, @function",
    "_ukl_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main_entry}",
    "ud2",
    ".size _ukl_start, . - _ukl_start",
    ".popsection",
    main_entry = sym ukl_main_entry,
);

/// The first function: completes the program headers, then everything is the C library's.
///
/// # Safety
/// `stack` is the initial stack of the System V ABI: argc, argv, 0, environment, 0, auxiliary vector.
unsafe extern "C" fn ukl_main_entry(stack: *mut usize) -> ! {
    // SAFETY: this is the first code of the program, and the caller vouches for `stack`.
    unsafe {
        crate::phdr::fill();
        crate::level::remember();
        let argc = *stack as c_int;
        let argv = stack.add(1).cast();
        __libc_start_main(main, argc, argv, _init, _fini, 0);
        core::arch::asm!("ud2", options(noreturn, nomem, nostack))
    }
}

/// Constructors of old object files would be collected here; the others are in `.init_array`, which the C library reads.
#[unsafe(no_mangle)]
extern "C" fn _init() {}

/// The counterpart of [`_init`] at exit.
#[unsafe(no_mangle)]
extern "C" fn _fini() {}

/// The C library asks whether it was loaded as a shared object by looking at this symbol's address; without a PT_DYNAMIC
/// program header the answer is no. Left undefined, it would be bound to whatever the kernel's link makes of it.
#[unsafe(no_mangle)]
static _DYNAMIC: [usize; 2] = [0; 2];
