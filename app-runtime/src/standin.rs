//! What the kernel's link and the level link define for a program, for the tests, which are an ordinary program.
//!
//! System calls reach the kernel of the machine that runs the tests, which knows none of the patches' requests.

use core::arch::global_asm;

// `ukl_entry_syscall` keeps the contract that call.rs states: the return address is in rcx. It is jumped to, so the 128 bytes
// below the stack pointer may be in use (System V ABI, "The Stack Frame"). The others are called as C functions are.
global_asm!(
    ".pushsection .text.standin, \"ax\", @progbits",
    ".globl ukl_entry_syscall, __ukl_sys_44, __ukl_sys_45, ukl_clock_gettime, __ukl_text_start, __ukl_text_end",
    "__ukl_text_start:",
    "ukl_entry_syscall:",
    "lea rsp, [rsp - 128]",
    "push rcx",
    "syscall",
    "pop rcx",
    "lea rsp, [rsp + 128]",
    "jmp rcx",
    "__ukl_sys_44:",
    "mov eax, 44",
    "jmp 2f",
    "__ukl_sys_45:",
    "mov eax, 45",
    "2: mov r10, rcx",
    "syscall",
    "ret",
    "ukl_clock_gettime:",
    "jmp clock_gettime@PLT",
    "__ukl_text_end:",
    ".popsection",
);

// The bitmaps of paths.rs, 512 bits each.
global_asm!(
    ".pushsection .bss.standin, \"aw\", @nobits",
    ".globl ukl_full_calls, ukl_plain_calls",
    ".balign 8",
    "ukl_full_calls: .zero 64",
    "ukl_plain_calls: .zero 64",
    ".popsection",
);

// The names of four numbers, of which the third has no call; a descriptor of a program `program` at level `byb` with the option
// `bypass` (bit 1); an image of thread-local storage of 24 bytes with content and 16 without, aligned to 64; frame
// descriptions.
global_asm!(
    ".pushsection .data.standin, \"aw\", @progbits",
    ".globl __ukl_call_names, __ukl_call_names_end, __ukl_descriptor",
    ".globl __ukl_tls_start, __ukl_tdata_end, __ukl_tls_end, __ukl_tls_align, __ukl_eh_frame",
    "__ukl_call_names:",
    ".asciz \"read\"",
    ".asciz \"write\"",
    ".asciz \"\"",
    ".asciz \"close\"",
    "__ukl_call_names_end:",
    ".balign 8",
    "__ukl_descriptor:",
    ".zero 28",
    ".long 2",
    ".asciz \"program\"",
    ".zero 24",
    ".asciz \"byb\"",
    ".zero 28",
    ".balign 64",
    "__ukl_tls_start: .zero 24",
    "__ukl_tdata_end: .zero 16",
    "__ukl_tls_end:",
    ".set __ukl_tls_align, 64",
    "__ukl_eh_frame: .long 0",
    ".popsection",
);
