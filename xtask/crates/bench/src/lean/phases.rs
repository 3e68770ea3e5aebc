//! Where the instructions of a boot go, from the console of a machine that counts them.

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::path::Path;

/// What is worth a line: initialisation functions with fewer instructions are not shown.
const MIN_INSTRUCTIONS: u64 = 100_000;

/// The instructions of a boot up to the first process, and of the dearest initialisation functions. The console's own, some
/// thousand a line, are among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phases {
    /// Up to the first initialisation function, and up to the first process.
    pub marks: Vec<(&'static str, u64)>,
    /// Name and instructions, the dearest first.
    pub functions: Vec<(String, u64)>,
}

impl Phases {
    /// From what the console printed, with names for addresses.
    pub(super) fn new(console: &str, symbols: &BTreeMap<u64, String>) -> Self {
        let times: Vec<(u64, &str)> = console.lines().filter_map(timed).collect();
        let first = |words: &str| times.iter().find(|(_, text)| text.starts_with(words)).map(|(time, _)| *time);
        let known = [("up to the first initcall", first("calling ")), ("up to the first process", first("Run /init"))];
        let mut functions: Vec<_> = times.iter().filter_map(|(_, text)| initcall(text, symbols)).collect();
        functions.sort_by_key(|(_, instructions)| std::cmp::Reverse(*instructions));
        functions.retain(|(_, instructions)| *instructions >= MIN_INSTRUCTIONS);
        let marks = known.into_iter().filter_map(|(name, time)| Some((name, time?))).collect();
        Phases { marks, functions }
    }

    /// A table in millions of instructions.
    pub(super) fn table(&self) -> String {
        let millions = |instructions: u64| instructions as f64 / 1e6;
        let mut text = String::new();
        for (name, instructions) in &self.marks {
            text += &format!("{:8.1}  {name}\n", millions(*instructions));
        }
        for (name, instructions) in &self.functions {
            text += &format!("{:8.1}    {name}\n", millions(*instructions));
        }
        text
    }
}

/// The functions of an image by address.
pub(super) fn symbols(vmlinux: &Path) -> Result<BTreeMap<u64, String>> {
    let bytes = std::fs::read(vmlinux).with_context(|| format!("reading {}", vmlinux.display()))?;
    let file = object::File::parse(bytes.as_slice()).with_context(|| format!("reading {}", vmlinux.display()))?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    Ok(functions.filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?.to_owned()))).collect())
}

/// A line `[    0.123456] text`: instructions, for each is a nanosecond, and the text.
fn timed(line: &str) -> Option<(u64, &str)> {
    let (time, text) = line.strip_prefix('[')?.split_once("] ")?;
    let (seconds, micros) = time.trim().split_once('.')?;
    Some(((seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?) * 1_000, text))
}

/// A line `initcall NAME+0x0/0x10 returned 0 after 12 usecs`, with an address in place of the name in a kernel that has no
/// names.
fn initcall(text: &str, symbols: &BTreeMap<u64, String>) -> Option<(String, u64)> {
    let (name, rest) = text.strip_prefix("initcall ")?.split_once(" returned ")?;
    let micros = rest.split_once(" after ")?.1.strip_suffix(" usecs")?;
    let address = name.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let known = address.and_then(|address| symbols.get(&address)).map(String::as_str);
    let name = known.unwrap_or(name).split('+').next().unwrap_or_default();
    Some((name.to_owned(), micros.parse::<u64>().ok()? * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_and_the_dearest_comes_first() {
        let console = "[    0.000000] Linux version 6.12\n\
                       [    0.012000] calling  0xffffffff82000010 @ 1\n\
                       [    0.013000] initcall 0xffffffff82000010 returned 0 after 900 usecs\n\
                       [    0.020000] initcall slow+0x0/0x20 returned 0 after 4000 usecs\n\
                       [    1.500000] Run /init as init process\nUKL-EXIT status=0\n";
        let symbols = BTreeMap::from([(0xffff_ffff_8200_0010, "quick".to_owned())]);
        insta::assert_snapshot!(Phases::new(console, &symbols).table(), @r"
            12.0  up to the first initcall
          1500.0  up to the first process
             4.0    slow
             0.9    quick
        ");
    }
}
