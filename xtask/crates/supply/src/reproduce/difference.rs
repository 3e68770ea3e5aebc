//! Where two files differ, in the words of whoever has to find the cause: member, section, symbol, bytes, text.

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeMap;

/// How many places are told for each pair of byte strings.
const PLACES: usize = 3;
/// How many bytes of each place are shown.
const SHOWN: usize = 16;
/// The shortest text that is worth telling; most come from paths and dates.
const SHORTEST_TEXT: usize = 6;

/// Nothing if the files are the same, else a line per finding.
pub fn between(ours: &[u8], theirs: &[u8]) -> Vec<String> {
    if ours == theirs {
        return Vec::new();
    }
    let parts = match (members(ours), members(theirs)) {
        (Some(ours), Some(theirs)) => in_parts("member", &ours, &theirs, |_, a, b| between(a, b)),
        _ => match (object::File::parse(ours), object::File::parse(theirs)) {
            (Ok(file), Ok(other)) => in_parts("section", &sections(&file), &sections(&other), |name, a, b| {
                in_bytes(a, b, |offset| symbol_at(&file, name, offset))
            }),
            _ => Vec::new(),
        },
    };
    // What lies in no part, such as a header, is found in the whole.
    if parts.is_empty() { in_bytes(ours, theirs, |_| None) } else { parts }
}

/// The members of an archive, by name.
fn members(data: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let archive = ArchiveFile::parse(data).ok()?;
    let members = archive.members().filter_map(|member| {
        let member = member.ok()?;
        Some((String::from_utf8_lossy(member.name()).into_owned(), member.data(data).ok()?))
    });
    Some(members.collect())
}

/// The sections of an object file or program, by name; those of the same name lie one behind the other.
fn sections<'data>(file: &object::File<'data>) -> BTreeMap<String, &'data [u8]> {
    let named = file.sections().filter_map(|section| {
        let name = section.name().ok().filter(|name| !name.is_empty())?;
        Some((name.to_owned(), section.data().ok()?))
    });
    named.collect()
}

/// Compares parts by name; `compare` tells how two of the same name differ.
fn in_parts(
    kind: &str,
    ours: &BTreeMap<String, &[u8]>,
    theirs: &BTreeMap<String, &[u8]>,
    compare: impl Fn(&str, &[u8], &[u8]) -> Vec<String>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, data) in ours {
        match theirs.get(name) {
            None => findings.push(format!("{kind} {name}: only in the first")),
            Some(other) if other == data => {}
            Some(other) => findings.extend(compare(name, data, other).iter().map(|at| format!("{kind} {name}: {at}"))),
        }
    }
    findings.extend(
        theirs.keys().filter(|name| !ours.contains_key(*name)).map(|name| format!("{kind} {name}: only in the second")),
    );
    findings
}

/// The name of what lies at an offset of a section.
fn symbol_at(file: &object::File, section: &str, offset: usize) -> Option<String> {
    let section = file.section_by_name(section)?;
    let address = section.address() + offset as u64;
    let symbols = file.symbols().filter(|symbol| {
        symbol.section_index() == Some(section.index())
            && (symbol.address()..symbol.address() + symbol.size().max(1)).contains(&address)
    });
    let symbol = symbols.max_by_key(ObjectSymbol::address)?;
    Some(format!("{}+{:#x}", symbol.name().ok()?, address - symbol.address()))
}

/// The first places at which two byte strings differ, with the bytes and the text around them.
fn in_bytes(ours: &[u8], theirs: &[u8], name: impl Fn(usize) -> Option<String>) -> Vec<String> {
    let mut findings = Vec::new();
    if ours.len() != theirs.len() {
        findings.push(format!("{} bytes in the first, {} in the second", ours.len(), theirs.len()));
    }
    let common = ours.len().min(theirs.len());
    let differing = (0..common).filter(|&at| ours[at] != theirs[at]).count();
    findings.push(format!("{differing} of {common} bytes differ"));
    let mut next = 0;
    for _ in 0..PLACES {
        let Some(at) = (next..common).find(|&at| ours[at] != theirs[at]) else { break };
        let place = name(at).map_or_else(String::new, |name| format!(" ({name})"));
        findings.push(format!("at {at:#x}{place}: {} | {}", bytes(ours, at), bytes(theirs, at)));
        if let (Some(ours), Some(theirs)) = (text(ours, at), text(theirs, at)) {
            findings.push(format!("  in the text {ours:?} | {theirs:?}"));
        }
        next = at + SHOWN;
    }
    findings
}

/// Bytes in hexadecimal.
fn bytes(data: &[u8], at: usize) -> String {
    let shown = &data[at..data.len().min(at + SHOWN)];
    shown.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The printable text around a byte, if it is long enough to be one.
fn text(data: &[u8], at: usize) -> Option<&str> {
    let printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let start = data[..at].iter().rposition(|byte| !printable(byte)).map_or(0, |last| last + 1);
    let end = at + data[at..].iter().position(|byte| !printable(byte)).unwrap_or(data.len() - at);
    let text = str::from_utf8(&data[start..end]).ok()?;
    (text.len() >= SHORTEST_TEXT).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_differ_nowhere() {
        assert!(between(b"abc", b"abc").is_empty());
    }

    #[test]
    fn a_path_is_told_as_text() {
        let (ours, theirs) = (b"\0\0built in /first/place\0", b"\0\0built in /other/place\0");
        insta::assert_snapshot!(between(ours, theirs).join("\n"));
    }

    #[test]
    fn another_length_is_told_with_both() {
        assert_eq!(between(b"abc", b"abcd")[0], "3 bytes in the first, 4 in the second");
    }

    #[test]
    fn a_section_of_an_object_is_told_with_its_symbol() {
        use object::write::{Object as Written, Symbol, SymbolSection};
        let build = |last: u8| {
            let mut file =
                Written::new(object::BinaryFormat::Elf, object::Architecture::X86_64, object::Endianness::Little);
            let data = file.section_id(object::write::StandardSection::Data);
            let symbol = file.add_symbol(Symbol {
                name: b"table".to_vec(),
                value: 0,
                size: 0,
                kind: object::SymbolKind::Data,
                scope: object::SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Undefined,
                flags: object::SymbolFlags::None,
            });
            file.add_symbol_data(symbol, data, &[1, 2, 3, last], 1);
            file.write().unwrap()
        };
        insta::assert_snapshot!(between(&build(4), &build(5)).join("\n"));
    }
}
