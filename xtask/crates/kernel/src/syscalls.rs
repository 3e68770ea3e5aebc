//! An application's side of system calls, generated from the kernel's own table.

use anyhow::{Context, Result, ensure};
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// How many arguments a call can have; assumed when the kernel's header does not say.
const MAX_ARGUMENTS: usize = 6;
/// How many arguments are in the same registers in C's convention and in the kernel's: the fourth is not.
const SAME_REGISTERS: usize = 3;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syscall {
    pub number: u32,
    pub name: String,
    pub arguments: usize,
}

/// Reads `arch/x86/entry/syscalls/syscall_64.tbl` and `include/linux/syscalls.h` of a kernel tree.
pub fn read(kernel: &Path) -> Result<Vec<Syscall>> {
    let text = |file: &str| {
        let path = kernel.join(file);
        fs_err::read_to_string(&path)
    };
    parse(&text("arch/x86/entry/syscalls/syscall_64.tbl")?, &text("include/linux/syscalls.h")?)
}

/// The 64-bit calls of the table, with their argument counts from the prototypes in the header.
pub fn parse(table: &str, header: &str) -> Result<Vec<Syscall>> {
    let counts = argument_counts(header);
    let mut calls = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (number, abi, name) = (words.next(), words.next(), words.next());
        let (Some(number), Some(abi), Some(name)) = (number, abi, name) else {
            anyhow::bail!("`{line}` in the kernel's table has fewer than three columns");
        };
        if abi == "x32" {
            continue;
        }
        ensure!(abi == "common" || abi == "64", "`{line}`: ABI `{abi}`; common, 64 or x32 was expected");
        let number = number.parse().with_context(|| format!("the number in `{line}`"))?;
        let entry = words.next().unwrap_or_default();
        let arguments = counts.get(entry).copied().unwrap_or(MAX_ARGUMENTS);
        calls.push(Syscall { number, name: name.to_owned(), arguments });
    }
    ensure!(!calls.is_empty(), "the kernel's system-call table has no 64-bit call");
    Ok(calls)
}

/// Argument counts by entry point, `sys_read`: from `asmlinkage long sys_read(unsigned int fd, ...);`.
fn argument_counts(header: &str) -> BTreeMap<&str, usize> {
    let prototype = Regex::new(r"asmlinkage\s+\w+\s+(sys_\w+)\s*\(([^;]*)\)\s*;").expect("a valid expression");
    let count = |list: &str| match list.trim() {
        "" | "void" => 0,
        list => list.split(',').count(),
    };
    prototype
        .captures_iter(header)
        .map(|found| (found.get(1).map_or("", |name| name.as_str()), count(&found[2])))
        .collect()
}

/// The numbers of the calls that the patched kernel has a shortcut for: the definitions in `arch/x86/ukl/shortcut.c`.
pub fn shortcuts(kernel: &Path) -> Result<BTreeSet<u32>> {
    let path = kernel.join("arch/x86/ukl/shortcut.c");
    let text = fs_err::read_to_string(&path)?;
    defined(&text, &read(kernel)?).with_context(|| format!("in {}", path.display()))
}

/// The numbers of the calls whose names stand in lines like `UKL_SHORTCUT(read, 3)`.
fn defined(text: &str, calls: &[Syscall]) -> Result<BTreeSet<u32>> {
    let definition = Regex::new(r"(?m)^UKL_SHORTCUT\((\w+),").expect("a valid expression");
    let numbers: BTreeSet<u32> = definition
        .captures_iter(text)
        .map(|found| {
            let call = calls.iter().find(|call| call.name == found[1]);
            call.map(|call| call.number).with_context(|| format!("there is no system call `{}`", &found[1]))
        })
        .collect::<Result<_>>()?;
    ensure!(!numbers.is_empty(), "no shortcut is defined");
    Ok(numbers)
}

/// Assembly text of the stubs: one per call, and `__ukl_syscall` for a number in rax.
///
/// A stub turns a C call into the kernel's base path: the fourth argument moves from rcx to r10, and rcx becomes the
/// return address, as after the SYSCALL instruction. The two-byte jump before label 2 is where the kernel restarts a
/// call, two bytes before its return address. A `ret` in here is always a completed call: cancellation relies on it.
pub fn stubs(calls: &[Syscall]) -> String {
    let mut text =
        String::from("\t.section .ukl.text, \"ax\", @progbits\n\t.globl __ukl_call_begin\n__ukl_call_begin:\n");
    let mut stub = |name: &str, load: &str, arguments: usize| {
        let fourth = if arguments > SAME_REGISTERS { "\tmov %rcx, %r10\n" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\t.globl {name}\n\t.type {name}, @function\n{name}:\n{load}{fourth}\tlea 2f(%rip), %rcx\n\
             1:\tjmp ukl_entry_syscall\n\tjmp 1b\n2:\tret\n\t.size {name}, . - {name}\n"
        );
    };
    stub("__ukl_syscall", "", MAX_ARGUMENTS);
    for call in calls {
        let load = format!("\tmov ${}, %eax\t\t# {}, {} arguments\n", call.number, call.name, call.arguments);
        stub(&format!("__ukl_sys_{}", call.number), &load, call.arguments);
    }
    text.push_str("\t.globl __ukl_call_end, __ukl_call_return\n__ukl_call_end:\n__ukl_call_return:\n");
    // Nothing of its own: it lies between the other two.
    text.push_str("\t.globl __ukl_syscall_end\n\t.set __ukl_syscall_end, __ukl_syscall\n");
    text.push_str(&names(calls));
    text.push_str("\t.section .note.GNU-stack, \"\", @progbits\n");
    text
}

/// Assembly text of `__ukl_syscall`, a call whose number is in rax, for levels with bypass: a table of the kernel's direct
/// entries. As SYSCALL, it looks at 32 bits of the number. A number without an entry goes the full way, to its ENOSYS.
pub fn dispatch(calls: &[Syscall]) -> String {
    let (entries, count) = by_number(calls);
    let mut text = format!(
        "\t.section .ukl.text, \"ax\", @progbits\n\t.globl __ukl_syscall, __ukl_syscall_end\n\t.type __ukl_syscall, @function\n\
         __ukl_syscall:\n\tmov %eax, %r11d\n\tcmp ${count}, %r11d\n\tjae ukl_bypass_full\n\
         \tjmp *table(, %r11, 8)\n__ukl_syscall_end:\n\t.size __ukl_syscall, . - __ukl_syscall\n\
         \t.section .ukl.rodata, \"a\", @progbits\n\t.balign 8\ntable:\n"
    );
    for number in 0..count {
        // Writing to a String cannot fail.
        let _ = match entries.get(&number) {
            Some(name) => writeln!(text, "\t.quad ukl_sys_{number}\t\t# {name}"),
            None => writeln!(text, "\t.quad ukl_bypass_full"),
        };
    }
    text.push_str(&names(calls));
    text.push_str("\t.section .note.GNU-stack, \"\", @progbits\n");
    text
}

/// Names by number, and how many numbers there are.
fn by_number(calls: &[Syscall]) -> (BTreeMap<u32, &str>, u32) {
    let entries: BTreeMap<u32, &str> = calls.iter().map(|call| (call.number, call.name.as_str())).collect();
    let count = entries.keys().next_back().map_or(0, |last| last + 1);
    (entries, count)
}

/// Assembly text of `__ukl_call_names`: for each number in turn the call's name, or nothing, and a zero byte. The runtime
/// reads `UKL_PATHS` with it.
fn names(calls: &[Syscall]) -> String {
    let (entries, count) = by_number(calls);
    let name = |number| format!("\t.asciz \"{}\"\n", entries.get(&number).unwrap_or(&""));
    let list: String = (0..count).map(name).collect();
    format!(
        "\t.section .ukl.rodata, \"a\", @progbits\n\t.globl __ukl_call_names, __ukl_call_names_end\n\
         __ukl_call_names:\n{list}__ukl_call_names_end:\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# number abi name entry\n0\tcommon\tread\tsys_read\n39\tcommon\tgetpid\tsys_getpid\n\
                         9\tcommon\tmmap\tsys_mmap\n134\t64\tuselib\n512\tx32\trt_sigaction\tcompat_sys_rt_sigaction\n";
    const HEADER: &str = "asmlinkage long sys_read(unsigned int fd, char __user *buf, size_t count);\n\
                          asmlinkage long sys_getpid(void);\n";

    #[test]
    fn the_table_is_read_with_argument_counts() {
        let calls = parse(TABLE, HEADER).unwrap();
        let shown: Vec<_> =
            calls.iter().map(|call| format!("{} {} {}", call.number, call.name, call.arguments)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        0 read 3
        39 getpid 0
        9 mmap 6
        134 uselib 6
        ");
    }

    #[test]
    fn a_broken_table_is_refused() {
        assert!(parse("0 common\n", "").is_err());
        assert!(parse("x common read sys_read\n", "").is_err());
        assert!(parse("0 i386 read sys_read\n", "").is_err());
        assert!(parse("# nothing\n", "").is_err());
    }

    #[test]
    fn stubs_are_the_base_path() {
        let calls = [
            Syscall { number: 0, name: "read".to_owned(), arguments: 3 },
            Syscall { number: 9, name: "mmap".to_owned(), arguments: 6 },
        ];
        insta::assert_snapshot!(stubs(&calls));
    }

    #[test]
    fn shortcuts_are_those_the_kernel_defines() {
        let calls = [
            Syscall { number: 0, name: "read".to_owned(), arguments: 3 },
            Syscall { number: 44, name: "sendto".to_owned(), arguments: 6 },
        ];
        let text = "/* UKL_SHORTCUT(x, 1) */\nUKL_SHORTCUT(sendto, 6)\n{\nUKL_SHORTCUT(read, 3)\n";
        assert_eq!(defined(text, &calls).unwrap(), BTreeSet::from([0, 44]));
        assert_eq!(defined("UKL_SHORTCUT(raed, 3)", &calls).unwrap_err().to_string(), "there is no system call `raed`");
        assert!(defined("int f(void);\n", &calls).is_err());
    }

    #[test]
    fn a_number_without_an_entry_goes_the_full_way() {
        let calls = [
            Syscall { number: 0, name: "read".to_owned(), arguments: 3 },
            Syscall { number: 2, name: "open".to_owned(), arguments: 3 },
        ];
        let text = dispatch(&calls);
        let table: Vec<_> = text.lines().filter(|line| line.contains(".quad") || line.contains("cmp")).collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        	cmp $3, %r11d
        	.quad ukl_sys_0		# read
        	.quad ukl_bypass_full
        	.quad ukl_sys_2		# open
        ");
    }
}
