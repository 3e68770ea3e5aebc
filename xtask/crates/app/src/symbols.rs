//! Names and frames of the code in an image: what a profile and a debugger need to see application and kernel in one stack.

mod companion;
mod depth;
mod entries;
mod file;
mod frames;
mod functions;
mod table;

pub use companion::companion;
pub use file::{file, gdb_command, with_tools};
pub use functions::Functions;
pub use table::{End, Frames, RIP, RSP, Registers};

use anyhow::{Context, Result};
use entries::Entry;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol};
use std::ops::Range;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_repo::config::{App, KernelFlavour};

/// The code of an application as it runs: linked into a kernel, or as a process.
#[derive(Debug)]
pub struct Program {
    /// Where its code lies, as linked.
    pub text: Range<u64>,
    pub code: Vec<u8>,
    pub functions: Functions,
    pub frames: Frames,
    /// The compiler's table of frames and its address, for who reads it again.
    pub eh_frame: (u64, Vec<u8>),
    /// The kernel's entries that it calls.
    entries: Vec<Entry>,
}

impl Program {
    /// The code of `app` in an image of a level.
    pub fn new(app: &App, flavour: KernelFlavour, vmlinux: &Path, executable: &Path) -> Result<Self> {
        match flavour {
            KernelFlavour::Vanilla => Self::process(executable),
            KernelFlavour::Ukl => Self::linked_in(app, vmlinux),
        }
    }

    /// An ordinary static program.
    fn process(executable: &Path) -> Result<Self> {
        let bytes = fs_err::read(executable)?;
        let elf = parse(executable, &bytes)?;
        let section = |name: &str| {
            let section =
                elf.section_by_name(name).with_context(|| format!("{} has no {name}", executable.display()))?;
            Ok::<_, anyhow::Error>((section.address(), section.uncompressed_data()?.into_owned()))
        };
        let ((start, code), eh_frame) = (section(".text")?, section(".eh_frame")?);
        let text = start..start + code.len() as u64;
        let functions = Functions::within(&elf, &text, "");
        Self::with_frames(text, code, functions, eh_frame)
    }

    /// The application's part of a kernel's text. Its symbols begin with its name, its frames lie in its read-only data.
    fn linked_in(app: &App, vmlinux: &Path) -> Result<Self> {
        let bytes = fs_err::read(vmlinux)?;
        let elf = parse(vmlinux, &bytes)?;
        let address = |name: &str| {
            let found = elf.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
            found.ok_or_else(|| {
                Failure::new(
                    format!("{} has no symbol `{name}`", vmlinux.display()),
                    format!("`cargo xtask build {}` links the application into a kernel", app.name),
                )
            })
        };
        let text = address("__ukl_text_start")?..address("__ukl_text_end")?;
        let frames = address(&format!("{}.__ukl_eh_frame", app.name))?..address("__ukl_rodata_end")?;
        let read = |range: &Range<u64>| {
            let data =
                elf.sections().find_map(|section| section.data_range(range.start, range.end - range.start).ok()?);
            data.map(<[u8]>::to_vec).with_context(|| format!("{} has no data at {range:#x?}", vmlinux.display()))
        };
        let functions = Functions::within(&elf, &text, &format!("{}.", app.name));
        let entries = entries::entries(&elf, &Functions::within(&elf, &(0..u64::MAX), ""));
        let program = Self::with_frames(text.clone(), read(&text)?, functions, (frames.start, read(&frames)?))?;
        Ok(Program { entries, ..program })
    }

    fn with_frames(
        text: Range<u64>,
        code: Vec<u8>,
        functions: Functions,
        (address, table): (u64, Vec<u8>),
    ) -> Result<Self> {
        let mut frames = Frames::read(address, &table).context("reading the table of frames")?;
        // The C library and everything in assembly have no entries there.
        for function in functions.iter().filter(|function| text.contains(&function.address)) {
            if !frames.covers(function.address) {
                let start = (function.address - text.start) as usize;
                let end = (start + function.size as usize).min(code.len());
                frames.add(function.address, depth::depths(function.address, &code[start..end]));
            }
        }
        Ok(Program { text, code, functions, frames, eh_frame: (address, table), entries: vec![] })
    }
}

/// The functions of a kernel, and the address of `_text`, which the running kernel tells as well.
pub fn kernel(vmlinux: &Path) -> Result<(Functions, u64)> {
    let bytes = fs_err::read(vmlinux)?;
    let elf = parse(vmlinux, &bytes)?;
    let text = elf.symbols().find(|symbol| symbol.name() == Ok("_text")).map(|symbol| symbol.address());
    let text = text.with_context(|| format!("{} has no symbol `_text`", vmlinux.display()))?;
    Ok((Functions::within(&elf, &(text..u64::MAX), ""), text))
}

fn parse<'data>(path: &Path, bytes: &'data [u8]) -> Result<ElfFile64<'data>> {
    ElfFile64::parse(bytes).with_context(|| format!("reading {} as an executable", path.display()))
}
