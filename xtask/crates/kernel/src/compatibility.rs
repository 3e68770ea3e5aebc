//! How each system call gets into the kernel at each level, as the built kernel has it: the table of docs/compatibility.md.

use crate::kernel;
use crate::syscalls::{self, Syscall};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use ukl_host::atomic;
use ukl_host::failure::Failure;
use ukl_repo::config::{KernelFlavour, KernelProfile, Level};
use ukl_repo::ctx::Ctx;

/// What the table stands between.
const BEGIN: &str = "<!-- written by `cargo xtask compatibility --write` -->\n";
const END: &str = "<!-- end of the table -->\n";

/// Options of `compatibility`.
#[derive(clap::Args)]
pub struct Args {
    /// Write the table into docs/compatibility.md instead of comparing it.
    #[arg(long)]
    write: bool,
}

/// A call's entries in the patched kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entries {
    /// It has a body; without one it returns ENOSYS.
    built: bool,
    /// It can be called directly.
    direct: bool,
    shortcut: bool,
}

/// Runs `compatibility`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let path = page(ctx);
    let text = fs_err::read_to_string(&path)?;
    let fresh = replaced(&text, &table(ctx)?).with_context(|| format!("in {}", path.display()))?;
    if args.write {
        return atomic::write(&path, fresh);
    }
    if fresh != text {
        return Err(Failure::new(
            format!("the table in {} is not that of the built kernel", path.display()),
            "if the change is meant, `cargo xtask compatibility --write` records it",
        ));
    }
    println!("the table in {} is that of the built kernel", path.display());
    Ok(())
}

/// The test of the same: the page's table with the built kernel's.
pub fn test(ctx: &Ctx) -> Result<String> {
    let text = fs_err::read_to_string(page(ctx))?;
    let table = table(ctx)?;
    ensure!(
        replaced(&text, &table)? == text,
        "docs/compatibility.md is old; `cargo xtask compatibility --write` renews it"
    );
    Ok(format!("docs/compatibility.md with the built kernel's {} rows", table.lines().count() - 2))
}

fn page(ctx: &Ctx) -> PathBuf {
    ctx.repo.root.join("docs/compatibility.md")
}

/// The page with this table.
fn replaced(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("there is no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("there is no line {END:?}"))?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

/// From the kernel that every level of this repository is measured on.
fn table(ctx: &Ctx) -> Result<String> {
    let build = kernel::kernel(ctx, KernelFlavour::Ukl, KernelProfile::Full)?;
    let read = |file: &str| {
        let path: &Path = &build.output.join(file);
        fs_err::read_to_string(path)
    };
    let calls = syscalls::read(&build.source)?;
    let entries = entries(&read("arch/x86/ukl/stubs.h")?, &read("System.map")?)?;
    Ok(render(&calls, &entries, &ctx.repo.levels()?))
}

/// Reads the stubs that the kernel's build has generated, and which of their bodies are only the weak ones that return ENOSYS.
fn entries(stubs: &str, symbols: &str) -> Result<BTreeMap<u32, Entries>> {
    let weak: Vec<_> = symbols.lines().filter_map(|line| line.split_once(" W ")).map(|(_, name)| bare(name)).collect();
    let mut found: BTreeMap<u32, Entries> = BTreeMap::new();
    for line in stubs.lines() {
        let words: Vec<_> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let (number, body, kind) = match words[..] {
            ["UKL_STUB", kind @ ("sys" | "short"), number, body, _] => (number, Some(body), kind),
            ["UKL_STUB_FULL", "sys", number] | ["UKL_STUB_FULL", number] => (number, None, "full"),
            ["UKL_STUB_FULL", "short", _] => continue,
            _ => anyhow::bail!("`{line}` of the kernel's stubs is not understood"),
        };
        let entry = found.entry(number.parse().with_context(|| format!("the number in `{line}`"))?).or_default();
        match kind {
            "short" => entry.shortcut = true,
            _ => {
                entry.direct = body.is_some();
                entry.built = body.is_none_or(|body| {
                    let body = bare(body);
                    body != "ni_syscall" && !weak.contains(&body)
                });
            }
        }
    }
    ensure!(!found.is_empty(), "the kernel's build has no stubs");
    Ok(found)
}

/// `read` of `__x64_sys_read`.
fn bare(symbol: &str) -> &str {
    symbol.strip_prefix("__x64_sys_").unwrap_or(symbol)
}

/// One row for each call, one column for each level.
fn render(calls: &[Syscall], entries: &BTreeMap<u32, Entries>, levels: &[Level]) -> String {
    let names: Vec<_> = levels.iter().map(|level| format!("`{}`", level.name)).collect();
    let mut text = format!("| | call | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(levels.len()));
    for call in calls {
        let entry = entries.get(&call.number).copied().unwrap_or_default();
        let ways: Vec<_> = levels.iter().map(|level| way(entry, level)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {} |", call.number, call.name, ways.join(" | "));
    }
    text
}

/// How a call is made at a level.
fn way(entry: Entries, level: &Level) -> &'static str {
    match (level.kernel, level.options) {
        _ if !entry.built => "ENOSYS",
        (KernelFlavour::Vanilla, _) => "SYSCALL",
        (_, options) if options.shortcut && entry.shortcut => "shortcut",
        (_, options) if options.bypass && entry.direct => "direct",
        _ => "base",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::config::LevelOptions;

    const STUBS: &str = "UKL_STUB sys, 0, __x64_sys_read, 3\nUKL_STUB short, 0, ukl_short_sys_read, 3\n\
                         UKL_STUB sys, 321, __x64_sys_bpf, 3\nUKL_STUB_FULL 57\nUKL_STUB sys, 134, __x64_sys_ni_syscall, 0\n";
    const SYMBOLS: &str = "ffffffff811e44a0 T __x64_sys_read\nffffffff810815a0 W __x64_sys_bpf\n";

    #[test]
    fn every_kind_of_call_is_told_from_the_others() {
        let entries = entries(STUBS, SYMBOLS).unwrap();
        let call = |number, name: &str| Syscall { number, name: name.to_owned(), arguments: 0 };
        let calls = [call(0, "read"), call(57, "fork"), call(134, "uselib"), call(321, "bpf")];
        let level = |name: &str, kernel, bypass, shortcut| Level {
            name: name.to_owned(),
            summary: String::new(),
            kernel,
            options: LevelOptions { bypass, ret: false, shortcut },
        };
        let levels = [
            level("linux", KernelFlavour::Vanilla, false, false),
            level("base", KernelFlavour::Ukl, false, false),
            level("byb", KernelFlavour::Ukl, true, false),
            level("shortcut", KernelFlavour::Ukl, true, true),
        ];
        assert_eq!(
            render(&calls, &entries, &levels),
            "| | call | `linux` | `base` | `byb` | `shortcut` |\n|---|---|---|---|---|---|\n\
             | 0 | read | SYSCALL | base | direct | shortcut |\n| 57 | fork | SYSCALL | base | base | base |\n\
             | 134 | uselib | ENOSYS | ENOSYS | ENOSYS | ENOSYS |\n| 321 | bpf | ENOSYS | ENOSYS | ENOSYS | ENOSYS |\n"
        );
    }

    #[test]
    fn a_stub_that_nobody_knows_is_an_error() {
        assert!(entries("UKL_STUB long, 0, __x64_sys_read, 3\n", "").is_err());
        assert!(entries("", "").is_err());
    }

    #[test]
    fn the_page_keeps_what_is_around_the_table() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert!(replaced("no table", "new\n").is_err());
    }
}
