//! Each refusal with an object that deserves it and one that does not.

use super::*;
use ukl_host::process;
use xshell::{Shell, cmd};

/// Assembles text and audits the object against a small exports list.
fn audit_text(text: &str) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let (source, object, exports) = (dir.path().join("t.s"), dir.path().join("t.o"), dir.path().join("exports"));
    fs::write(&source, format!("{text}\n\t.section .note.GNU-stack, \"\", @progbits\n")).unwrap();
    fs::write(&exports, "# offered\nukl_entry_syscall\nukl_sys_*\n").unwrap();
    let sh = Shell::new().unwrap();
    process::read(cmd!(sh, "gcc -c {source} -o {object}")).unwrap();
    audit(&object, Some(&exports)).unwrap()
}

/// Audits one function with the given body.
fn body(text: &str) -> Vec<Finding> {
    audit_text(&format!("\t.text\n\t.globl f\n\t.type f, @function\nf:\n{text}\n\t.size f, . - f"))
}

/// The only finding's text; exactly one is expected.
fn only(findings: &[Finding], kind: Kind) -> String {
    assert_eq!(findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [kind]);
    findings[0].to_string()
}

#[test]
fn ordinary_code_is_accepted() {
    assert_eq!(body("push %rbx\n mov %fs:0, %rax\n mov $f, %rdi\n lea f(%rip), %rsi\n pop %rbx\n ret"), []);
}

#[test]
fn a_symbol_the_kernel_does_not_offer_is_refused() {
    let text = only(&body("nop\n call memcpy\n ret"), Kind::UndefinedSymbol);
    assert!(text.starts_with("f+0x2: undefined symbol `memcpy`: link the library"), "{text}");
    only(&body("call ukl_sys_x\n ret"), Kind::UndefinedSymbol);
    only(&body("call ukl_sys_\n ret"), Kind::UndefinedSymbol);
    assert_eq!(body("call ukl_sys_39\n jmp ukl_entry_syscall"), []);
    assert_eq!(body(".weak optional\n mov $optional, %rax\n ret"), []);
}

#[test]
fn entering_the_kernel_as_a_process_does_is_refused() {
    let text = only(&body("mov $39, %eax\n syscall\n ret"), Kind::SyscallInstruction);
    assert!(text.starts_with("f+0x5: instruction `syscall`"), "{text}");
    only(&body("sysenter"), Kind::SyscallInstruction);
    only(&body("int $0x80\n ret"), Kind::SyscallInstruction);
}

#[test]
fn the_bytes_of_syscall_inside_another_instruction_are_not_one() {
    assert_eq!(body("mov $0x050f050f, %eax\n ret"), []);
}

#[test]
fn privileged_instructions_are_refused() {
    for instruction in [
        "cli",
        "sti",
        "hlt",
        "wrmsr",
        "in $0x60, %al",
        "outb %al, %dx",
        "mov %rax, %cr3",
        "iretq",
        "swapgs",
        "lgdt (%rax)",
        "mov %eax, %gs",
        "int $3; int $0x20",
    ] {
        let findings = body(&format!("{instruction}\n ret"));
        assert!(
            findings.iter().any(|finding| finding.kind == Kind::PrivilegedInstruction),
            "{instruction}: {findings:?}"
        );
    }
    assert_eq!(body("rdtsc\n cpuid\n mov %cs, %eax\n pause\n ud2\n ret"), []);
}

#[test]
fn breakpoints_are_signals_and_allowed() {
    assert_eq!(body("int3\n ret"), []);
}

#[test]
fn zero_extended_addresses_are_refused() {
    let text = only(&body("mov $f, %edi\n ret"), Kind::CodeModel);
    assert!(text.contains("R_X86_64_32 against `f` zero-extends an address"), "{text}");
    assert_eq!(body("mov $f, %rdi\n ret"), []);
}

#[test]
fn table_accesses_that_stay_are_refused() {
    only(&body("mov ukl_entry_syscall@GOTPCREL(%rip), %rax\n ret"), Kind::CodeModel);
    assert_eq!(body("mov f@GOTPCREL(%rip), %rax\n ret"), [], "the linker relaxes this one");
}

#[test]
fn thread_local_models_of_shared_objects_are_refused() {
    let data = "\t.section .tdata, \"awT\", @progbits\nt:\t.long 1";
    let code = |access: &str| audit_text(&format!("{data}\n\t.text\nf:\n{access}\n ret"));
    only(&code("mov t@gottpoff(%rip), %rax"), Kind::ThreadLocal);
    only(&code("lea t@tlsld(%rip), %rdi"), Kind::ThreadLocal);
    assert_eq!(code("mov %fs:t@tpoff, %eax"), []);
}

#[test]
fn the_kernels_segment_is_refused() {
    let text = only(&body("mov %gs:40, %rax\n ret"), Kind::ThreadLocal);
    assert!(text.contains("%gs"), "{text}");
    assert_eq!(body("mov %fs:40, %rax\n ret"), []);
}

#[test]
fn a_call_over_the_red_zone_is_refused() {
    let text = only(&body("mov %rdi, -8(%rsp)\n call ukl_sys_39\n mov -8(%rsp), %rax\n ret"), Kind::RedZone);
    assert!(text.contains("-mno-red-zone"), "{text}");
    assert_eq!(body("mov %rdi, -8(%rsp)\n mov -8(%rsp), %rax\n ret"), [], "a leaf may use it");
    assert_eq!(body("sub $8, %rsp\n mov %rdi, (%rsp)\n call ukl_sys_39\n add $8, %rsp\n ret"), []);
}

#[test]
fn writable_text_is_refused() {
    let section = |flags: &str| audit_text(&format!("\t.section odd, \"{flags}\", @progbits\nf:\tret"));
    assert!(only(&section("awx"), Kind::WritableText).starts_with("odd: section is writable"));
    assert_eq!(section("ax"), []);
}

#[test]
fn a_section_that_the_kernel_would_take_is_refused() {
    let with = |text: &str| audit_text(&format!("\t.section .ukl.text, \"ax\", @progbits\nf:\tret\n{text}"));
    let text = only(&with("\t.section mine, \"aw\", @progbits\nx:\t.long 1"), Kind::StraySection);
    assert!(text.starts_with("mine: section would become the kernel's"), "{text}");
    assert_eq!(with("\t.section .ukl.data, \"aw\", @progbits\nx:\t.long 1"), []);
    assert_eq!(audit_text("\t.section mine, \"aw\", @progbits\nx:\t.long 1"), [], "app.lds has not seen it yet");
}

#[test]
fn data_beyond_reach_is_refused() {
    let bss = |bytes: u64| audit_text(&format!("\t.bss\nbig:\t.zero {bytes}"));
    assert!(only(&bss(sections::REACH_BYTES + 1), Kind::Reach).starts_with(".bss: 25165825 bytes of data and bss; "));
    assert_eq!(bss(sections::REACH_BYTES), []);
}

#[test]
fn functions_chosen_at_load_time_are_refused() {
    only(&audit_text("\t.text\n\t.type f, @gnu_indirect_function\nf:\tret"), Kind::IndirectFunction);
}

#[test]
fn the_compilers_intermediate_code_is_refused() {
    only(&audit_text("\t.section .gnu.lto_main, \"e\", @progbits\n\t.long 1"), Kind::NotMachineCode);
}

#[test]
fn what_is_no_object_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.o");
    fs::write(&path, "text").unwrap();
    assert!(audit(&path, None).unwrap_err().to_string().contains("is no 64-bit ELF file"));
}
