//! The linker that the application's compiler calls: the real `ld`, and then a second, partial link for the kernel.
//!
//! An application's own build system links a program. It gets one: an ordinary static executable that runs anywhere, so
//! the tests of `configure` work and level `linux` has its program. Next to it appears `PROGRAM.ukl.o`, the same inputs
//! linked with `ld -r` against the C library and runtime for the kernel.

use crate::process;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What is appended to the program's name.
pub const OBJECT_SUFFIX: &str = ".ukl.o";

/// Options of a final link that have no meaning in a partial one.
const DROPPED: &[&str] = &[
    "-static",
    "-Bstatic",
    "-Bdynamic",
    "-pie",
    "-no-pie",
    "--eh-frame-hdr",
    "--gc-sections",
    "--export-dynamic",
    "-export-dynamic",
    "-E",
    "-s",
    "--strip-all",
    "--as-needed",
    "--no-as-needed",
    "--cref",
    "--relax",
];
/// The same for options whose value is in the next argument.
const DROPPED_WITH_VALUE: &[&str] =
    &["-o", "-e", "--entry", "-Map", "-dynamic-linker", "-plugin", "-soname", "-h", "-rpath", "-T", "-z"];
/// The same for options whose value is in the same argument.
const DROPPED_PREFIXES: &[&str] = &["-plugin-opt=", "--build-id", "--hash-style=", "-Map=", "-O", "--sort-", "-rpath="];

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
    let status = execute(Command::new(&real).args(arguments))?;
    let Some(output) = final_output(arguments).filter(|_| status == 0) else { return Ok(status) };
    let object = PathBuf::from(format!("{output}{OBJECT_SUFFIX}"));
    let partial = object.with_added_extension("partial");
    let mut second = Command::new(&real);
    // Groups of sections, which C++ and its unwinder have, would keep their names and miss the script.
    second
        .args(["-r", "-d", "--force-group-allocation", "-z", "noexecstack", "-u", "_ukl_start", "-T"])
        .arg(toolchain.join("app.lds"));
    second.args(partial_arguments(arguments, toolchain)).arg("-o").arg(&partial);
    let status = execute(&mut second)?;
    if status == 0 {
        std::fs::rename(&partial, &object).with_context(|| format!("writing {}", object.display()))?;
    }
    Ok(status)
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

fn execute(command: &mut Command) -> Result<u8> {
    let status = process::die_with_parent(command)
        .status()
        .with_context(|| format!("starting `{}`", process::display(command)))?;
    Ok(status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1)))
}

/// The output of a link that makes a program; `None` for a partial link, a shared library or a question (`--version`).
fn final_output(arguments: &[String]) -> Option<&str> {
    let other = ["-r", "--relocatable", "-shared", "-Bshareable", "--version", "-v", "--help"];
    if arguments.iter().any(|argument| other.contains(&argument.as_str())) {
        return None;
    }
    let place = arguments.iter().position(|argument| argument == "-o")?;
    // gcc asks what a link would do by linking to /dev/null.
    arguments.get(place + 1).map(String::as_str).filter(|output| !output.starts_with("/dev/"))
}

/// The inputs of a final link for the partial one: our libraries in place of the process's, no start files.
fn partial_arguments(arguments: &[String], toolchain: &Path) -> Vec<String> {
    let process = format!("{}/linux/", toolchain.display());
    let kernel = format!("{}/ukl/", toolchain.display());
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let start_file = argument.starts_with(&process) && argument.ends_with(".o");
        if DROPPED_WITH_VALUE.contains(&argument.as_str()) {
            rest.next();
        } else if !start_file
            && !DROPPED.contains(&argument.as_str())
            && !DROPPED_PREFIXES.iter().any(|prefix| argument.starts_with(prefix))
        {
            kept.push(argument.replace(&process, &kernel));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_final_link_becomes_a_partial_one() {
        let link = "-plugin x.so -plugin-opt=-pass-through=-lc -m elf_x86_64 -static -L/t/linux/lib -z noexecstack \
                    -o prog /t/linux/lib/crt1.o a.o -Lfoo --start-group -lc -lukl --end-group /gcc/libgcc.a /t/linux/lib/crtn.o";
        let partial = partial_arguments(&words(link), Path::new("/t")).join(" ");
        insta::assert_snapshot!(partial, @"-m elf_x86_64 -L/t/ukl/lib a.o -Lfoo --start-group -lc -lukl --end-group /gcc/libgcc.a");
    }

    #[test]
    fn only_a_link_that_makes_a_program_is_doubled() {
        assert_eq!(final_output(&words("-static -o prog a.o")), Some("prog"));
        assert_eq!(final_output(&words("-r -o all.o a.o")), None);
        assert_eq!(final_output(&words("-shared -o lib.so a.o")), None);
        assert_eq!(final_output(&words("--version")), None);
        assert_eq!(final_output(&words("-o /dev/null a.o")), None);
    }
}
