//! The emulated host's file system: QEMU, and Debian's kernel with KVM's modules.

use super::{PROGRAM, Settings};
use crate::debian::{LIBRARIES, Root};
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_guest::cpio::Tree;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// Where the host's QEMU looks for firmware, below its root.
pub(super) const FIRMWARE: &str = "usr/share/qemu";
/// Where packages have it.
pub(super) const FIRMWARE_FOLDERS: [&str; 3] = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];
/// Below the top folder of the checkout: the host's first process.
const INIT: &str = "machines/nested/init";
/// Where a program of Debian looks for the loader.
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// The archive, from the cache or made of the packages.
pub(super) fn host(ctx: &Ctx, settings: &Settings, root: &Root, kernel: &Path) -> Result<PathBuf> {
    let init = ctx.repo.root.join(INIT);
    let release = kernel.file_name().context("the kernel has a name")?.to_string_lossy();
    let key = Key::new("nested-host-v1").file(&init)?.str(&settings.suite).str(&settings.packages.join(" "));
    let key = key.str(&release).str(&settings.modules.join(" ")).str(&settings.firmware.join(" "));
    let dir = ctx.cache.step("nested-host", &key, |out| {
        let mut tree = Tree::default();
        for folder in ["bin", "proc", "sys", "dev", "run", "tmp", "modules"] {
            tree.folder(folder);
        }
        tree.character_device("dev/console", 0o600, (5, 1));
        tree.file("init", 0o755, &fs::read(&init)?);
        tree.file("bin/busybox", 0o755, &fs::read(root.file("usr/bin/busybox"))?);
        tree.file(PROGRAM, 0o755, &fs::read(root.file(PROGRAM))?);
        let libraries = root.libraries(PROGRAM)?;
        tree.file(LOADER, 0o755, &fs::read(&libraries[0])?);
        for library in &libraries {
            let name = library.file_name().context("a library has a name")?.to_string_lossy();
            tree.file(&format!("{LIBRARIES}/{name}"), 0o755, &fs::read(library)?);
        }
        for name in &settings.firmware {
            let mut paths = FIRMWARE_FOLDERS.iter().map(|folder| root.file(folder).join(name));
            let path = paths.find(|path| path.is_file());
            let path = path.with_context(|| format!("QEMU's firmware {name} is in none of {FIRMWARE_FOLDERS:?}"))?;
            tree.file(&format!("{FIRMWARE}/{name}"), 0o644, &fs::read(path)?);
        }
        let modules = root.only_entry("usr/lib/modules", "")?.join("kernel");
        let mut order = String::new();
        for module in &settings.modules {
            let name = format!("{}.ko", module.rsplit('/').next().unwrap_or(module));
            tree.file(&format!("modules/{name}"), 0o644, &decompressed(&modules.join(format!("{module}.ko.xz")))?);
            order.push_str(&format!("{name}\n"));
        }
        tree.file("modules/order", 0o644, order.as_bytes());
        Ok(fs::write(out.join("initramfs.cpio"), tree.finish())?)
    })?;
    Ok(dir.join("initramfs.cpio"))
}

fn decompressed(module: &Path) -> Result<Vec<u8>> {
    let sh = Shell::new()?;
    process::output(cmd!(sh, "xz --decompress --stdout {module}"))
}
