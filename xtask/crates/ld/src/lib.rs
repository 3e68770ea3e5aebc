//! The linker that the application's compiler calls: the real `ld`, and then a second, partial link for the kernel.
//!
//! An application's own build system links a program. It gets one: an ordinary static executable that runs anywhere, so
//! the tests of `configure` work and level `linux` has its program. Next to it appears `PROGRAM.ukl.o`, the same inputs
//! linked with `ld -r` against the C library and runtime for the kernel. The program has a copy of it in a section that
//! nothing loads, so it can be copied, installed and stripped as any other.
//!
//! A program of its own, `ukl-ld`, and dependent on no other crate of this repository: a toolchain is made again when this
//! folder changes, and everything that was compiled with it.

mod advice;
mod arguments;
mod inputs;

pub use inputs::Inputs;

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What is appended to the program's name.
pub const OBJECT_SUFFIX: &str = ".ukl.o";
/// The section of the program that has the object, so that one file is enough to copy. Nothing loads it.
pub const OBJECT_SECTION: &str = ".ukl.object";
/// Everything in a program that only we read.
pub const SECTIONS: [&str; 2] = [OBJECT_SECTION, inputs::SECTION];

/// The program gcc runs as `ld`.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("ld (ukl): {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Both links; the exit status of the first that fails.
fn run(arguments: &[String]) -> Result<u8> {
    let this = std::env::current_exe().context("finding this program")?;
    let bin = this.parent().context("this program has no folder")?;
    let toolchain = bin.parent().context("this program's folder has no parent")?;
    let real = real_linker(bin)?;
    let arguments = arguments::of_the_program(arguments);
    if arguments::makes_shared_library(&arguments) {
        let output = arguments::output(&arguments).unwrap_or("a.out");
        eprintln!("ld (ukl): {}", advice::shared_library(output));
        return Ok(1);
    }
    let status = link(Command::new(&real).args(&arguments))?;
    let Some(output) = arguments::program(&arguments).filter(|_| status == 0) else { return Ok(status) };
    let object = PathBuf::from(format!("{output}{OBJECT_SUFFIX}"));
    let (partial, map) = (object.with_added_extension("partial"), object.with_added_extension("map"));
    let mut second = Command::new(&real);
    // Groups of sections, which C++ and its unwinder have, would keep their names and miss the script.
    second
        .args(["-r", "-d", "--force-group-allocation", "-z", "noexecstack", "-u", "_ukl_start", "-T"])
        .arg(toolchain.join("app.lds"));
    second.arg(format!("-Map={}", map.display()));
    second.args(arguments::of_the_object(&arguments, toolchain)).arg("-o").arg(&partial);
    let status = link(&mut second)?;
    if status == 0 {
        std::fs::rename(&partial, &object).with_context(|| format!("writing {}", object.display()))?;
        embed(Path::new(output), &object, &map)?;
    }
    std::fs::remove_file(&map).with_context(|| format!("removing {}", map.display()))?;
    Ok(status)
}

/// Puts the object, and what it was made of, into the program.
fn embed(program: &Path, object: &Path, map: &Path) -> Result<()> {
    let text = std::fs::read(map).with_context(|| format!("reading {}", map.display()))?;
    let inputs = Inputs::of_map(&String::from_utf8_lossy(&text)).text();
    // In place of the map, which is removed after this anyway.
    std::fs::write(map, inputs).with_context(|| format!("writing {}", map.display()))?;
    let mut objcopy = Command::new("objcopy");
    for (section, content) in SECTIONS.iter().zip([object, map]) {
        objcopy.arg("--add-section").arg(format!("{section}={}", content.display()));
    }
    let output = objcopy.arg(program).output().with_context(|| format!("starting {objcopy:?}"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{objcopy:?} failed: {}: {}", output.status, complaints.trim());
    Ok(())
}

/// The first `ld` on the path that is not in our own folder.
fn real_linker(own: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.canonicalize().is_ok_and(|dir| dir != own))
        .map(|dir| dir.join("ld"))
        .find(|ld| ld.is_file())
        .context("no `ld` on the path; install the package binutils")
}

/// Runs the real linker. What it complains about goes on to standard error, and then what to do about it.
fn link(command: &mut Command) -> Result<u8> {
    let child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("starting {command:?}"))?;
    let output = child.wait_with_output().with_context(|| format!("waiting for {command:?}"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    eprint!("{complaints}");
    let status = output.status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1));
    if let Some(advice) = advice::advice(&complaints).filter(|_| status != 0) {
        eprintln!("ld (ukl): next: {advice}");
    }
    Ok(status)
}
