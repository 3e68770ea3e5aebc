//! Where in a kernel's image the things happen that the counter must know of.

use anyhow::{Context, Result};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::path::Path;
use ukl_counter::{Function, Range, Spec, Switch, Watch};
use ukl_host::failure::Failure;

/// Exceptions that are raised before the instruction that causes them has done its work (Intel SDM, volume 3, 7.5).
const FAULTS: [&str; 8] = [
    "asm_exc_divide_error",
    "asm_exc_bounds",
    "asm_exc_invalid_op",
    "asm_exc_device_not_available",
    "asm_exc_segment_not_present",
    "asm_exc_stack_segment",
    "asm_exc_general_protection",
    "asm_exc_page_fault",
];

/// What the names of the second IDT's entries begin with (arch/x86/ukl/idtentry_64.S).
const SECOND_IDT: &str = "ukl_";
/// The function that runs softirqs.
const SOFTIRQS: &str = "handle_softirqs";

/// What the counter must know of this image; with the functions if a profile is wanted.
pub(super) fn spec(vmlinux: &Path, profile: bool) -> Result<Spec> {
    let bytes = std::fs::read(vmlinux).with_context(|| format!("reading {}", vmlinux.display()))?;
    let file = ElfFile64::parse(bytes.as_slice()).with_context(|| format!("reading {}", vmlinux.display()))?;
    let mut image = Image { file, symbols: BTreeMap::new() };
    for symbol in image.file.symbols() {
        if let (Ok(name), false) = (symbol.name(), symbol.is_undefined()) {
            image.symbols.entry(name).or_insert((symbol.address(), symbol.size()));
        }
    }
    image.spec(profile).with_context(|| format!("looking into {}", vmlinux.display()))
}

struct Image<'data> {
    file: ElfFile64<'data>,
    /// Address and size by name.
    symbols: BTreeMap<&'data str, (u64, u64)>,
}

impl<'data> Image<'data> {
    fn spec(&self, profile: bool) -> Result<Spec> {
        // While a task of an application is current, entries of the same name with this prefix stand for the kernel's own.
        let entries = |name: &str| [self.optional(name), self.optional(&format!("{SECOND_IDT}{name}"))].concat();
        let entries_with =
            |prefix: &str| [self.with_prefix(prefix), self.with_prefix(&format!("{SECOND_IDT}{prefix}"))].concat();
        self.address("asm_common_interrupt")?;
        self.address("asm_exc_page_fault")?;
        let interrupt_entries =
            [entries("asm_common_interrupt"), entries_with("asm_sysvec_"), entries("asm_spurious_interrupt")].concat();
        let user_text = match (self.symbols.get("__ukl_text_start"), self.symbols.get("__ukl_text_end")) {
            (Some(start), Some(end)) => vec![Range { start: start.0, end: end.0 }],
            _ => vec![],
        };
        let system_calls = [vec![self.address("entry_SYSCALL_64")?], self.optional("ukl_entry_syscall")].concat();
        let direct_calls = [self.stubs("ukl_sys_"), self.stubs("ukl_short_")].concat();
        let softirq_entry = self.address(SOFTIRQS)?;
        let watch = |name: &str, addresses: &[u64]| Watch { name: name.to_owned(), addresses: addresses.to_vec() };
        let functions = if profile { self.functions(&user_text) } else { vec![] };
        Ok(Spec {
            switch: self.switch()?,
            idle_task: self.address("init_task")?,
            exception_entries: entries_with("asm_exc_"),
            fault_entries: FAULTS.iter().flat_map(|name| entries(name)).collect(),
            interrupt_returns: vec![self.address("native_irq_return_iret")?],
            softirq_entry,
            softirq_exits: self.exits(SOFTIRQS)?,
            watches: vec![
                watch("system_calls", &system_calls),
                watch("direct_calls", &direct_calls),
                watch("page_faults", &entries("asm_exc_page_fault")),
                watch("interrupts", &interrupt_entries),
                watch("softirqs", &[softirq_entry]),
                watch("context_switches", &[self.address("__switch_to_asm")?]),
            ],
            interrupt_entries,
            user_text,
            functions,
        })
    }

    fn symbol(&self, name: &str) -> Result<(u64, u64)> {
        self.symbols.get(name).copied().ok_or_else(|| {
            Failure::new(
                format!("the image has no symbol `{name}`, which the instruction counter looks for"),
                "see what the kernel of this version calls it, and correct xtask/crates/bench/src/requests/kernel.rs",
            )
        })
    }

    fn address(&self, name: &str) -> Result<u64> {
        Ok(self.symbol(name)?.0)
    }

    fn optional(&self, name: &str) -> Vec<u64> {
        self.symbols.get(name).map(|symbol| symbol.0).into_iter().collect()
    }

    /// Entries for direct calls: the prefix and the call's number. The functions behind shortcuts begin with the same.
    fn stubs(&self, prefix: &str) -> Vec<u64> {
        let numbered = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u32>().is_ok());
        self.symbols.iter().filter(|(name, _)| numbered(name)).map(|(_, symbol)| symbol.0).collect()
    }

    fn with_prefix(&self, prefix: &str) -> Vec<u64> {
        let found = self.symbols.range(prefix..).take_while(|(name, _)| name.starts_with(prefix));
        found.map(|(_, symbol)| symbol.0).collect()
    }

    /// The instructions of a function.
    fn decode(&self, name: &str) -> Result<Vec<Instruction>> {
        let (start, size) = self.symbol(name)?;
        let code = self.file.sections().find_map(|section| section.data_range(start, size).ok().flatten());
        let code =
            code.filter(|code| !code.is_empty()).with_context(|| format!("`{name}` has no code in the image"))?;
        Ok(Decoder::with_ip(64, code, start, DecoderOptions::NONE).iter().collect())
    }

    /// `__switch_to_asm` loads the stack pointer from the task in RSI.
    fn switch(&self) -> Result<Switch> {
        let function = "__switch_to_asm";
        switch_in(&self.decode(function)?).ok_or_else(|| {
            Failure::new(
                format!("`{function}` does not load rsp from the task in rsi, as the instruction counter expects"),
                "look at the function in arch/x86/entry/entry_64.S, and correct xtask/crates/bench/src/requests/kernel.rs",
            )
        })
    }

    fn exits(&self, name: &str) -> Result<Vec<u64>> {
        let (start, size) = self.symbol(name)?;
        // The cold part lies elsewhere and comes back.
        let cold = self.symbols.get(format!("{name}.cold").as_str());
        let parts = [Some(&(start, size)), cold];
        let inside = parts.into_iter().flatten().map(|&(start, size)| Range { start, end: start + size });
        let found = exits_in(&self.decode(name)?, &inside.collect::<Vec<_>>());
        anyhow::ensure!(!found.is_empty(), "`{name}` has no instruction that leaves it");
        Ok(found)
    }

    /// Code symbols by address. Of several at one address the one that knows its size is taken, then the first by name.
    fn functions(&self, user_text: &[Range]) -> Vec<Function> {
        let start = self.symbols.get("_stext").map_or(0, |symbol| symbol.0);
        let mut functions = BTreeMap::new();
        let code = |kind| matches!(kind, SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown);
        for symbol in self.file.symbols().filter(|symbol| code(symbol.kind()) && symbol.address() >= start) {
            let in_text = symbol.section_index().and_then(|index| self.file.section_by_index(index).ok());
            let in_text = in_text.is_some_and(|section| section.kind() == object::SectionKind::Text);
            let (Ok(name), true) = (symbol.name(), in_text) else { continue };
            if name.is_empty() || user_text.iter().any(|range| range.contains(symbol.address())) {
                continue;
            }
            let candidate = (symbol.size() == 0, name.to_owned());
            let entry = functions.entry(symbol.address()).or_insert_with(|| candidate.clone());
            if candidate < *entry {
                *entry = candidate;
            }
        }
        functions.into_iter().map(|(address, (_, name))| Function { address, name }).collect()
    }
}

/// The load of the next task's stack pointer.
fn switch_in(code: &[Instruction]) -> Option<Switch> {
    let load = code.iter().find(|instruction| {
        instruction.mnemonic() == Mnemonic::Mov
            && instruction.op0_kind() == OpKind::Register
            && instruction.op0_register() == Register::RSP
            && instruction.op1_kind() == OpKind::Memory
            && instruction.memory_base() == Register::RSI
    })?;
    Some(Switch { load: load.ip(), offset_bytes: load.memory_displacement64() })
}

/// Returns, and jumps to where the function is not: with return thunks a return is a jump to one.
fn exits_in(code: &[Instruction], inside: &[Range]) -> Vec<u64> {
    let leaves = |instruction: &&Instruction| match instruction.flow_control() {
        FlowControl::Return => true,
        FlowControl::UnconditionalBranch => {
            let target = instruction.near_branch_target();
            !inside.iter().any(|range| range.contains(target))
        }
        _ => false,
    };
    code.iter().filter(leaves).map(Instruction::ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(code: &[u8]) -> Vec<Instruction> {
        Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE).iter().collect()
    }

    #[test]
    fn the_switch_is_the_load_and_not_the_store() {
        // mov [rdi+0x998],rsp ; mov rsp,[rsi+0x998]
        let code = decode(&[0x48, 0x89, 0xa7, 0x98, 0x09, 0, 0, 0x48, 0x8b, 0xa6, 0x98, 0x09, 0, 0]);
        assert_eq!(switch_in(&code), Some(Switch { load: 0x1007, offset_bytes: 0x998 }));
        assert_eq!(switch_in(&code[..1]), None);
    }

    #[test]
    fn a_function_is_left_by_returns_and_jumps_out_of_it() {
        // ret ; jmp 0x1000 (inside) ; jmp 0x2000 (outside) ; je 0x2000 (conditional: to the cold part)
        let code = decode(&[0xc3, 0xeb, 0xfd, 0xe9, 0xf8, 0x0f, 0, 0, 0x0f, 0x84, 0xf2, 0x0f, 0, 0]);
        assert_eq!(exits_in(&code, &[Range { start: 0x1000, end: 0x100e }]), [0x1000, 0x1003]);
    }
}
