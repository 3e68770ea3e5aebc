//! Relocations must be those of the kernel code model: the kernel's link knows no others, and some would be wrong silently.

use super::code::{is_text, place};
use super::finding::{Finding, Kind};
use anyhow::Result;
use object::elf;
use object::read::elf::{ElfFile64, ElfSection64};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionKind};

/// Checks the relocations of every section that will be in memory.
pub(super) fn check(file: &ElfFile64) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for section in file.sections().filter(|section| loaded(section.kind())) {
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            let symbol = match relocation.target() {
                RelocationTarget::Symbol(index) => Some(file.symbol_by_index(index)?),
                _ => None,
            };
            let Some((kind, problem)) = problem(r_type) else { continue };
            let name = symbol.as_ref().and_then(|symbol| symbol.name().ok()).unwrap_or_default();
            let name = if name.is_empty() { "a local symbol" } else { name };
            // What refers to it is code of the object: the linker relaxes this form when the symbol is its own.
            let relaxed = || relaxable(r_type) || (r_type == elf::R_X86_64_GOTPCREL && is_load(&section, offset));
            if relaxed() && symbol.as_ref().is_some_and(|symbol| !symbol.is_undefined()) && is_text(&section) {
                continue;
            }
            let what = format!("relocation {} against `{name}` {problem}", type_name(r_type));
            findings.push(Finding { kind, place: place(file, &section, offset), what });
        }
    }
    for symbol in file.symbols() {
        let object::SymbolFlags::Elf { st_info, .. } = symbol.flags() else { continue };
        if st_info & 0xf == elf::STT_GNU_IFUNC {
            let what = "its address is chosen by a function at load time (ifunc)".to_owned();
            findings.push(Finding { kind: Kind::IndirectFunction, place: symbol.name()?.to_owned().into(), what });
        }
    }
    Ok(findings)
}

fn loaded(kind: SectionKind) -> bool {
    !matches!(kind, SectionKind::Debug | SectionKind::DebugString | SectionKind::Other | SectionKind::Metadata)
}

/// What is wrong with a relocation type, if anything.
fn problem(r_type: u32) -> Option<(Kind, &'static str)> {
    match r_type {
        // Kernel code model: PC-relative, sign-extended absolute, 64-bit absolute; local-exec thread-local offsets.
        elf::R_X86_64_NONE
        | elf::R_X86_64_PC32
        | elf::R_X86_64_PLT32
        | elf::R_X86_64_32S
        | elf::R_X86_64_64
        | elf::R_X86_64_PC64
        | elf::R_X86_64_TPOFF32
        | elf::R_X86_64_TPOFF64 => None,
        elf::R_X86_64_32 | elf::R_X86_64_16 | elf::R_X86_64_8 => {
            Some((Kind::CodeModel, "zero-extends an address, but text is in the upper half"))
        }
        elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX | elf::R_X86_64_GOT32 => {
            Some((Kind::CodeModel, "needs a global offset table (position-independent code)"))
        }
        elf::R_X86_64_TLSGD
        | elf::R_X86_64_TLSLD
        | elf::R_X86_64_DTPOFF32
        | elf::R_X86_64_DTPOFF64
        | elf::R_X86_64_DTPMOD64
        | elf::R_X86_64_GOTTPOFF
        | elf::R_X86_64_GOTPC32_TLSDESC
        | elf::R_X86_64_TLSDESC_CALL => Some((Kind::ThreadLocal, "is not of the local-exec model")),
        elf::R_X86_64_IRELATIVE => Some((Kind::IndirectFunction, "is resolved at load time")),
        _ => Some((Kind::CodeModel, "is not one of the kernel code model")),
    }
}

/// Whether the linker replaces the table access by a direct one when it can (x86-64 psABI, "Optimize GOTPCRELX").
fn relaxable(r_type: u32) -> bool {
    matches!(r_type, elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX)
}

/// Whether the reference belongs to `mov symbol(%rip), %register`. The linker has made `lea` of that one long before compilers
/// marked the others; prebuilt code, such as the unwinder of Rust, has no other.
fn is_load(section: &ElfSection64<Endianness>, offset: u64) -> bool {
    /// `MOV r64, r/m64` (Intel SDM volume 2, MOV), which a ModRM byte separates from the address.
    const MOV: u8 = 0x8b;
    let opcode = offset.checked_sub(2).and_then(|at| usize::try_from(at).ok());
    opcode.is_some_and(|at| section.data().is_ok_and(|code| code.get(at) == Some(&MOV)))
}

fn type_name(r_type: u32) -> String {
    let name = match r_type {
        elf::R_X86_64_32 => "R_X86_64_32",
        elf::R_X86_64_GOTPCREL => "R_X86_64_GOTPCREL",
        elf::R_X86_64_GOTPCRELX => "R_X86_64_GOTPCRELX",
        elf::R_X86_64_REX_GOTPCRELX => "R_X86_64_REX_GOTPCRELX",
        elf::R_X86_64_TLSGD => "R_X86_64_TLSGD",
        elf::R_X86_64_TLSLD => "R_X86_64_TLSLD",
        elf::R_X86_64_GOTTPOFF => "R_X86_64_GOTTPOFF",
        elf::R_X86_64_IRELATIVE => "R_X86_64_IRELATIVE",
        other => return format!("type {other}"),
    };
    name.to_owned()
}
