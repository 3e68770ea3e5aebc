//! What every subcommand needs to know about this checkout and this machine.

use crate::repo::Repo;
use anyhow::Result;
use ukl_host::cache::Cache;

/// What to do about a Debian package or Rust component that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// Install it, as root or through sudo, saying which.
    Auto,
    /// Name it and the command, and stop.
    Never,
}

/// The checkout, the cache and the user's general choices.
#[derive(Debug)]
pub struct Ctx {
    pub repo: Repo,
    pub cache: Cache,
    pub install: Install,
    /// How many compilers run at once, or machines that count.
    pub jobs: usize,
}

impl Ctx {
    /// `jobs` of `None` means one per CPU this process may use.
    pub fn new(install: Install, jobs: Option<usize>) -> Result<Self> {
        let cpus = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Ctx { repo: Repo::find()?, cache: Cache::open()?, install, jobs: jobs.unwrap_or_else(cpus) })
    }
}
