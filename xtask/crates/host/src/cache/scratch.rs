//! Directories that live as long as a process: build trees that are not kept, sockets, disks for one run.

use anyhow::{Context, Result};
use fs_err::{self as fs, File, OpenOptions};
use std::fs::TryLockError;
use std::path::Path;

/// In each directory: locked by its owner for as long as it lives, however it ends.
const LOCK: &str = ".lock";

/// A directory that is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// A new directory in `parent`, from which those of dead processes are removed first. The caller sees to it that nobody
    /// else does the same at the same time.
    pub(super) fn new(parent: &Path) -> Result<Self> {
        fs::create_dir_all(parent)?;
        remove_abandoned(parent)?;
        let dir = tempfile::Builder::new().prefix("").rand_bytes(6).tempdir_in(parent);
        let dir = dir.with_context(|| format!("making a directory in {}", parent.display()))?;
        let lock = File::create(dir.path().join(LOCK))?;
        lock.lock()?;
        Ok(Scratch { dir, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn remove_abandoned(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry.with_context(|| format!("listing {}", parent.display()))?.path();
        let lock = OpenOptions::new().write(true).open(path.join(LOCK));
        if lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))) {
            continue;
        }
        fs::remove_dir_all(&path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let abandoned = parent.path().join("abandoned");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join(LOCK), "").unwrap();
        fs::write(abandoned.join("fresh.img"), "").unwrap();
        let first = Scratch::new(parent.path()).unwrap();
        assert!(!abandoned.exists());
        let second = Scratch::new(parent.path()).unwrap();
        assert!(first.path().exists());
        let gone = second.path().to_owned();
        drop(second);
        assert!(!gone.exists());
    }
}
