//! The identity of a build step: a hash over everything that goes into it.

use anyhow::{Context, Result};
use fs_err as fs;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;

/// Shown as 16 hexadecimal digits; each part is added with its kind and length, so parts cannot run into each other.
#[derive(Clone, Debug)]
pub struct Key {
    hash: Sha256,
}

impl Key {
    /// Starts from the name and version of the recipe: a changed recipe is a different step.
    pub fn new(recipe: &str) -> Self {
        Key { hash: Sha256::new() }.part(b'r', recipe.as_bytes())
    }

    /// Adds a string: an option, a version, another step's key.
    pub fn str(self, value: &str) -> Self {
        self.part(b's', value.as_bytes())
    }

    /// Adds bytes that are no text, such as a program.
    pub fn bytes(self, value: &[u8]) -> Self {
        self.part(b'b', value)
    }

    /// Adds the content of a file, not its name.
    pub fn file(self, path: &Path) -> Result<Self> {
        let content = fs::read(path)?;
        Ok(self.part(b'f', &content))
    }

    /// Adds every file below a directory: relative names, contents, and whether a file may be executed.
    pub fn tree(mut self, dir: &Path) -> Result<Self> {
        for entry in walkdir::WalkDir::new(dir).sort_by_file_name() {
            let entry = entry.with_context(|| format!("listing {}", dir.display()))?;
            let name = entry.path().strip_prefix(dir).expect("walkdir stays below its root");
            if entry.file_type().is_dir() {
                continue;
            }
            self = self.part(b'n', name.as_os_str().as_encoded_bytes());
            if entry.path_is_symlink() {
                let target = fs::read_link(entry.path())?;
                self = self.part(b'l', target.as_os_str().as_encoded_bytes());
            } else {
                use std::os::unix::fs::PermissionsExt;
                let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
                self = self.part(b'x', &[u8::from(executable)]).file(entry.path())?;
            }
        }
        Ok(self)
    }

    fn part(mut self, kind: u8, value: &[u8]) -> Self {
        self.hash.update([kind]);
        self.hash.update((value.len() as u64).to_le_bytes());
        self.hash.update(value);
        self
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.hash.clone().finalize();
        digest[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let split = |a, b| Key::new("r").str(a).str(b).to_string();
        assert_eq!(split("ab", "c"), split("ab", "c"));
        assert_ne!(split("ab", "c"), split("a", "bc"));
        assert_eq!(split("ab", "c").len(), 16);
    }

    #[test]
    fn a_tree_is_its_names_and_contents() {
        let key = |name: &str, content: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), content).unwrap();
            Key::new("r").tree(dir.path()).unwrap().to_string()
        };
        assert_eq!(key("a", "x"), key("a", "x"));
        assert_ne!(key("a", "x"), key("b", "x"));
        assert_ne!(key("a", "x"), key("a", "y"));
    }
}
