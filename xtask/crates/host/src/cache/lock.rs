//! Exclusive locks between `xtask` processes. The kernel drops them when their holder dies, so none goes stale.

use anyhow::{Context, Result};
use fs_err::{File, OpenOptions};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs::TryLockError;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// How long a lock is waited for in silence.
const MOMENT_TRIES: u32 = 20;
const TRY_PERIOD: Duration = Duration::from_millis(10);

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes `DIR/NAME.lock`; while another process holds it, waits for as long as that one lives, and says so once unless
    /// it is a matter of moments.
    pub fn take(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(format!("{name}.lock"));
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if Self::comes_free(&file) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                eprintln!("waiting for {name}: {} is working on it", holder.trim());
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        // For whoever waits: who holds it.
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "process {}", std::process::id())?;
        Ok(Lock { file })
    }

    /// Has what this process starts hold the lock, too: a killed `xtask` may leave a compiler behind for a moment, and nobody
    /// is to build in the same place before that one has ended. Not for locks under which a daemon may be started.
    pub fn inherited(self) -> Result<Self> {
        fcntl_setfd(&self.file, FdFlags::empty()).context("letting children inherit a lock")?;
        Ok(self)
    }

    /// Tries for a moment.
    fn comes_free(file: &File) -> bool {
        (0..MOMENT_TRIES).any(|_| {
            std::thread::sleep(TRY_PERIOD);
            file.try_lock().is_ok()
        })
    }

    /// The first lock of a folder that some process holds, with its holder.
    pub fn any_held(dir: &Path) -> Result<Option<String>> {
        let Ok(entries) = fs_err::read_dir(dir) else {
            return Ok(None);
        };
        for entry in entries {
            let path = entry.with_context(|| format!("listing {}", dir.display()))?.path();
            let file = File::open(&path)?;
            if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
                let holder = std::io::read_to_string(file).unwrap_or_default();
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(Some(format!("{name} ({})", holder.trim())));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_seen_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path(), "kernel").unwrap();
        let held = Lock::any_held(dir.path()).unwrap().unwrap();
        assert_eq!(held, format!("kernel (process {})", std::process::id()));
        drop(lock);
        assert_eq!(Lock::any_held(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_lock_lasts_until_what_its_holder_started_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path(), "kernel").unwrap().inherited().unwrap();
        let mut compiler = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        drop(lock);
        assert!(Lock::any_held(dir.path()).unwrap().is_some());
        drop(compiler.stdin.take());
        compiler.wait().unwrap();
        // Tests in other threads start programs, too, which have it until their exec.
        let free = (0..100).any(|_| {
            std::thread::sleep(TRY_PERIOD);
            Lock::any_held(dir.path()).unwrap().is_none()
        });
        assert!(free, "still held");
    }
}
