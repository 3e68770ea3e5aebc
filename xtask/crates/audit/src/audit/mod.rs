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

use crate::program;
use anyhow::{Context, Result};
use fs_err as fs;
use object::read::elf::ElfFile64;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_ld::Inputs;
use ukl_repo::ctx::Ctx;

/// Options of `audit`.
#[derive(clap::Args)]
pub struct Args {
    /// Objects that the compiler made, PROGRAM.ukl.o, or programs that ukl-cc linked.
    #[arg(required = true)]
    objects: Vec<PathBuf>,
    /// The object is one of several: undefined symbols are not looked at.
    #[arg(long)]
    part: bool,
}

/// How many reasons fit a screen.
const SHOWN: usize = 12;

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

/// Succeeds when a linked object has nothing against it; else prints the reasons and fails. `program` is the application
/// as a process, which tells what it was made of.
pub fn require(object: &Path, exports: &Path, program: &Path) -> Result<()> {
    let mut findings = audit(object, Some(exports))?;
    name_objects(&mut findings, &Inputs::of_program(program)?);
    let Some(first) = findings.first() else { return Ok(()) };
    let count = findings.len();
    findings.iter().take(SHOWN).for_each(|finding| eprintln!("  {finding}"));
    let next = match count > SHOWN {
        true => format!(
            "follow the remedies above; `cargo xtask audit {}` prints the other {}",
            program.display(),
            count - SHOWN
        ),
        false => "follow the remedies above; `cargo xtask audit --part FILE.o` checks a single object".to_owned(),
    };
    Err(Failure::new(
        format!("{count} reasons against linking this application into the kernel, the first: {first}"),
        next,
    ))
}

/// Every reason against an object, or against the one that a program has with it. Undefined symbols are checked when the
/// list of the kernel's exports is given.
pub fn audit(path: &Path, exports: Option<&Path>) -> Result<Vec<Finding>> {
    let data = std::fs::read(path).map_err(|error| {
        Failure::new(
            format!("{} cannot be read: {error}", path.display()),
            "name what `gcc -c` or `ukl-cc` made, or the object that `cargo xtask build` names",
        )
    })?;
    match program::kind(path, &data)? {
        program::Kind::Object => audit_object(path, &data, exports),
        program::Kind::Program => {
            let mut findings = audit_object(path, &program::object(path, &data)?, exports)?;
            name_objects(&mut findings, &Inputs::of_program(path)?);
            Ok(findings)
        }
    }
}

/// Every reason against what is in a file, which is named `path`.
pub fn audit_object(path: &Path, data: &[u8], exports: Option<&Path>) -> Result<Vec<Finding>> {
    let file: ElfFile64 = ElfFile64::parse(data).with_context(|| format!("reading {} as an object", path.display()))?;
    let mut findings = sections::check(&file).with_context(|| format!("reading {}", path.display()))?;
    findings.extend(relocations::check(&file)?);
    findings.extend(code::check(&file)?);
    if let Some(exports) = exports {
        let list = fs::read_to_string(exports)?;
        findings.extend(symbols::check(&file, &list)?);
    }
    Ok(findings)
}

/// Adds to each reason which of the program's objects it is about.
fn name_objects(findings: &mut [Finding], inputs: &Inputs) {
    for finding in findings {
        if let Some((section, offset)) = &finding.place.at {
            finding.place.object = inputs.object(section, *offset).map(str::to_owned);
        }
    }
}
