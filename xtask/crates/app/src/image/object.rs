//! The object of an application at a level: what `make UKL_APP=` gets.

use super::{descriptor, room};
use crate::app::BuiltApp;
use crate::toolchain;
use anyhow::{Context, Result};
use fs_err as fs;
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use ukl_audit::audit;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_kernel::{source, syscalls};
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// Binds an application's partial link to a level: adds the descriptor and either the stubs of the base path or the names
/// of the kernel's own entries, audits the result, and hides its symbols from the kernel.
pub(super) fn level_object(ctx: &Ctx, app: &App, built: &BuiltApp, level: &Level) -> Result<PathBuf> {
    let toolchain = toolchain::toolchain(ctx)?;
    let descriptor = descriptor::assembly(&app.name, level)?;
    let exports = ctx.repo.root.join("app-runtime/exports.txt");
    let shortcuts = match level.options.shortcut {
        true => syscalls::shortcuts(&source::kernel_source(ctx, level.kernel)?)?,
        false => BTreeSet::new(),
    };
    let key = Key::new("level-object-v1")
        .str(include_str!("object.rs"))
        .str(include_str!("room.rs"))
        .file(&built.object)?
        .file(&toolchain.base_stubs())?
        .file(&toolchain.bypass_stubs())?
        .file(&exports)?
        .str(&descriptor)
        .str(if level.options.bypass { "bypass" } else { "base" })
        .str(&format!("{shortcuts:?}"));
    let dir = ctx.cache.step(&format!("object-{}-{}", app.name, level.name), &key, |out| {
        let source = out.join("descriptor.s");
        fs::write(&source, &descriptor)?;
        let descriptor_object = out.join("descriptor.o");
        let sh = Shell::new()?;
        process::run(cmd!(sh, "gcc -c {source} -o {descriptor_object}"))?;
        let linked = out.join("linked.o");
        let inputs = if level.options.bypass {
            let bound = out.join("bound.o");
            rename(&built.object, &bound, &bypass_names(&symbols(&built.object)?, &shortcuts), None)?;
            // The table of calls by number takes the same shortcuts.
            let by_number = out.join("by-number.o");
            rename(&toolchain.bypass_stubs(), &by_number, &short_names(&shortcuts), None)?;
            [bound, descriptor_object, by_number]
        } else {
            [built.object.clone(), descriptor_object, toolchain.base_stubs()]
        };
        process::run(cmd!(sh, "ld -r -z noexecstack -o {linked} {inputs...}"))?;
        audit::require(&linked, &exports, &built.executable)?;
        let names = hidden_names(&app.name, &symbols(&linked)?);
        let (room, app_object) = (room::of_one(&linked)?, out.join("app.o"));
        let keep = Some(descriptor::symbol(&app.name));
        if room == 0 {
            return rename(&linked, &app_object, &names, keep.as_deref());
        }
        let (room_object, renamed) = (out.join("room.o"), out.join("renamed.o"));
        room::build(&sh, room, &room_object)?;
        rename(&linked, &renamed, &names, keep.as_deref())?;
        process::run(cmd!(sh, "ld -r -z noexecstack -o {app_object} {room_object} {renamed}"))
    })?;
    Ok(dir.join("app.o"))
}

/// A symbol, as far as naming goes.
struct Name {
    name: String,
    undefined: bool,
    weak: bool,
}

fn symbols(path: &Path) -> Result<Vec<Name>> {
    let data = fs::read(path)?;
    let file = object::File::parse(&*data).with_context(|| format!("reading {} as an object", path.display()))?;
    let mut names = Vec::new();
    for symbol in file.symbols() {
        let name = symbol.name().with_context(|| format!("a symbol's name in {}", path.display()))?;
        // A source file's name may have blanks in it, which no list of objcopy can hold, and need not be renamed.
        if !name.is_empty() && !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File) {
            names.push(Name { name: name.to_owned(), undefined: symbol.is_undefined(), weak: symbol.is_weak() });
        }
    }
    Ok(names)
}

/// Old and new name.
type Renames = BTreeSet<(String, String)>;

/// What a level with bypass calls instead of the stubs of the base path; `shortcuts` are the numbers to take one for.
fn bypass_names(symbols: &[Name], shortcuts: &BTreeSet<u32>) -> Renames {
    let fixed = [
        ("__ukl_call_begin", "ukl_bypass_full"),
        ("__ukl_call_end", "ukl_bypass_end"),
        ("__ukl_call_return", "ukl_bypass_return"),
    ];
    symbols
        .iter()
        .filter(|symbol| symbol.undefined)
        .filter_map(|symbol| {
            let number = symbol.name.strip_prefix("__ukl_sys_").map(|number| {
                let short = number.parse().is_ok_and(|number| shortcuts.contains(&number));
                format!("{}{number}", if short { "ukl_short_" } else { "ukl_sys_" })
            });
            let fixed = || fixed.iter().find(|(old, _)| *old == symbol.name).map(|(_, new)| (*new).to_owned());
            number.or_else(fixed).map(|new| (symbol.name.clone(), new))
        })
        .collect()
}

/// The kernel's entries with a shortcut, and the shortcuts.
fn short_names(shortcuts: &BTreeSet<u32>) -> Renames {
    shortcuts.iter().map(|number| (format!("ukl_sys_{number}"), format!("ukl_short_{number}"))).collect()
}

/// Every symbol gets the application's name in front, but the descriptor's and those the kernel must provide. A weak
/// symbol that nobody defined is renamed too: it stays zero and is not bound to a function of the kernel.
fn hidden_names(app: &str, symbols: &[Name]) -> Renames {
    let keep = descriptor::symbol(app);
    symbols
        .iter()
        .filter(|symbol| (!symbol.undefined || symbol.weak) && symbol.name != keep)
        .map(|symbol| (symbol.name.clone(), format!("{app}.{}", symbol.name)))
        .collect()
}

/// Renames symbols; with `keep`, makes all others local and the sections those that the kernel's link places.
fn rename(from: &Path, to: &Path, names: &Renames, keep: Option<&str>) -> Result<()> {
    let mut list = String::new();
    for (old, new) in names {
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{old} {new}");
    }
    let file = to.with_extension("names");
    fs::write(&file, list)?;
    let sh = Shell::new()?;
    let mut objcopy = cmd!(sh, "objcopy --redefine-syms={file}");
    if let Some(keep) = keep {
        // The kernel's link knows no such section.
        let section = ".ukl.eh_frame=.ukl.rodata";
        objcopy = objcopy.arg(format!("--keep-global-symbol={keep}")).args(["--rename-section", section]);
    }
    process::run(objcopy.arg(from).arg(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[(&str, bool, bool)]) -> Vec<Name> {
        list.iter().map(|&(name, undefined, weak)| Name { name: name.to_owned(), undefined, weak }).collect()
    }

    fn shown(renames: Renames) -> String {
        renames.iter().map(|(old, new)| format!("{old} -> {new}\n")).collect()
    }

    #[test]
    fn bypass_binds_to_the_kernels_entries() {
        let symbols = names(&[
            ("__ukl_sys_0", true, false),
            ("__ukl_sys_110", true, false),
            ("__ukl_syscall", true, false),
            ("__ukl_call_begin", true, false),
            ("__ukl_call_return", true, false),
            ("ukl_entry_syscall", true, false),
            ("main", false, false),
        ]);
        insta::assert_snapshot!(shown(bypass_names(&symbols, &BTreeSet::new())), @r"
        __ukl_call_begin -> ukl_bypass_full
        __ukl_call_return -> ukl_bypass_return
        __ukl_sys_0 -> ukl_sys_0
        __ukl_sys_110 -> ukl_sys_110
        ");
        insta::assert_snapshot!(shown(bypass_names(&symbols, &BTreeSet::from([0]))), @r"
        __ukl_call_begin -> ukl_bypass_full
        __ukl_call_return -> ukl_bypass_return
        __ukl_sys_0 -> ukl_short_0
        __ukl_sys_110 -> ukl_sys_110
        ");
    }

    #[test]
    fn symbols_cannot_meet_the_kernels() {
        let symbols = names(&[
            ("memcpy", false, false),
            ("optional", true, true),
            ("ukl_entry_syscall", true, false),
            ("ukl_app_redis", false, false),
        ]);
        insta::assert_snapshot!(shown(hidden_names("redis", &symbols)), @r"
        memcpy -> redis.memcpy
        optional -> redis.optional
        ");
    }
}
