//! Functions by address.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::BTreeMap;
use std::ops::Range;

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub address: u64,
    /// Up to the next one where the symbol does not say.
    pub size: u64,
    pub name: String,
}

/// Functions in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions(Vec<Function>);

impl Functions {
    /// Those whose addresses lie in `range` and whose names begin with `prefix`, which is taken away.
    pub fn within(elf: &ElfFile64, range: &Range<u64>, prefix: &str) -> Self {
        let code = |kind| matches!(kind, SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown);
        let mut found: BTreeMap<u64, (bool, String, u64)> = BTreeMap::new();
        for symbol in elf.symbols().filter(|symbol| code(symbol.kind()) && range.contains(&symbol.address())) {
            let section = symbol.section_index().and_then(|index| elf.section_by_index(index).ok());
            let in_text = section.is_some_and(|section| section.kind() == SectionKind::Text);
            let Some(name) = symbol.name().ok().filter(|_| in_text).and_then(|name| name.strip_prefix(prefix)) else {
                continue;
            };
            // Of several at one address the one that knows its size, then the first by name.
            let candidate = (symbol.size() == 0, name.to_owned(), symbol.size());
            let entry = found.entry(symbol.address()).or_insert_with(|| candidate.clone());
            if !name.is_empty() && candidate < *entry {
                *entry = candidate;
            }
        }
        Self::new(found.into_iter().map(|(address, (_, name, size))| Function { address, size, name }).collect())
    }

    /// From a list in the order of addresses.
    fn new(mut list: Vec<Function>) -> Self {
        for at in 0..list.len() {
            let next = list.get(at + 1).map_or(list[at].address + 1, |next| next.address);
            if list[at].size == 0 {
                list[at].size = next - list[at].address;
            }
        }
        Functions(list)
    }

    /// The function that an address lies in.
    pub fn at(&self, address: u64) -> Option<&Function> {
        let next = self.0.partition_point(|function| function.address <= address);
        let function = self.0.get(next.checked_sub(1)?)?;
        (address < function.address + function.size).then_some(function)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_function_around_it() {
        let function = |address, size, name: &str| Function { address, size, name: name.to_owned() };
        let functions = Functions::new(vec![function(16, 0, "a"), function(32, 4, "b"), function(64, 0, "last")]);
        let name = |address| functions.at(address).map(|function| function.name.as_str());
        assert_eq!([15, 16, 31, 32, 35].map(name), [None, Some("a"), Some("a"), Some("b"), Some("b")]);
        assert_eq!([36, 63, 64, 65].map(name), [None, None, Some("last"), None]);
    }
}
