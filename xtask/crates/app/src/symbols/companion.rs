//! The application in an image as a file of its own for a debugger: code, symbols and frames at the addresses of the image.

use super::{Program, frames};
use anyhow::Result;
use object::elf;
use object::write::elf::{FileHeader, SectionHeader, Sym, Writer};
use object::{Endianness, write};

/// The sections that have addresses, in the order of the file.
const PLACES: [&str; 2] = [".text", ".eh_frame"];

/// A section: name, address, data, flags, alignment.
type Content<'name, 'data> = (&'name [u8], u64, &'data [u8], u64, usize);

/// The file. Functions have the names that they have in the source.
pub fn companion(program: &Program) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let debug_frame = frames::debug_frame(program)?;
    write_into(program, &debug_frame, &mut Writer::new(Endianness::Little, true, &mut out))?;
    Ok(out)
}

fn write_into<'a>(program: &'a Program, debug_frame: &'a [u8], file: &mut Writer<'a>) -> write::Result<()> {
    let (frames_at, frames) = &program.eh_frame;
    let contents: [Content; 3] = [
        (PLACES[0].as_bytes(), program.text.start, &program.code, u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR), 4096),
        (PLACES[1].as_bytes(), *frames_at, frames, u64::from(elf::SHF_ALLOC), 8),
        (b".debug_frame", 0, debug_frame, 0, 8),
    ];
    file.reserve_file_header();
    file.reserve_null_section_index();
    let sections = contents.map(|(name, address, data, flags, align)| {
        let index = file.reserve_section_index();
        (file.add_section_name(name), file.reserve(data.len(), align), index, address, data, flags, align)
    });
    file.reserve_symtab_section_index();
    file.reserve_strtab_section_index();
    file.reserve_shstrtab_section_index();
    file.reserve_null_symbol_index();
    let mut symbols = Vec::new();
    for function in program.functions.iter() {
        let name = file.add_string(function.name.as_bytes());
        file.reserve_symbol_index(Some(sections[0].2));
        symbols.push((name, function));
    }
    file.reserve_symtab();
    file.reserve_strtab();
    file.reserve_shstrtab();
    file.reserve_section_headers();

    file.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_X86_64,
        e_entry: 0,
        e_flags: 0,
    })?;
    for (_, _, _, _, data, _, align) in &sections {
        file.write_align(*align);
        file.write(data);
    }
    file.write_null_symbol();
    for (name, function) in symbols {
        file.write_symbol(&Sym {
            name: Some(name),
            section: Some(sections[0].2),
            st_info: (elf::STB_GLOBAL << 4) | elf::STT_FUNC,
            st_other: 0,
            st_shndx: 0,
            st_value: function.address,
            st_size: function.size,
        });
    }
    file.write_strtab();
    file.write_shstrtab();
    file.write_null_section_header();
    for (name, offset, _, address, data, flags, align) in sections {
        file.write_section_header(&SectionHeader {
            name: Some(name),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: flags,
            sh_addr: address,
            sh_offset: offset as u64,
            sh_size: data.len() as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: align as u64,
            sh_entsize: 0,
        });
    }
    file.write_symtab_section_header(1);
    file.write_strtab_section_header();
    file.write_shstrtab_section_header();
    Ok(())
}
