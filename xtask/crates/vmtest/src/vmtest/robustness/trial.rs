//! A cache of its own in which this program is run, and what is left there and among the processes afterwards.

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use ukl_host::cache::Scratch;
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// In the environment of what is started, so that its descendants can be told from other processes.
const MARK: &str = "UKL_ROBUSTNESS";
/// The steps that a trial begins with: those that take long and are not what is tried.
const SEEDS: &[&str] = &["source-", "kernel-headers-", "musl-ukl-"];
/// How long a descendant may outlive this program: gcc ends its file.
const GRACE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A number below `limit`.
pub(super) fn random(limit: u64) -> u64 {
    fastrand::u64(..limit)
}

/// The hash of a C library that was built.
pub(super) fn library(step: &Path) -> Result<String> {
    let path = step.join("lib/libc.a");
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A cache that is removed afterwards.
#[derive(Debug)]
pub(super) struct Trial {
    scratch: Scratch,
    repo: PathBuf,
}

/// This program, running.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// None after a signal.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Trial {
    /// With the sources, and what takes long.
    pub(super) fn new(ctx: &Ctx) -> Result<Self> {
        let trial = Self::empty(ctx)?;
        // The seeds are there once somebody has built a toolchain.
        ukl_app::toolchain::toolchain(ctx)?;
        let steps = trial.cache().join("steps");
        fs::create_dir_all(&steps).with_context(|| format!("creating {}", steps.display()))?;
        copy(&ctx.cache.sources(), &trial.cache().join("sources"))?;
        for name in names(&ctx.cache.root().join("steps"))? {
            if SEEDS.iter().any(|seed| name.starts_with(seed)) {
                copy(&ctx.cache.root().join("steps").join(&name), &steps.join(&name))?;
            }
        }
        Ok(trial)
    }

    /// With nothing in it.
    pub(super) fn empty(ctx: &Ctx) -> Result<Self> {
        let scratch = ctx.cache.scratch()?;
        let trial = Trial { scratch, repo: ctx.repo.root.clone() };
        fs::create_dir(trial.cache()).with_context(|| format!("creating {}", trial.cache().display()))?;
        Ok(trial)
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// A place beside the cache.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The command that runs this program, its words yet to come.
    pub(super) fn command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        self.prepare(&mut command);
        Ok(command)
    }

    /// A shell command in namespaces of its own; `$XTASK` is this program, `$UKL_CACHE` the cache.
    pub(super) fn isolated(&self, namespaces: &[&str], script: &str) -> Result<Command> {
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", script]);
        command.env("XTASK", std::env::current_exe().context("finding this program")?);
        self.prepare(&mut command);
        Ok(command)
    }

    fn prepare(&self, command: &mut Command) {
        process::without_cargo(command).stdin(Stdio::null());
        command.env("UKL_CACHE", self.cache()).env("UKL_REPO", &self.repo).env(MARK, self.scratch.path());
    }

    /// Starts this program.
    pub(super) fn spawn(&self, words: &[&str]) -> Result<Running> {
        let mut command = self.command()?;
        self.start(command.args(words))
    }

    /// Starts a command, its output in files: a pipe would be held open by whoever outlives it.
    pub(super) fn start(&self, command: &mut Command) -> Result<Running> {
        let name = format!("{:016x}", fastrand::u64(..));
        let (stdout, stderr) = (self.beside(&format!("{name}.out")), self.beside(&format!("{name}.err")));
        let file = |path: &Path| fs::File::create(path).with_context(|| format!("creating {}", path.display()));
        command.stdout(file(&stdout)?).stderr(file(&stderr)?);
        let shown = process::display(command);
        let child = process::die_with_parent(command).spawn().with_context(|| format!("starting `{shown}`"))?;
        Ok(Running { child, stdout, stderr })
    }

    /// Runs a command to its end.
    pub(super) fn output(&self, command: &mut Command, deadline: Duration) -> Result<Ended> {
        self.start(command)?.wait(deadline)
    }

    /// The finished step of a kind.
    pub(super) fn find(&self, kind: &str) -> Result<Option<PathBuf>> {
        let steps = self.cache().join("steps");
        Ok(names(&steps)?.into_iter().find(|name| name.starts_with(kind)).map(|name| steps.join(name)))
    }

    /// Whether the last step of the build is there.
    pub(super) fn is_built(&self) -> Result<bool> {
        Ok(self.find("toolchain-")?.is_some())
    }

    /// Removes what the build made, so that it can be killed once more.
    pub(super) fn forget(&self) -> Result<()> {
        for kind in ["toolchain-", "musl-process-"] {
            while let Some(step) = self.find(kind)? {
                fs::remove_dir_all(&step).with_context(|| format!("removing {}", step.display()))?;
            }
        }
        Ok(())
    }

    /// Steps that somebody began and nobody ended.
    pub(super) fn unfinished(&self) -> Result<Vec<String>> {
        let names = names(&self.cache().join("steps"))?;
        Ok(names.into_iter().filter(|name| name.starts_with('.')).collect())
    }

    /// Fails when a descendant of what was started lives on.
    pub(super) fn nobody_left(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let left = self.descendants()?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(start.elapsed() < GRACE, "left behind: {}", left.join(", "));
            std::thread::sleep(POLL);
        }
    }

    /// The names of the processes that have the mark.
    pub(super) fn descendants(&self) -> Result<Vec<String>> {
        let mark = format!("{MARK}={}", self.scratch.path().display());
        let mut found = Vec::new();
        for name in names(Path::new("/proc"))?.into_iter().filter(|name| name.parse::<u32>().is_ok()) {
            let path = Path::new("/proc").join(&name);
            // A process that ends meanwhile cannot be read, and need not be.
            let Ok(environment) = fs::read(path.join("environ")) else { continue };
            if environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()) {
                found.push(fs::read_to_string(path.join("comm")).unwrap_or_default().trim().to_owned());
            }
        }
        Ok(found)
    }
}

impl Running {
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("waiting for this program")?.is_some())
    }

    /// Ends it as a full machine or an impatient user does: it cannot do anything about it.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing this program")?;
        self.child.wait().context("waiting for this program").map(drop)
    }

    /// Sends it a signal and waits for its end.
    pub(super) fn signal(&mut self, signal: i32, deadline: Duration) -> Result<()> {
        // SAFETY: the child has not been waited for, so the number is still its own.
        ensure!(unsafe { libc::kill(self.child.id() as i32, signal) } == 0, "sending a signal failed");
        let start = Instant::now();
        while !self.has_ended()? {
            ensure!(start.elapsed() < deadline, "signal {signal} did not end it in {} s", deadline.as_secs());
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until it has printed a text.
    pub(super) fn wait_for(&mut self, text: &str, deadline: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let said = self.said()?;
            if said.stdout.contains(text) || said.stderr.contains(text) {
                return Ok(());
            }
            ensure!(!self.has_ended()?, "it ended without `{text}`: {}", said.stderr);
            if start.elapsed() >= deadline {
                bail!("no `{text}` in {} s: {}", deadline.as_secs(), said.stderr);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for its end.
    pub(super) fn wait(mut self, deadline: Duration) -> Result<Ended> {
        let start = Instant::now();
        while !self.has_ended()? {
            if start.elapsed() >= deadline {
                let said = self.said()?.stderr;
                self.kill()?;
                bail!("it did not end in {} s: {said}", deadline.as_secs());
            }
            std::thread::sleep(POLL);
        }
        let status = self.child.wait().context("waiting for this program")?.code();
        Ok(Ended { status, ..self.said()? })
    }

    fn said(&self) -> Result<Ended> {
        let read = |path: &Path| {
            let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Ended { status: None, stdout: read(&self.stdout)?, stderr: read(&self.stderr)? })
    }
}

/// Copies a tree; its files are shared, for nobody writes into them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let sh = Shell::new()?;
    process::read(cmd!(sh, "cp --archive --link {from} {to}")).map(drop)
}

/// What is in a folder; nothing when it does not exist.
fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.with_context(|| format!("listing {}", dir.display()))?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
