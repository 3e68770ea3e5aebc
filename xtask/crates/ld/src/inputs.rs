//! Which object each piece of an application's object came from, so that the audit can name it.
//!
//! In the program as the section `.ukl.inputs`: a line per piece, `SECTION OFFSET SIZE OBJECT`, numbers in hexadecimal.

use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use regex_lite::Regex;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;

/// The section's name.
pub(crate) const SECTION: &str = ".ukl.inputs";

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    section: String,
    start: u64,
    size: u64,
    object: String,
}

/// All pieces.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Vec<Piece>);

impl Inputs {
    /// Reads a map file of `ld -r -Map`. A line is `NAME ADDRESS SIZE OBJECT`, indented for an input; a long name has a line
    /// of its own.
    pub fn of_map(map: &str) -> Self {
        static INPUT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^ +(?:\S+ +)?(0x[0-9a-f]+) +(0x[0-9a-f]+) (.+)$").expect("valid"));
        let mut pieces = Vec::new();
        let mut section = "";
        for line in map.lines().skip_while(|line| !line.starts_with("Linker script and memory map")) {
            if !line.starts_with(' ') {
                section = line.split_whitespace().next().unwrap_or_default();
            } else if let Some(found) = INPUT.captures(line).filter(|_| section.starts_with(".ukl.")) {
                let (Some(start), Some(size)) = (hexadecimal(&found[1]), hexadecimal(&found[2])) else { continue };
                if size > 0 {
                    pieces.push(Piece { section: section.to_owned(), start, size, object: shown(found[3].trim()) });
                }
            }
        }
        Inputs(pieces)
    }

    /// What a program says about itself; nothing when it has no such section.
    pub fn of_program(program: &Path) -> Result<Self> {
        let data = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
        let file = object::File::parse(&*data).with_context(|| format!("reading {}", program.display()))?;
        let Some(section) = file.section_by_name(SECTION) else { return Ok(Inputs::default()) };
        Ok(Inputs::of_text(&String::from_utf8_lossy(section.data()?)))
    }

    /// Reads what [`Self::text`] wrote.
    pub fn of_text(text: &str) -> Self {
        let piece = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let section = words.next()?.to_owned();
            let (start, size) = (hexadecimal(words.next()?)?, hexadecimal(words.next()?)?);
            Some(Piece { section, start, size, object: words.next()?.to_owned() })
        };
        Inputs(text.lines().filter_map(piece).collect())
    }

    /// The section's content.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Piece { section, start, size, object } in &self.0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{section} {start:#x} {size:#x} {object}");
        }
        text
    }

    /// The object that a place in a section came from.
    pub fn object(&self, section: &str, offset: u64) -> Option<&str> {
        let holds = |piece: &&Piece| {
            piece.section == section && offset.checked_sub(piece.start).is_some_and(|at| at < piece.size)
        };
        self.0.iter().find(holds).map(|piece| piece.object.as_str())
    }
}

fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// The object's name as it is told: not where the toolchain lies, and not a name that gcc made up for one link.
fn shown(object: &str) -> String {
    let path = Path::new(object);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let made_up =
        path.parent() == Some(&std::env::temp_dir()) && name.starts_with("cc") && name.len() == "ccXXXXXX.o".len();
    match (made_up, path.is_absolute()) {
        (true, _) => "a source on the command line".to_owned(),
        (false, true) => name,
        (false, false) => object.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
Discarded input sections

 .comment       0x0000000000000000       0x1f main.o

Linker script and memory map

LOAD main.o

.ukl.text       0x0000000000000000     0x1976
 *(.text .text.*)
 .text          0x0000000000000000       0x17 src/main.o
                0x0000000000000000                main
 .text          0x0000000000000017        0x0 /t/ukl/lib/libc.a(puts.o)
 *fill*         0x0000000000000017        0x9 
 .text.__lockfile
                0x0000000000000020       0xd2 /t/ukl/lib/libc.a(__lockfile.o)
                0x0000000000000020                __lockfile

.ukl.bss        0x0000000000000000   0x100020
 .bss           0x0000000000000000   0x100000 my folder/big.o
 COMMON         0x0000000000100000       0x20 src/main.o
";

    #[test]
    fn a_map_tells_where_the_pieces_came_from() {
        let inputs = Inputs::of_map(MAP);
        insta::assert_snapshot!(inputs.text(), @r"
        .ukl.text 0x0 0x17 src/main.o
        .ukl.text 0x20 0xd2 libc.a(__lockfile.o)
        .ukl.bss 0x0 0x100000 my folder/big.o
        .ukl.bss 0x100000 0x20 src/main.o
        ");
        assert_eq!(Inputs::of_text(&inputs.text()).0, inputs.0);
        assert_eq!(inputs.object(".ukl.text", 0x16), Some("src/main.o"));
        assert_eq!(inputs.object(".ukl.text", 0x17), None);
    }
}
