//! Files that are replaced as a whole: whoever is interrupted, or finds the disk full, keeps the old one.

use anyhow::{Context, Result};
use fs_err as fs;
use std::path::Path;

/// Writes a file under another name beside it, and renames it when it is complete.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    // Two that write the same file at once do not meet.
    let fresh = path.with_added_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&fresh, content).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // What is left of it is of no use; that it may not exist is the usual reason to be here.
        let _ = fs::remove_file(&fresh);
    }
    written.with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.toml");
        write(&path, "old").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_is_named_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        let error = write(&path, "text").unwrap_err();
        assert!(format!("{error:#}").contains(&format!("writing {}", path.display())), "{error:#}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
