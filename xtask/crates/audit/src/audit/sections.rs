//! Section flags and sizes.

use super::finding::{Finding, Kind, Place};
use anyhow::Result;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags};

/// Data and bss start at 4 MiB. Code reaches 2 GiB ahead with RIP-relative addresses, modulo 2^64, and where data is large the
/// image puts its text far enough behind the kernel's start (`image/room.rs` of `ukl-app`). That takes as much of the kernel's
/// memory as it adds to the reach, so it has a limit.
pub(super) const REACH_BYTES: u64 = 24 << 20;

/// Checks every section.
pub(super) fn check(file: &ElfFile64) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    // What ukl-ld has linked; what a compiler makes has other names still.
    let linked = file.section_by_name(".ukl.text").is_some();
    let mut data_bytes = 0;
    let mut largest = (0, String::new(), None);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let name = section.name()?.to_owned();
        let has = |flag: u32| sh_flags & u64::from(flag) != 0;
        if has(SHF_WRITE) && has(SHF_EXECINSTR) {
            let what = "section is writable and executable".to_owned();
            findings.push(Finding { kind: Kind::WritableText, place: name.clone().into(), what });
        }
        if linked && has(SHF_ALLOC) && section.size() > 0 && !name.starts_with(".ukl.") {
            let what = "section would become the kernel's, not the application's".to_owned();
            findings.push(Finding { kind: Kind::StraySection, place: name.clone().into(), what });
        }
        if name.starts_with(".gnu.lto_") && section.size() > 0 {
            let what = "section holds the compiler's intermediate code".to_owned();
            findings.push(Finding { kind: Kind::NotMachineCode, place: name.clone().into(), what });
        }
        if has(SHF_ALLOC) && !has(SHF_EXECINSTR) && !has(SHF_TLS) {
            data_bytes += section.size();
            if section.size() > largest.0 {
                largest = (section.size(), name, Some(section.index()));
            }
        }
    }
    if data_bytes > REACH_BYTES {
        let variables = file.symbols().filter(|symbol| symbol.section_index() == largest.2);
        let variable = variables.max_by_key(ObjectSymbol::size).filter(|symbol| symbol.size() > 0);
        let (place, size) = match &variable {
            Some(symbol) => (
                Place {
                    name: format!("`{}` ({})", symbol.name()?, largest.1),
                    at: Some((largest.1, symbol.address())),
                    object: None,
                },
                format!(", {} of them here", symbol.size()),
            ),
            None => (largest.1.into(), String::new()),
        };
        let what = format!("{data_bytes} bytes of data and bss{size}; code reaches {REACH_BYTES}");
        findings.push(Finding { kind: Kind::Reach, place, what });
    }
    Ok(findings)
}
