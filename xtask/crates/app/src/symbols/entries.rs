//! The frames of the kernel's entries for applications: written in assembly, and the only ones whose caller is on another stack.

use super::functions::{Function, Functions};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

/// Where the caller of an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// RSP is the application's still or again, with the return address on top.
    OnTop,
    /// RSP is at `pt_regs`, of which the stack pointer counts: the return address is on top of that stack.
    BehindRegisters,
    /// RSP is at `pt_regs`, all of which counts.
    InRegisters,
}

/// An entry, and from which address on its caller is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub address: u64,
    pub size: u64,
    pub rows: Vec<(u64, Caller)>,
}

/// The entries of a kernel.
pub(super) fn entries(elf: &ElfFile64, kernel: &Functions) -> Vec<Entry> {
    let code = |function: &Function| {
        let data = |section: object::read::elf::ElfSection64<'_, '_>| {
            section.data_range(function.address, function.size).ok()?.map(<[u8]>::to_vec)
        };
        elf.sections().find_map(data)
    };
    kernel
        .iter()
        .filter(|function| is_entry(&function.name))
        .filter_map(|function| Some(entry(function, &code(function)?)))
        .collect()
}

fn is_entry(name: &str) -> bool {
    let numbered = |prefix| name.strip_prefix(prefix).is_some_and(|rest: &str| rest.parse::<u32>().is_ok());
    numbered("ukl_sys_")
        || numbered("ukl_short_")
        || ["ukl_entry_syscall", "ukl_bypass_full", "ukl_bypass_return"].contains(&name)
}

/// A direct call loads RSP from R11 and goes on with the registers below; the full way has pushed all of them when it calls C. A
/// jump ends either.
fn entry(function: &Function, code: &[u8]) -> Entry {
    let mut rows = vec![(function.address, Caller::OnTop)];
    for instruction in &mut Decoder::with_ip(64, code, function.address, DecoderOptions::NONE) {
        let loads = instruction.mnemonic() == Mnemonic::Lea
            && instruction.op0_kind() == OpKind::Register
            && instruction.op0_register() == Register::RSP
            && instruction.memory_base() == Register::R11;
        let inside = rows.last().is_some_and(|(_, caller)| *caller == Caller::BehindRegisters);
        if loads {
            rows.push((instruction.next_ip(), Caller::BehindRegisters));
        } else if inside && instruction.flow_control() == FlowControl::UnconditionalBranch {
            rows.push((instruction.next_ip(), Caller::OnTop));
        } else if !inside && instruction.flow_control() == FlowControl::Call {
            rows.push((instruction.ip(), Caller::InRegisters));
        }
    }
    Entry { address: function.address, size: function.size, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_call_changes_the_stack_and_back() {
        // lea rsp,[r11-0xa8] ; call 0x2000 ; jmp 0x3000 ; mov eax,1
        let code = [
            0x49, 0x8d, 0xa3, 0x58, 0xff, 0xff, 0xff, 0xe8, 0xf4, 0x0f, 0, 0, 0xe9, 0xef, 0x1f, 0, 0, 0xb8, 1, 0, 0, 0,
        ];
        let function = Function { address: 0x1000, size: code.len() as u64, name: "ukl_sys_1".to_owned() };
        let rows = [(0x1000, Caller::OnTop), (0x1007, Caller::BehindRegisters), (0x1011, Caller::OnTop)];
        assert_eq!(entry(&function, &code).rows, rows);
    }

    #[test]
    fn only_numbered_calls_are_entries() {
        assert!(is_entry("ukl_sys_39") && is_entry("ukl_short_0") && is_entry("ukl_entry_syscall"));
        assert!(!is_entry("ukl_short_sys_read") && !is_entry("ukl_sys_"));
    }
}
