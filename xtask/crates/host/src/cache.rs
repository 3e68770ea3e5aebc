//! The build cache: downloads, finished build steps and work directories, outside the checkout.
//!
//! Nothing half-made is ever visible under a final name: a step is built beside its place and renamed, and a lock file
//! per entry keeps a second `xtask` from building the same thing.

mod key;
mod lock;
mod root;
mod scratch;

pub use key::Key;
pub use lock::Lock;
pub use scratch::Scratch;

use crate::failure::Failure;
use anyhow::{Context, Result};
use fs_err as fs;
use std::path::{Path, PathBuf};

/// The root of the cache and the names below it.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A directory that is kept between runs and that nobody else touches while this value lives.
#[derive(Debug)]
pub struct WorkDir {
    pub path: PathBuf,
    _lock: Lock,
}

impl Cache {
    /// `$UKL_CACHE`, else `$XDG_CACHE_HOME/ukl`, else `~/.cache/ukl`; created when it does not exist.
    pub fn open() -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let root = variable("UKL_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("ukl")))
            .or_else(|| home().map(|dir| dir.join(".cache/ukl")))
            .ok_or_else(|| {
                Failure::new(
                    "no place for the cache: neither UKL_CACHE nor XDG_CACHE_HOME is set, and this user has no home",
                    "set UKL_CACHE to a folder with room for 6 GiB",
                )
            })?;
        root::check_name(&std::path::absolute(&root).with_context(|| format!("resolving {}", root.display()))?)?;
        let cache = Self::at(&root)?;
        // Again, because a symbolic link may have led elsewhere.
        root::check_name(&cache.root)?;
        Ok(cache)
    }

    /// The cache at a given root.
    pub fn at(given: &Path) -> Result<Self> {
        // Absolute, because compilers and make run with other working directories.
        let root = fs::create_dir_all(given).and_then(|()| given.canonicalize());
        let root = root.and_then(|root| root::check_access(&root).map(|()| root)).map_err(|error| {
            let shown = given.display();
            Failure::new(
                format!("the cache directory {shown} cannot be used: {error}"),
                "make it a folder that this user may write to, or set UKL_CACHE to one",
            )
        })?;
        Ok(Cache { root })
    }

    /// A directory for this process, removed when dropped; one that a killed process left is removed by the next call.
    pub fn scratch(&self) -> Result<Scratch> {
        let _lock = self.lock("scratch")?;
        Scratch::new(&self.root.join("scratch"))
    }

    /// Where the whole cache lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where tarballs lie under their file names.
    pub fn sources(&self) -> PathBuf {
        self.root.join("sources")
    }

    /// The place of a finished step, whether or not it exists yet.
    pub fn step_path(&self, kind: &str, key: &Key) -> PathBuf {
        self.root.join("steps").join(format!("{kind}-{key}"))
    }

    /// Returns the result of a step, building it first if this is the first time.
    ///
    /// `build` gets an empty directory, which becomes visible under its final name only when `build` succeeds. A
    /// concurrent caller waits for the first one and then finds its result.
    pub fn step(&self, kind: &str, key: &Key, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let done = self.step_path(kind, key);
        if done.is_dir() {
            return Ok(done);
        }
        let _lock = self.lock(&format!("{kind}-{key}"))?.inherited()?;
        if done.is_dir() {
            return Ok(done);
        }
        // Left by a run that was interrupted: the lock says that nobody is working there now.
        let unfinished = self.root.join("steps").join(format!(".unfinished-{kind}-{key}"));
        remove_tree(&unfinished)?;
        fs::create_dir_all(&unfinished)?;
        build(&unfinished).inspect_err(|_| {
            // The first error is the one to report; a leftover is removed by the next run anyway.
            let _ = remove_tree(&unfinished);
        })?;
        fs::rename(&unfinished, &done)
            .with_context(|| format!("renaming {} to {}", unfinished.display(), done.display()))?;
        Ok(done)
    }

    /// Opens the work directory of `kind` and `key`, waiting until nobody else works there.
    pub fn work(&self, kind: &str, key: &Key) -> Result<WorkDir> {
        let name = format!("{kind}-{key}");
        let lock = self.lock(&name)?.inherited()?;
        let path = self.root.join("work").join(&name);
        fs::create_dir_all(&path)?;
        Ok(WorkDir { path, _lock: lock })
    }

    /// What another process is building here right now, if anything, and which process that is.
    pub fn busy(&self) -> Result<Option<String>> {
        Lock::any_held(&self.root.join("locks"))
    }

    /// Takes the exclusive lock `name`, for what has no step or work directory of its own.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        let dir = self.root.join("locks");
        fs::create_dir_all(&dir)?;
        Lock::take(&dir, name)
    }
}

/// Removes a directory tree that may not exist.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn scratch() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path()).unwrap();
        (dir, cache)
    }

    #[test]
    fn a_step_is_built_once() {
        let (_dir, cache) = scratch();
        let key = Key::new("test-v1");
        let first = cache.step("thing", &key, |out| Ok(fs::write(out.join("a"), "1")?)).unwrap();
        let second = cache.step("thing", &key, |_| panic!("built twice")).unwrap();
        assert_eq!(first, second);
        assert_eq!(fs::read_to_string(first.join("a")).unwrap(), "1");
    }

    #[test]
    fn a_failed_step_leaves_nothing_and_the_next_try_succeeds() {
        let (_dir, cache) = scratch();
        let key = Key::new("test-v1");
        let failed = cache.step("thing", &key, |out| {
            fs::write(out.join("half"), "")?;
            anyhow::bail!("interrupted")
        });
        assert_eq!(failed.unwrap_err().to_string(), "interrupted");
        assert!(!cache.step_path("thing", &key).exists());
        let path = cache.step("thing", &key, |_| Ok(())).unwrap();
        assert!(!path.join("half").exists());
    }

    #[test]
    fn two_callers_build_a_step_once_between_them() {
        let (_dir, cache) = scratch();
        let key = Key::new("test-v1");
        let builds = AtomicUsize::new(0);
        let build = || {
            cache.step("thing", &key, |_| {
                builds.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(100));
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(build);
            assert_eq!(build().unwrap(), other.join().unwrap().unwrap());
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    }
}
