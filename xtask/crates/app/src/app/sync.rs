//! Brings a tree that people edit into a work directory where things are built, without disturbing make.

use anyhow::{Context, Result};
use fs_err as fs;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a source file looked like when it was copied: modification time in nanoseconds and size in bytes.
type Stamp = (i128, u64);

/// The permission of a file's owner to write to it.
const OWNER_WRITES: u32 = 0o200;

/// Copies new and changed files from `source` to `work` and removes those that are gone; returns how many.
///
/// The first copy keeps modification times, which generated files in tarballs rely on. A later change gets the present
/// time: make must see it also when somebody puts an older version back. `record` remembers what was copied, so files
/// that the build itself writes over are left alone.
pub(super) fn sync(source: &Path, work: &Path, record: &Path) -> Result<usize> {
    let first = !record.is_file();
    let old = if first { BTreeMap::new() } else { read(record)? };
    let new = list(source)?;
    let mut changed = 0;
    for (name, stamp) in &new {
        if old.get(name) == Some(stamp) {
            continue;
        }
        changed += 1;
        let (from, to) = (source.join(name), work.join(name));
        copy(&from, &to, first).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        changed += 1;
        let path = work.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error.into());
            }
            _ => {}
        }
    }
    if changed > 0 || first {
        fs::create_dir_all(work)?;
        write(record, &new)?;
    }
    Ok(changed)
}

fn copy(from: &Path, to: &Path, keep_time: bool) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to)?;
    }
    let meta = from.symlink_metadata()?;
    if meta.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
        return Ok(());
    }
    fs::copy(from, to)?;
    // Nix's store and some tarballs have files that nobody may write to.
    fs::set_permissions(to, Permissions::from_mode(meta.permissions().mode() | OWNER_WRITES))?;
    if keep_time {
        fs::File::options().write(true).open(to)?.set_modified(meta.modified()?)?;
    }
    Ok(())
}

/// Every file and symbolic link below a folder.
fn list(source: &Path) -> Result<BTreeMap<PathBuf, Stamp>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(source) {
        let entry = entry.with_context(|| format!("listing {}", source.display()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let meta = entry.metadata().with_context(|| format!("looking at {}", entry.path().display()))?;
        let time_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        files.insert(entry.path().strip_prefix(source)?.to_owned(), (time_ns, meta.size()));
    }
    Ok(files)
}

/// One line a file: time, size, name.
fn write(record: &Path, files: &BTreeMap<PathBuf, Stamp>) -> Result<()> {
    let line = |(name, (time_ns, size)): (&PathBuf, &Stamp)| format!("{time_ns} {size} {}\n", name.display());
    let text: String = files.iter().map(line).collect();
    let partial = record.with_added_extension("partial");
    fs::write(&partial, text)?;
    Ok(fs::rename(&partial, record)?)
}

fn read(record: &Path) -> Result<BTreeMap<PathBuf, Stamp>> {
    let text = fs::read_to_string(record)?;
    text.lines()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut next = || words.next().with_context(|| format!("{}: line `{line}`", record.display()));
            let stamp = (next()?.parse()?, next()?.parse()?);
            Ok((PathBuf::from(next()?), stamp))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Trees {
        dir: tempfile::TempDir,
    }

    impl Trees {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("source/src")).unwrap();
            Trees { dir }
        }
        fn source(&self, name: &str) -> PathBuf {
            self.dir.path().join("source").join(name)
        }
        fn work(&self, name: &str) -> PathBuf {
            self.dir.path().join("work").join(name)
        }
        fn sync(&self) -> usize {
            sync(&self.dir.path().join("source"), &self.dir.path().join("work"), &self.dir.path().join("record"))
                .unwrap()
        }
    }

    #[test]
    fn what_is_worked_on_can_be_written() {
        let trees = Trees::new();
        fs::write(trees.source("run.sh"), "1").unwrap();
        fs::set_permissions(trees.source("run.sh"), Permissions::from_mode(0o555)).unwrap();
        trees.sync();
        assert_eq!(fs::metadata(trees.work("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn only_changes_are_copied_and_what_the_build_wrote_stays() {
        let trees = Trees::new();
        fs::write(trees.source("src/a.c"), "1").unwrap();
        fs::write(trees.source("b.h"), "1").unwrap();
        assert_eq!(trees.sync(), 2);
        fs::write(trees.work("b.h"), "written by the build").unwrap();
        fs::write(trees.source("src/a.c"), "22").unwrap();
        assert_eq!(trees.sync(), 1);
        assert_eq!(fs::read_to_string(trees.work("src/a.c")).unwrap(), "22");
        assert_eq!(fs::read_to_string(trees.work("b.h")).unwrap(), "written by the build");
        assert_eq!(trees.sync(), 0);
    }

    #[test]
    fn an_older_version_put_back_is_newer_for_make() {
        let trees = Trees::new();
        let set_time = |path: &Path, time_s| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time_s);
            fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        fs::write(trees.source("a.c"), "1").unwrap();
        set_time(&trees.source("a.c"), 2000);
        trees.sync();
        let first = fs::metadata(trees.work("a.c")).unwrap().mtime();
        assert_eq!(first, 2000, "the first copy keeps times");
        set_time(&trees.source("a.c"), 1000);
        assert_eq!(trees.sync(), 1);
        assert!(fs::metadata(trees.work("a.c")).unwrap().mtime() > 2000);
    }

    #[test]
    fn a_removed_file_disappears() {
        let trees = Trees::new();
        fs::write(trees.source("a.c"), "1").unwrap();
        trees.sync();
        fs::remove_file(trees.source("a.c")).unwrap();
        assert_eq!(trees.sync(), 1);
        assert!(!trees.work("a.c").exists());
    }
}
