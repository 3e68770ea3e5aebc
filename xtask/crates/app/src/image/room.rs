//! Room between the kernel's text and that of applications with much data.
//!
//! An application's data lies from 4 MiB up, and its text reaches it with RIP-relative addresses: 2 GiB ahead, modulo 2^64. So
//! the further behind the start of the kernel its text lies, the more data it may have. What little data does not need, large
//! data gets: text in front of theirs that nobody executes.

use anyhow::{Context, Result};
use fs_err as fs;
use object::elf::{FileHeader64, SHF_ALLOC};
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSection, SectionFlags};
use std::path::{Path, PathBuf};
use ukl_host::process;
use xshell::{Shell, cmd};

/// `UKL_DATA_START` of arch/x86/include/asm/ukl.h.
const DATA_START: u64 = 4 << 20;
/// How far the kernel lies behind the address whose reach ends at 0: 0xffffffff81000000 less 0xffffffff80000000. KASLR moves
/// it further.
const KERNEL_START: u64 = 16 << 20;
/// The least text that a kernel has in front of an application's; the lean one has a little more.
const KERNEL_TEXT: u64 = 3 << 20;
/// For what the link aligns and adds, such as the TLS image.
const SPARE: u64 = 64 << 10;
/// What an application's text begins at a multiple of.
const PAGE: u64 = 4096;
/// What is executed of it is a breakpoint: whoever jumps there gets a SIGTRAP.
const FILL: u8 = 0xcc;

/// How many bytes of text have to lie in front of an application's.
pub(super) fn of_one(object: &Path) -> Result<u64> {
    Ok(room(size(object)?))
}

/// How many more have to lie in front of the first object's, which has what it needs itself, for all that are linked into one
/// image.
pub(super) fn of_all(objects: &[PathBuf]) -> Result<u64> {
    let sizes = objects.iter().map(|object| size(object)).collect::<Result<Vec<_>>>()?;
    Ok(room(sizes.iter().sum()) - sizes.first().map_or(0, |size| room(*size)))
}

/// The object of so much room.
pub(super) fn build(sh: &Shell, bytes: u64, object: &Path) -> Result<()> {
    let source = object.with_extension("s");
    fs::write(&source, assembly(bytes))?;
    process::run(cmd!(sh, "gcc -c {source} -o {object}"))
}

fn size(object: &Path) -> Result<u64> {
    data_bytes(&fs::read(object)?).with_context(|| format!("reading {} as an object", object.display()))
}

fn assembly(bytes: u64) -> String {
    format!(
        "\t.section .note.GNU-stack, \"\", @progbits\n\t.section .ukl.text, \"ax\", @progbits\n\t.fill {bytes}, 1, {FILL:#x}\n"
    )
}

/// So that data of this size is reached from its end on.
fn room(data_bytes: u64) -> u64 {
    let end = DATA_START + data_bytes + SPARE;
    end.saturating_sub(KERNEL_START + KERNEL_TEXT).next_multiple_of(PAGE)
}

/// What the object has at user addresses.
fn data_bytes(object: &[u8]) -> Result<u64> {
    let file = ElfFile::<FileHeader64<Endianness>>::parse(object)?;
    let mut bytes = 0;
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let ours = section.name()?.starts_with(".ukl.") && ![".ukl.text", ".ukl.app"].contains(&section.name()?);
        if ours && sh_flags & u64::from(SHF_ALLOC) != 0 {
            bytes += section.size().next_multiple_of(section.align().max(1));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_data_needs_no_room_and_much_gets_enough() {
        const MIB: u64 = 1 << 20;
        assert_eq!(room(0), 0);
        assert_eq!(room(14 * MIB), 0);
        for data in [15 * MIB, 20 * MIB + 5, 24 * MIB] {
            let text = KERNEL_START + KERNEL_TEXT + room(data);
            assert!(DATA_START + data <= text, "{data} bytes of data end behind the reach of text at {text:#x}");
            assert_eq!(room(data) % PAGE, 0);
        }
    }

    #[test]
    fn the_room_is_text_that_traps() {
        insta::assert_snapshot!(assembly(4096), @r#"
        	.section .note.GNU-stack, "", @progbits
        	.section .ukl.text, "ax", @progbits
        	.fill 4096, 1, 0xcc
        "#);
    }
}
