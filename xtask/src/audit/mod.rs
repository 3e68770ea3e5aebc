//! May an object be linked into the kernel? Each reason against it, with symbol, place and remedy.

mod code;
mod finding;
mod relocations;
mod sections;
mod symbols;
#[cfg(test)]
mod tests;

pub use finding::Finding;
#[cfg(test)]
use finding::Kind;

use crate::ctx::Ctx;
use crate::failure::Failure;
use anyhow::{Context, Result};
use object::read::elf::ElfFile64;
use std::fs;
use std::path::{Path, PathBuf};

/// Options of `audit`.
#[derive(clap::Args)]
pub struct Args {
    /// Relocatable objects: what the compiler makes, or PROGRAM.ukl.o.
    #[arg(required = true)]
    objects: Vec<PathBuf>,
    /// The object is one of several: undefined symbols are not looked at.
    #[arg(long)]
    part: bool,
}

/// Runs `audit`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let exports = (!args.part).then(|| ctx.repo.root.join("app-runtime/exports.txt"));
    let mut refused = 0;
    for object in &args.objects {
        let findings = audit(object, exports.as_deref())?;
        findings.iter().for_each(|finding| println!("{}: {finding}", object.display()));
        if findings.is_empty() {
            println!("{}: can be linked", object.display());
        }
        refused += usize::from(!findings.is_empty());
    }
    if refused > 0 {
        return Err(Failure::new(
            format!("{refused} of {} objects cannot be linked into the kernel", args.objects.len()),
            "follow the remedy after each reason",
        ));
    }
    Ok(())
}

/// Succeeds when a linked object has nothing against it; else prints every reason and fails.
pub fn require(object: &Path, exports: &Path) -> Result<()> {
    let findings = audit(object, Some(exports))?;
    let Some(first) = findings.first() else { return Ok(()) };
    findings.iter().for_each(|finding| eprintln!("  {finding}"));
    Err(Failure::new(
        format!("{} reasons against linking this application into the kernel, the first: {first}", findings.len()),
        "follow the remedies above; `cargo xtask audit --part FILE.o` checks a single object",
    ))
}

/// Every reason against an object. Undefined symbols are checked when the list of the kernel's exports is given.
pub fn audit(path: &Path, exports: Option<&Path>) -> Result<Vec<Finding>> {
    let unusable = |reason: String| {
        Failure::new(
            reason,
            "name a relocatable object: what `gcc -c` makes, or the object that `cargo xtask build` names",
        )
    };
    let data = fs::read(path).map_err(|error| unusable(format!("{} cannot be read: {error}", path.display())))?;
    let file: ElfFile64 = ElfFile64::parse(&*data)
        .map_err(|error| unusable(format!("{} is no 64-bit ELF file: {error}", path.display())))?;
    let mut findings = sections::check(&file).with_context(|| format!("reading {}", path.display()))?;
    findings.extend(relocations::check(&file)?);
    findings.extend(code::check(&file)?);
    if let Some(exports) = exports {
        let list = fs::read_to_string(exports).with_context(|| format!("reading {}", exports.display()))?;
        findings.extend(symbols::check(&file, &list)?);
    }
    Ok(findings)
}
