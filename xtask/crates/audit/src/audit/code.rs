//! What the instructions say, by decoding every function.

use super::finding::{Finding, Kind, Place};
use anyhow::Result;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
};
use object::read::elf::{ElfFile64, ElfSection64};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};

type Section<'data, 'file> = ElfSection64<'data, 'file, Endianness>;

/// Whether a section is code.
pub(super) fn is_text(section: &Section) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags } if sh_flags & u64::from(object::elf::SHF_EXECINSTR) != 0)
}

/// `function+0x12`, or `.section+0x12` where no function is.
pub(super) fn place(file: &ElfFile64, section: &Section, offset: u64) -> Place {
    let section_name = section.name().unwrap_or("?");
    let holder = file
        .symbols()
        .filter(|symbol| symbol.section_index() == Some(section.index()) && symbol.kind() != SymbolKind::Section)
        .filter(|symbol| symbol.address() <= offset && symbol.name().is_ok_and(|name| !name.is_empty()))
        .filter(|symbol| symbol.size() == 0 || offset < symbol.address() + symbol.size())
        .max_by_key(|symbol| (symbol.address(), symbol.size()));
    let name = match holder {
        Some(symbol) => format!("{}+{:#x}", symbol.name().unwrap_or_default(), offset - symbol.address()),
        None => format!("{section_name}+{offset:#x}"),
    };
    Place { name, at: Some((section_name.to_owned(), offset)), object: None }
}

/// Decodes every code section, function by function; a function starts at each symbol.
pub(super) fn check(file: &ElfFile64) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for section in file.sections().filter(is_text) {
        let data = section.data()?;
        let mut starts: Vec<u64> = file
            .symbols()
            .filter(|symbol| symbol.section_index() == Some(section.index()) && symbol.kind() == SymbolKind::Text)
            .map(|symbol| symbol.address())
            .chain([0, data.len() as u64])
            .collect();
        starts.sort_unstable();
        starts.dedup();
        for bounds in starts.windows(2) {
            let (Ok(start), Ok(end)) = (usize::try_from(bounds[0]), usize::try_from(bounds[1])) else { continue };
            if let Some(code) = data.get(start..end) {
                let found = function(code, bounds[0]);
                findings.extend(found.into_iter().map(|(kind, offset, what)| Finding {
                    kind,
                    place: place(file, &section, offset),
                    what,
                }));
            }
        }
    }
    Ok(findings)
}

/// Kind, offset in the section, and what was found.
type Found = (Kind, u64, String);

/// Checks one function's code, which starts at `start` in its section.
fn function(code: &[u8], start: u64) -> Vec<Found> {
    let mut found = Vec::new();
    let mut info = InstructionInfoFactory::new();
    let mut below_stack = None;
    let mut first_call = None;
    let mut pushes_or_moves_stack = false;
    let mut unknown = None;
    for instruction in Decoder::with_ip(64, code, start, DecoderOptions::NONE).iter() {
        let offset = instruction.ip();
        if instruction.is_invalid() {
            unknown.get_or_insert(offset);
            continue;
        }
        if let Some((kind, what)) = forbidden(&instruction) {
            found.push((kind, offset, what));
        }
        if uses_gs(&instruction) {
            found.push((
                Kind::ThreadLocal,
                offset,
                "access through %gs, which is the kernel's per-CPU base".to_owned(),
            ));
        }
        if instruction.flow_control() == FlowControl::Call {
            first_call.get_or_insert(offset);
        }
        pushes_or_moves_stack |= moves_stack(&instruction, &mut info);
        if uses_red_zone(&instruction, &mut info) {
            below_stack.get_or_insert(offset);
        }
    }
    // Compilers use the red zone in leaf functions only. A call in one comes from inline assembly that the compiler knows
    // nothing of. Where rsp has been moved, what lies below it at another place is no evidence.
    if let (Some(offset), Some(_), false) = (below_stack, first_call, pushes_or_moves_stack) {
        found.push((Kind::RedZone, offset, "memory below rsp is used in a function that makes calls".to_owned()));
    }
    if let Some(offset) = unknown {
        found.push((Kind::UnknownInstruction, offset, "these bytes are no x86-64 instruction".to_owned()));
    }
    found
}

/// Instructions that must not be in an application's text.
fn forbidden(instruction: &Instruction) -> Option<(Kind, String)> {
    let kind = match instruction.mnemonic() {
        Mnemonic::Syscall | Mnemonic::Sysenter => Kind::SyscallInstruction,
        Mnemonic::Int if instruction.immediate8() == 0x80 => Kind::SyscallInstruction,
        Mnemonic::Int => Kind::PrivilegedInstruction,
        Mnemonic::Sysret | Mnemonic::Sysretq | Mnemonic::Sysexit | Mnemonic::Sysexitq => Kind::PrivilegedInstruction,
        // In ring 0 an application could stop all interrupts with these; IOPL and TSS no longer protect.
        Mnemonic::Cli | Mnemonic::Sti | Mnemonic::Clac | Mnemonic::Stac => Kind::PrivilegedInstruction,
        Mnemonic::In | Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => Kind::PrivilegedInstruction,
        Mnemonic::Out | Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => Kind::PrivilegedInstruction,
        Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq | Mnemonic::Swapgs => Kind::PrivilegedInstruction,
        // Mov to a segment register: a new %gs base or stack segment is the kernel's undoing.
        Mnemonic::Mov if instruction.op0_register().is_segment_register() => Kind::PrivilegedInstruction,
        Mnemonic::Wrgsbase => Kind::PrivilegedInstruction,
        _ if instruction.is_privileged() => Kind::PrivilegedInstruction,
        _ => return None,
    };
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let vector = if instruction.mnemonic() == Mnemonic::Int {
        format!(" {:#x}", instruction.immediate8())
    } else {
        String::new()
    };
    let what = match kind {
        Kind::SyscallInstruction => format!("instruction `{name}{vector}` enters the kernel as from a process"),
        _ => format!("privileged instruction `{name}{vector}`"),
    };
    Some((kind, what))
}

/// %gs prefix on a memory operand.
fn uses_gs(instruction: &Instruction) -> bool {
    let memory = (0..instruction.op_count()).any(|index| instruction.op_kind(index) == iced_x86::OpKind::Memory);
    memory && instruction.segment_prefix() == Register::GS
}

/// Whether rsp is changed by something other than a call or a return.
fn moves_stack(instruction: &Instruction, info: &mut InstructionInfoFactory) -> bool {
    if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall | FlowControl::Return) {
        return false;
    }
    info.info(instruction).used_registers().iter().any(|used| {
        used.register() == Register::RSP
            && matches!(used.access(), OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite)
    })
}

/// Whether memory at a negative offset from rsp is read or written; computing an address is not using it.
fn uses_red_zone(instruction: &Instruction, info: &mut InstructionInfoFactory) -> bool {
    let base = instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None;
    let below = (instruction.memory_displacement64() as i64) < 0;
    base && below
        && info
            .info(instruction)
            .used_memory()
            .iter()
            .any(|used| used.base() == Register::RSP && used.access() != OpAccess::NoMemAccess)
}
