//! The patch series on top of the pinned kernel.

use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::repo::Repo;
use ukl_sources::unpack;
use xshell::{Shell, cmd};

/// The patches in the order of `kernel/patches/series`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    patches: Vec<PathBuf>,
}

impl Series {
    /// Reads the series; every file it names must be there.
    pub fn read(repo: &Repo) -> Result<Self> {
        let dir = repo.root.join("kernel/patches");
        let path = dir.join("series");
        let text = fs_err::read_to_string(&path)?;
        let patches: Vec<_> = names(&text).map(|name| dir.join(name)).collect();
        for patch in &patches {
            ensure!(patch.is_file(), "{} names {}, which does not exist", path.display(), patch.display());
        }
        Ok(Series { patches })
    }

    /// The files, in their order.
    pub fn files(&self) -> &[PathBuf] {
        &self.patches
    }

    /// Adds order and contents of the patches to a key.
    pub fn key(&self, key: Key) -> Result<Key> {
        self.patches.iter().try_fold(key, |key, patch| key.file(patch))
    }

    /// Unpacks the kernel into an empty directory and applies every patch.
    pub fn unpack_patched(&self, tarball: &Path, out: &Path) -> Result<()> {
        unpack::unpack_into(tarball, out)?;
        self.patches.iter().try_for_each(|patch| apply(patch, out))
    }
}

/// The names in a series file: one a line, `#` starts a comment.
pub fn names(series: &str) -> impl Iterator<Item = &str> {
    series.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty())
}

/// Applies one patch; it must fit exactly, because a patch that fits elsewhere by chance is worse than an error.
fn apply(patch: &Path, tree: &Path) -> Result<()> {
    let sh = Shell::new()?;
    let exactly = ["--strip=1", "--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "--quiet"];
    let command = cmd!(sh, "patch {exactly...} --input {patch} --directory {tree}");
    process::run_on_stderr(command).map_err(|error| {
        let name = patch.file_name().unwrap_or_default().to_string_lossy();
        Failure::new(
            format!("patch {name} does not apply: {error:#}"),
            format!("rebase it on the pinned source, or fix the order in {}", patch.with_file_name("series").display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_may_have_comments() {
        let series = "# what every level needs\n2001-a.patch\n\n2002-b.patch # why here\n";
        assert_eq!(names(series).collect::<Vec<_>>(), ["2001-a.patch", "2002-b.patch"]);
    }

    #[test]
    fn a_patch_that_does_not_fit_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let patch = dir.path().join("2001-a.patch");
        fs_err::write(&patch, "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n").unwrap();
        let tree = dir.path().join("tree");
        fs_err::create_dir(&tree).unwrap();
        fs_err::write(tree.join("x"), "other\n").unwrap();
        let error = apply(&patch, &tree).unwrap_err().to_string();
        assert!(error.starts_with("patch 2001-a.patch does not apply"), "{error}");
        fs_err::write(tree.join("x"), "one\n").unwrap();
        apply(&patch, &tree).unwrap();
        assert_eq!(fs_err::read_to_string(tree.join("x")).unwrap(), "two\n");
    }
}
