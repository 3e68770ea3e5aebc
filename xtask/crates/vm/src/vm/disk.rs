//! Data disks: sparse ext4 images that outlive the machine.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// An image that no other machine uses while this value lives.
#[derive(Debug)]
pub struct Disk {
    pub image: PathBuf,
    _lock: File,
}

/// The disk that `name` keeps between runs; made when there is none.
pub fn kept(ctx: &Ctx, name: &str, size_mib: u32) -> Result<Disk> {
    open(&ctx.cache.root().join("disks").join(format!("{name}.img")), size_mib)
}

/// The disk at this path, made when there is none.
pub fn open(image: &Path, size_mib: u32) -> Result<Disk> {
    let dir = image.parent().context("a disk image needs a folder")?;
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let lock_path = image.with_extension("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.with_context(|| format!("opening {}", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::new(
                format!("the data disk {} is in use by another run", image.display()),
                "end that run, or use `--fresh-disk` for an empty disk that is not kept",
            ));
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", lock_path.display()));
        }
    }
    if !image.exists() {
        format(image, size_mib)?;
    }
    Ok(Disk { image: image.to_owned(), _lock: lock })
}

/// Makes the file system beside its place and renames it, so that an interrupted run leaves no half-made one.
fn format(image: &Path, size_mib: u32) -> Result<()> {
    let unfinished = image.with_extension("unfinished");
    let file = File::create(&unfinished).with_context(|| format!("creating {}", unfinished.display()))?;
    file.set_len(u64::from(size_mib) << 20)?;
    // Debian keeps it in /sbin, which is not in every user's PATH.
    let program = ["/sbin/mke2fs", "/usr/sbin/mke2fs"].into_iter().find(|path| Path::new(path).exists());
    let (sh, program) = (Shell::new()?, program.unwrap_or("mke2fs"));
    process::read(cmd!(sh, "{program} -q -F -t ext4 -E root_owner=0:0 {unfinished}"))
        .context("making the data disk's file system")?;
    std::fs::rename(&unfinished, image).with_context(|| format!("renaming {}", unfinished.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_in_use_is_refused_and_is_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.img");
        std::fs::write(&image, "stands for a file system").unwrap();
        let disk = open(&image, 1).unwrap();
        let (text, _) = ukl_host::failure::describe(&open(&image, 1).unwrap_err());
        assert!(text.contains("in use by another run") && text.contains("--fresh-disk"), "{text}");
        drop(disk);
        open(&image, 1).unwrap();
    }
}
