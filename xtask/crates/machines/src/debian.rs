//! Packages of a newer Debian beside the system, whose programs run with that one's own loader and libraries.

use anyhow::{Context, Result};
use fs_err as fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_sources::apt;

pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "ld-linux-x86-64.so.2";

/// The folder with the packages.
#[derive(Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The packages of a suite with all that they need, from the cache or by apt, which checks Debian's signatures.
    pub(crate) fn prepare(ctx: &Ctx, suite: &str, packages: &[String]) -> Result<Self> {
        let key = Key::new("debian-programs-v1").str(suite).str(&packages.join(" "));
        let dir = ctx.cache.step("debian-programs", &key, |out| {
            let scratch = ctx.cache.scratch()?;
            apt::unpack_with_dependencies(scratch.path(), suite, packages, out)
        })?;
        Ok(Root(dir))
    }

    #[cfg(test)]
    pub(crate) fn at(path: &str) -> Self {
        Root(path.into())
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The entry of a folder whose name begins like this, and which is the only one.
    pub(crate) fn only_entry(&self, folder: &str, start: &str) -> Result<PathBuf> {
        only_entry(&self.file(folder), start)
    }

    /// A program of the root, run as if the root were the system's.
    pub(crate) fn program(&self, path: &str) -> Command {
        let mut command = self.loader();
        command.arg(self.file(path));
        command
    }

    /// The loader and the libraries that a program of the root is run with.
    pub(crate) fn libraries(&self, program: &str) -> Result<Vec<PathBuf>> {
        let mut command = self.loader();
        command.arg("--list").arg(self.file(program));
        let output = command.output().with_context(|| format!("listing the libraries of {program}"))?;
        anyhow::ensure!(output.status.success(), "`{}` ended with {}", process::display(&command), output.status);
        let mut files = vec![self.file(LIBRARIES).join(LOADER)];
        files.extend(libraries(&String::from_utf8_lossy(&output.stdout)));
        Ok(files)
    }

    fn loader(&self) -> Command {
        let libraries = self.file(LIBRARIES);
        let mut command = Command::new(libraries.join(LOADER));
        command.arg("--library-path").arg(libraries);
        command
    }
}

fn only_entry(folder: &Path, start: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut found = entries.iter().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(start.as_bytes()));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry.path()),
        _ => anyhow::bail!("{} has not exactly one entry `{start}*`", folder.display()),
    }
}

/// The libraries in what the loader lists: `libz.so.1 => /lib/libz.so.1 (0x…)`. It names itself without an arrow.
fn libraries(listing: &str) -> Vec<PathBuf> {
    let path = |line: &str| line.split_once("=> /")?.1.split_whitespace().next().map(|path| format!("/{path}").into());
    listing.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_the_listing() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibz.so.1 => /lib/x/libz.so.1 (0x00007f)\n\t\
                       /lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(libraries(listing), [Path::new("/lib/x/libz.so.1")]);
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
