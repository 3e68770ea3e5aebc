//! Undefined symbols must be ones the kernel offers to applications.

use super::finding::{Finding, Kind, Place};
use anyhow::Result;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use std::collections::BTreeMap;

/// Symbols that the level link itself resolves, in an application's object before that link.
const BOUND_BY_LINK: &[&str] = &[
    "__ukl_sys_*",
    "__ukl_syscall",
    "__ukl_syscall_end",
    "__ukl_call_begin",
    "__ukl_call_end",
    "__ukl_call_return",
    "__ukl_call_names",
    "__ukl_call_names_end",
    "__ukl_descriptor",
];

/// Defined by every linker; assemblers mention it beside a table access, which is judged as a relocation.
const OF_THE_LINKER: &str = "_GLOBAL_OFFSET_TABLE_";

/// Undefined symbols that are not in the list, each with the first place that refers to it.
pub(super) fn check(file: &ElfFile64, exports: &str) -> Result<Vec<Finding>> {
    let offered: Vec<&str> =
        exports.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let users = first_users(file);
    let mut findings = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.is_undefined() && !symbol.is_weak()) {
        let name = symbol.name()?;
        if name.is_empty()
            || name == OF_THE_LINKER
            || offered.iter().chain(BOUND_BY_LINK).any(|pattern| matches(pattern, name))
        {
            continue;
        }
        let place = users.get(&symbol.index().0).cloned().unwrap_or_else(|| "symbol table".to_owned().into());
        findings.push(Finding { kind: Kind::UndefinedSymbol, place, what: format!("undefined symbol `{name}`") });
    }
    Ok(findings)
}

/// `*` at the end of a pattern stands for a decimal number.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == name,
        Some(prefix) => name
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit())),
    }
}

/// The first reference to each symbol, by symbol index.
fn first_users(file: &ElfFile64) -> BTreeMap<usize, Place> {
    let mut users = BTreeMap::new();
    for section in file.sections() {
        for (offset, relocation) in section.relocations() {
            if let RelocationTarget::Symbol(index) = relocation.target() {
                users.entry(index.0).or_insert_with(|| super::code::place(file, &section, offset));
            }
        }
    }
    users
}
