//! The emulated host's kernel and file system: Debian's kernel with KVM's modules, and this machine's own QEMU.

use super::Settings;
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_guest::cpio::Tree;
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config::Source;
use ukl_repo::ctx::Ctx;
use ukl_sources::fetch;
use ukl_vm::qemu;
use xshell::{Shell, cmd};

/// Where the host's QEMU looks for firmware, below its root.
pub(super) const FIRMWARE: &str = "usr/share/qemu";
/// Below the top folder of the checkout: the host's first process.
const INIT: &str = "machines/nested/init";

/// The kernel and the archive of everything else.
pub(super) fn host(ctx: &Ctx, settings: &Settings) -> Result<(PathBuf, PathBuf)> {
    let init = ctx.repo.root.join(INIT);
    let files = [qemu_files()?, firmware(&settings.firmware)?].concat();
    let mut key = Key::new("nested-host-v1").file(&init)?.str(&settings.kernel.sha256).str(&settings.busybox.sha256);
    for module in &settings.modules {
        key = key.str(module);
    }
    for (target, path) in &files {
        key = key.str(target).file(path)?;
    }
    let dir = ctx.cache.step("nested-host", &key, |out| {
        let scratch = ctx.cache.scratch()?;
        let unpacked = scratch.path().join("packages");
        for package in [&settings.kernel, &settings.busybox] {
            unpack(ctx, package, &unpacked)?;
        }
        let boot = only_entry(&unpacked.join("boot"), "vmlinuz-")?;
        fs::copy(&boot, out.join("vmlinuz"))?;
        let mut tree = Tree::default();
        for folder in ["bin", "proc", "sys", "dev", "run", "tmp", "modules"] {
            tree.folder(folder);
        }
        tree.character_device("dev/console", 0o600, (5, 1));
        tree.file("init", 0o755, &fs::read(&init)?);
        tree.file("bin/busybox", 0o755, &fs::read(unpacked.join("usr/bin/busybox"))?);
        let modules = only_entry(&unpacked.join("usr/lib/modules"), "")?.join("kernel");
        let mut order = String::new();
        for module in &settings.modules {
            let name = format!("{}.ko", module.rsplit('/').next().unwrap_or(module));
            tree.file(&format!("modules/{name}"), 0o644, &decompressed(&modules.join(format!("{module}.ko.xz")))?);
            order.push_str(&format!("{name}\n"));
        }
        tree.file("modules/order", 0o644, order.as_bytes());
        for (target, path) in &files {
            tree.file(target, 0o755, &fs::read(path)?);
        }
        Ok(fs::write(out.join("initramfs.cpio"), tree.finish())?)
    })?;
    Ok((dir.join("vmlinuz"), dir.join("initramfs.cpio")))
}

/// Unpacks a pinned package into a folder that may have others already.
fn unpack(ctx: &Ctx, package: &Source, folder: &Path) -> Result<()> {
    let (sh, file) = (Shell::new()?, fetch::fetch(ctx, package)?);
    process::run(cmd!(sh, "dpkg-deb --extract {file} {folder}"))
}

/// The entry of a folder whose name begins like this, and which is the only one.
fn only_entry(folder: &Path, start: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut found = entries.iter().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(start.as_bytes()));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry.path()),
        _ => anyhow::bail!("{} has not exactly one entry `{start}*`", folder.display()),
    }
}

fn decompressed(module: &Path) -> Result<Vec<u8>> {
    let sh = Shell::new()?;
    process::output(cmd!(sh, "xz --decompress --stdout {module}"))
}

/// This machine's QEMU, its loader and its libraries, each with its place in the host.
fn qemu_files() -> Result<Vec<(String, PathBuf)>> {
    let program = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(qemu::PROGRAM))
        .find(|path| path.is_file());
    let program = program.ok_or_else(|| {
        Failure::new(
            format!("{} is not in PATH", qemu::PROGRAM),
            "run `cargo xtask doctor`, which names the Debian package that has it",
        )
    })?;
    let sh = Shell::new()?;
    let listing = process::read(cmd!(sh, "ldd {program}"))?;
    let mut files = vec![(format!("usr/bin/{}", qemu::PROGRAM), program)];
    files.extend(libraries(&listing).into_iter().map(|path| (path.trim_start_matches('/').to_owned(), path.into())));
    Ok(files)
}

/// The files in what `ldd` prints: `libz.so.1 => /lib/libz.so.1 (0x…)`, and the loader without an arrow.
fn libraries(listing: &str) -> Vec<String> {
    let path = |line: &str| {
        let line = line.split_once("=> ").map_or(line, |(_, path)| path);
        line.split_whitespace().next().filter(|path| path.starts_with('/')).map(str::to_owned)
    };
    listing.lines().filter_map(path).collect()
}

/// Firmware by its names, from the folders in which this machine's QEMU looks for it.
fn firmware(names: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let (sh, program) = (Shell::new()?, qemu::PROGRAM);
    let folders = process::read(cmd!(sh, "{program} -L help"))?;
    let find = |name: &String| {
        let mut paths = folders.lines().map(|folder| Path::new(folder.trim()).join(name));
        let path = paths.find(|path| path.is_file());
        let path = path.with_context(|| format!("QEMU's firmware {name} is in none of {}", folders.replace('\n', " ")));
        Ok((format!("{FIRMWARE}/{name}"), path?))
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found_in_the_listing() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibz.so.1 => /lib/x/libz.so.1 (0x00007f)\n\t\
                       /lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(libraries(listing), ["/lib/x/libz.so.1", "/lib64/ld-linux-x86-64.so.2"]);
    }

    #[test]
    fn a_folder_with_two_kernels_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("vmlinuz-1"), "").unwrap();
        fs::write(dir.path().join("config-1"), "").unwrap();
        assert!(only_entry(dir.path(), "vmlinuz-").unwrap().ends_with("vmlinuz-1"));
        fs::write(dir.path().join("vmlinuz-2"), "").unwrap();
        assert!(only_entry(dir.path(), "vmlinuz-").is_err());
    }
}
